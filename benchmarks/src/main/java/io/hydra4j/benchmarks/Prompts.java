package io.hydra4j.benchmarks;

import io.hydra4j.HydraException;
import io.hydra4j.HydraModel;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * Prompts as token ids.
 *
 * @param measured those that figures are taken from
 * @param calibration others, to warm up and to tune with
 */
record Prompts(List<int[]> measured, List<int[]> calibration) {
    private static final int CALIBRATION = 3;
    private static final String HELD_OUT = "java-heldout.jsonl";
    private static final String CHAT = "<|im_start|>system\n"
            + "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
            + "<|im_start|>user\n%s<|im_end|>\n<|im_start|>assistant\n";

    /**
     * Reads prompts and takes some of them, spread evenly over the file.
     *
     * @param file JSON values, one a line, {@code .jsonl} or {@code .jsonl.xz}: objects with {@code text} (of which the first
     *     {@code promptTokens} tokens are taken; shorter ones are left out) or {@code turns} (the first is put into SmolLM2's chat
     *     template, whole), or lists of token ids; null for the embedded beginnings of Java files that the embedded model never saw
     * @param count prompts to measure; fewer if there are not so many
     */
    static Prompts read(Path file, HydraModel model, int count, int promptTokens) {
        List<int[]> all = new ArrayList<>();
        for (Object value : file == null ? heldOut() : Lines.read(file)) {
            int[] ids = encode(value, model, promptTokens);
            if (ids.length > 0) {
                all.add(ids);
            }
        }
        if (all.size() < 2) {
            throw new HydraException((file == null ? HELD_OUT : file) + " has " + all.size() + " prompts of at least "
                    + promptTokens + " tokens, 2 are needed: give shorter or more prompts");
        }
        int calibration = Math.min(CALIBRATION, all.size() / 2);
        List<int[]> measured = new ArrayList<>(spread(all, Math.min(count + calibration, all.size())));
        List<int[]> apart = List.copyOf(spread(measured, calibration));
        measured.removeAll(apart);
        return new Prompts(List.copyOf(measured), apart);
    }

    private static List<Object> heldOut() {
        try (InputStream in = Prompts.class.getResourceAsStream(HELD_OUT)) {
            return Lines.read(Path.of(HELD_OUT), in);
        } catch (IOException e) {
            throw new HydraException("cannot read " + HELD_OUT + ": " + e, e);
        }
    }

    private static int[] encode(Object value, HydraModel model, int promptTokens) {
        if (value instanceof Map<?, ?> map) {
            var tokenizer =
                    model.tokenizer().orElseThrow(() -> new HydraException("the model has no tokenizer: give ids"));
            if (map.containsKey("turns")) {
                return tokenizer.encode(
                        CHAT.formatted(Lines.list(map.get("turns")).get(0)));
            }
            String text = String.valueOf(map.get("text"));
            int[] ids = tokenizer.encode(text.substring(0, Math.min(text.length(), tokenizer.longestText())));
            return ids.length < promptTokens ? new int[0] : Arrays.copyOf(ids, promptTokens);
        }
        return Lines.list(value).stream().mapToInt(Lines::whole).toArray();
    }

    private static List<int[]> spread(List<int[]> from, int count) {
        List<int[]> taken = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            taken.add(from.get((int) ((long) i * from.size() / count)));
        }
        return taken;
    }
}
