package io.hydra4j.cli;

import io.hydra4j.train.Evaluation;
import io.hydra4j.train.TrainingListener;
import io.hydra4j.train.TrainingStep;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** Shows a training: a bar on a terminal's standard error, and a line on standard output for each evaluation. */
final class TrainProgress implements TrainingListener, AutoCloseable {
    private static final int STEPS = 1000;
    private static final int WIDTH = 100;
    private static final int UPDATE_MILLIS = 200;

    private final Console console;
    private ProgressBar bar;
    private double loss = Double.NaN;

    TrainProgress(Console console) {
        this.console = console;
    }

    @Override
    public void stepped(TrainingStep step) {
        loss = step.loss();
        if (!console.errTerminal()) {
            return;
        }
        if (bar == null) {
            PrintStream stream = new PrintStream(console.err(), true, StandardCharsets.UTF_8);
            bar = new ProgressBarBuilder()
                    .setTaskName("training")
                    .setInitialMax(STEPS)
                    .setStyle(ProgressBarStyle.ASCII)
                    .setUpdateIntervalMillis(UPDATE_MILLIS)
                    .hideEta()
                    .clearDisplayOnFinish()
                    .setConsumer(new ConsoleProgressBarConsumer(stream, WIDTH))
                    .build();
        }
        bar.stepTo(Math.round(step.fraction() * STEPS));
        bar.setExtraMessage(String.format(
                Locale.ROOT,
                " loss %.3f, %.0f tokens/s, %s left",
                step.loss(),
                step.tokensPerSecond(),
                step.secondsLeft().isPresent() ? time(step.secondsLeft().getAsDouble()) : "?"));
    }

    static String time(double seconds) {
        long whole = Math.round(seconds);
        return whole < 3600
                ? String.format(Locale.ROOT, "%d:%02d", whole / 60, whole % 60)
                : String.format(Locale.ROOT, "%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60);
    }

    @Override
    public void evaluated(Evaluation evaluation) {
        console.print(line(evaluation));
    }

    private String line(Evaluation evaluation) {
        return String.format(
                Locale.ROOT,
                "%,d tokens: %stokens a step: chain %.3f, default tree %.3f, 16 nodes %.3f; heads right %s, among 5 best"
                        + " %s%n",
                evaluation.tokens(),
                Double.isNaN(loss) ? "" : String.format(Locale.ROOT, "loss %.3f; ", loss),
                evaluation.chainLength(),
                evaluation.defaultTreeLength(),
                evaluation.tunedTreeLength(),
                percent(evaluation, 0),
                percent(evaluation, 4));
    }

    private static String percent(Evaluation evaluation, int best) {
        List<List<Double>> heads = evaluation.accuracies();
        return heads.stream()
                .map(head -> String.format(Locale.ROOT, "%.1f", 100 * head.get(best)))
                .collect(Collectors.joining(" ", "", " %"));
    }

    @Override
    public void busy(String what) {
        if (bar != null) {
            bar.setExtraMessage(" " + what);
        }
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
        }
    }
}
