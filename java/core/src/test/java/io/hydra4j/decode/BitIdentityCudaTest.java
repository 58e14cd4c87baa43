package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.hydra4j.golden.Cuda;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import io.hydra4j.golden.TestData;
import io.hydra4j.model.ModelFiles;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.KvType;
import io.hydra4j.runtime.WeightType;
import io.hydra4j.text.Tokenizer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The promise of this library on CUDA, with every type of weights that others are converted to and all kinds of heads: for ten
 * prompts with trees of every size, or on the emulation for the beginning of one with a few sizes. There each type is computed
 * with one kind of heads; all kinds have the tag {@code long}.
 */
@ExtendWith(Cuda.class)
class BitIdentityCudaTest {
    private static Stream<WeightType> types() {
        return Stream.of(WeightType.values()).filter(WeightType::isEncodable);
    }

    private static Stream<Arguments> typesAndHeads() {
        return types().flatMap(type -> Original.HEADS.stream().map(heads -> Arguments.of(type, heads)));
    }

    /** All on a GPU; on the emulation every type, and all kinds of heads in turn. */
    private static Stream<Arguments> typesAndSomeHeads() {
        return Cuda.emulated() ? types().map(type -> Arguments.of(type, headsInTurn(type))) : typesAndHeads();
    }

    private static String headsInTurn(WeightType type) {
        return Original.HEADS.get(type.ordinal() % Original.HEADS.size());
    }

    @ParameterizedTest
    @MethodSource("typesAndSomeHeads")
    void speculationEqualsPlainDecodingToTheBit(WeightType type, String heads) {
        checkSpeculation(type, heads);
    }

    @ParameterizedTest
    @MethodSource("typesAndHeads")
    @Tag("long")
    void speculationEqualsPlainDecodingToTheBitWithAllHeads(WeightType type, String heads) {
        checkSpeculation(type, heads);
    }

    private static void checkSpeculation(WeightType type, String heads) {
        int[] sizes = Cuda.emulated()
                ? new int[] {1, 7, 64}
                : IntStream.rangeClosed(1, 64).toArray();
        try (Loaded alone = Cuda.open(Original.base(), null, type);
                Loaded drafting = Cuda.open(Original.base(), Original.heads(heads), type)) {
            BitIdentity.assertSpeculationEqualsPlain(alone, drafting, prompts(), 8, sizes);
        }
    }

    /** What the option can ask for beside what is chosen: halves with matrices of floats, floats with all others. */
    @ParameterizedTest
    @CsvSource({"F32, F16", "F16, F32", "Q8_0, F32"})
    void speculationEqualsPlainDecodingToTheBitHoweverKeysAndValuesAreKept(WeightType type, KvType kv) {
        try (Loaded alone = Loaded.open(Backend.openCuda(0), Original.base(), null, type, kv);
                Loaded drafting = Loaded.open(
                        Backend.openCuda(0), Original.base(), Original.heads("hydra-plus-plus"), type, kv)) {
            assertEquals(WeightType.valueOf(kv.name()), alone.base().pool().type());
            BitIdentity.assertSpeculationEqualsPlain(alone, drafting, prompts(), 8, new int[] {1, 7, 64});
        }
    }

    @Test
    void sessionsThatTakeTurnsDoNotDisturbEachOther() {
        int[] sizes = Cuda.emulated() ? new int[] {4, 64} : new int[] {1, 4, 8, 16, 32, 64};
        try (Loaded loaded = Cuda.open(Original.base(), Original.heads("hydra-plus-plus"), null)) {
            BitIdentity.assertTurnsDoNotDisturb(loaded, BitIdentity.bytePrompts(), Cuda.emulated() ? 6 : 48, sizes);
        }
    }

    private static List<int[]> prompts() {
        return Cuda.emulated()
                ? List.of(Arrays.copyOf(BitIdentity.bytePrompts().get(0), 12))
                : BitIdentity.bytePrompts().subList(0, 10);
    }

    /** Sizes for which the kernels are made, as the tiny model's are not. */
    @ParameterizedTest
    @MethodSource("types")
    void speculationEqualsPlainDecodingToTheBitOnTheEmbeddedModel(WeightType type) {
        assumeFalse(Cuda.emulated(), "a model of 19 million parameters takes hours on the emulation");
        Path model = TestData.embedded("javalm-19m-q8_0.gguf");
        Path heads = TestData.embedded("javalm-19m-hydra-plus-plus.gguf");
        List<int[]> prompts;
        ModelFiles files = ModelFiles.open(model);
        try (Tokenizer tokenizer = Tokenizer.fromGguf(files.path(), files.metadata())) {
            prompts = TestData.heldOutPrompts().stream()
                    .limit(4)
                    .map(tokenizer::encode)
                    .toList();
        }
        try (Loaded alone = Cuda.open(model, null, type);
                Loaded drafting = Cuda.open(model, heads, type)) {
            BitIdentity.assertSpeculationEqualsPlain(
                    alone, drafting, prompts, 32, new int[] {1, 2, 3, 7, 8, 9, 17, 33, 64});
        }
    }
}
