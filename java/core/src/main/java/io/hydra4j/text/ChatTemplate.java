package io.hydra4j.text;

import io.hydra4j.ChatTemplateException;
import io.hydra4j.text.jinja.Template;
import java.time.Clock;
import java.time.LocalDateTime;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * What makes the prompt of a conversation: a Jinja template, as models come with one. It is rendered as Hugging Face's transformers
 * do, by an interpreter of our own, which reaches nothing but what it is given and stops where a template needs more steps, memory or
 * levels than any honest one. Immutable and thread-safe.
 *
 * <p>A template gets {@code messages}, {@code add_generation_prompt}, the model's special tokens ({@code bos_token}, {@code
 * eos_token}, ...), and what else its caller has for it: {@code tools}, {@code documents}, {@code enable_thinking} and the like.
 */
public final class ChatTemplate {
    private final String source;
    private final Map<String, String> specialTokens;
    private final Clock clock;
    private final Template template;

    private ChatTemplate(String source, Map<String, String> specialTokens, Clock clock, Template template) {
        this.source = source;
        this.specialTokens = specialTokens;
        this.clock = clock;
        this.template = template;
    }

    /**
     * Reads a template.
     *
     * @param source the template
     * @param specialTokens texts of special tokens, by the names that templates know them by, such as {@code bos_token}
     * @return the template
     * @throws ChatTemplateException.Invalid if it is damaged, or uses what is not known here
     * @throws ChatTemplateException.TooExpensive if it is too long, or nested too deeply
     * @throws NullPointerException if an argument is null
     */
    public static ChatTemplate of(String source, Map<String, String> specialTokens) {
        Objects.requireNonNull(source, "source is null: give a template");
        Objects.requireNonNull(specialTokens, "specialTokens is null: give a map, empty for none");
        return new ChatTemplate(source, Map.copyOf(specialTokens), Clock.systemDefaultZone(), Template.parse(source));
    }

    /**
     * {@return this template, for which it is another time} Some ask for the date.
     *
     * @param clock tells the time
     */
    public ChatTemplate withClock(Clock clock) {
        return new ChatTemplate(
                source, specialTokens, Objects.requireNonNull(clock, "clock is null: give a clock"), template);
    }

    /**
     * Makes the prompt of a conversation. What messages and variables hold becomes foreign parts of it.
     *
     * @param messages each with a {@code role} and, as a rule, a {@code content}; values are texts, numbers, booleans, null, and lists
     *     and maps of them
     * @param addGenerationPrompt whether the beginning of an answer stands at its end
     * @param variables of the template's own, by name; they hide those above
     * @return the prompt
     * @throws ChatTemplateException its nested classes: if the template refuses the messages, fails, or needs more than a template may
     * @throws IllegalArgumentException if a value is of another kind
     * @throws NullPointerException if an argument is null
     */
    public PromptText render(
            List<? extends Map<String, ?>> messages, boolean addGenerationPrompt, Map<String, ?> variables) {
        Objects.requireNonNull(messages, "messages is null: give a list");
        Objects.requireNonNull(variables, "variables is null: give a map, empty for none");
        Map<String, Object> all = new HashMap<>();
        specialTokens.forEach((name, token) -> all.put(name, PromptText.own(token)));
        all.put("messages", messages);
        all.put("add_generation_prompt", addGenerationPrompt);
        all.put("tools", null);
        all.put("documents", null);
        all.putAll(variables);
        return template.render(all, () -> LocalDateTime.now(clock));
    }

    /** {@return the template as it is written} */
    public String source() {
        return source;
    }
}
