package io.hydra4j.text;

import io.hydra4j.format.Fields;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Checks the parts that work on text before the model does, the normalizers and pre-tokenizers of a {@code
 * tokenizer.json}, and copies what it knows of them: nothing unknown reaches the native library, nothing that makes a
 * text much longer, and no regular expression that could run away.
 */
final class TextComponents {
    private static final int MOST_PARTS = 16;
    private static final int DEEPEST = 4;
    private static final int LONGEST_INSERT = 16;
    private static final int LARGEST_GROWTH = 16;
    /** UTF-16 units; far above the longest contexts, far below what the native library's offsets can hold. */
    private static final int LONGEST_TEXT = 1 << 22;
    /** Steps that the native regular expression engine may take within one match; it gives up after ten million. */
    private static final long MOST_STEPS = 8_000_000;

    private static final Set<String> BEHAVIORS =
            Set.of("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous");

    private long growth = 1;
    private long longest = LONGEST_TEXT;

    /** @return UTF-16 units that may be encoded at once with the components that were read so far */
    int longestText() {
        return (int) (longest / growth);
    }

    Map<String, Object> normalizer(Fields part) {
        return normalizer(part, 0);
    }

    Map<String, Object> preTokenizer(Fields part) {
        return preTokenizer(part, 0);
    }

    private Map<String, Object> normalizer(Fields part, int depth) {
        String type = part.string("type");
        switch (type) {
            case "NFC", "NFD", "NFKC", "NFKD", "Lowercase":
                return component("type", type);
            case "Prepend":
                return component("type", type, "prepend", insert(part, "prepend"));
            case "Replace":
                String pattern = literal(part.object("pattern"));
                String content = insert(part, "content");
                growth *= Math.max(1, (content.length() + pattern.length() - 1) / pattern.length());
                if (growth > LARGEST_GROWTH) {
                    throw part.invalid(
                            "content", "replacements that make a text at most " + LARGEST_GROWTH + " times longer");
                }
                return component("type", type, "pattern", component("String", pattern), "content", content);
            case "Sequence":
                List<Object> parts = new ArrayList<>();
                for (Fields element : parts(part, "normalizers", depth)) {
                    parts.add(normalizer(element, depth + 1));
                }
                return component("type", type, "normalizers", parts);
            default:
                throw part.invalid("type", "Prepend, Replace, NFC, NFD, NFKC, NFKD, Lowercase or Sequence");
        }
    }

    private Map<String, Object> preTokenizer(Fields part, int depth) {
        String type = part.string("type");
        switch (type) {
            case "ByteLevel":
                return component(
                        "type",
                        type,
                        "add_prefix_space",
                        part.flag("add_prefix_space"),
                        "trim_offsets",
                        true,
                        "use_regex",
                        part.flag("use_regex", true));
            case "Digits":
                return component("type", type, "individual_digits", part.flag("individual_digits", false));
            case "Metaspace":
                return component(
                        "type", type,
                        "replacement", Character.toString(character(part, "replacement")),
                        "prepend_scheme", prependScheme(part),
                        "split", part.flag("split", true));
            case "Split":
                return split(part);
            case "Sequence":
                List<Object> parts = new ArrayList<>();
                for (Fields element : parts(part, "pretokenizers", depth)) {
                    parts.add(preTokenizer(element, depth + 1));
                }
                return component("type", type, "pretokenizers", parts);
            default:
                throw part.invalid("type", "ByteLevel, Digits, Metaspace, Split or Sequence");
        }
    }

    private Map<String, Object> split(Fields part) {
        if (!BEHAVIORS.contains(part.string("behavior"))) {
            throw part.invalid("behavior", "one of " + new TreeSet<>(BEHAVIORS));
        }
        Fields pattern = part.object("pattern");
        Map<String, Object> checked;
        if (pattern.has("Regex")) {
            try {
                long steps = RegexGuard.stepsPerCharacter(pattern.string("Regex"));
                longest = Math.min(longest, MOST_STEPS / steps);
            } catch (RegexGuard.Refused refused) {
                throw pattern.invalid("Regex", refused.getMessage());
            }
            checked = component("Regex", pattern.string("Regex"));
        } else {
            checked = component("String", literal(pattern));
        }
        return component(
                "type",
                "Split",
                "pattern",
                checked,
                "behavior",
                part.string("behavior"),
                "invert",
                part.flag("invert", false));
    }

    private List<Fields> parts(Fields sequence, String name, int depth) {
        List<Fields> parts = sequence.objects(name);
        if (depth >= DEEPEST || parts.size() > MOST_PARTS) {
            throw sequence.invalid(name, "at most " + MOST_PARTS + " parts, nested at most " + DEEPEST + " deep");
        }
        return parts;
    }

    /** @return a part of a tokenizer.json: the given names and values, in this order */
    static Map<String, Object> component(Object... namesAndValues) {
        Map<String, Object> component = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            component.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        return component;
    }

    private static String literal(Fields pattern) {
        if (pattern.has("Regex")) {
            throw pattern.invalid("Regex", "a literal text (String)");
        }
        if (pattern.string("String").isEmpty()) {
            throw pattern.invalid("String", "a text that is not empty");
        }
        return pattern.string("String");
    }

    private static String insert(Fields part, String name) {
        if (part.string(name).length() > LONGEST_INSERT) {
            throw part.invalid(name, "a text of at most " + LONGEST_INSERT + " characters");
        }
        return part.string(name);
    }

    /** @return the code point that a string of one character holds */
    static int character(Fields part, String name) {
        String text = part.string(name);
        if (text.isEmpty() || text.codePointCount(0, text.length()) != 1) {
            throw part.invalid(name, "one character");
        }
        return text.codePointAt(0);
    }

    /** @return when Metaspace puts its mark before a text: always, first or never; older files say it with a flag */
    static String prependScheme(Fields part) {
        String scheme = part.string("prepend_scheme", "always");
        if (!Set.of("always", "first", "never").contains(scheme)) {
            throw part.invalid("prepend_scheme", "always, first or never");
        }
        return part.flag("add_prefix_space", true) ? scheme : "never";
    }
}
