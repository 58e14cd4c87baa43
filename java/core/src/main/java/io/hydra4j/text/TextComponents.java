package io.hydra4j.text;

import io.hydra4j.format.Fields;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** What normalizers, pre-tokenizers and decoders of a {@code tokenizer.json} have in common. */
final class TextComponents {
    private TextComponents() {}

    /** @return a part of a tokenizer.json: the given names and values, in this order */
    static Map<String, Object> component(Object... namesAndValues) {
        Map<String, Object> component = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            component.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        return component;
    }

    /** @return the text that a pattern stands for; it is not empty */
    static String literal(Fields pattern) {
        if (pattern.has("Regex")) {
            throw pattern.invalid("Regex", "a literal text (String)");
        }
        if (pattern.string("String").isEmpty()) {
            throw pattern.invalid("String", "a text that is not empty");
        }
        return pattern.string("String");
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
