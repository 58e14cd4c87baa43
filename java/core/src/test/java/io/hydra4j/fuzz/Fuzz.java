package io.hydra4j.fuzz;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Reads many damaged files in processes of their own, so that a case which ends its process, or hangs, is found like any
 * other; the files of each are kept. Cases are numbered: a number gives the same files every time.
 */
public final class Fuzz {
    /** Cases of one process: what leaks in a process is found, and does not stop the others. */
    private static final long OF_A_PROCESS = 50_000;

    private static final int MOST_FINDINGS = 50;

    private final FuzzTarget target;
    private final Path kept;
    private final List<String> findings = new ArrayList<>();

    private Fuzz(FuzzTarget target, Path kept) {
        this.target = target;
        this.kept = kept;
    }

    /** @param args target or all, first case, number of cases, folder for the files of findings */
    public static void main(String[] args) throws IOException, InterruptedException {
        List<FuzzTarget> targets = args[0].equals("all") ? FuzzTarget.ALL : List.of(FuzzTarget.of(args[0]));
        boolean clean = true;
        for (FuzzTarget target : targets) {
            long start = System.nanoTime();
            long count = Long.parseLong(args[2]);
            List<String> findings = run(target, Long.parseLong(args[1]), count, Path.of(args[3]));
            System.out.printf(
                    "%-12s %,10d cases %6d s %3d findings%n",
                    target.name(), count, (System.nanoTime() - start) / 1_000_000_000, findings.size());
            findings.forEach(finding -> System.out.println("  " + finding));
            clean &= findings.isEmpty();
        }
        System.exit(clean ? 0 : 1);
    }

    /**
     * Reads cases.
     *
     * @param kept a folder; a folder TARGET-NUMBER is made in it for each finding
     * @return a line for each finding: the number, and what was wrong
     */
    static List<String> run(FuzzTarget target, long first, long count, Path kept)
            throws IOException, InterruptedException {
        Fuzz fuzz = new Fuzz(target, kept);
        for (long seed = first; seed < first + count && fuzz.findings.size() < MOST_FINDINGS; ) {
            seed = fuzz.process(seed, Math.min(first + count, seed + OF_A_PROCESS));
        }
        return fuzz.findings;
    }

    /** @return the case to go on with */
    private long process(long first, long last) throws IOException, InterruptedException {
        Path work = Files.createTempDirectory("hydra4j-fuzz-");
        Path folder = Files.createDirectory(work.resolve("case"));
        Path current = work.resolve("current");
        Path output = work.resolve("output");
        try {
            Process process = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-Xmx256m",
                            "-Xss1m",
                            "-XX:+UseSerialGC",
                            "-XX:-CreateCoredumpOnCrash",
                            "-XX:ErrorFile=" + work.resolve("error.log"),
                            "-cp",
                            System.getProperty("java.class.path"),
                            FuzzWorker.class.getName(),
                            target.name(),
                            folder.toString(),
                            current.toString(),
                            "" + first,
                            "" + last)
                    .redirectErrorStream(true)
                    .redirectOutput(output.toFile())
                    .start();
            int code = process.waitFor();
            List<String> lines = Files.readAllLines(output, java.nio.charset.StandardCharsets.ISO_8859_1);
            for (String line : lines) {
                if (line.matches("\\d+ .*")) {
                    found(Long.parseLong(line.substring(0, line.indexOf(' '))), line);
                }
            }
            lines.stream()
                    .filter(line -> line.startsWith("WARNING: "))
                    .findFirst()
                    .ifPresent(line -> findings.add(first + " or one after it: " + line));
            if (code == 0) {
                return last;
            }
            if (!Files.exists(current)) {
                throw new IOException("the process did not start: " + lines);
            }
            long seed = Long.parseLong(Files.readString(current));
            found(seed, seed + (code == FuzzWorker.HUNG ? " hangs" : " ends the process with " + code + ": " + lines));
            return seed + 1;
        } finally {
            delete(work);
        }
    }

    private void found(long seed, String line) throws IOException {
        findings.add(line);
        FuzzWorker.write(target, seed, Files.createDirectories(kept.resolve(target.name() + "-" + seed)));
    }

    private static void delete(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
