package io.hydra4j.text;

import io.hydra4j.format.Fields;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * How text is cut into words before byte-level BPE, by the name that a GGUF file gives it ({@code
 * tokenizer.ggml.pre}). The regular expressions are those of the published tokenizers.
 */
enum GgufPreTokenizer {
    /** What llama.cpp does where a file names none. */
    DEFAULT(
            List.of("default"),
            List.of(
                    "[\\p{P}\\$\\+<=>\\^~\\|]+",
                    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)",
                    "\\p{N}+",
                    "[0-9][0-9][0-9]")),
    GPT2(
            List.of("gpt-2", "gpt2", "phi-2", "olmo", "mpt", "jais", "jina-es", "jina-de"),
            List.of("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+")),
    SMOLLM(
            List.of("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"),
            List.of("\\p{N}", "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+")),
    LLAMA3(
            List.of("llama-bpe", "llama-v3", "llama3", "falcon3", "pixtral"),
            List.of("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
                    + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+")),
    QWEN2(
            List.of("qwen2", "deepseek-r1-qwen"),
            List.of("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
                    + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+")),
    TEKKEN(
            List.of("tekken"),
            List.of("[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
                    + "|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*"
                    + "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"));

    private final List<String> names;
    private final List<String> regexes;

    GgufPreTokenizer(List<String> names, List<String> regexes) {
        this.names = names;
        this.regexes = regexes;
    }

    /** @throws TokenizerException if the file names one that is not known */
    static GgufPreTokenizer of(Fields fields) {
        String name = fields.string("pre", "default").toLowerCase(Locale.ROOT);
        List<String> known = new ArrayList<>();
        for (GgufPreTokenizer kind : values()) {
            if (kind.names.contains(name)) {
                return kind;
            }
            known.addAll(kind.names);
        }
        throw fields.invalid("pre", "one of " + String.join(", ", known));
    }

    /** @return whether a word that is a token as a whole is taken so, whatever the merges say */
    boolean ignoreMerges() {
        return this == LLAMA3 || this == TEKKEN;
    }

    /** @return whether a begin-of-text token is added where the file does not say */
    boolean addsBegin() {
        return this == LLAMA3 || this == TEKKEN;
    }

    /** @return the normalization; the file does not name it, though the models of this kind have one */
    Normalization normalization() {
        return this == QWEN2 ? new Normalization(List.of(Normalization.form(Normalizer.Form.NFC))) : Normalization.NONE;
    }

    /** @return the pre-tokenizer as a {@code tokenizer.json} has it */
    Map<String, Object> preTokenizer() {
        List<Object> parts = new ArrayList<>();
        for (String regex : regexes) {
            parts.add(TextComponents.component(
                    "type",
                    "Split",
                    "pattern",
                    TextComponents.component("Regex", regex),
                    "behavior",
                    "Isolated",
                    "invert",
                    false));
        }
        parts.add(TextComponents.component(
                "type", "ByteLevel", "add_prefix_space", false, "trim_offsets", true, "use_regex", false));
        return TextComponents.component("type", "Sequence", "pretokenizers", parts);
    }
}
