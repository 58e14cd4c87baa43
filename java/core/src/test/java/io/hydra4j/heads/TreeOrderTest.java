package io.hydra4j.heads;

import static io.hydra4j.format.Faults.assertFault;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.hydra4j.FormatException;
import io.hydra4j.FormatException.InvalidValue;
import io.hydra4j.FormatException.MissingField;
import io.hydra4j.format.GgufBytes;
import io.hydra4j.format.GgufFile;
import io.hydra4j.format.GgufWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

class TreeOrderTest {
    private static final String PATHS = "hydra.tree_paths";
    private static final String GAINS = "hydra.tree_gains";

    @TempDir
    private Path folder;

    @Test
    void aWrittenOrderIsReadBack() {
        var order = new TreeOrder(
                List.of(List.of(0), List.of(0, 31), List.of(2)), List.of(1.0, 0.75, 0.1, (double) 0.0625f));
        var file = folder.resolve("order.gguf");
        var writer = new GgufWriter();
        order.put(writer);
        writer.write(file);
        assertEquals(order, TreeOrder.read(GgufFile.read(file).fields(), 2));
    }

    @Test
    void anOrderOfTheRootAloneIsReadBack() {
        var file = folder.resolve("order.gguf");
        var writer = new GgufWriter();
        new TreeOrder(List.of(), List.of(1.0)).put(writer);
        writer.write(file);
        assertEquals(
                new TreeOrder(List.of(), List.of(1.0)),
                TreeOrder.read(GgufFile.read(file).fields(), 2));
    }

    @Test
    void headsCarryIt() {
        var file = folder.resolve("heads.gguf");
        TinyHeads.compact(0).write(file);
        assertNull(HeadsFiles.open(file).treeOrder());
        TinyHeads.compact(0)
                .i32s(PATHS, 1, 0, 2, 0, 5)
                .f32s(GAINS, 1, 0.5f, 0.25f)
                .write(file);
        var expected = new TreeOrder(List.of(List.of(0), List.of(0, 5)), List.of(1.0, 0.5, 0.25));
        assertEquals(expected, HeadsFiles.open(file).treeOrder());
    }

    @Test
    void isCutToADepthAndACount() {
        var order = new TreeOrder(
                List.of(List.of(0), List.of(0, 0), List.of(1), List.of(2)), List.of(1.0, 0.5, 0.4, 0.3, 0.2));
        assertEquals(new TreeOrder(List.of(List.of(0), List.of(1)), List.of(1.0, 0.5, 0.3)), order.cut(1, 2));
        assertThrows(IllegalArgumentException.class, () -> new TreeOrder(List.of(), List.of()));
    }

    @TestFactory
    Stream<DynamicTest> ordersThatCannotBe() {
        return Stream.of(
                fault(MissingField.class, GAINS, "nothing", f -> f.without(GAINS)),
                fault(MissingField.class, PATHS, "nothing", f -> f.without(PATHS)),
                fault(InvalidValue.class, PATHS, "an array", f -> f.i32s(PATHS, 1)),
                fault(InvalidValue.class, PATHS, "an array", f -> f.i32s(PATHS, 1, 0, 0)),
                fault(InvalidValue.class, PATHS, "an array", f -> f.i32s(PATHS, 1, 0, -1)),
                fault(InvalidValue.class, PATHS, "an array", f -> f.i32s(PATHS, 1, 0, Integer.MAX_VALUE)),
                fault(InvalidValue.class, PATHS, "an array", f -> f.i32s(PATHS, 1, 0, 2, 0)),
                fault(InvalidValue.class, PATHS, "an array", f -> f.i32s(PATHS, 1, 0, 2, 0, 0, 3, 0, 0, 0)),
                fault(InvalidValue.class, PATHS, "an array", f -> f.f32s(PATHS, 1, 0, Float.NaN)),
                fault(InvalidValue.class, PATHS, "an array", f -> f.i32s(PATHS, manyPaths())),
                fault(InvalidValue.class, PATHS, "rank 32", f -> f.i32s(PATHS, 1, 0, 1, 32)),
                fault(InvalidValue.class, PATHS, "rank -1", f -> f.i32s(PATHS, 1, -1)),
                fault(InvalidValue.class, PATHS, "rank 0.5", f -> f.f32s(PATHS, 1, 0.5f)),
                fault(InvalidValue.class, PATHS, "path [0]", f -> f.i32s(PATHS, 1, 0, 1, 0)),
                fault(InvalidValue.class, PATHS, "path [1, 0]", f -> f.i32s(PATHS, 2, 1, 0, 1, 1)),
                fault(InvalidValue.class, PATHS, "\"x\"", f -> f.string(PATHS, "x")),
                fault(InvalidValue.class, GAINS, "an array", f -> f.f32s(GAINS, 1, 0.5f)),
                fault(InvalidValue.class, GAINS, "an array", f -> f.f32s(GAINS, 1, 0.5f, 0.25f, 0.1f)),
                fault(InvalidValue.class, GAINS, "an array", f -> f.f32s(GAINS, 0.9f, 0.5f, 0.25f)),
                fault(InvalidValue.class, GAINS, "NaN", f -> f.f32s(GAINS, 1, Float.NaN, 0.25f)),
                fault(InvalidValue.class, GAINS, "-0.5", f -> f.f32s(GAINS, 1, 0.5f, -0.5f)),
                fault(InvalidValue.class, GAINS, "Infinity", f -> f.f32s(GAINS, 1, 0.5f, Float.POSITIVE_INFINITY)));
    }

    private static int[] manyPaths() {
        var flat = new ArrayList<Integer>();
        for (int i = 0; i < TreeOrder.MAX_PATHS + 1; i++) {
            flat.addAll(i < 32 ? List.of(1, i) : i < 64 ? List.of(2, 0, i - 32) : List.of(2, 1, 0));
        }
        return flat.stream().mapToInt(Integer::intValue).toArray();
    }

    private DynamicTest fault(
            Class<? extends FormatException> kind, String field, String found, Consumer<GgufBytes> change) {
        return dynamicTest(field + " " + found, () -> {
            var path = folder.resolve("heads.gguf");
            var file = TinyHeads.compact(0).i32s(PATHS, 1, 0, 1, 1).f32s(GAINS, 1, 0.5f, 0.25f);
            change.accept(file);
            file.write(path);
            assertFault(kind, path, field, found, () -> HeadsFiles.open(path));
        });
    }
}
