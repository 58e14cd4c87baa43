package io.hydra4j.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries.XYSeriesRenderStyle;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** The plots of a report. */
final class BenchCharts {
    private static final double BAR_WIDTH = 0.6;

    private BenchCharts() {}

    /**
     * Draws {@link #ratios} into a file.
     *
     * @throws io.hydra4j.HydraException if it cannot be drawn or written
     */
    static void write(Path file, BenchReport report) {
        PlotFile.write(file, ratios(report));
    }

    /** How many times as fast as plain decoding each way is, with the confidence intervals. */
    static CategoryChart ratios(BenchReport report) {
        WayFigures plain = report.comparison().plain();
        List<WayFigures> others = others(report);
        List<PairedRatio> ratios =
                others.stream().map(figures -> figures.ratioTo(plain)).toList();
        CategoryChart chart = categories("Speed beside plain decoding, with 95 % confidence intervals", "x plain");
        chart.getStyler().setLegendVisible(false);
        chart.addSeries(
                "x plain",
                names(others),
                ratios.stream().map(PairedRatio::mean).toList(),
                ratios.stream()
                        .map(ratio -> ratio.pairs() < 2 ? 0.0 : (ratio.high() - ratio.low()) / 2)
                        .toList());
        return chart;
    }

    /** Tokens a second of each way. */
    static CategoryChart rates(BenchReport report) {
        List<WayFigures> all = report.comparison().figures();
        CategoryChart chart = categories("Tokens a second, median over prompts", "tokens a second");
        chart.getStyler().setLegendVisible(false);
        chart.addSeries("tokens a second", names(all), values(all, WayFigures::tokensPerSecond));
        return chart;
    }

    /** Where the time of a step goes. */
    static CategoryChart parts(BenchReport report) {
        List<WayFigures> all = report.comparison().figures();
        CategoryChart chart = categories("Time of a step by part, microseconds", "microseconds");
        chart.getStyler().setStacked(true);
        chart.addSeries("draft", names(all), values(all, WayFigures::draftMicros));
        chart.addSeries("verify", names(all), values(all, WayFigures::verifyMicros));
        chart.addSeries("accept", names(all), values(all, WayFigures::acceptMicros));
        return chart;
    }

    /** Shares of steps by the depth that their accepted paths reached at least. */
    static CategoryChart depths(BenchReport report) {
        List<WayFigures> others = others(report);
        int deepest = others.stream()
                .mapToInt(figures -> figures.acceptedByDepth().length - 1)
                .max()
                .orElse(0);
        List<Integer> depths =
                IntStream.rangeClosed(1, Math.max(1, deepest)).boxed().toList();
        CategoryChart chart =
                categories("Steps that accepted a path of this depth or a deeper one, %", "% of the steps");
        chart.setXAxisTitle("depth");
        for (WayFigures figures : others) {
            double[] shares = figures.acceptedByDepth();
            List<Double> percent = new ArrayList<>();
            depths.forEach(depth -> percent.add(depth < shares.length ? 100 * shares[depth] : 0));
            chart.addSeries(name(figures), depths, percent);
        }
        return chart;
    }

    /** Each prompt's own ratio, in the order in which they were measured: whether a few of them make the difference. */
    static XYChart prompts(BenchReport report) {
        XYChart chart = new XYChartBuilder()
                .width(ChartStyle.WIDTH)
                .height(ChartStyle.HEIGHT)
                .title("Speed beside plain decoding, prompt by prompt")
                .xAxisTitle("prompt")
                .yAxisTitle("x plain")
                .build();
        ChartStyle.apply(chart.getStyler());
        chart.getStyler()
                .setDefaultSeriesRenderStyle(XYSeriesRenderStyle.Scatter)
                .setYAxisMin(0.0);
        for (WayFigures figures : others(report)) {
            double[] ratios = figures.ratiosTo(report.comparison().plain()).stream()
                    .mapToDouble(Double::doubleValue)
                    .toArray();
            double[] numbers =
                    IntStream.rangeClosed(1, ratios.length).asDoubleStream().toArray();
            chart.addSeries(name(figures), numbers, ratios).setMarker(SeriesMarkers.CIRCLE);
        }
        return chart;
    }

    private static List<WayFigures> others(BenchReport report) {
        return report.comparison()
                .figures()
                .subList(1, report.comparison().figures().size());
    }

    private static CategoryChart categories(String title, String axis) {
        CategoryChart chart = new CategoryChartBuilder()
                .width(ChartStyle.WIDTH)
                .height(ChartStyle.HEIGHT)
                .title(title)
                .yAxisTitle(axis)
                .build();
        ChartStyle.apply(chart.getStyler());
        chart.getStyler().setAvailableSpaceFill(BAR_WIDTH).setYAxisMin(0.0);
        return chart;
    }

    private static List<String> names(List<WayFigures> all) {
        return all.stream().map(BenchCharts::name).toList();
    }

    private static String name(WayFigures figures) {
        return Printable.line(figures.way().name());
    }

    private static List<Double> values(List<WayFigures> all, ToDoubleFunction<WayFigures> value) {
        return all.stream().map(value::applyAsDouble).toList();
    }
}
