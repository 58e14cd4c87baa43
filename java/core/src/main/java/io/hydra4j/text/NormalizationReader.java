package io.hydra4j.text;

import io.hydra4j.format.Fields;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.List;

/** Reads the normalizer of a {@code tokenizer.json}; what would make a text much longer is refused. */
final class NormalizationReader {
    private static final int MOST_PARTS = 16;
    private static final int DEEPEST = 4;
    private static final int LONGEST_INSERT = 16;
    private static final int LARGEST_GROWTH = 16;

    private final List<Normalization.Step> steps = new ArrayList<>();
    private int parts;
    private long growth = 1;

    private NormalizationReader() {}

    static Normalization read(Fields normalizer) {
        NormalizationReader reader = new NormalizationReader();
        reader.part(normalizer, 0);
        return new Normalization(List.copyOf(reader.steps));
    }

    private void part(Fields part, int depth) {
        String type = part.string("type");
        switch (type) {
            case "NFC", "NFD", "NFKC", "NFKD" -> steps.add(Normalization.form(Normalizer.Form.valueOf(type)));
            case "Lowercase" -> steps.add(Normalization.lowercase());
            case "Prepend" -> {
                if (part.string("prepend").isEmpty()) {
                    throw part.invalid("prepend", "a text that is not empty; leave the part out");
                }
                steps.add(Normalization.prepend(insert(part, "prepend")));
            }
            case "Replace" -> {
                String pattern = TextComponents.literal(part.object("pattern"));
                String content = insert(part, "content");
                growth *= Math.max(1, (content.length() + pattern.length() - 1) / pattern.length());
                if (growth > LARGEST_GROWTH) {
                    throw part.invalid(
                            "content", "replacements that make a text at most " + LARGEST_GROWTH + " times longer");
                }
                steps.add(Normalization.replace(pattern, content));
            }
            case "Sequence" -> {
                List<Fields> elements = part.objects("normalizers");
                parts += elements.size();
                if (depth >= DEEPEST || parts > MOST_PARTS) {
                    throw part.invalid(
                            "normalizers",
                            "at most " + MOST_PARTS + " parts in all, nested at most " + DEEPEST + " deep");
                }
                elements.forEach(element -> part(element, depth + 1));
            }
            default -> throw part.invalid("type", "Prepend, Replace, NFC, NFD, NFKC, NFKD, Lowercase or Sequence");
        }
    }

    private static String insert(Fields part, String name) {
        if (part.string(name).length() > LONGEST_INSERT) {
            throw part.invalid(name, "a text of at most " + LONGEST_INSERT + " characters");
        }
        return part.string(name);
    }
}
