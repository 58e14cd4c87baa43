/** Hydra4J's training of draft heads: {@link io.hydra4j.train}. */
@SuppressWarnings("requires-automatic")
module io.hydra4j.train {
    requires com.fasterxml.jackson.core;
    requires transitive io.hydra4j;
    requires org.bytedeco.javacpp;
    requires org.tukaani.xz;

    exports io.hydra4j.train;
}
