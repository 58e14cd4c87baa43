package io.hydra4j.text;

import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Supplier;

/** Tokens by id, and how they become text. Immutable and thread-safe. */
final class Vocabulary {
    private final String[] tokens;
    private final BitSet special = new BitSet();
    private final Map<String, Integer> ids;
    private final Supplier<TokenDecoder> decoders;

    Vocabulary(TokenizerSpec spec) {
        ids = new HashMap<>(spec.vocabulary());
        for (AddedToken token : spec.addedTokens()) {
            ids.put(token.content(), token.id());
        }
        int size = 0;
        for (int id : ids.values()) {
            size = Math.max(size, id + 1);
        }
        tokens = new String[size];
        ids.forEach((token, id) -> tokens[id] = token);
        for (AddedToken token : spec.addedTokens()) {
            special.set(token.id(), token.special());
        }
        if (spec.decoder().byteLevel()) {
            byte[][] table = ByteLevelDecoder.table(tokens);
            decoders = () -> new ByteLevelDecoder(table);
        } else {
            PieceDecoder.Table table = table(spec);
            decoders = () -> new PieceDecoder(table);
        }
    }

    private PieceDecoder.Table table(TokenizerSpec spec) {
        try {
            return new PieceDecoder.Table(spec.decoder(), tokens);
        } catch (PieceDecoder.TooLong e) {
            throw new TokenizerException(
                    spec.file(),
                    "decoder",
                    "replacements that make all tokens together more than twice as long",
                    "replacements of about the length of what they replace",
                    e);
        }
    }

    /** @return one more than the largest id */
    int size() {
        return tokens.length;
    }

    boolean has(int id) {
        return id >= 0 && id < tokens.length && tokens[id] != null;
    }

    boolean isSpecial(int id) {
        return id >= 0 && special.get(id);
    }

    /** @return the token as the table spells it, null where there is none */
    String token(int id) {
        return has(id) ? tokens[id] : null;
    }

    /** @return the id of a token spelled so, or -1 */
    int id(String token) {
        return ids.getOrDefault(token, -1);
    }

    TokenDecoder newDecoder() {
        return decoders.get();
    }
}
