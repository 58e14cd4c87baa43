package io.hydra4j.heads;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.format.Tensor;
import io.hydra4j.format.TensorType;
import io.hydra4j.golden.Original;
import io.hydra4j.model.DecoderConfig;
import io.hydra4j.model.ModelFiles;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.MappedFile;
import io.hydra4j.runtime.WeightType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class CompactHeadsTest {
    private static final TreeOrder ORDER = new TreeOrder(List.of(List.of(0), List.of(0, 1)), List.of(1.0, 0.5, 0.25));

    @TempDir
    private Path folder;

    private final DecoderConfig base = ModelFiles.open(Original.base()).config();

    private static float[] values(Tensor tensor) {
        try (var file = MappedFile.open(tensor.file())) {
            return file.floats(tensor.type().id(), tensor.offset(), tensor.bytes(), tensor.values());
        }
    }

    private HeadsTensors write(HeadsTensors heads, WeightType type, List<Integer> vocabulary) {
        var file = folder.resolve("compact.gguf");
        CompactHeads.write(file, heads, base, "a base", type, vocabulary, ORDER);
        return HeadsFiles.open(file, base);
    }

    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra", "hydra-plus-plus"})
    void inFloat32NothingIsLost(String name) {
        var heads = HeadsFiles.open(Original.heads(name), base);
        var compact = write(heads, WeightType.F32, null);
        assertEquals(heads.config().kind(), compact.config().kind());
        assertEquals(heads.config().layers(), compact.config().layers());
        assertEquals("a base", compact.config().baseModel());
        assertEquals(ORDER, compact.treeOrder());
        assertNull(compact.draftVocabulary());
        assertEquals(heads.all().size(), compact.all().size());
        for (int i = 0; i < heads.all().size(); i++) {
            assertEquals(heads.all().get(i).shape(), compact.all().get(i).shape());
            assertArrayEquals(values(heads.all().get(i)), values(compact.all().get(i)));
        }
    }

    @ParameterizedTest
    @CsvSource({"F16, CPU, Q8_0", "BF16, CPU, Q8_0", "F32, CPU,", "Q4_0, CPU,", "BF16, CUDA,"})
    void headsOfSixteenBitsMayBeConvertedOnTheCpu(WeightType written, BackendKind backend, WeightType expected) {
        var heads = HeadsFiles.open(Original.heads("hydra-plus-plus"), base);
        assertEquals(expected, write(heads, written, null).eightBitType(backend));
    }

    @ParameterizedTest
    @EnumSource(
            value = WeightType.class,
            names = {"F16", "BF16", "Q8_0", "Q4_0", "Q4_1"})
    void matricesAreQuantisedAndVectorsAreNot(WeightType type) {
        var heads = HeadsFiles.open(Original.heads("hydra-plus-plus"), base);
        var compact = write(heads, type, null);
        for (int i = 0; i < heads.all().size(); i++) {
            var tensor = compact.all().get(i);
            boolean isVector = tensor.shape().size() == 1;
            assertEquals(isVector ? TensorType.F32 : TensorType.valueOf(type.name()), tensor.type());
            float[] exact = values(heads.all().get(i));
            float[] stored = values(tensor);
            double error = 0;
            double norm = 0;
            for (int j = 0; j < exact.length; j++) {
                error += Math.pow(exact[j] - stored[j], 2);
                norm += Math.pow(exact[j], 2);
            }
            assertTrue(error <= (isVector ? 0 : 0.015) * norm, tensor.name());
        }
    }

    @Test
    void matricesThatAreOneAreWrittenOnceAndReadAsOne() {
        var heads = HeadsFiles.open(Original.heads("hydra-plus-plus"), base);
        var shared = heads.heads().get(0).blocks().get(1);
        var tied = new HeadsTensors(
                heads.config(),
                heads.prefix(),
                heads.heads().stream()
                        .map(head -> {
                            var blocks = new ArrayList<>(head.blocks());
                            blocks.set(1, shared);
                            return new HeadsTensors.Head(blocks, head.lmHead(), head.lmHeadBias());
                        })
                        .toList(),
                null,
                null);
        assertTrue(tied.heads().size() > 1);
        var compact = write(tied, WeightType.Q8_0, null);
        var first = compact.heads().get(0).blocks().get(1).linear();
        for (var head : compact.heads()) {
            assertEquals(first.unnamed(), head.blocks().get(1).linear().unnamed());
        }
        assertEquals(
                "hydra_mlp.1.1.linear.weight",
                compact.heads().get(1).blocks().get(1).linear().name());
        assertArrayEquals(
                values(first), values(compact.heads().get(1).blocks().get(1).linear()));
        // Written once more from there, they still are.
        var again = folder.resolve("again.gguf");
        CompactHeads.write(again, compact, base, "a base", WeightType.Q8_0, null, ORDER);
        assertEquals(
                folder.resolve("compact.gguf").toFile().length(), again.toFile().length());
    }

    @Test
    void privateLmHeadsKeepTheRowsOfTheirVocabularyInItsOrder() {
        var heads = HeadsFiles.open(Original.heads("hydra-plus-plus"), base);
        var vocabulary =
                IntStream.range(0, 40).mapToObj(i -> (i * 37 + 200) % 258).toList();
        var compact = write(heads, WeightType.F32, vocabulary);
        assertEquals(vocabulary, compact.draftVocabulary());
        assertRows(heads, vocabulary, compact);

        var smaller = new ArrayList<>(vocabulary.subList(3, 35));
        Collections.reverse(smaller);
        var source = folder.resolve("source.gguf");
        CompactHeads.write(source, heads, base, "", WeightType.F32, vocabulary, null);
        assertRows(heads, smaller, write(HeadsFiles.open(source, base), WeightType.F32, smaller));
        smaller.set(
                0,
                IntStream.range(0, 258)
                        .filter(id -> !vocabulary.contains(id))
                        .findFirst()
                        .orElseThrow());
        assertThrows(
                IllegalArgumentException.class, () -> write(HeadsFiles.open(source, base), WeightType.F32, smaller));
        assertThrows(
                IllegalArgumentException.class,
                () -> write(HeadsFiles.open(source, base), WeightType.F32, vocabulary.subList(0, 31)));
    }

    private static void assertRows(HeadsTensors heads, List<Integer> vocabulary, HeadsTensors compact) {
        for (int i = 0; i < heads.heads().size(); i++) {
            var lmHead = heads.heads().get(i).lmHead();
            int columns = (int) lmHead.columns();
            float[] all = values(lmHead);
            float[] rows = values(compact.heads().get(i).lmHead());
            for (int r = 0; r < vocabulary.size(); r++) {
                int from = vocabulary.get(r) * columns;
                assertArrayEquals(
                        Arrays.copyOfRange(all, from, from + columns),
                        Arrays.copyOfRange(rows, r * columns, (r + 1) * columns));
            }
        }
    }

    @Test
    void typesWithoutAKernelAreRefused() {
        var heads = HeadsFiles.open(Original.heads("hydra"), base);
        assertThrows(IllegalArgumentException.class, () -> write(heads, WeightType.Q6_K, null));
    }
}
