package io.hydra4j.cli;

import io.hydra4j.FormatException;
import io.hydra4j.HydraException;
import io.hydra4j.HydraModel;
import io.hydra4j.format.StrictJson;
import io.hydra4j.text.Tokenizer;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** The prompts that ways of decoding are compared on. */
final class BenchPrompts {
    /** Beginnings of Java files, which the model that comes with the jar never saw. */
    private static final String BUILT_IN = "java-heldout.jsonl";

    private static final int BUILT_IN_PROMPTS = 16;
    private static final int BUILT_IN_TOKENS = 128;

    private final Path file;
    /** Texts, or lists of token ids. */
    private final List<Object> values;

    private BenchPrompts(Path file, List<Object> values) {
        this.file = file;
        this.values = values;
    }

    /**
     * Reads prompts: one, or one a line of a .jsonl file, each an object with a field {@code text} or an array of token ids.
     *
     * @param file null for the built-in ones
     * @throws HydraException if it cannot be read or has no prompts
     */
    static BenchPrompts read(Path file, Console console) {
        if (file == null) {
            return new BenchPrompts(null, builtIn());
        }
        String whole = TextSource.read(file, console);
        List<Object> values = file.toString().endsWith(".jsonl") ? lines(file, whole) : List.of(whole);
        if (values.isEmpty()) {
            throw new HydraException(file + ": has no prompts: give one a line");
        }
        return new BenchPrompts(file, values);
    }

    private static List<Object> builtIn() {
        try (InputStream resource = BenchPrompts.class.getResourceAsStream(BUILT_IN)) {
            if (resource == null) {
                throw new HydraException("the jar is incomplete: it has no " + BUILT_IN);
            }
            String text = new String(resource.readAllBytes(), StandardCharsets.UTF_8);
            List<Object> all = lines(Path.of(BUILT_IN), text);
            return IntStream.range(0, BUILT_IN_PROMPTS)
                    .mapToObj(i -> all.get(i * all.size() / BUILT_IN_PROMPTS))
                    .toList();
        } catch (IOException e) {
            throw new HydraException("the jar is damaged: " + BUILT_IN + ": " + e.getMessage(), e);
        }
    }

    private static List<Object> lines(Path file, String whole) {
        List<Object> values = new ArrayList<>();
        int number = 0;
        for (String line : (Iterable<String>) whole.lines()::iterator) {
            String field = "line " + ++number;
            if (line.isBlank()) {
                continue;
            }
            Object value = StrictJson.value(file, field, line);
            if (value instanceof Map<?, ?> object && object.get("text") instanceof String text) {
                values.add(text);
            } else if (value instanceof List<?>) {
                values.add(TokenIds.ids(file, field, value));
            } else {
                throw new FormatException.InvalidValue(
                        file,
                        field,
                        value instanceof Map ? "an object without a text" : value,
                        "an object with the field \"text\", or an array of token ids");
            }
        }
        return values;
    }

    /** What reports call them. */
    String source() {
        return file == null ? "built-in, beginnings of Java files" : String.valueOf(file.getFileName());
    }

    /**
     * The token ids of every prompt, {@code [prompt][token]}.
     *
     * @throws HydraException if the model cannot take them
     */
    List<int[]> encode(HydraModel model) {
        List<int[]> all = new ArrayList<>();
        for (Object value : values) {
            all.add(value instanceof int[] ids ? known(model, ids, all.size()) : encode(model, (String) value));
        }
        return all;
    }

    private int[] known(HydraModel model, int[] ids, int index) {
        int vocabulary = model.info().vocabulary();
        for (int id : ids) {
            if (id >= vocabulary) {
                throw new FormatException.InvalidValue(
                        file, "prompt " + index, "id " + id, "token ids from 0 to " + (vocabulary - 1));
            }
        }
        return ids;
    }

    private int[] encode(HydraModel model, String text) {
        Tokenizer tokenizer = model.tokenizer()
                .orElseThrow(() -> NoTokenizer.in(
                        model.info().path(), "give token ids in the lines of a .jsonl file with --prompts"));
        int[] ids = tokenizer.encode(text);
        int longest = Math.min(BUILT_IN_TOKENS, model.info().context() / 2);
        return file == null && ids.length > longest ? Arrays.copyOf(ids, longest) : ids;
    }
}
