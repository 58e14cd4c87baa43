package io.hydra4j.cli;

import io.hydra4j.HydraException;
import io.hydra4j.format.Fields;
import io.hydra4j.format.StrictJson;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler.YAxisPosition;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** A plot of a training's log: loss, on the left axis, and tokens a step, on the right one, against tokens. */
final class TrainingPlot {
    private static final int RIGHT = 1;
    /** Points of a line; of more, neighbours are averaged. */
    private static final int MOST_POINTS = 400;

    private record Line(List<Double> x, List<Double> y) {
        Line() {
            this(new ArrayList<>(), new ArrayList<>());
        }

        void add(double at, double value) {
            x.add(at);
            y.add(value);
        }

        Line averaged() {
            int group = (x.size() + MOST_POINTS - 1) / MOST_POINTS;
            Line averaged = new Line();
            for (int from = 0; from < x.size(); from += group) {
                int to = Math.min(from + group, x.size());
                averaged.add(mean(x.subList(from, to)), mean(y.subList(from, to)));
            }
            return averaged;
        }

        private static double mean(List<Double> values) {
            return values.stream().mapToDouble(Double::doubleValue).average().orElseThrow();
        }
    }

    private TrainingPlot() {}

    /** @throws HydraException if the log cannot be read, or the plot cannot be drawn or written */
    static void write(Path file, Path log, String title) {
        PlotFile.write(file, chart(log, title));
    }

    static XYChart chart(Path log, String title) {
        Line loss = new Line();
        Line chain = new Line();
        Line tree = new Line();
        Line tuned = new Line();
        for (Fields fields : lines(log)) {
            double tokens = fields.decimal("tokens", 0, Double.MAX_VALUE) / 1e6;
            if (fields.has("loss")) {
                loss.add(tokens, fields.decimal("loss", 0, Double.MAX_VALUE));
            } else {
                chain.add(tokens, fields.decimal("chain_length", 0, Double.MAX_VALUE));
                tree.add(tokens, fields.decimal("default_tree_length", 0, Double.MAX_VALUE));
                tuned.add(tokens, fields.decimal("tuned_tree_length", 0, Double.MAX_VALUE));
            }
        }
        XYChart chart = new XYChartBuilder()
                .width(ChartStyle.WIDTH)
                .height(ChartStyle.HEIGHT)
                .title(Printable.line(title))
                .xAxisTitle("million tokens")
                .yAxisTitle("loss")
                .build();
        ChartStyle.apply(chart.getStyler());
        chart.getStyler().setYAxisMin(RIGHT, 1.0).setYAxisGroupPosition(RIGHT, YAxisPosition.Right);
        chart.setYAxisGroupTitle(RIGHT, "tokens a step, held out");
        add(chart, "loss", loss.averaged());
        add(chart, "chain", chain).setYAxisGroup(RIGHT);
        add(chart, "default tree", tree).setYAxisGroup(RIGHT);
        add(chart, "tuned tree of 16 nodes", tuned).setYAxisGroup(RIGHT);
        return chart;
    }

    private static List<Fields> lines(Path log) {
        try {
            List<Fields> lines = new ArrayList<>();
            int number = 0;
            for (String line : Files.readAllLines(log)) {
                number++;
                lines.add(StrictJson.line(log, number, line.getBytes(StandardCharsets.UTF_8)));
            }
            return lines;
        } catch (IOException e) {
            throw new HydraException(log + ": cannot be read: " + e.getMessage(), e);
        }
    }

    private static XYSeries add(XYChart chart, String name, Line line) {
        XYSeries series = chart.addSeries(name, line.x(), line.y());
        series.setMarker(SeriesMarkers.NONE);
        return series;
    }
}
