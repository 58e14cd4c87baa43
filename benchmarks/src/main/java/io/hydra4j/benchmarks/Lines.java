package io.hydra4j.benchmarks;

import io.hydra4j.HydraException;
import io.hydra4j.format.StrictJson;
import java.io.BufferedInputStream;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.tukaani.xz.XZInputStream;

/** Reads files of JSON values, packed with xz or not. */
final class Lines {
    private Lines() {}

    /** All values of a file, one a line. */
    static List<Object> read(Path file) {
        try (InputStream in = Files.newInputStream(file)) {
            return read(file, file.toString().endsWith(".xz") ? new XZInputStream(new BufferedInputStream(in)) : in);
        } catch (IOException e) {
            throw new HydraException("cannot read " + file + ": " + e, e);
        }
    }

    /**
     * All values of a stream, one a line.
     *
     * @param file what errors call it
     */
    static List<Object> read(Path file, InputStream in) throws IOException {
        List<Object> values = new ArrayList<>();
        BufferedReader lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
        int number = 1;
        for (String line = lines.readLine(); line != null; line = lines.readLine(), number++) {
            if (!line.isBlank()) {
                values.add(StrictJson.value(file, "line " + number, line));
            }
        }
        return values;
    }

    static List<?> list(Object value) {
        if (value instanceof List<?> list) {
            return list;
        }
        throw new HydraException("found " + value + " where a list was expected");
    }

    static int whole(Object value) {
        if (value instanceof Long number && number == number.intValue()) {
            return number.intValue();
        }
        throw new HydraException("found " + value + " where a whole number was expected");
    }
}
