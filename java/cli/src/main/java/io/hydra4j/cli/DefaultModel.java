package io.hydra4j.cli;

import io.hydra4j.HydraException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The model that is used where none is named: a small one of Java code, with Hydra++ heads. It is packed into the jar; while
 * it is opened, it lies in a temporary folder.
 */
final class DefaultModel implements AutoCloseable {
    /** System property: the folder that holds the files, to be used in place of those in the jar. */
    static final String PROPERTY = "hydra4j.models";

    static final String MODEL_FILE = "javalm-19m-q8_0.gguf";
    static final String HEADS_FILE = "javalm-19m-hydra-plus-plus.gguf";

    private static final String RESOURCES = "/models/";

    private final Path folder;
    private final ScratchFolder scratch;
    private final Interruption interruption;

    private DefaultModel(Path folder, ScratchFolder scratch) {
        this.folder = folder;
        this.scratch = scratch;
        this.interruption = new Interruption(this::deleteFiles);
    }

    /**
     * Puts the files where they can be read.
     *
     * @throws HydraException if the folder that {@link #PROPERTY} names has no model, or there is no temporary folder
     */
    static DefaultModel open() {
        String named = System.getProperty(PROPERTY, "");
        if (!named.isEmpty()) {
            Path folder = Path.of(named);
            if (!Files.isRegularFile(folder.resolve(MODEL_FILE))) {
                throw new HydraException("the system property " + PROPERTY + " names " + folder + ", which has no "
                        + MODEL_FILE + ": correct it, or name a model with --model");
            }
            return new DefaultModel(folder, null);
        }
        ScratchFolder scratch = ScratchFolder.create("hydra4j-model");
        DefaultModel model = new DefaultModel(scratch.path(), scratch);
        try {
            unpack(MODEL_FILE, scratch.path());
            unpack(HEADS_FILE, scratch.path());
            return model;
        } catch (IOException e) {
            model.close();
            throw new HydraException(
                    "the default model cannot be written to " + scratch.path() + ": " + e.getMessage()
                            + ": set java.io.tmpdir to another folder, or name a model with --model",
                    e);
        }
    }

    private static void unpack(String name, Path folder) throws IOException {
        try (InputStream resource = DefaultModel.class.getResourceAsStream(RESOURCES + name)) {
            if (resource == null) {
                throw new HydraException("the jar is incomplete: it has no " + RESOURCES + name);
            }
            Files.copy(resource, folder.resolve(name));
        }
    }

    /** The GGUF file, until this is closed. */
    Path model() {
        return folder.resolve(MODEL_FILE);
    }

    /** The compact heads file, until this is closed. */
    Path heads() {
        return folder.resolve(HEADS_FILE);
    }

    private void deleteFiles() {
        if (scratch != null) {
            scratch.close();
        }
    }

    @Override
    public void close() {
        deleteFiles();
        interruption.close();
    }
}
