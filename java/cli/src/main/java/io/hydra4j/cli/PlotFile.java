package io.hydra4j.cli;

import io.hydra4j.HydraException;
import io.hydra4j.format.WholeFile;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import org.knowm.xchart.ChartEncoder;
import org.knowm.xchart.internal.chartpart.IChart;

/** Plots in files: PNG or SVG, as the file's name ends. Commands that draw nothing load no class of AWT. */
final class PlotFile {
    private static final String PNG = ".png";
    private static final String SVG = ".svg";

    private PlotFile() {}

    /**
     * Refuses a plot that could not be drawn: soon, and not when all is measured.
     *
     * @throws UsageException if the name has another ending
     * @throws HydraException if this Java has no graphics
     */
    static void require(Path file) {
        if (!ends(file, PNG) && !ends(file, SVG)) {
            throw new UsageException("'" + file + "' is no plot: its name must end in " + PNG + " or " + SVG);
        }
        requireGraphics(ModuleLayer.boot());
    }

    /** @throws HydraException if the Java of these modules has no graphics */
    static void requireGraphics(ModuleLayer modules) {
        if (modules.findModule("java.desktop").isEmpty()) {
            throw new HydraException(
                    "this Java cannot draw plots, for it lacks the module java.desktop: run with one that has it,"
                            + " or leave out the plots");
        }
    }

    private static boolean ends(Path file, String ending) {
        return file.toString().toLowerCase(Locale.ROOT).endsWith(ending);
    }

    /**
     * Draws a chart into a file; one that is there is replaced.
     *
     * @throws HydraException if it cannot be drawn or written
     */
    static void write(Path file, IChart chart) {
        byte[] drawn = ends(file, SVG) ? svg(chart) : draw(chart, "png");
        WholeFile.write(file, out -> out.write(drawn));
    }

    /**
     * A chart as an SVG document, in UTF-8.
     *
     * @throws HydraException if it cannot be drawn
     */
    static byte[] svg(IChart chart) {
        return draw(chart, "svg");
    }

    /** What AWT throws where the system has no fonts or lacks a library differs from one Java to the next. */
    private static byte[] draw(IChart chart, String format) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try {
            ChartEncoder.saveChart(chart, out, format);
        } catch (IOException | RuntimeException | InternalError | LinkageError e) {
            throw new HydraException(
                    "the plot cannot be drawn: " + e + ": is a font installed, such as the package fonts-dejavu-core?",
                    e);
        }
        return out.toByteArray();
    }
}
