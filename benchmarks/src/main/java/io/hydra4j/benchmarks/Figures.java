package io.hydra4j.benchmarks;

import java.io.PrintStream;
import java.util.List;
import java.util.Map;

/** What is measured of one model, in rows. */
interface Figures {
    /** @param progress is told how far it is */
    void run(PrintStream progress);

    void print(PrintStream out);

    List<Map<String, Object>> json();
}
