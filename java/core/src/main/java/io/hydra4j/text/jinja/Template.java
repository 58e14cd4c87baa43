package io.hydra4j.text.jinja;

import io.hydra4j.ChatTemplateException;
import io.hydra4j.text.PromptText;
import java.time.LocalDateTime;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Supplier;

/**
 * A template that has been read. Immutable and thread-safe.
 *
 * <p>Why an interpreter of our own: Jinjava 2.8 renders 21 of 49 published chat templates as Jinja does (it has its own rules for white
 * space, slices, scopes, named arguments, and methods of texts, which are Java's), runs on where a template loops for ever, and brings 27 jars
 * of 9.5 MB with it. And only an interpreter knows which characters of its output have come from a message: each text here
 * carries that through every operation, so that no user can write a special token ({@link PromptText}).
 */
public final class Template {
    private static final int LONGEST = 1 << 20;

    private final Body body;

    private Template(Body body) {
        this.body = body;
    }

    /**
     * Reads a template.
     *
     * @throws ChatTemplateException.Invalid if it is damaged, or uses a tag that is not known here
     * @throws ChatTemplateException.TooExpensive if it is too long, or nested too deeply
     */
    public static Template parse(String source) {
        if (source.length() > LONGEST) {
            throw new ChatTemplateException.TooExpensive(LONGEST + " characters of its own");
        }
        return new Template(Parser.parse(source));
    }

    /**
     * Renders the template. Texts in the variables are foreign parts of the result, those that are {@link PromptText} keep what they
     * are.
     *
     * @param variables texts, numbers, booleans, null, and lists and maps of them, by name
     * @param now what time it is for the template; asked only by templates that want to know
     * @throws ChatTemplateException its nested classes: if the template refuses, fails, or needs more than a template may
     * @throws IllegalArgumentException if a value is of another kind
     */
    public PromptText render(Map<String, ?> variables, Supplier<LocalDateTime> now) {
        Map<String, Object> values = new HashMap<>();
        variables.forEach((name, value) -> values.put(name, Values.handedIn(value)));
        long size = values.values().stream().mapToLong(Values::size).sum();
        Scope scope = Scope.root(new Run(new Budget(size), now), values);
        body.execute(scope);
        return scope.out().text();
    }
}
