package io.hydra4j.text;

import io.hydra4j.ChatTemplateException;
import io.hydra4j.FormatException;
import io.hydra4j.format.Fields;
import io.hydra4j.format.StrictJson;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;

/**
 * The chat templates that come with a model, by name: most models have one, which is called {@value #DEFAULT}; some have others for
 * tools ({@code tool_use}) or documents ({@code rag}). Sources are read when this is made, a template when it is asked for: a
 * damaged one is no reason not to use a model otherwise. Immutable and thread-safe.
 *
 * <p>In a folder they are in {@code chat_template.jinja} with {@code additional_chat_templates/}, else in {@code chat_template.json},
 * else in {@code tokenizer_config.json}; in a GGUF file in its metadata.
 */
public final class ChatTemplates {
    /** The name of the template that is used where no other is asked for. */
    public static final String DEFAULT = "default";

    private static final String WITH_TOOLS = "tool_use";
    private static final String GGUF_KEY = "tokenizer.chat_template";
    private static final List<String> TOKENS =
            List.of("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token");
    /** A tokenizer_config.json describes each added token: the largest published ones have some megabytes. */
    private static final StrictJson.Limits LIMITS = new StrictJson.Limits(64 << 20, 6_000_000, 4096, 1 << 20);

    private final Path model;
    private final Map<String, String> sources;
    private final Map<String, String> specialTokens;

    private ChatTemplates(Path model, Map<String, String> sources, Map<String, String> specialTokens) {
        this.model = model;
        this.sources = new TreeMap<>(sources);
        this.specialTokens = Map.copyOf(specialTokens);
    }

    /**
     * Reads what comes with a model.
     *
     * @param model a Hugging Face folder or a GGUF file
     * @param metadata gives the metadata of a GGUF file, as {@link Tokenizer#fromGguf} takes it; asked for nothing else
     * @return the templates, perhaps none
     * @throws FormatException if a file cannot be read or is damaged
     */
    public static ChatTemplates of(Path model, Supplier<? extends Map<String, ?>> metadata) {
        return Files.isDirectory(model) ? ofFolder(model) : ofGguf(model, metadata.get());
    }

    /**
     * Reads what a Hugging Face folder has.
     *
     * @param folder the folder; it need not have templates
     * @return the templates, perhaps none
     * @throws FormatException if a file cannot be read or is damaged
     */
    public static ChatTemplates ofFolder(Path folder) {
        Path config = folder.resolve("tokenizer_config.json");
        Fields json = Files.exists(config) ? StrictJson.read(config, LIMITS) : new Fields(config, Map.of());
        Map<String, String> tokens = new HashMap<>();
        for (String name : TOKENS) {
            if (json.value(name) instanceof String token) {
                tokens.put(name, token);
            } else if (json.value(name) instanceof Map) {
                tokens.put(name, json.object(name).string("content"));
            }
        }
        Path jinja = folder.resolve("chat_template.jinja");
        Path processor = folder.resolve("chat_template.json");
        Map<String, String> sources = new HashMap<>();
        if (Files.exists(jinja)) {
            sources.put(DEFAULT, StrictJson.text(jinja, LIMITS));
        } else if (Files.exists(processor)) {
            sources.putAll(named(StrictJson.read(processor, LIMITS)));
        } else {
            sources.putAll(named(json));
        }
        sources.putAll(additional(folder.resolve("additional_chat_templates")));
        return new ChatTemplates(folder, sources, tokens);
    }

    private static Map<String, String> named(Fields json) {
        if (!(json.value("chat_template") instanceof List)) {
            return json.has("chat_template") ? Map.of(DEFAULT, json.string("chat_template")) : Map.of();
        }
        Map<String, String> sources = new HashMap<>();
        for (Fields each : json.objects("chat_template")) {
            sources.put(each.string("name"), each.string("template"));
        }
        return sources;
    }

    private static Map<String, String> additional(Path folder) {
        Map<String, String> sources = new HashMap<>();
        if (!Files.isDirectory(folder)) {
            return sources;
        }
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, "*.jinja")) {
            for (Path file : files) {
                String name = file.getFileName().toString();
                sources.put(name.substring(0, name.length() - ".jinja".length()), StrictJson.text(file, LIMITS));
            }
        } catch (IOException e) {
            throw new FormatException.Unreadable(folder, "folder", e.getMessage(), "a folder of templates", e);
        }
        return sources;
    }

    /**
     * Takes what the metadata of a GGUF file has.
     *
     * @param file the file, for messages; it is not read
     * @param metadata as {@link Tokenizer#fromGguf} takes it
     * @return the templates, perhaps none
     */
    public static ChatTemplates ofGguf(Path file, Map<String, ?> metadata) {
        Map<String, String> sources = new HashMap<>();
        metadata.forEach((key, value) -> {
            if (value instanceof String source && key.equals(GGUF_KEY)) {
                sources.put(DEFAULT, source);
            } else if (value instanceof String source && key.startsWith(GGUF_KEY + ".")) {
                sources.put(key.substring(GGUF_KEY.length() + 1), source);
            }
        });
        Map<String, String> tokens = new HashMap<>();
        if (metadata.get("tokenizer.ggml.tokens") instanceof String[] table) {
            Map<String, String> keys = Map.of(
                    "bos_token",
                    "bos",
                    "eos_token",
                    "eos",
                    "unk_token",
                    "unknown",
                    "pad_token",
                    "padding",
                    "sep_token",
                    "seperator",
                    "mask_token",
                    "mask");
            keys.forEach((name, key) -> {
                if (metadata.get("tokenizer.ggml." + key + "_token_id") instanceof Long id
                        && id >= 0
                        && id < table.length) {
                    tokens.put(name, table[id.intValue()]);
                }
            });
        }
        return new ChatTemplates(file, sources, tokens);
    }

    /** {@return the names of the templates; none for a model that has none} Unmodifiable. */
    public List<String> names() {
        return List.copyOf(sources.keySet());
    }

    /** {@return the texts of the model's special tokens, by the names that templates know them by} Unmodifiable. */
    public Map<String, String> specialTokens() {
        return specialTokens;
    }

    /**
     * {@return the template of a name, read}
     *
     * @param name one of {@link #names}
     * @throws ChatTemplateException.Missing if there is none of that name
     * @throws ChatTemplateException.Invalid if it is damaged, or uses what is not known here
     */
    public ChatTemplate get(String name) {
        String source = sources.get(name);
        if (source == null) {
            throw new ChatTemplateException.Missing(
                    model,
                    sources.isEmpty() ? "no chat template" : "no chat template '" + name + "'",
                    sources.isEmpty()
                            ? "use a model that was made for conversations, or give a template"
                            : "it has " + String.join(", ", sources.keySet()));
        }
        return ChatTemplate.of(source, specialTokens);
    }

    /**
     * {@return the name of the template for a conversation}
     *
     * @param hasTools whether the model is told of tools
     */
    public String nameFor(boolean hasTools) {
        return hasTools && sources.containsKey(WITH_TOOLS) ? WITH_TOOLS : DEFAULT;
    }
}
