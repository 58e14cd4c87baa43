package io.hydra4j.cli;

import java.util.List;
import java.util.Locale;

/** A report as lines for a terminal. */
final class BenchTable {
    private static final String ROW = "%-14s %9s %8s %17s %-18s %8s %6s %6s %9s %9s %9s %10s";
    private static final int LONGEST_NAME = 14;

    private BenchTable() {}

    static String of(BenchReport report) {
        StringBuilder lines = new StringBuilder(Printable.text(report.head())).append("\n\n");
        line(
                lines,
                ROW,
                "way",
                "tokens/s",
                "x plain",
                "95 % interval",
                "",
                "tok/step",
                "rho",
                "nodes",
                "draft us",
                "verify us",
                "accept us",
                "prefill ms");
        WayFigures plain = report.comparison().plain();
        report.comparison().figures().forEach(figures -> row(lines, figures, plain));
        lines.append('\n');
        depths(lines, report.comparison().figures());
        lines.append('\n').append(wrapped(BenchReport.METHOD));
        return lines.toString();
    }

    private static void row(StringBuilder lines, WayFigures figures, WayFigures plain) {
        boolean isPlain = figures == plain;
        PairedRatio ratio = isPlain ? null : figures.ratioTo(plain);
        line(
                lines,
                ROW,
                name(figures),
                number(0, figures.tokensPerSecond()),
                isPlain ? "" : number(3, ratio.mean()),
                isPlain || ratio.pairs() < 2 ? "" : number(3, ratio.low()) + " to " + number(3, ratio.high()),
                isPlain
                        ? ""
                        : ratio.verdict() + (figures.different() == 0 ? "" : ", " + figures.different() + " differ"),
                number(3, figures.acceptanceLength()),
                number(2, figures.rho(plain)),
                number(1, figures.nodesPerStep()),
                number(1, figures.draftMicros()),
                number(1, figures.verifyMicros()),
                number(1, figures.acceptMicros()),
                number(2, figures.prefillMillis()));
    }

    /** Shares of steps by the depth that their accepted paths reached. */
    private static void depths(StringBuilder lines, List<WayFigures> all) {
        line(lines, "%-14s %s", "steps that", "accepted a path of this depth or a deeper one, %");
        int deepest = all.stream()
                .mapToInt(figures -> figures.acceptedByDepth().length - 1)
                .max()
                .orElse(0);
        StringBuilder head = new StringBuilder(String.format("%-14s", "way"));
        for (int d = 1; d <= deepest; d++) {
            head.append(String.format(" %6d", d));
        }
        line(lines, "%s", head);
        for (WayFigures figures : all) {
            StringBuilder row = new StringBuilder(String.format("%-14s", name(figures)));
            double[] shares = figures.acceptedByDepth();
            for (int d = 1; d < shares.length; d++) {
                row.append(String.format(Locale.ROOT, " %6.1f", 100 * shares[d]));
            }
            line(lines, "%s", row);
        }
    }

    private static String name(WayFigures figures) {
        return Printable.line(figures.way().name(), LONGEST_NAME);
    }

    private static String number(int decimals, double value) {
        return String.format(Locale.ROOT, "%." + decimals + "f", value);
    }

    private static void line(StringBuilder lines, String format, Object... values) {
        lines.append(String.format(Locale.ROOT, format, values).stripTrailing()).append('\n');
    }

    /** In lines of no more than a terminal's usual columns. */
    private static String wrapped(String text) {
        StringBuilder lines = new StringBuilder();
        int column = 0;
        for (String word : text.split(" ")) {
            if (column + word.length() > 100) {
                lines.append('\n');
                column = 0;
            }
            lines.append(column == 0 ? "" : " ").append(word);
            column += word.length() + 1;
        }
        return lines.append('\n').toString();
    }
}
