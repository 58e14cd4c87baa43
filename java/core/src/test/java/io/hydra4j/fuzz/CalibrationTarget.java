package io.hydra4j.fuzz;

import io.hydra4j.Calibration;
import io.hydra4j.Calibrations;
import io.hydra4j.decode.Tree;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Calibrations that were saved, and are chosen trees by. */
final class CalibrationTarget implements FuzzTarget {
    private static final String FILE = "calibration.json";

    @Override
    public String name() {
        return "calibration";
    }

    @Override
    public void write(Random random, Path folder) throws IOException {
        // Chains have as many trees as paths, and the root.
        int depth = 1 + random.nextInt(6);
        List<Object> paths = new ArrayList<>();
        for (List<Integer> path : Tree.chain(depth).paths()) {
            paths.add(new ArrayList<>(
                    path.stream().map(rank -> (Object) (long) rank).toList()));
        }
        List<Object> gains = new ArrayList<>(List.of(1.0));
        List<Object> nanos = new ArrayList<>(List.of(1e6));
        for (int d = 1; d <= depth; d++) {
            gains.add(random.nextInt(8) == 0 ? 0.0 : Math.pow(random.nextDouble(), d));
            nanos.add(random.nextInt(8) == 0 ? 0.0 : 1e6 * (1 + d * random.nextDouble()));
        }
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("backend", "cpu");
        facts.put("threads", "2");
        Map<String, Object> calibration = new LinkedHashMap<>();
        calibration.put("version", 1L);
        calibration.put("facts", facts);
        calibration.put("calibration_ns", 2_000_000_000L);
        calibration.put("plain_step_ns", 1_050_000.5);
        calibration.put("tree_paths", paths);
        calibration.put("tree_gains", gains);
        calibration.put("step_ns", nanos);
        Files.write(
                folder.resolve(FILE),
                random.nextInt(8) == 0
                        ? JsonDamage.bytes(random, calibration)
                        : JsonDamage.bytes(random, JsonDamage.damaged(random, calibration)));
    }

    @Override
    public void read(Path folder) {
        Calibrations.use(Calibration.load(folder.resolve(FILE)));
    }
}
