package io.hydra4j.cli;

import io.hydra4j.HydraException;
import io.hydra4j.format.StrictJson;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Texts that something is measured on. */
final class Documents {
    private Documents() {}

    /**
     * Reads one document, or one a line of a .jsonl file, whose objects have it in the field {@code text}.
     *
     * @throws HydraException if the file cannot be read, a line is no such object, or there is no text at all
     */
    static List<String> read(Path file, Console console) {
        String whole = TextSource.read(file, console);
        List<String> documents = file.toString().endsWith(".jsonl") ? lines(file, whole) : List.of(whole);
        if (documents.stream().allMatch(String::isEmpty)) {
            throw new HydraException(file + ": has no text: give a text like what the model will write");
        }
        return documents;
    }

    private static List<String> lines(Path file, String whole) {
        List<String> documents = new ArrayList<>();
        int number = 0;
        for (String line : (Iterable<String>) whole.lines()::iterator) {
            number++;
            if (!line.isBlank()) {
                documents.add(StrictJson.line(file, number, line.getBytes(StandardCharsets.UTF_8))
                        .string("text"));
            }
        }
        return documents;
    }
}
