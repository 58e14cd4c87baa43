package io.hydra4j.fuzz;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.hydra4j.format.StrictJson;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** JSON as a tree of maps, lists and values that can be changed, and damage to such a tree. */
public final class JsonDamage {
    private static final JsonFactory JSON = new JsonFactory();

    private JsonDamage() {}

    /** A tree that can be changed. */
    public static Object parse(String json) {
        return copy(StrictJson.value(Path.of("seed"), "seed", json));
    }

    static Object copy(Object value) {
        if (value instanceof Map<?, ?> map) {
            Map<String, Object> copy = new LinkedHashMap<>();
            map.forEach((key, each) -> copy.put((String) key, copy(each)));
            return copy;
        }
        if (value instanceof List<?> list) {
            List<Object> copy = new ArrayList<>();
            list.forEach(each -> copy.add(copy(each)));
            return copy;
        }
        return value;
    }

    /** Changes one to three values somewhere in the tree; those that are near the root as often as the many deep ones. */
    public static Object damaged(Random random, Object tree) {
        Object root = tree;
        for (int i = random.nextInt(3); i >= 0; i--) {
            root = random.nextInt(60) == 0 ? value(random) : step(random, root, root);
        }
        return root;
    }

    /** The text of a tree, as bytes, now and then with damage to the bytes. */
    public static byte[] bytes(Random random, Object tree) {
        byte[] bytes = write(tree).getBytes(StandardCharsets.UTF_8);
        return random.nextInt(10) == 0 ? Damage.bytes(random, bytes, bytes.length) : bytes;
    }

    @SuppressWarnings("unchecked") // parse makes no others
    private static Object step(Random random, Object node, Object root) {
        if (node instanceof Map<?, ?> raw && !raw.isEmpty()) {
            Map<String, Object> map = (Map<String, Object>) raw;
            String key = new ArrayList<>(map.keySet()).get(random.nextInt(map.size()));
            switch (random.nextInt(6)) {
                case 0 -> map.remove(key);
                case 1 -> map.put(key, value(random));
                case 2 -> map.put(Damage.text(random), map.get(key));
                default -> map.put(key, step(random, map.get(key), root));
            }
            return map;
        }
        if (node instanceof List<?> raw && !raw.isEmpty()) {
            List<Object> list = (List<Object>) raw;
            int at = random.nextInt(list.size());
            switch (random.nextInt(6)) {
                case 0 -> list.remove(at);
                case 1 -> list.add(copy(list.get(at)));
                case 2 -> list.set(at, value(random));
                default -> list.set(at, step(random, list.get(at), root));
            }
            return list;
        }
        return value(random);
    }

    private static Object value(Random random) {
        return switch (random.nextInt(9)) {
            case 0 -> null;
            case 1 -> random.nextBoolean();
            case 2, 3, 4 -> Damage.number(random);
            case 5 -> Damage.decimal(random);
            case 6, 7 -> Damage.text(random);
            default -> random.nextBoolean() ? new ArrayList<>() : new LinkedHashMap<>();
        };
    }

    static String write(Object tree) {
        StringWriter text = new StringWriter();
        try (JsonGenerator json = JSON.createGenerator(text)) {
            write(json, tree);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return text.toString();
    }

    private static void write(JsonGenerator json, Object value) throws IOException {
        if (value instanceof Map<?, ?> map) {
            json.writeStartObject();
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                json.writeFieldName((String) entry.getKey());
                write(json, entry.getValue());
            }
            json.writeEndObject();
        } else if (value instanceof List<?> list) {
            json.writeStartArray();
            for (Object element : list) {
                write(json, element);
            }
            json.writeEndArray();
        } else {
            json.writePOJO(value);
        }
    }
}
