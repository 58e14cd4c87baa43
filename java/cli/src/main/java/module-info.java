/** Hydra4J's command line. */
module io.hydra4j.cli {
    requires com.fasterxml.jackson.core;
    requires info.picocli;
    requires io.hydra4j;
    requires me.tongfei.progressbar;

    opens io.hydra4j.cli to
            info.picocli;
}
