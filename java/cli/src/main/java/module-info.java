/** Hydra4J's command line. */
@SuppressWarnings({"module", "requires-automatic"})
module io.hydra4j.cli {
    requires com.fasterxml.jackson.core;
    requires info.picocli;
    requires java.desktop;
    requires io.hydra4j;
    requires io.hydra4j.train;
    requires me.tongfei.progressbar;
    requires org.jline.reader;
    requires org.jline.terminal;
    requires xchart;

    opens io.hydra4j.cli to
            info.picocli;
}
