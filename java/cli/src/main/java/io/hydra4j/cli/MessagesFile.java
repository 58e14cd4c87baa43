package io.hydra4j.cli;

import io.hydra4j.FormatException;
import io.hydra4j.Message;
import io.hydra4j.format.StrictJson;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Conversations and tools in JSON files. */
final class MessagesFile {
    private static final StrictJson.Limits LIMITS =
            new StrictJson.Limits(TextSource.MAX_BYTES, 6_000_000, 4096, TextSource.MAX_BYTES);

    private MessagesFile() {}

    /**
     * Reads a JSON list of messages, each an object with a {@code role}.
     *
     * @param file {@code -} for standard input
     * @throws FormatException if it holds anything else
     */
    static List<Message> read(Path file, Console console) {
        List<Message> messages = new ArrayList<>();
        for (Map<String, Object> fields : objects(file, "messages", console)) {
            if (!(fields.get("role") instanceof String)) {
                throw new FormatException.InvalidValue(
                        file, "[" + messages.size() + "].role", fields.get("role"), "a text, such as \"user\"");
            }
            messages.add(Message.of(fields));
        }
        if (messages.isEmpty()) {
            throw new FormatException.InvalidValue(file, "messages", "none", "at least one");
        }
        return messages;
    }

    /** Reads a JSON list of objects. */
    static List<Map<String, Object>> objects(Path file, String what, Console console) {
        Object value = StrictJson.value(file, what, TextSource.read(file, console), LIMITS);
        if (!(value instanceof List<?> list)) {
            throw new FormatException.InvalidValue(file, what, "no list", "a JSON list of objects");
        }
        List<Map<String, Object>> objects = new ArrayList<>();
        for (Object each : list) {
            if (!(each instanceof Map)) {
                throw new FormatException.InvalidValue(file, "[" + objects.size() + "]", each, "an object");
            }
            @SuppressWarnings("unchecked") // an object becomes no other map
            Map<String, Object> object = (Map<String, Object>) each;
            objects.add(object);
        }
        return objects;
    }
}
