/**
 * Hydra4J: text generation with draft heads, on a native runtime of its own. {@link io.hydra4j} is for applications, {@link
 * io.hydra4j.decode} for decoding loops of one's own, {@link io.hydra4j.runtime} for single operations.
 */
@SuppressWarnings({"module", "requires-automatic"})
module io.hydra4j {
    requires ai.djl.tokenizers;
    requires com.fasterxml.jackson.core;
    requires org.bytedeco.javacpp;

    exports io.hydra4j;
    exports io.hydra4j.decode;
    exports io.hydra4j.draft;
    exports io.hydra4j.runtime;
    exports io.hydra4j.text;
    exports io.hydra4j.access to
            io.hydra4j.train;
    exports io.hydra4j.decode.access to
            io.hydra4j.train;
    exports io.hydra4j.format to
            io.hydra4j.cli,
            io.hydra4j.train;
    exports io.hydra4j.heads to
            io.hydra4j.cli,
            io.hydra4j.train;
    exports io.hydra4j.model to
            io.hydra4j.cli,
            io.hydra4j.train;
    exports io.hydra4j.tuning to
            io.hydra4j.cli,
            io.hydra4j.train;

    uses io.hydra4j.runtime.CudaLibrarySource;
}
