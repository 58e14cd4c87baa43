package io.hydra4j.cli;

import io.hydra4j.HydraException;
import java.net.URISyntaxException;
import java.nio.file.FileSystemNotFoundException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.CodeSource;
import java.util.ArrayList;
import java.util.List;

/**
 * The model that is used where none is named: a small one of Java code, with Hydra++ heads.
 *
 * @param model the GGUF file
 * @param heads the compact heads file beside it
 */
record DefaultModel(Path model, Path heads) {
    /** System property: the folder that holds the files. */
    static final String PROPERTY = "hydra4j.models";

    static final String MODEL_FILE = "javalm-19m-q8_0.gguf";
    static final String HEADS_FILE = "javalm-19m-hydra-plus-plus.gguf";

    private static final String FOLDER = "models";
    private static final int LEVELS_UP = 3;

    /**
     * Looks in the folder that {@link #PROPERTY} names, or else in a folder {@code models} beside the jar, in the working
     * directory, or up to three folders above these.
     *
     * @throws HydraException if it is nowhere
     */
    static DefaultModel find() {
        String named = System.getProperty(PROPERTY, "");
        if (!named.isEmpty()) {
            Path folder = Path.of(named);
            if (!Files.isRegularFile(folder.resolve(MODEL_FILE))) {
                throw new HydraException("the system property " + PROPERTY + " names " + folder + ", which has no "
                        + MODEL_FILE + ": correct it, or name a model with --model");
            }
            return in(folder);
        }
        List<Path> starts = new ArrayList<>();
        Path program = program();
        if (program != null) {
            starts.add(program.getParent());
        }
        starts.add(Path.of("").toAbsolutePath());
        for (Path start : starts) {
            Path above = start;
            for (int i = 0; i <= LEVELS_UP && above != null; i++) {
                if (Files.isRegularFile(above.resolve(FOLDER).resolve(MODEL_FILE))) {
                    return in(above.resolve(FOLDER));
                }
                above = above.getParent();
            }
        }
        throw new HydraException(
                "the default model, " + FOLDER + "/" + MODEL_FILE + ", is neither near the program nor near "
                        + "the working directory: name a model with --model, or its folder with java -D" + PROPERTY
                        + "=FOLDER");
    }

    private static DefaultModel in(Path folder) {
        return new DefaultModel(folder.resolve(MODEL_FILE), folder.resolve(HEADS_FILE));
    }

    /** The jar, or the folder of classes; null where Java does not tell. */
    private static Path program() {
        try {
            CodeSource source = DefaultModel.class.getProtectionDomain().getCodeSource();
            return source == null || source.getLocation() == null
                    ? null
                    : Path.of(source.getLocation().toURI()).toAbsolutePath();
        } catch (URISyntaxException | IllegalArgumentException | FileSystemNotFoundException | SecurityException e) {
            return null;
        }
    }
}
