package io.hydra4j.text;

import io.hydra4j.format.Fields;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Checks the pre-tokenizer of a {@code tokenizer.json}, and copies what it knows of it: nothing unknown reaches the
 * native library, nothing that makes a text much longer, and no regular expression that could run away.
 */
final class PreTokenizerReader {
    private static final int MOST_PARTS = 16;
    private static final int DEEPEST = 4;

    private static final Set<String> BEHAVIORS =
            Set.of("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous");

    private final RegexBudget budget = new RegexBudget();
    private final Set<String> seen = new TreeSet<>();
    private int parts;
    private int startMark = -1;

    private PreTokenizerReader() {}

    static PreTokenizer read(Fields preTokenizer) {
        PreTokenizerReader reader = new PreTokenizerReader();
        Map<String, Object> component = reader.part(preTokenizer, 0);
        return new PreTokenizer(component, reader.startMark, reader.budget.longestText());
    }

    private Map<String, Object> part(Fields part, int depth) {
        String type = part.string("type");
        switch (type) {
            case "ByteLevel":
                requireOnce(part, type);
                return TextComponents.component(
                        "type",
                        type,
                        "add_prefix_space",
                        part.flag("add_prefix_space"),
                        "trim_offsets",
                        true,
                        "use_regex",
                        part.flag("use_regex", true));
            case "Digits":
                return component(type, "individual_digits", part.flag("individual_digits", false));
            case "Metaspace":
                return metaspace(part);
            case "Split":
                return split(part);
            case "Sequence":
                return sequence(part, depth);
            default:
                throw part.invalid("type", "ByteLevel, Digits, Metaspace, Split or Sequence");
        }
    }

    private Map<String, Object> metaspace(Fields part) {
        boolean isFirst = seen.isEmpty();
        requireOnce(part, "Metaspace");
        int mark = TextComponents.character(part, "replacement");
        String scheme = TextComponents.prependScheme(part);
        if (scheme.equals("first")) {
            if (!isFirst) {
                throw part.invalid("prepend_scheme", "always or never, for other parts come before this one");
            }
            startMark = mark;
        }
        return TextComponents.component(
                "type",
                "Metaspace",
                "replacement",
                Character.toString(mark),
                "prepend_scheme",
                scheme.equals("always") ? scheme : "never",
                "split",
                part.flag("split", true));
    }

    private Map<String, Object> split(Fields part) {
        seen.add("Split");
        if (!BEHAVIORS.contains(part.string("behavior"))) {
            throw part.invalid("behavior", "one of " + new TreeSet<>(BEHAVIORS));
        }
        Fields pattern = part.object("pattern");
        Map<String, Object> checked;
        if (pattern.has("Regex")) {
            try {
                budget.spend(RegexGuard.cost(pattern.string("Regex")));
            } catch (RegexGuard.Refused refused) {
                throw pattern.invalid("Regex", refused.getMessage());
            }
            checked = TextComponents.component("Regex", pattern.string("Regex"));
        } else {
            checked = TextComponents.component("String", TextComponents.literal(pattern));
        }
        return TextComponents.component(
                "type",
                "Split",
                "pattern",
                checked,
                "behavior",
                part.string("behavior"),
                "invert",
                part.flag("invert", false));
    }

    private Map<String, Object> sequence(Fields sequence, int depth) {
        List<Fields> elements = sequence.objects("pretokenizers");
        parts += elements.size();
        if (depth >= DEEPEST || parts > MOST_PARTS) {
            throw sequence.invalid(
                    "pretokenizers", "at most " + MOST_PARTS + " parts in all, nested at most " + DEEPEST + " deep");
        }
        List<Object> copies = new ArrayList<>();
        for (Fields element : elements) {
            copies.add(part(element, depth + 1));
        }
        return component("Sequence", "pretokenizers", copies);
    }

    /** Several of these would each make the text longer: spaces and marks before words, two bytes for one. */
    private void requireOnce(Fields part, String type) {
        if (!seen.add(type)) {
            throw part.invalid("type", "only one " + type);
        }
    }

    private Map<String, Object> component(String type, String name, Object value) {
        seen.add(type);
        return TextComponents.component("type", type, name, value);
    }
}
