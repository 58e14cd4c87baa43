package io.hydra4j.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CoresTest {
    @TempDir
    Path root;

    /** A machine on which the process may run on {@code allowed}; {@code siblings} of each processor. */
    private void machine(String allowed, String... siblings) throws IOException {
        Path status = root.resolve("proc/self/status");
        Files.createDirectories(status.getParent());
        Files.writeString(status, "Name:\tjava\nCpus_allowed:\tff\nCpus_allowed_list:\t" + allowed + "\nThreads:\t1\n");
        for (int processor = 0; processor < siblings.length; ++processor) {
            Path topology = root.resolve("sys/devices/system/cpu/cpu" + processor + "/topology");
            Files.createDirectories(topology);
            Files.writeString(topology.resolve("thread_siblings_list"), siblings[processor] + "\n");
        }
    }

    @Test
    void processorsOfOneCoreCountOnce() throws IOException {
        machine("0-3", "0,2", "1,3", "0,2", "1,3");
        assertEquals(2, Cores.usable(root, 4));
    }

    @Test
    void coresWithOneProcessorEachCountAll() throws IOException {
        machine("0-2", "0", "1", "2");
        assertEquals(3, Cores.usable(root, 3));
    }

    @Test
    void coresOnWhichTheProcessMayNotRunDoNotCount() throws IOException {
        machine("1,3-4", "0-1", "0-1", "2-3", "2-3", "4-5", "4-5");
        assertEquals(3, Cores.usable(root, 3));
    }

    @Test
    void theQuotaIsTheLimit() throws IOException {
        machine("0-3", "0", "1", "2", "3");
        assertEquals(2, Cores.usable(root, 2));
    }

    @Test
    void whereTheSystemDoesNotTellEachProcessorCounts() throws IOException {
        assertEquals(5, Cores.usable(root, 5));
        machine("0-3", "0", "1");
        assertEquals(4, Cores.usable(root, 4));
        machine("", "0", "1");
        assertEquals(2, Cores.usable(root, 2));
    }

    @Test
    void thisMachineHasOne() {
        assertTrue(Cores.usable() >= 1);
        assertTrue(Cores.usable() <= Runtime.getRuntime().availableProcessors());
    }
}
