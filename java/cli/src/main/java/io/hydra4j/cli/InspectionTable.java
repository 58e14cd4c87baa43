package io.hydra4j.cli;

import io.hydra4j.format.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** An inspection as text for people: columns, long values abbreviated, control characters made visible. */
final class InspectionTable {
    private static final int LONGEST_NAME = 80;
    private static final String GAP = "  ";
    private static final String[] UNITS = {"", "K", "M", "G", "T", "P"};

    private InspectionTable() {}

    static String of(Inspection inspection) {
        List<List<String>> head = List.of(
                List.of("path", Printable.line(inspection.path().toString())),
                List.of("format", inspection.format()),
                List.of("opens as", Printable.line(inspection.use())),
                List.of(
                        "tensors",
                        inspection.tensors().size() + ", " + amount(inspection.parameters()) + " parameters, "
                                + amount(inspection.bytes()) + "B"));
        List<List<String>> metadata = new ArrayList<>();
        inspection.metadata().forEach((key, value) -> metadata.add(List.of(name(key), Values.describe(value))));
        List<List<String>> tensors = new ArrayList<>();
        for (Map.Entry<String, Tensor> entry : inspection.tensors().entrySet()) {
            Tensor tensor = entry.getValue();
            String shape = tensor.shape().stream().map(String::valueOf).collect(Collectors.joining(" x "));
            tensors.add(List.of(
                    name(entry.getKey()),
                    tensor.type().name(),
                    shape.isEmpty() ? "scalar" : shape,
                    amount(tensor.bytes()) + "B"));
        }
        return columns(head)
                + inspection.here().map(InspectionTable::here).orElse("")
                + section("metadata", metadata)
                + section("tensors", tensors);
    }

    private static String here(Here here) {
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of("computed by", Printable.line(here.machine())));
        here.heads().ifPresent(heads -> rows.add(List.of("draft heads", Printable.line(heads))));
        for (Here.Kernel kernel : here.kernels()) {
            rows.add(List.of(
                    kernel.type() + " matrices",
                    kernel.matrices() + ", " + amount(kernel.bytes()) + "B, computed as they are"));
        }
        rows.add(List.of(
                "memory",
                amount(here.bytes()) + "B with one session of full length; " + amount(here.freeBytes())
                        + "B are free"));
        here.memory().forEach((part, bytes) -> rows.add(List.of("  " + part, amount(bytes) + "B")));
        return section("on this machine", rows);
    }

    private static String name(String name) {
        return Printable.line(name, LONGEST_NAME);
    }

    private static String section(String title, List<List<String>> rows) {
        return rows.isEmpty() ? "" : "\n" + title + "\n" + columns(rows);
    }

    private static String columns(List<List<String>> rows) {
        int[] widths = new int[rows.get(0).size()];
        for (List<String> row : rows) {
            for (int i = 0; i < widths.length - 1; i++) {
                widths[i] = Math.max(widths[i], row.get(i).length());
            }
        }
        StringBuilder text = new StringBuilder();
        for (List<String> row : rows) {
            for (int i = 0; i < widths.length; i++) {
                text.append(i == 0 ? "" : GAP).append(row.get(i));
                if (i < widths.length - 1) {
                    text.append(" ".repeat(widths[i] - row.get(i).length()));
                }
            }
            text.append('\n');
        }
        return text.toString();
    }

    /** Three figures and a decimal unit, with a space before the unit. */
    private static String amount(long value) {
        double scaled = value;
        int unit = 0;
        while (scaled >= 999.5 && unit < UNITS.length - 1) {
            scaled /= 1000;
            unit++;
        }
        String figures = unit == 0 ? "%.0f " : scaled < 9.995 ? "%.2f " : scaled < 99.95 ? "%.1f " : "%.0f ";
        return String.format(Locale.ROOT, figures, scaled) + UNITS[unit];
    }
}
