package io.hydra4j.text;

import io.hydra4j.format.Fields;
import io.hydra4j.format.StrictJson;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Reads Hugging Face's {@code tokenizer.json} with a BPE model. Padding and truncation are left out: they belong to
 * training. Ids have no holes, and an added token that the model does not have comes after the model's, in order.
 */
final class TokenizerJsonReader {
    /** The largest published file has some 33 million bytes and 3 million JSON tokens. */
    private static final StrictJson.Limits LIMITS =
            new StrictJson.Limits(64 << 20, 6_000_000, TokenizerSpec.LONGEST_TOKEN, 1 << 16);

    private final Fields root;
    private final Fields model;

    private TokenizerJsonReader(Fields root) {
        this.root = root;
        this.model = root.object("model");
    }

    static TokenizerSpec read(Path file) {
        return new TokenizerJsonReader(StrictJson.read(file, LIMITS)).spec();
    }

    private TokenizerSpec spec() {
        if (!root.string("version", "1.0").equals("1.0")) {
            throw root.invalid("version", "\"1.0\"");
        }
        requireBpe();
        Map<String, Integer> vocabulary = vocabulary();
        List<AddedToken> added = addedTokens(vocabulary);
        requireNoHoles(vocabulary, added);
        int size = vocabulary.size()
                + (int) added.stream()
                        .filter(token -> !vocabulary.containsKey(token.content()))
                        .count();
        TemplateReader template = new TemplateReader(size);
        if (root.has("post_processor")) {
            template.read(root.object("post_processor"), 0);
        }
        if (!root.has("decoder")) {
            throw root.invalid("decoder", "an object");
        }
        Normalization normalization =
                root.has("normalizer") ? NormalizationReader.read(root.object("normalizer")) : Normalization.NONE;
        PreTokenizer preTokenizer =
                root.has("pre_tokenizer") ? PreTokenizerReader.read(root.object("pre_tokenizer")) : PreTokenizer.NONE;
        return new TokenizerSpec(
                        root.file().toString(),
                        vocabulary,
                        merges(),
                        model.has("unk_token") ? model.string("unk_token") : null,
                        model.flag("fuse_unk", false),
                        model.flag("byte_fallback", false),
                        model.flag("ignore_merges", false),
                        added,
                        normalization,
                        preTokenizer,
                        DecoderReader.read(root.object("decoder")),
                        template.prefix(),
                        template.suffix())
                .checked("model");
    }

    private void requireBpe() {
        if (!model.string("type", "BPE").equals("BPE")) {
            throw model.invalid("type", "\"BPE\", the only kind of model that is supported");
        }
        if (model.number("dropout", 0, -Float.MAX_VALUE, Float.MAX_VALUE) != 0) {
            throw model.invalid("dropout", "null: text is not encoded at random");
        }
        for (String affix : List.of("continuing_subword_prefix", "end_of_word_suffix")) {
            if (!model.string(affix, "").isEmpty()) {
                throw model.invalid(affix, "null: marked word parts are not supported");
            }
        }
    }

    private Map<String, Integer> vocabulary() {
        Fields ids = model.object("vocab");
        Map<String, Integer> vocabulary = new LinkedHashMap<>();
        for (String token : ids.names()) {
            vocabulary.put(token, ids.integer(token, 0, TokenizerSpec.LARGEST_VOCABULARY - 1));
        }
        if (vocabulary.isEmpty()) {
            throw model.invalid("vocab", "an object of at least one token");
        }
        return vocabulary;
    }

    private List<TokenizerSpec.Merge> merges() {
        List<TokenizerSpec.Merge> merges = new ArrayList<>();
        for (Object merge : model.list("merges")) {
            if (merge instanceof String text && text.indexOf(' ') >= 0 && text.indexOf(' ') == text.lastIndexOf(' ')) {
                int space = text.indexOf(' ');
                merges.add(new TokenizerSpec.Merge(text.substring(0, space), text.substring(space + 1)));
            } else if (merge instanceof List<?> pair
                    && pair.size() == 2
                    && pair.get(0) instanceof String left
                    && pair.get(1) instanceof String right) {
                merges.add(new TokenizerSpec.Merge(left, right));
            } else {
                throw model.invalid(
                        "merges[" + merges.size() + "]", merge, "two tokens, as a list or with one space between");
            }
        }
        return merges;
    }

    private List<AddedToken> addedTokens(Map<String, Integer> vocabulary) {
        List<AddedToken> added = new ArrayList<>();
        if (!root.has("added_tokens")) {
            return added;
        }
        Set<String> contents = new HashSet<>();
        int next = vocabulary.size();
        for (Fields fields : root.objects("added_tokens")) {
            String content = fields.string("content");
            if (content.isEmpty() || content.length() > TokenizerSpec.LONGEST_TOKEN || !contents.add(content)) {
                throw fields.invalid(
                        "content",
                        "a text of 1 to " + TokenizerSpec.LONGEST_TOKEN + " characters that no other token has");
            }
            Integer known = vocabulary.get(content);
            int id = known != null ? known : next++;
            if (fields.integer("id", 0, TokenizerSpec.LARGEST_VOCABULARY - 1) != id) {
                throw fields.invalid("id", id + (known != null ? ", its id in model.vocab" : ", the next free id"));
            }
            added.add(new AddedToken(
                    id,
                    content,
                    fields.flag("single_word", false),
                    fields.flag("lstrip", false),
                    fields.flag("rstrip", false),
                    fields.flag("normalized", true),
                    fields.flag("special", false)));
        }
        return added;
    }

    /** Ids are distinct and leave none out exactly if the largest is their number less one, and none is there twice. */
    private void requireNoHoles(Map<String, Integer> vocabulary, List<AddedToken> added) {
        BitSet taken = new BitSet();
        for (Map.Entry<String, Integer> token : vocabulary.entrySet()) {
            if (taken.get(token.getValue())) {
                throw model.invalid("vocab." + token.getKey(), token.getValue(), "an id that no other token has");
            }
            taken.set(token.getValue());
        }
        added.forEach(token -> taken.set(token.id()));
        int hole = taken.nextClearBit(0);
        if (hole < taken.length()) {
            throw model.unfit("vocab", "no token with id " + hole, "a token for each id up to " + (taken.length() - 1));
        }
    }
}
