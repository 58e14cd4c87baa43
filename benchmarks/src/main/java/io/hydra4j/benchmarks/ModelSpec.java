package io.hydra4j.benchmarks;

import io.hydra4j.HydraException;
import io.hydra4j.HydraModel;
import io.hydra4j.heads.HeadsFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * A model to measure, by the name that a benchmark's parameter has.
 *
 * @param model a GGUF file or Hugging Face folder
 * @param heads draft heads for it, by what they are
 * @param prompts a file of prompts, or null for the embedded ones
 */
record ModelSpec(Path model, Map<Method, Path> heads, Path prompts) {
    /** The embedded model. */
    static final String DEFAULT = "default";

    /**
     * Finds a model.
     *
     * @param name {@code default}, the embedded one; {@code javalm} or {@code smollm2} of the shared folder, with all of their
     *     heads; or a path
     * @throws HydraException if its folder is not there
     */
    static ModelSpec named(String name) {
        switch (name) {
            case DEFAULT -> {
                Path folder = Settings.models();
                Path heads = first(folder, "*hydra*.gguf");
                return of(other(folder, heads), List.of(heads), null);
            }
            case "javalm" -> {
                Path folder = Settings.shared().resolve("models/javalm-19m");
                return of(first(folder, "*.gguf"), all(folder, "heads-*"), null);
            }
            case "smollm2" -> {
                Path folder = Settings.shared().resolve("models/smollm2-135m-instruct");
                return of(
                        first(folder, "*.gguf"),
                        all(folder, "heads-*"),
                        Settings.shared().resolve("data/mt_bench.jsonl"));
            }
            default -> {
                return of(Path.of(name), List.of(), null);
            }
        }
    }

    /** A model with heads of any kinds, one of each. */
    static ModelSpec of(Path model, List<Path> heads, Path prompts) {
        Map<Method, Path> kinds = new EnumMap<>(Method.class);
        for (Path path : heads) {
            kinds.put(Method.valueOf(HeadsFiles.open(path).config().kind().name()), path);
        }
        return new ModelSpec(model, kinds, prompts);
    }

    /**
     * Opens the model with heads of one kind, or without for plain decoding.
     *
     * @throws HydraException if there are no such heads
     */
    HydraModel open(Method method) {
        if (method != Method.PLAIN && !heads.containsKey(method)) {
            throw new HydraException("no " + Variant.name(method) + " heads for " + model + ": give some with --heads");
        }
        return HydraModel.open(model, Settings.openOptions().withHeads(heads.get(method)));
    }

    private static Path first(Path folder, String pattern) {
        List<Path> found = all(folder, pattern);
        if (found.isEmpty()) {
            throw new HydraException(folder + " holds no " + pattern);
        }
        return found.get(0);
    }

    private static Path other(Path folder, Path than) {
        return all(folder, "*.gguf").stream()
                .filter(path -> !path.equals(than))
                .findFirst()
                .orElseThrow(() -> new HydraException(folder + " holds no base model"));
    }

    private static List<Path> all(Path folder, String pattern) {
        try (var paths = Files.newDirectoryStream(folder, pattern)) {
            List<Path> found = new ArrayList<>();
            paths.forEach(found::add);
            return found.stream().sorted().toList();
        } catch (IOException e) {
            throw new HydraException("cannot list " + folder + ": " + e, e);
        }
    }
}
