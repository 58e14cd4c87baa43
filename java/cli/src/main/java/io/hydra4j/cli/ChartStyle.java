package io.hydra4j.cli;

import java.awt.BasicStroke;
import java.awt.Color;
import java.util.Locale;
import org.knowm.xchart.style.AxesChartStyler;
import org.knowm.xchart.style.Styler.LegendLayout;
import org.knowm.xchart.style.Styler.LegendPosition;

/** How all plots look: dark lines that are told apart in grey too, on white. */
final class ChartStyle {
    static final int WIDTH = 760;
    static final int HEIGHT = 440;

    /** Colours that people with any colour vision tell apart (Okabe and Ito). */
    private static final Color[] COLOURS = {
        new Color(0, 114, 178),
        new Color(213, 94, 0),
        new Color(0, 158, 115),
        new Color(204, 121, 167),
        new Color(86, 180, 233),
        new Color(230, 159, 0),
        new Color(90, 90, 90)
    };

    private ChartStyle() {}

    static Color colour(int series) {
        return COLOURS[series % COLOURS.length];
    }

    static void apply(AxesChartStyler style) {
        style.setPlotGridLinesStroke(new BasicStroke(0.5f))
                .setPlotGridLinesColor(new Color(210, 210, 210))
                .setChartBackgroundColor(Color.WHITE)
                .setPlotBorderVisible(false)
                .setSeriesColors(COLOURS)
                .setLegendBorderColor(Color.WHITE)
                .setLegendPosition(LegendPosition.OutsideS)
                .setLegendLayout(LegendLayout.Horizontal)
                .setLocale(Locale.ROOT);
    }
}
