package io.hydra4j.fuzz;

import com.sun.management.OperatingSystemMXBean;
import io.hydra4j.HydraException;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;

/**
 * Reads cases one after the other, in a process that may end at any of them: {@link Fuzz} looks after it. Prints a line
 * for each case that does what none may do.
 */
public final class FuzzWorker {
    /** What a case may take of the processor, in nanoseconds, and of the clock, in case it waits for something. */
    private static final long LONGEST = 30_000_000_000L;

    private static final long LONGEST_WAIT = 10 * LONGEST;
    /** What a case may add to the memory of the process, in KiB; the heap is bounded by itself. */
    private static final long LARGEST = 1 << 20;

    static final int HUNG = 70;

    private static final OperatingSystemMXBean PROCESS =
            ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);

    /** Processor time and clock when the case was begun; null between cases. */
    private static volatile long[] begun;

    private FuzzWorker() {}

    /** @param args target, folder for the case, file that says which case it is, first and last seed */
    public static void main(String[] args) throws IOException, InterruptedException {
        FuzzTarget target = FuzzTarget.of(args[0]);
        Path folder = Path.of(args[1]);
        Path current = Path.of(args[2]);
        Thread watch = new Thread(FuzzWorker::watch);
        watch.setDaemon(true);
        watch.start();
        long first = Long.parseLong(args[3]);
        long last = Long.parseLong(args[4]);
        long memory = peakMemory();
        for (long seed = first; seed < last; seed++) {
            Files.writeString(current, "" + seed);
            write(target, seed, folder);
            String fault = fault(target, folder);
            long now = peakMemory();
            fault = fault.isEmpty() && now - memory > LARGEST ? "it took " + (now - memory >> 10) + " MiB" : fault;
            memory = now;
            if (!fault.isEmpty()) {
                System.out.println(seed + " " + fault);
            }
        }
        // What was not closed is told when it is collected.
        System.gc();
        Thread.sleep(300);
    }

    /** Makes the case of a seed in a folder, which then holds nothing else. */
    static void write(FuzzTarget target, long seed, Path folder) throws IOException {
        try (Stream<Path> old = Files.list(folder)) {
            for (Path file : old.toList()) {
                Files.delete(file);
            }
        }
        target.write(random(target, seed), folder);
    }

    static Random random(FuzzTarget target, long seed) {
        // Seeds that follow each other give like sequences: mix them.
        return new Random(seed * 0x9E3779B97F4A7C15L + target.name().hashCode());
    }

    /** @return what is wrong about how a case is read, in one line; empty if nothing is */
    static String fault(FuzzTarget target, Path folder) {
        begun = new long[] {PROCESS.getProcessCpuTime(), System.nanoTime()};
        try {
            target.read(folder);
            return "";
        } catch (HydraException e) {
            String message = String.valueOf(e.getMessage());
            boolean sound = message.length() < 2500 && message.indexOf('\n') < 0;
            return sound ? "" : "a message of " + message.length() + " characters: " + line(message);
        } catch (Throwable e) {
            StackTraceElement[] trace = e.getStackTrace();
            return line(e + " at " + List.of(trace).subList(0, Math.min(6, trace.length)));
        } finally {
            begun = null;
        }
    }

    private static String line(String text) {
        String line = text.replace('\n', ' ');
        return line.length() < 600 ? line : line.substring(0, 600);
    }

    private static void watch() {
        for (long[] from = begun; isInTime(from); from = begun) {
            try {
                Thread.sleep(200);
            } catch (InterruptedException e) {
                return;
            }
        }
        Runtime.getRuntime().halt(HUNG);
    }

    private static boolean isInTime(long[] from) {
        return from == null
                || PROCESS.getProcessCpuTime() - from[0] < LONGEST && System.nanoTime() - from[1] < LONGEST_WAIT;
    }

    /** Peak of resident memory, KiB. */
    private static long peakMemory() throws IOException {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/status"))) {
            return lines.filter(line -> line.startsWith("VmHWM:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                    .findFirst()
                    .orElse(0);
        }
    }
}
