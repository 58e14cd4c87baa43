package io.hydra4j.fuzz;

import io.hydra4j.text.EncodeOptions;
import io.hydra4j.text.TextStream;
import io.hydra4j.text.Tokenizer;
import io.hydra4j.text.TokenizerException;
import java.util.Random;
import java.util.stream.IntStream;

/** Texts for a tokenizer that may be hostile, and what must hold of their ids. */
final class TokenizerTexts {
    private static final String[] PARTS = {
        " ",
        "  ",
        "\n",
        "\t",
        "\r\n",
        "a",
        "b",
        "ab",
        "abc",
        "A",
        "x",
        "<A>",
        "<B>",
        "<|end|>",
        "<think>",
        "<s>",
        "</s>",
        "<unk>",
        "_",
        "\u2581",
        "\u00e9",
        "e\u0301",
        "\u0301",
        "\u0316",
        "\u3000",
        "\u0130",
        "\u03a3",
        "\ufb01",
        "\ufdfa",
        "\u1e9b\u0323",
        "\ud83d\ude00",
        "\ud83d",
        "\ude00",
        "\uff9e",
        "\u200d",
        "\0",
        "1",
        "23",
        ".",
        "'s",
        "'S",
        "hello",
        "public int",
        "\ufeff",
        "\u0e01\u0e33"
    };

    private TokenizerTexts() {}

    /** Encodes and decodes random texts; some are long runs of few parts. */
    static void use(Tokenizer tokenizer, Random random) {
        for (int i = 0; i < 4; i++) {
            String text = text(random, i == 3 ? Math.min(600, tokenizer.longestText()) : 12);
            try {
                int[] ids = tokenizer.encode(text);
                check(tokenizer, ids);
                for (int id : tokenizer.encode(text, EncodeOptions.TEXT)) {
                    require(
                            !tokenizer.isSpecial(id) || isUnknown(tokenizer, id),
                            "the special token " + id + " came of a text that is taken as text");
                }
            } catch (TokenizerException e) {
                require(e.field().equals("text"), "encoding fails with " + e.getMessage());
            }
        }
    }

    /** The token for what has no token is the one special token that may come of any text. */
    private static boolean isUnknown(Tokenizer tokenizer, int id) {
        if (tokenizer.token(id).orElse("").contains("unk")) {
            return true;
        }
        // Some of these begin or go on with each byte that UTF-8 has: a table may lack any of them.
        for (int character = 0x80; character < 0x10FFFF; character += 1 + character / 64) {
            if (Character.getType(character) != Character.SURROGATE
                    && IntStream.of(tokenizer.encode(Character.toString(character), EncodeOptions.TEXT))
                            .anyMatch(known -> known == id)) {
                return true;
            }
        }
        return false;
    }

    private static void check(Tokenizer tokenizer, int[] ids) {
        for (int id : ids) {
            require(id >= 0 && id < tokenizer.vocabularySize(), "the id " + id + " came of a text");
        }
        String text = tokenizer.decode(ids, false);
        require(text.length() <= 64L * 4096 * (ids.length + 1), "a text of " + text.length() + " characters");
        TextStream stream = tokenizer.stream(true);
        StringBuilder streamed = new StringBuilder();
        for (int id : ids) {
            streamed.append(stream.push(id));
        }
        streamed.append(stream.finish());
        require(streamed.toString().equals(tokenizer.decode(ids, true)), "streamed text is not the decoded text");
    }

    private static String text(Random random, int most) {
        StringBuilder text = new StringBuilder();
        int parts = 1 + random.nextInt(most > 12 ? 3 : PARTS.length);
        int offset = random.nextInt(PARTS.length);
        for (int length = random.nextInt(most + 1); text.length() < length; ) {
            text.append(PARTS[(offset + random.nextInt(parts)) % PARTS.length]);
        }
        return text.toString();
    }

    private static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }
}
