package io.hydra4j.cli;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.knowm.xchart.internal.chartpart.IChart;

/** A report as one HTML page that holds its plots and asks the network for nothing. */
final class BenchPage {
    private static final String STYLE =
            "body{font:15px/1.5 sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#222}"
                    + "table{border-collapse:collapse;margin:1em 0}td,th{padding:.3em .7em;text-align:right;border-bottom:1px solid #ddd}"
                    + "td:first-child,th:first-child{text-align:left}figure{margin:2em 0}figure svg{max-width:100%;height:auto}"
                    + ".faster{color:#006644;font-weight:bold}.slower{color:#b03000;font-weight:bold}.method{color:#555}";
    private static final List<String> COLUMNS = List.of(
            "way",
            "tokens/s",
            "x plain",
            "95 % interval",
            "difference",
            "tok/step",
            "rho",
            "nodes",
            "draft µs",
            "verify µs",
            "accept µs",
            "prefill ms");

    private final BenchReport report;
    private final StringBuilder html = new StringBuilder();
    private int plots;

    private BenchPage(BenchReport report) {
        this.report = report;
    }

    /** @throws io.hydra4j.HydraException if a plot cannot be drawn */
    static String of(BenchReport report) {
        return new BenchPage(report).page();
    }

    private String page() {
        String title = "Hydra4J bench: " + report.model().get("model");
        html.append("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>")
                .append(escaped(title))
                .append("</title>\n<style>")
                .append(STYLE)
                .append("</style>\n</head>\n<body>\n<h1>")
                .append(escaped(title))
                .append("</h1>\n");
        report.head()
                .lines()
                .forEach(line -> html.append("<p>").append(escaped(line)).append("</p>\n"));
        figures();
        html.append("<p class=\"method\">").append(escaped(BenchReport.METHOD)).append("</p>\n");
        if (report.comparison().figures().size() > 1) {
            plot(BenchCharts.ratios(report));
            plot(BenchCharts.prompts(report));
            plot(BenchCharts.depths(report));
        }
        plot(BenchCharts.rates(report));
        plot(BenchCharts.parts(report));
        facts("Model", report.model());
        facts("Machine", report.machine());
        return html.append("</body>\n</html>\n").toString();
    }

    private void figures() {
        html.append("<table>\n<tr>");
        COLUMNS.forEach(column -> html.append("<th>").append(column).append("</th>"));
        html.append("</tr>\n");
        WayFigures plain = report.comparison().plain();
        for (WayFigures figures : report.comparison().figures()) {
            html.append("<tr>");
            cell("", figures.way().name());
            number(0, figures.tokensPerSecond());
            if (figures == plain) {
                cell("", "");
                cell("", "");
                cell("", "");
            } else {
                PairedRatio ratio = figures.ratioTo(plain);
                number(3, ratio.mean());
                cell(
                        "",
                        ratio.pairs() < 2 ? "" : String.format(Locale.ROOT, "%.3f to %.3f", ratio.low(), ratio.high()));
                String differ = figures.different() == 0 ? "" : ", " + figures.different() + " outputs differ";
                cell(ratio.isDifference() ? ratio.verdict() : "", ratio.verdict() + differ);
            }
            number(3, figures.acceptanceLength());
            number(2, figures.rho(plain));
            number(1, figures.nodesPerStep());
            number(1, figures.draftMicros());
            number(1, figures.verifyMicros());
            number(1, figures.acceptMicros());
            number(2, figures.prefillMillis());
            html.append("</tr>\n");
        }
        html.append("</table>\n");
    }

    private void number(int decimals, double value) {
        cell("", String.format(Locale.ROOT, "%." + decimals + "f", value));
    }

    private void cell(String style, String text) {
        html.append(style.isEmpty() ? "<td>" : "<td class=\"" + style + "\">")
                .append(escaped(text))
                .append("</td>");
    }

    private void facts(String title, Map<String, String> facts) {
        html.append("<h2>").append(title).append("</h2>\n<table>\n");
        facts.forEach((name, value) -> {
            html.append("<tr>");
            cell("", name);
            cell("", value);
            html.append("</tr>\n");
        });
        html.append("</table>\n");
    }

    /** The element alone, without what stands before it in a file, and with names that no other plot of the page has. */
    private void plot(IChart chart) {
        String svg = new String(PlotFile.svg(chart), StandardCharsets.UTF_8);
        String prefix = "plot" + plots++ + "-";
        html.append("<figure>\n")
                .append(svg.substring(svg.indexOf("<svg"))
                        .replaceFirst("<svg ", "<svg role=\"img\" aria-label=\"" + escaped(chart.getTitle()) + "\" ")
                        .replace(" id=\"", " id=\"" + prefix)
                        .replace("url(#", "url(#" + prefix)
                        .replace("href=\"#", "href=\"#" + prefix))
                .append("\n</figure>\n");
    }

    private static String escaped(String text) {
        return Printable.text(text)
                .replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }
}
