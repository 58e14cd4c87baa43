package io.hydra4j.fuzz;

import io.hydra4j.format.GgufBytes;
import io.hydra4j.format.SafetensorsBytes;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;

/** Damage to safetensors files: to the tree of their header, its length, their size, their bytes. */
final class SafetensorsDamage {
    private SafetensorsDamage() {}

    static byte[] damaged(Random random, SafetensorsBytes good) {
        byte[] whole = good.build();
        if (random.nextInt(4) == 0) {
            return Damage.bytes(random, whole, 2200);
        }
        int length = (int) ByteBuffer.wrap(whole).order(ByteOrder.LITTLE_ENDIAN).getLong();
        String header = new String(whole, 8, length, StandardCharsets.UTF_8);
        byte[] json = JsonDamage.bytes(random, JsonDamage.damaged(random, JsonDamage.parse(header)));
        byte[] data = Arrays.copyOfRange(whole, 8 + length, whole.length);
        if (random.nextInt(8) == 0) {
            data = Arrays.copyOf(data, random.nextInt(data.length + 10));
        }
        return GgufBytes.bytes(
                random.nextInt(16) == 0 ? Long.valueOf(Damage.number(random)) : Long.valueOf(json.length), json, data);
    }
}
