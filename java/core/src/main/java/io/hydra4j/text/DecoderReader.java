package io.hydra4j.text;

import io.hydra4j.format.Fields;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads the decoder of a {@code tokenizer.json}: ByteLevel; Metaspace; or a sequence of Replace (of literal text),
 * ByteFallback, Fuse and Strip (at the start), in this order, any of which may be missing, but nothing may be stripped
 * that is not fused. Any other decoder could not be followed while tokens come one by one.
 */
final class DecoderReader {
    private static final String SUPPORTED =
            "ByteLevel, Metaspace, or Replace, ByteFallback, Fuse and Strip in this order";
    private static final List<String> ORDER = List.of("Replace", "ByteFallback", "Fuse", "Strip");
    private static final int MOST_PARTS = 16;
    private static final int LONGEST_REPLACEMENT = 64;
    /** How many times longer a token may become by all replacements together. */
    private static final int LARGEST_GROWTH = 64;

    private final List<DecoderSpec.Replacement> replacements = new ArrayList<>();
    private long growth = 1;
    private boolean byteFallback;
    private boolean fused;
    private int stripStart;
    private int stripped = -1;
    private int last;

    private DecoderReader() {}

    static DecoderSpec read(Fields decoder) {
        String type = decoder.string("type");
        if (type.equals("Sequence")) {
            List<Fields> parts = decoder.objects("decoders");
            if (parts.isEmpty() || parts.size() > MOST_PARTS) {
                throw decoder.invalid("decoders", "1 to " + MOST_PARTS + " decoders");
            }
            if (parts.size() == 1) {
                return read(parts.get(0));
            }
            DecoderReader reader = new DecoderReader();
            parts.forEach(reader::part);
            return reader.spec(-1);
        }
        DecoderReader reader = new DecoderReader();
        switch (type) {
            case "ByteLevel":
                return DecoderSpec.ofByteLevel();
            case "Metaspace":
                int replacement = TextComponents.character(decoder, "replacement");
                reader.replacements.add(new DecoderSpec.Replacement(Character.toString(replacement), " "));
                // The first token's marks are dropped, not only its first: so does the library.
                return reader.spec(TextComponents.prependScheme(decoder).equals("never") ? -1 : replacement);
            default:
                reader.part(decoder);
                return reader.spec(-1);
        }
    }

    private void part(Fields part) {
        String type = part.string("type");
        int place = ORDER.indexOf(type);
        if (place < last || place == last && place > 0) {
            throw part.invalid("type", SUPPORTED);
        }
        last = place;
        switch (type) {
            case "Replace" -> {
                Fields pattern = part.object("pattern");
                String literal = pattern.string("String");
                String content = part.string("content");
                if (literal.isEmpty()) {
                    throw pattern.invalid("String", "a text that is not empty");
                }
                if (content.length() > LONGEST_REPLACEMENT) {
                    throw part.invalid("content", "a text of at most " + LONGEST_REPLACEMENT + " characters");
                }
                growth *= Math.max(1, (content.length() + literal.length() - 1) / literal.length());
                if (growth > LARGEST_GROWTH) {
                    throw part.invalid(
                            "content", "replacements that make a token at most " + LARGEST_GROWTH + " times longer");
                }
                replacements.add(new DecoderSpec.Replacement(literal, content));
            }
            case "ByteFallback" -> byteFallback = true;
            case "Fuse" -> fused = true;
            default -> {
                part.integer("stop", 0, 0);
                stripStart = part.integer("start", 0, 1024);
                stripped = TextComponents.character(part, "content");
                if (!fused) {
                    throw part.invalid("type", "Fuse before Strip");
                }
            }
        }
    }

    private DecoderSpec spec(int droppedInFirst) {
        return new DecoderSpec(false, replacements, byteFallback, stripStart, stripped, droppedInFirst);
    }
}
