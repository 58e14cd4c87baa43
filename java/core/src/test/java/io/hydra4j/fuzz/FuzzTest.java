package io.hydra4j.fuzz;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.HydraException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A few of the cases that {@code fuzz.sh} reads in millions. */
class FuzzTest {
    private static final int CASES = 300;

    @TempDir
    private Path folder;

    static Stream<String> targets() {
        return FuzzTarget.ALL.stream().map(FuzzTarget::name);
    }

    @ParameterizedTest
    @MethodSource("targets")
    void damagedFilesAreReadOrRefused(String target) throws IOException, InterruptedException {
        assertEquals(List.of(), Fuzz.run(FuzzTarget.of(target), 0, CASES, folder));
    }

    @ParameterizedTest
    @MethodSource("targets")
    void aCaseIsTheSameEveryTimeAndSomeAreSound(String name) throws IOException {
        FuzzTarget target = FuzzTarget.of(name);
        Path first = Files.createDirectory(folder.resolve("first"));
        Path second = Files.createDirectory(folder.resolve("second"));
        int refused = 0;
        for (long seed = 1000; seed < 1060; seed++) {
            FuzzWorker.write(target, seed, first);
            FuzzWorker.write(target, seed, second);
            try (Stream<Path> files = Files.list(first)) {
                for (Path file : files.toList()) {
                    assertEquals(-1, Files.mismatch(file, second.resolve(file.getFileName())));
                }
            }
            refused += isRefused(target, first) ? 1 : 0;
        }
        assertTrue(refused > 5 && refused < 60, refused + " of 60 cases are refused");
    }

    private static boolean isRefused(FuzzTarget target, Path folder) throws IOException {
        try {
            target.read(folder);
            return false;
        } catch (HydraException e) {
            return true;
        }
    }

    @Test
    void aProcessThatEndsIsAFindingAndTheOthersGoOn() throws IOException, InterruptedException {
        List<String> findings = Fuzz.run(new Bad(), 0, 6, folder);
        assertEquals(2, findings.size(), findings.toString());
        assertTrue(findings.get(0).startsWith("2 java.lang.IllegalStateException: seen at "), findings.get(0));
        assertTrue(findings.get(1).startsWith("4 ends the process with 3"), findings.get(1));
        assertEquals(
                "4", Files.readString(folder.resolve(Bad.class.getName() + "-4").resolve("number")));
    }

    /** A reader with two faults. */
    static final class Bad implements FuzzTarget {
        @Override
        public String name() {
            return getClass().getName();
        }

        @Override
        public void write(Random random, Path folder) throws IOException {
            // The number of a case is not known here; it is found again by what its seed gives.
            long value = random.nextLong();
            for (long seed = 0; seed < 6; seed++) {
                if (FuzzWorker.random(this, seed).nextLong() == value) {
                    Files.writeString(folder.resolve("number"), "" + seed);
                }
            }
        }

        @Override
        public void read(Path folder) throws IOException {
            switch (Files.readString(folder.resolve("number"))) {
                case "2" -> throw new IllegalStateException("seen");
                case "4" -> Runtime.getRuntime().halt(3);
                default -> {}
            }
        }
    }
}
