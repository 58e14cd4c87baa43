package io.hydra4j;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A message of a conversation, as chat templates take them: a role, a content, and whatever else a template knows, such as {@code
 * tool_calls} or {@code name}. Immutable; two are equal if their fields are.
 */
public final class Message {
    private static final String ROLE = "role";
    private static final String CONTENT = "content";

    private final Map<String, Object> fields;

    private Message(Map<String, ?> fields) {
        this.fields = Collections.unmodifiableMap(new LinkedHashMap<>(fields));
    }

    /**
     * {@return a message of a role}
     *
     * @param role such as {@code user}; which there are is the template's business
     * @param content what is said
     * @throws NullPointerException if an argument is null
     */
    public static Message of(String role, String content) {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put(ROLE, OpenOptions.require("role", role, "one, such as \"user\""));
        fields.put(CONTENT, OpenOptions.require("content", content, "a text"));
        return new Message(fields);
    }

    /**
     * {@return a message with all its fields, as they come in JSON}
     *
     * @param fields among them {@code role}, a text; values are texts, numbers, booleans, null, and lists and maps of them
     * @throws IllegalArgumentException if there is no role
     * @throws NullPointerException if the map is null
     */
    public static Message of(Map<String, ?> fields) {
        if (!(OpenOptions.require("fields", fields, "a map with a role").get(ROLE) instanceof String)) {
            throw new IllegalArgumentException("a message has no text for \"role\": give one, such as \"user\"");
        }
        return new Message(fields);
    }

    /**
     * {@return a message of the user's}
     *
     * @param content what is said
     */
    public static Message user(String content) {
        return of("user", content);
    }

    /**
     * {@return a message of the assistant's: what a model has answered}
     *
     * @param content what is said
     */
    public static Message assistant(String content) {
        return of("assistant", content);
    }

    /**
     * {@return a message that tells a model what it is}
     *
     * @param content what is said
     */
    public static Message system(String content) {
        return of("system", content);
    }

    /**
     * {@return this message with another field}
     *
     * @param name of the field
     * @param value a text, number, boolean or null, or a list or map of them
     * @throws IllegalArgumentException if the role is to be no text
     */
    public Message with(String name, Object value) {
        Map<String, Object> all = new LinkedHashMap<>(fields);
        all.put(OpenOptions.require("name", name, "the name of a field"), value);
        return of(all);
    }

    /** {@return whose message it is} */
    public String role() {
        return (String) fields.get(ROLE);
    }

    /** {@return what is said, where that is a text: it may be missing beside tool calls, or be a list of parts} */
    public Optional<String> content() {
        return fields.get(CONTENT) instanceof String content ? Optional.of(content) : Optional.empty();
    }

    /** {@return all fields, role and content among them, in order} Unmodifiable. */
    public Map<String, Object> fields() {
        return fields;
    }

    /** The messages as templates take them. */
    static List<Map<String, Object>> fields(List<Message> messages) {
        OpenOptions.require("messages", messages, "a list of messages");
        messages.forEach(message -> OpenOptions.require("a message", message, "Message.user(\"...\")"));
        return messages.stream().map(Message::fields).toList();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Message message && fields.equals(message.fields);
    }

    @Override
    public int hashCode() {
        return fields.hashCode();
    }

    @Override
    public String toString() {
        return "Message" + fields;
    }
}
