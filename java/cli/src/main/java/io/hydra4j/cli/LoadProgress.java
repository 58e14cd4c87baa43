package io.hydra4j.cli;

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.function.DoubleConsumer;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** A progress bar on a terminal's standard error, for what takes longer than a second; gone when it is closed. */
final class LoadProgress implements DoubleConsumer, AutoCloseable {
    private static final long QUIET_NANOS = 1_000_000_000L;
    private static final int STEPS = 100;
    private static final int WIDTH = 60;
    private static final int UPDATE_MILLIS = 100;

    private final Console console;
    private final String task;
    private final long begin = System.nanoTime();
    private ProgressBar bar;

    LoadProgress(Console console) {
        this(console, "loading");
    }

    /** @param task the word before the bar */
    LoadProgress(Console console, String task) {
        this.console = console;
        this.task = task;
    }

    @Override
    public void accept(double fraction) {
        if (!console.errTerminal() || bar == null && System.nanoTime() - begin < QUIET_NANOS) {
            return;
        }
        if (bar == null) {
            bar = open();
        }
        bar.stepTo(Math.round(fraction * STEPS));
    }

    private ProgressBar open() {
        PrintStream stream = new PrintStream(console.err(), true, StandardCharsets.UTF_8);
        return new ProgressBarBuilder()
                .setTaskName(task)
                .setInitialMax(STEPS)
                .setStyle(ProgressBarStyle.ASCII)
                .setUpdateIntervalMillis(UPDATE_MILLIS)
                .hideEta()
                .clearDisplayOnFinish()
                .setConsumer(new ConsoleProgressBarConsumer(stream, WIDTH))
                .build();
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
        }
    }
}
