package io.hydra4j;

import io.hydra4j.text.ChatTemplate;
import io.hydra4j.text.PromptText;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * How messages become a prompt. Immutable; the {@code with} methods give changed copies. Two are equal if all their options are.
 */
public final class ChatOptions {
    /** The model's own template, the beginning of an answer at the end, and special tokens in messages are text. */
    public static final ChatOptions DEFAULT = new ChatOptions(null, true, false, List.of(), Map.of());

    private final ChatTemplate template;
    private final boolean generationPrompt;
    private final boolean specialTokens;
    private final List<Map<String, ?>> tools;
    private final Map<String, Object> variables;

    private ChatOptions(
            ChatTemplate template,
            boolean generationPrompt,
            boolean specialTokens,
            List<Map<String, ?>> tools,
            Map<String, Object> variables) {
        this.template = template;
        this.generationPrompt = generationPrompt;
        this.specialTokens = specialTokens;
        this.tools = tools;
        this.variables = variables;
    }

    /**
     * {@return these options with another template}
     *
     * @param template null, as it is by default, for the model's own
     */
    public ChatOptions withTemplate(ChatTemplate template) {
        return new ChatOptions(template, generationPrompt, specialTokens, tools, variables);
    }

    /**
     * {@return these options with or without the beginning of an answer at the end of the prompt; with it by default}
     *
     * @param generationPrompt whether an answer is begun
     */
    public ChatOptions withGenerationPrompt(boolean generationPrompt) {
        return new ChatOptions(template, generationPrompt, specialTokens, tools, variables);
    }

    /**
     * {@return these options with special tokens that are written in messages recognised, or taken as text, as they are by default}
     * Recognised, a message can end its turn and begin another: for messages from trusted hands alone.
     *
     * @param specialTokens whether the text of a special token becomes that token
     */
    public ChatOptions withSpecialTokens(boolean specialTokens) {
        return new ChatOptions(template, generationPrompt, specialTokens, tools, variables);
    }

    /**
     * {@return these options with tools that the model is told of; none by default}
     *
     * @param tools as JSON describes them: {@code {"type": "function", "function": {"name": ..., "parameters": ...}}}
     */
    public ChatOptions withTools(List<? extends Map<String, ?>> tools) {
        return new ChatOptions(
                template,
                generationPrompt,
                specialTokens,
                List.copyOf(OpenOptions.require("tools", tools, "a list, empty for none")),
                variables);
    }

    /**
     * {@return these options with a variable of the template's own, such as {@code enable_thinking}} Texts in it are as those in
     * messages.
     *
     * @param name of the variable
     * @param value a text, number, boolean or null, or a list or map of them
     */
    public ChatOptions withVariable(String name, Object value) {
        Map<String, Object> all = new LinkedHashMap<>(variables);
        all.put(OpenOptions.require("name", name, "the name of a variable"), value);
        return new ChatOptions(template, generationPrompt, specialTokens, tools, Collections.unmodifiableMap(all));
    }

    /** {@return the template; empty for the model's own} */
    public Optional<ChatTemplate> template() {
        return Optional.ofNullable(template);
    }

    /** {@return whether the beginning of an answer stands at the end of the prompt} */
    public boolean generationPrompt() {
        return generationPrompt;
    }

    /** {@return whether special tokens that are written in messages are recognised} */
    public boolean specialTokens() {
        return specialTokens;
    }

    /** {@return the tools that the model is told of} Unmodifiable. */
    public List<Map<String, ?>> tools() {
        return tools;
    }

    /** {@return variables of the template's own} Unmodifiable. */
    public Map<String, Object> variables() {
        return variables;
    }

    /**
     * {@return what the {@link #template} makes of messages}
     *
     * @param messages the messages
     * @throws ChatTemplateException its nested classes: if the template refuses the messages, fails, or needs more than a template may
     * @throws IllegalStateException if these options leave the template to a model, whose {@link HydraModel#prompt} is to be called
     */
    public PromptText prompt(List<Message> messages) {
        List<Map<String, Object>> fields = Message.fields(messages);
        if (template == null) {
            throw new IllegalStateException("these options have no template: call the model's prompt, or give one");
        }
        return template.render(fields, generationPrompt, given());
    }

    private Map<String, Object> given() {
        Map<String, Object> given = new LinkedHashMap<>();
        if (!tools.isEmpty()) {
            given.put("tools", tools);
        }
        given.putAll(variables);
        return given;
    }

    private List<Object> values() {
        return Arrays.asList(template, generationPrompt, specialTokens, tools, variables);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ChatOptions options && values().equals(options.values());
    }

    @Override
    public int hashCode() {
        return values().hashCode();
    }

    @Override
    public String toString() {
        return "ChatOptions[template=" + (template == null ? "the model's" : "another") + ", generationPrompt="
                + generationPrompt + ", specialTokens=" + specialTokens + ", tools=" + tools.size() + ", variables="
                + variables + "]";
    }
}
