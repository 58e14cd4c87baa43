package io.hydra4j.fuzz;

import io.hydra4j.text.TinyTokenizers;
import io.hydra4j.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** tokenizer.json: parts put together at random, most of them sound, added tokens of every kind, and damage to the tree. */
final class TokenizerJsonTarget implements FuzzTarget {
    private static final String[] CONTENTS = {
        "<A>", "<B>", "<A><B>", "  ", " ", "\n", "a", "aa", "ab ", "x", "xx", "\u00e9", "\u0301", "A", "\u2581", "<s",
        "\u3000"
    };
    private static final String[] ATOMS = {
        "a",
        "\\s",
        "\\S",
        ".",
        "\\p{L}",
        "\\p{N}",
        "[^\\s\\p{L}]",
        "[ab]",
        "\\b",
        "\\B",
        "^",
        "$",
        "x",
        "(?=a)",
        "(?!\\S)",
        "(?<=a)",
        "(?<!x)",
        "(?:ab)",
        "(?i:s)",
        "(?>a)",
        "\\r",
        "[\\r\\n]"
    };
    private static final String[] REPEATS = {
        "", "", "", "*", "+", "?", "{1,3}", "{0,40}", "{2}", "*?", "+?", "++", "{3,}"
    };

    @Override
    public String name() {
        return "tokenizer";
    }

    @Override
    public void write(Random random, Path folder) throws IOException {
        String seed = random.nextBoolean() ? TinyTokenizers.byteLevelJson() : TinyTokenizers.pieceJson();
        @SuppressWarnings("unchecked") // a tokenizer.json is an object
        Map<String, Object> root = (Map<String, Object>) JsonDamage.parse(seed);
        if (random.nextBoolean()) {
            root.put("normalizer", parts(random, "normalizers", 0, false));
        }
        if (random.nextBoolean()) {
            root.put("pre_tokenizer", parts(random, "pretokenizers", 0, true));
        }
        if (random.nextInt(4) == 0) {
            root.put("decoder", decoder(random));
        }
        if (random.nextBoolean()) {
            addTokens(random, root);
        }
        Object tree = random.nextInt(3) == 0 ? JsonDamage.damaged(random, root) : root;
        Files.write(folder.resolve("tokenizer.json"), JsonDamage.bytes(random, tree));
    }

    private static void addTokens(Random random, Map<String, Object> root) {
        @SuppressWarnings("unchecked") // as the seeds have it
        List<Object> tokens = (List<Object>) root.get("added_tokens");
        long id = tokens.size() == 2 ? 260 : 267;
        for (int i = random.nextInt(4); i >= 0; i--) {
            String content = CONTENTS[random.nextInt(CONTENTS.length)];
            tokens.add(object(
                    "id", content.length() > 1 || random.nextBoolean() ? id++ : Damage.number(random),
                    "content", content,
                    "single_word", random.nextInt(4) == 0,
                    "lstrip", random.nextBoolean(),
                    "rstrip", random.nextBoolean(),
                    "normalized", random.nextBoolean(),
                    "special", random.nextBoolean()));
        }
    }

    private static Map<String, Object> parts(Random random, String name, int depth, boolean words) {
        if (depth < 5 && random.nextInt(3) == 0) {
            List<Object> list = new ArrayList<>();
            for (int i = random.nextInt(random.nextInt(6) == 0 ? 20 : 4); i > 0; i--) {
                list.add(parts(random, name, depth + 1, words));
            }
            return object("type", "Sequence", name, list);
        }
        return words ? words(random) : normalizer(random);
    }

    private static Map<String, Object> normalizer(Random random) {
        return switch (random.nextInt(7)) {
            case 0 -> object("type", "Prepend", "prepend", insert(random));
            case 1 -> object("type", "Lowercase");
            case 2, 3 -> object(
                    "type", "Replace",
                    "pattern", object("String", CONTENTS[random.nextInt(CONTENTS.length)]),
                    "content", insert(random));
            default -> object("type", new String[] {"NFC", "NFD", "NFKC", "NFKD"}[random.nextInt(4)]);
        };
    }

    private static String insert(Random random) {
        return new String[] {"", "\u2581", " ", "a", "aa", "x ", "\u0301", "abcdefgh"}[random.nextInt(8)];
    }

    private static Map<String, Object> words(Random random) {
        return switch (random.nextInt(6)) {
            case 0 -> object(
                    "type", "ByteLevel", "add_prefix_space", random.nextBoolean(), "use_regex", random.nextBoolean());
            case 1 -> object("type", "Digits", "individual_digits", random.nextBoolean());
            case 2 -> object(
                    "type",
                    "Metaspace",
                    "replacement",
                    new String[] {"\u2581", "_", " ", "\u0301"}[random.nextInt(4)],
                    "prepend_scheme",
                    new String[] {"always", "first", "never"}[random.nextInt(3)],
                    "split",
                    random.nextBoolean());
            default -> object(
                    "type",
                    "Split",
                    "pattern",
                    random.nextInt(4) == 0
                            ? object("String", CONTENTS[random.nextInt(CONTENTS.length)])
                            : object("Regex", regex(random, 0)),
                    "behavior",
                    new String[] {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"}
                            [random.nextInt(5)],
                    "invert",
                    random.nextBoolean());
        };
    }

    private static String regex(Random random, int depth) {
        StringBuilder regex = new StringBuilder();
        for (int alternatives = random.nextInt(3); alternatives >= 0; alternatives--) {
            for (int i = random.nextInt(4); i >= 0; i--) {
                boolean group = depth < 4 && random.nextInt(6) == 0;
                String kind = new String[] {"?:", "?=", "?!", "?>", "?<=", ""}[random.nextInt(6)];
                regex.append(group ? "(" + kind + regex(random, depth + 1) + ")" : ATOMS[random.nextInt(ATOMS.length)]);
                regex.append(REPEATS[random.nextInt(REPEATS.length)]);
            }
            regex.append(alternatives > 0 ? "|" : "");
        }
        return regex.toString();
    }

    private static Map<String, Object> decoder(Random random) {
        List<Object> list = new ArrayList<>();
        for (int i = random.nextInt(16); i > 0; i--) {
            list.add(object(
                    "type", "Replace",
                    "pattern", object("String", CONTENTS[random.nextInt(CONTENTS.length)]),
                    "content", insert(random).repeat(1 + random.nextInt(8))));
        }
        list.add(object("type", "ByteFallback"));
        list.add(object("type", "Fuse"));
        list.add(object("type", "Strip", "content", " ", "start", (long) random.nextInt(3), "stop", 0L));
        return object("type", "Sequence", "decoders", list);
    }

    private static Map<String, Object> object(Object... namesAndValues) {
        Map<String, Object> object = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            object.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        return object;
    }

    @Override
    public void read(Path folder) {
        try (Tokenizer tokenizer = Tokenizer.fromJson(folder.resolve("tokenizer.json"))) {
            TokenizerTexts.use(tokenizer, new Random(3));
        }
    }
}
