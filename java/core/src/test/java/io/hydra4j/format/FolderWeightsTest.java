package io.hydra4j.format;

import static io.hydra4j.format.Faults.assertFault;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.FormatException.DuplicateKey;
import io.hydra4j.FormatException.InvalidValue;
import io.hydra4j.FormatException.MissingField;
import io.hydra4j.FormatException.Unreadable;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Safetensors in shards, and torch's files in their place. */
class FolderWeightsTest {
    private static final String NAME = "model.safetensors";

    @TempDir
    private Path folder;

    private Path index;
    private Path first;
    private Path second;

    @BeforeEach
    void writeShards() {
        index = folder.resolve(NAME + ".index.json");
        first = new SafetensorsBytes().tensor("a", "F32", 2).write(folder.resolve("1.safetensors"));
        second = new SafetensorsBytes()
                .tensor("b", "BF16", 3)
                .tensor("ids", "I32", 1)
                .write(folder.resolve("2.safetensors"));
        writeIndex("{\"a\":\"1.safetensors\",\"b\":\"2.safetensors\",\"ids\":\"2.safetensors\"}");
    }

    private void writeIndex(String weightMap) {
        var json = "{\"metadata\":{\"total_size\":18},\"weight_map\":" + weightMap + "}";
        GgufBytes.write(index, json.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void aSingleFileIsReadWithoutIndex() {
        var single = new SafetensorsBytes().tensor("only", "F32", 2).write(folder.resolve(NAME));
        var table = FolderWeights.read(folder);
        assertEquals(single, table.source());
        assertEquals(Set.of("only"), table.tensors().keySet());
    }

    @Test
    void shardsMakeOneTable() {
        var table = FolderWeights.read(folder);
        assertEquals(first, table.require("a", 2).file());
        assertEquals(second, table.require("b", 3).file());
    }

    @Test
    void aFolderWithoutWeightsIsNamed() {
        var empty = folder.resolve("empty");
        assertFault(Unreadable.class, empty, "weights", NAME, () -> FolderWeights.read(empty));
    }

    @Test
    void aShardThatIsNotThereIsNamed() {
        writeIndex("{\"a\":\"3.safetensors\"}");
        var missing = folder.resolve("3.safetensors");
        assertFault(Unreadable.class, missing, "file", "no such file", () -> FolderWeights.read(folder));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../1.safetensors",
                "/1.safetensors",
                "x/1.safetensors",
                "..",
                "",
                "1.bin",
                "a\\u0000.safetensors"
            })
    void aShardLiesBesideItsIndex(String shard) {
        writeIndex("{\"a\":\"" + shard + "\"}");
        assertFault(InvalidValue.class, index, "weight_map", "\"", () -> FolderWeights.read(folder));
    }

    @Test
    void aTensorThatOnlyTheIndexHasIsMissing() {
        writeIndex("{\"a\":\"1.safetensors\",\"c\":\"1.safetensors\"}");
        assertFault(MissingField.class, first, "c", "nothing", () -> FolderWeights.read(folder));
    }

    @Test
    void aTensorThatTheIndexDoesNotHaveIsAnError() {
        writeIndex("{\"a\":\"1.safetensors\",\"b\":\"2.safetensors\"}");
        assertFault(InvalidValue.class, second, "ids", "a tensor", () -> FolderWeights.read(folder));
    }

    @Test
    void aTensorInTwoShardsIsADuplicate() {
        new SafetensorsBytes().tensor("a", "F32", 2).tensor("b", "F32", 2).write(first);
        writeIndex("{\"a\":\"1.safetensors\",\"b\":\"2.safetensors\",\"ids\":\"2.safetensors\"}");
        assertFault(DuplicateKey.class, first, "b", "twice", () -> FolderWeights.read(folder));
    }

    @Test
    void anIndexWithoutTensorsIsAnError() {
        writeIndex("{}");
        assertFault(MissingField.class, index, "weight_map", "nothing", () -> FolderWeights.read(folder));
        writeIndex("[]");
        assertFault(InvalidValue.class, index, "weight_map", "an array", () -> FolderWeights.read(folder));
        writeIndex("{\"a\":7}");
        assertFault(InvalidValue.class, index, "weight_map.a", "7", () -> FolderWeights.read(folder));
    }

    @Test
    void torchsFilesAreReadWhereThereAreNoSafetensors() throws IOException {
        var torch = Files.createDirectory(folder.resolve("torch"));
        new TorchBytes().tensor("a", "FloatStorage", 2).write(torch.resolve("1.bin"));
        var last = new TorchBytes().tensor("b", "BFloat16Storage", 3).tensor("ids", "LongStorage", 1);
        last.write(torch.resolve("2.bin"));
        index = torch.resolve("pytorch_model.bin.index.json");
        writeIndex("{\"a\":\"1.bin\",\"b\":\"2.bin\",\"ids\":\"2.bin\"}");
        var table = FolderWeights.read(torch);
        assertEquals(torch.resolve("1.bin"), table.require("a", 2).file());
        assertEquals(torch.resolve("2.bin"), table.require("b", 3).file());
        assertTrue(table.has("ids"));

        writeIndex("{\"a\":\"1.safetensors\"}");
        assertFault(InvalidValue.class, index, "weight_map", "1.safetensors", () -> FolderWeights.read(torch));

        last.write(torch.resolve("pytorch_model.bin"));
        assertEquals(
                torch.resolve("pytorch_model.bin"), FolderWeights.read(torch).source());
        new SafetensorsBytes().tensor("only", "F32", 2).write(torch.resolve(NAME));
        assertEquals(torch.resolve(NAME), FolderWeights.read(torch).source());
    }
}
