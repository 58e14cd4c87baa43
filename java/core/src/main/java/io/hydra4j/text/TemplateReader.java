package io.hydra4j.text;

import io.hydra4j.format.Fields;
import java.util.Arrays;
import java.util.List;

/** Reads which ids a post-processor puts before and after a text. What it does to offsets does not matter here. */
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
                List<Fields> parts = processor.objects("processors");
                if (depth > 0 || parts.size() > LONGEST) {
                    throw processor.invalid("processors", "at most " + LONGEST + " processors, not nested");
                }
                parts.forEach(part -> read(part, depth + 1));
            }
            default -> throw processor.invalid("type", "ByteLevel, TemplateProcessing or Sequence");
        }
    }

    private void template(Fields processor) {
        int[] before = {};
        int[] after = {};
        boolean text = false;
        for (Fields piece : processor.objects("single")) {
            if (piece.has("SpecialToken")) {
                int[] ids = ids(processor, piece.object("SpecialToken").string("id"));
                if (text) {
                    after = joined(after, ids);
                } else {
                    before = joined(before, ids);
                }
                if (before.length + after.length > LONGEST) {
                    throw processor.invalid("single", "at most " + LONGEST + " special tokens");
                }
            } else if (text || !piece.object("Sequence").string("id").equals("A")) {
                throw processor.invalid("single", "special tokens around one sequence A");
            } else {
                text = true;
            }
        }
        if (!text) {
            throw processor.invalid("single", "special tokens around one sequence A");
        }
        prefix = joined(before, prefix);
        suffix = joined(suffix, after);
        if (prefix.length + suffix.length > LONGEST) {
            throw processor.invalid("single", "at most " + LONGEST + " special tokens in all");
        }
    }

    private int[] ids(Fields processor, String name) {
        Fields tokens = processor.object("special_tokens");
        if (!tokens.has(name)) {
            throw tokens.invalid(name, "the special token that the template names");
        }
        Fields token = tokens.object(name);
        List<?> listed = token.list("ids");
        if (listed.size() > LONGEST) {
            throw token.invalid("ids", "at most " + LONGEST + " ids");
        }
        int[] ids = new int[listed.size()];
        for (int i = 0; i < ids.length; i++) {
            if (!(listed.get(i) instanceof Long id) || id < 0 || id >= vocabularySize) {
                throw token.invalid("ids[" + i + "]", listed.get(i), "an id below " + vocabularySize);
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
