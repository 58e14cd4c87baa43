package io.hydra4j.text;

import java.util.Arrays;
import java.util.List;

/** Reads which ids a post-processor puts before and behind a text. What it does to offsets does not matter here. */
final class TemplateReader {
    private static final int LONGEST = 64;

    private final int vocabularySize;
    private int[] prefix = {};
    private int[] suffix = {};

    /** @param vocabularySize one more than the largest id */
    TemplateReader(int vocabularySize) {
        this.vocabularySize = vocabularySize;
    }

    int[] prefix() {
        return prefix;
    }

    int[] suffix() {
        return suffix;
    }

    void read(Fields processor, int depth) {
        switch (processor.string("type")) {
            case "ByteLevel" -> {}
            case "TemplateProcessing" -> template(processor);
            case "Sequence" -> {
                List<?> parts = processor.list("processors");
                if (depth > 0 || parts.size() > LONGEST) {
                    throw processor.wrong("processors", "at most " + LONGEST + " processors, not nested");
                }
                for (int i = 0; i < parts.size(); i++) {
                    read(processor.element("processors", i, parts.get(i)), depth + 1);
                }
            }
            default -> throw processor.wrong("type", "ByteLevel, TemplateProcessing or Sequence");
        }
    }

    private void template(Fields processor) {
        List<?> pieces = processor.list("single");
        int[] before = {};
        int[] behind = {};
        boolean text = false;
        for (int i = 0; i < pieces.size(); i++) {
            Fields piece = processor.element("single", i, pieces.get(i));
            if (piece.has("SpecialToken")) {
                int[] ids = ids(processor, piece.object("SpecialToken").string("id"));
                if (text) {
                    behind = joined(behind, ids);
                } else {
                    before = joined(before, ids);
                }
                if (before.length + behind.length > LONGEST) {
                    throw processor.wrong("single", "at most " + LONGEST + " special tokens");
                }
            } else if (text || !piece.object("Sequence").string("id").equals("A")) {
                throw processor.wrong("single", "special tokens around one sequence A");
            } else {
                text = true;
            }
        }
        if (!text) {
            throw processor.wrong("single", "special tokens around one sequence A");
        }
        prefix = joined(before, prefix);
        suffix = joined(suffix, behind);
    }

    private int[] ids(Fields processor, String name) {
        Fields tokens = processor.object("special_tokens");
        if (!tokens.has(name)) {
            throw tokens.wrong(name, "the special token that the template names");
        }
        Fields token = tokens.object(name);
        List<?> listed = token.list("ids");
        if (listed.size() > LONGEST) {
            throw token.wrong("ids", "at most " + LONGEST + " ids");
        }
        int[] ids = new int[listed.size()];
        for (int i = 0; i < ids.length; i++) {
            if (!(listed.get(i) instanceof Long id) || id < 0 || id >= vocabularySize) {
                throw token.wrong("ids[" + i + "]", listed.get(i), "an id below " + vocabularySize);
            }
            ids[i] = id.intValue();
        }
        return ids;
    }

    private static int[] joined(int[] first, int[] second) {
        int[] joined = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, joined, first.length, second.length);
        return joined;
    }
}
