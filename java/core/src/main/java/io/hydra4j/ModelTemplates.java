package io.hydra4j;

import io.hydra4j.text.ChatTemplate;
import io.hydra4j.text.ChatTemplates;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Supplier;

/** The chat templates of a model, read and parsed when they are first asked for, and once. Thread-safe. */
final class ModelTemplates {
    private final Supplier<ChatTemplates> reader;
    private final Map<String, ChatTemplate> parsed = new HashMap<>();
    private ChatTemplates sources;

    ModelTemplates(Supplier<ChatTemplates> reader) {
        this.reader = reader;
    }

    synchronized ChatTemplates sources() {
        if (sources == null) {
            sources = reader.get();
        }
        return sources;
    }

    /** The template for a conversation with tools or without. */
    synchronized ChatTemplate parsed(boolean hasTools) {
        return parsed.computeIfAbsent(sources().nameFor(hasTools), sources()::get);
    }
}
