package io.hydra4j.fuzz;

import io.hydra4j.format.GgufBytes;
import io.hydra4j.format.GgufFile;
import io.hydra4j.text.TinyTokenizers;
import io.hydra4j.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;

/** The vocabulary tables of GGUF files. */
final class TokenizerTablesTarget implements FuzzTarget {
    private static final String[] PRE = {"default", "gpt-2", "smollm", "llama-bpe", "qwen2", "tekken"};

    private final GgufDamage byteLevel = new GgufDamage(file(TinyTokenizers.byteLevelGguf()));
    private final GgufDamage pieces = new GgufDamage(file(TinyTokenizers.pieceGguf()));

    private static GgufBytes file(Map<String, Object> metadata) {
        GgufBytes file = new GgufBytes().string("general.architecture", "llama");
        metadata.forEach((key, value) -> {
            if (value instanceof String text) {
                file.string(key, text);
            } else if (value instanceof String[] texts) {
                file.strings(key, texts);
            } else if (value instanceof long[] numbers) {
                file.i32s(key, Arrays.stream(numbers).mapToInt(i -> (int) i).toArray());
            } else if (value instanceof double[] numbers) {
                float[] floats = new float[numbers.length];
                for (int i = 0; i < floats.length; i++) {
                    floats[i] = (float) numbers[i];
                }
                file.f32s(key, floats);
            } else if (value instanceof Boolean flag) {
                file.bool(key, flag);
            } else {
                file.u32(key, (Long) value);
            }
        });
        return file.tensor("t", io.hydra4j.format.TensorType.F32, 1);
    }

    @Override
    public String name() {
        return "tables";
    }

    @Override
    public void write(Random random, Path folder) throws IOException {
        boolean ofBytes = random.nextBoolean();
        Map<String, Object> metadata = ofBytes ? TinyTokenizers.byteLevelGguf() : TinyTokenizers.pieceGguf();
        if (ofBytes) {
            metadata.put("tokenizer.ggml.pre", PRE[random.nextInt(PRE.length)]);
        }
        String[] tokens = (String[]) metadata.get("tokenizer.ggml.tokens");
        long[] types = (long[]) metadata.get("tokenizer.ggml.token_type");
        for (int i = random.nextInt(4); i > 0; i--) {
            int id = random.nextInt(tokens.length);
            switch (random.nextInt(3)) {
                case 0 -> tokens[id] = Damage.text(random);
                case 1 -> types[id] = random.nextInt(8);
                default -> tokens[id] = tokens[random.nextInt(tokens.length)] + tokens[random.nextInt(tokens.length)];
            }
        }
        GgufDamage damage = ofBytes ? byteLevel : pieces;
        byte[] bytes = random.nextBoolean() ? file(metadata).build() : damage.damaged(random, file(metadata), 7000);
        Files.write(folder.resolve("model.gguf"), bytes);
    }

    @Override
    public void read(Path folder) {
        Path file = folder.resolve("model.gguf");
        try (Tokenizer tokenizer =
                Tokenizer.of(file, () -> GgufFile.read(file).metadata()).orElse(null)) {
            if (tokenizer != null) {
                TokenizerTexts.use(tokenizer, new Random(3));
            }
        }
    }
}
