package io.hydra4j.cli;

import io.hydra4j.HydraException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Tells that a model has no tokenizer. */
final class NoTokenizer {
    private static final String SENTENCE_PIECE = "tokenizer.model";

    private NoTokenizer() {}

    /**
     * The failure, with a hint for folders of which many know no better.
     *
     * @param remedy what to do, where there is nothing better to say
     */
    static HydraException in(Path model, String remedy) {
        return new HydraException(
                Files.exists(model.resolve(SENTENCE_PIECE))
                        ? model + " has no tokenizer that can be read: of " + SENTENCE_PIECE
                                + " make a tokenizer.json (save_pretrained of a fast tokenizer does), or give a GGUF file"
                        : model + " has no tokenizer: " + remedy);
    }
}
