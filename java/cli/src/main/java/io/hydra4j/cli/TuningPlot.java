package io.hydra4j.cli;

import io.hydra4j.MeasuredTree;
import io.hydra4j.TunedTree;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler.YAxisPosition;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** A plot of tokens a step, on the left axis, and tokens a second, on the right one, against nodes. */
final class TuningPlot {
    private static final int RIGHT = 1;

    private TuningPlot() {}

    /** @throws io.hydra4j.HydraException if it cannot be drawn or written */
    static void write(Path file, TunedTree tuned) {
        PlotFile.write(file, chart(tuned));
    }

    static XYChart chart(TunedTree tuned) {
        XYChart chart = new XYChartBuilder()
                .width(ChartStyle.WIDTH)
                .height(ChartStyle.HEIGHT)
                .title(title(tuned))
                .xAxisTitle("nodes of the tree, the root included")
                .yAxisTitle("tokens a step")
                .build();
        ChartStyle.apply(chart.getStyler());
        chart.getStyler().setYAxisMin(0, 0.0).setYAxisMin(RIGHT, 0.0).setYAxisGroupPosition(RIGHT, YAxisPosition.Right);
        chart.setYAxisGroupTitle(RIGHT, "tokens a second");
        line(
                chart,
                "tokens a step, held out",
                largest(tuned, MeasuredTree::acceptanceLength),
                MeasuredTree::acceptanceLength);
        line(
                chart,
                "tokens a step, tuned on",
                largest(tuned, MeasuredTree::acceptanceLength),
                MeasuredTree::tuningAcceptanceLength);
        line(chart, "tokens a second", largest(tuned, MeasuredTree::tokensPerSecond), MeasuredTree::tokensPerSecond)
                .setYAxisGroup(RIGHT);
        XYSeries chosen = line(chart, "chosen", List.of(tuned.chosen()), MeasuredTree::tokensPerSecond);
        chosen.setMarker(SeriesMarkers.DIAMOND).setYAxisGroup(RIGHT);
        return chart;
    }

    private static String title(TunedTree tuned) {
        return Printable.line(tuned.facts().getOrDefault("model", "") + ", "
                + tuned.facts().getOrDefault("heads", "") + ", " + tuned.facts().getOrDefault("device", ""));
    }

    /** Of the trees of each size the one with the largest value. */
    private static List<MeasuredTree> largest(TunedTree tuned, ToDoubleFunction<MeasuredTree> value) {
        TreeMap<Integer, MeasuredTree> best = new TreeMap<>();
        Comparator<MeasuredTree> order = Comparator.comparingDouble(value);
        tuned.measured().forEach(tree -> best.merge(tree.nodes(), tree, (a, b) -> order.compare(a, b) >= 0 ? a : b));
        return new ArrayList<>(best.values());
    }

    private static XYSeries line(
            XYChart chart, String name, List<MeasuredTree> trees, ToDoubleFunction<MeasuredTree> value) {
        double[] x = trees.stream().mapToDouble(MeasuredTree::nodes).toArray();
        double[] y = trees.stream().mapToDouble(value).toArray();
        XYSeries series = chart.addSeries(name, x, y);
        series.setMarker(SeriesMarkers.NONE);
        return series;
    }
}
