package io.hydra4j.fuzz;

import io.hydra4j.Calibration;
import io.hydra4j.Calibrations;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Calibrations that were saved, and by which is chosen how trees grow. */
final class CalibrationTarget implements FuzzTarget {
    private static final String FILE = "calibration.json";

    @Override
    public String name() {
        return "calibration";
    }

    @Override
    public void write(Random random, Path folder) throws IOException {
        List<Object> rows = new ArrayList<>();
        List<Object> passes = new ArrayList<>();
        double most = 0;
        for (int i = 0; i <= random.nextInt(6); i++) {
            most += random.nextInt(8) == 0 ? 0.0 : 1 + random.nextInt(5);
            rows.add(most);
            passes.add(random.nextInt(8) == 0 ? 0.0 : 1e6 * (1 + most * random.nextDouble()));
        }
        List<Object> drafts = new ArrayList<>();
        for (int level = 0; level < random.nextInt(6); level++) {
            drafts.add(random.nextInt(8) == 0 ? 0.0 : 1e5 * (1 + level * random.nextDouble()));
        }
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("backend", "cpu");
        facts.put("threads", "2");
        Map<String, Object> calibration = new LinkedHashMap<>();
        calibration.put("version", 2L);
        calibration.put("facts", facts);
        calibration.put("calibration_ns", 2_000_000_000L);
        calibration.put("pass_rows", rows);
        calibration.put("pass_ns", passes);
        calibration.put("draft_ns", drafts);
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
