package io.hydra4j.text;

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
 * training. Ids have no holes, and an added token that the model does not have stands behind the model's, in order.
 */
final class TokenizerJsonReader {
    private final Fields root;
    private final Fields model;

    private TokenizerJsonReader(Fields root) {
        this.root = root;
        this.model = root.object("model");
    }

    static TokenizerSpec read(Path file) {
        return new TokenizerJsonReader(JsonTree.read(file)).spec();
    }

    private TokenizerSpec spec() {
        if (!root.string("version", "1.0").equals("1.0")) {
            throw root.wrong("version", "\"1.0\"");
        }
        requireBpe();
        Map<String, Integer> vocabulary = vocabulary();
        List<AddedToken> added = addedTokens(vocabulary);
        requireNoHoles(vocabulary, added);
        TextComponents components = new TextComponents();
        int size = vocabulary.size()
                + (int) added.stream()
                        .filter(token -> !vocabulary.containsKey(token.content()))
                        .count();
        TemplateReader template = new TemplateReader(size);
        if (root.has("post_processor")) {
            template.read(root.object("post_processor"), 0);
        }
        Map<String, Object> normalizer =
                root.has("normalizer") ? components.normalizer(root.object("normalizer")) : null;
        Map<String, Object> preTokenizer =
                root.has("pre_tokenizer") ? components.preTokenizer(root.object("pre_tokenizer")) : null;
        return new TokenizerSpec(
                        root.file(),
                        vocabulary,
                        merges(),
                        model.has("unk_token") ? model.string("unk_token") : null,
                        model.flag("fuse_unk", false),
                        model.flag("byte_fallback", false),
                        model.flag("ignore_merges", false),
                        added,
                        normalizer,
                        preTokenizer,
                        DecoderReader.read(root.object("decoder")),
                        template.prefix(),
                        template.suffix(),
                        components.longestText())
                .checked("model");
    }

    private void requireBpe() {
        if (!model.string("type", "BPE").equals("BPE")) {
            throw model.wrong("type", "\"BPE\", the only kind of model that is supported");
        }
        if (model.has("dropout") && !(model.raw("dropout") instanceof Number chance && chance.doubleValue() == 0)) {
            throw model.wrong("dropout", "null: text is not encoded at random");
        }
        for (String affix : List.of("continuing_subword_prefix", "end_of_word_suffix")) {
            if (!model.string(affix, "").isEmpty()) {
                throw model.wrong(affix, "null: marked word parts are not supported");
            }
        }
    }

    private Map<String, Integer> vocabulary() {
        if (!(model.raw("vocab") instanceof Map<?, ?> tokens) || tokens.isEmpty()) {
            throw model.wrong("vocab", "an object of at least one token");
        }
        Fields ids = new Fields(root.file(), "model.vocab.", tokens);
        Map<String, Integer> vocabulary = new LinkedHashMap<>(tokens.size() * 2);
        for (Object token : tokens.keySet()) {
            vocabulary.put((String) token, ids.integer((String) token, 0, TokenizerSpec.LARGEST_VOCABULARY - 1));
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
                throw model.wrong(
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
        for (Object element : root.list("added_tokens")) {
            Fields fields = root.element("added_tokens", added.size(), element);
            String content = fields.string("content");
            if (content.isEmpty() || content.length() > TokenizerSpec.LONGEST_TOKEN || !contents.add(content)) {
                throw fields.wrong(
                        "content",
                        "a text of 1 to " + TokenizerSpec.LONGEST_TOKEN + " characters that no other token has");
            }
            Integer known = vocabulary.get(content);
            int id = known != null ? known : next++;
            if (fields.integer("id", 0, TokenizerSpec.LARGEST_VOCABULARY - 1) != id) {
                throw fields.wrong("id", id + (known != null ? ", its id in model.vocab" : ", the next free id"));
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
                throw model.wrong("vocab." + token.getKey(), token.getValue(), "an id that no other token has");
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
