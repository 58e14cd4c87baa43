package io.hydra4j.tuning;

import io.hydra4j.HydraException;
import io.hydra4j.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The text that heads are converted or trees tuned for, as tokens.
 *
 * @param documents token ids of each document, the tokens that the tokenizer adds included; none is empty
 * @param added the tokens that the tokenizer puts before a text
 */
public record ConversionText(List<int[]> documents, int[] added) {
    /** Documents up to this length are prompts as they are. */
    private static final int WHOLE = 512;
    /** Tokens of a prompt that is cut from a longer document. */
    private static final int WINDOW = 256;
    /** Characters that are encoded at a time. */
    private static final int PIECE = 1 << 16;
    /** Documents of which every other one is a fair half of a text. */
    private static final int MANY = 16;
    /** Moves the place in the document from prompt to prompt. */
    private static final long PLACE_STEP = 7919;

    /**
     * Encodes documents.
     *
     * @param name where they are from, for the message
     * @throws HydraException if all of them are empty
     */
    public static ConversionText of(String name, Iterable<String> texts, Tokenizer tokenizer) {
        int[] added = tokenizer.encode("");
        List<int[]> documents = new ArrayList<>();
        texts.forEach(text -> encode(text, tokenizer, documents));
        documents.removeIf(document -> document.length <= added.length);
        if (documents.isEmpty()) {
            throw new HydraException(name + ": has no text: give a text like what the model will write");
        }
        return new ConversionText(documents, added);
    }

    private static void encode(String text, Tokenizer tokenizer, List<int[]> documents) {
        for (int from = 0; from < text.length(); ) {
            int end = Math.min(text.length(), from + Math.min(PIECE, tokenizer.longestText()));
            int line = end < text.length() ? text.lastIndexOf('\n', end - 1) : -1;
            end = line > from ? line + 1 : end;
            documents.add(tokenizer.encode(text.substring(from, end)));
            from = end;
        }
    }

    /** Tokens in all. */
    public long tokens() {
        return documents.stream().mapToLong(document -> document.length).sum();
    }

    /**
     * Two halves that have nothing in common: every other document each where there are many, else each document is cut in the middle.
     *
     * @throws HydraException if that leaves nothing for one of them
     */
    public List<ConversionText> halves(String name) {
        List<int[]> first = new ArrayList<>();
        List<int[]> second = new ArrayList<>();
        for (int i = 0; i < documents.size(); i++) {
            int[] tokens = documents.get(i);
            int middle = added.length + (tokens.length - added.length) / 2;
            if (documents.size() >= MANY) {
                (i % 2 == 0 ? first : second).add(tokens);
            } else if (middle > added.length) {
                first.add(Arrays.copyOf(tokens, middle));
                second.add(part(tokens, middle, added.length + tokens.length - middle));
            }
        }
        if (second.isEmpty()) {
            throw new HydraException(
                    name + ": is too short to tune on one half and to measure on the other: give a longer text");
        }
        return List.of(new ConversionText(first, added), new ConversionText(second, added));
    }

    /**
     * Prompts from all over the text: one from a document each where there are enough, else from places that are spread evenly.
     *
     * @param wanted their number; fewer come where documents are few and short, for none is taken twice as a whole
     * @param longest most tokens of one
     */
    public List<int[]> prompts(int wanted, int longest) {
        List<int[]> prompts = new ArrayList<>();
        if (documents.size() >= wanted) {
            for (int i = 0; i < wanted; i++) {
                int[] tokens = documents.get((int) ((long) i * documents.size() / wanted));
                prompts.add(prompt(tokens, (int) (PLACE_STEP * i % tokens.length), longest));
            }
            return prompts;
        }
        long spacing = Math.max(1, tokens() / wanted);
        for (int[] tokens : documents) {
            int count = isWhole(tokens, longest) ? 1 : (int) Math.max(1, tokens.length / spacing);
            for (int i = 0; i < count; i++) {
                prompts.add(prompt(tokens, (int) ((long) i * tokens.length / count), longest));
            }
        }
        return prompts;
    }

    private static boolean isWhole(int[] tokens, int longest) {
        return tokens.length <= Math.min(WHOLE, longest);
    }

    private int[] prompt(int[] tokens, int place, int longest) {
        return isWhole(tokens, longest) ? tokens : window(tokens, place, Math.min(WINDOW, longest));
    }

    private int[] window(int[] tokens, int place, int length) {
        // As much again stays for the model to write.
        int from = Math.max(0, Math.min(place, tokens.length - 2 * length));
        return from <= added.length || added.length >= length
                ? Arrays.copyOf(tokens, length)
                : part(tokens, from, length);
    }

    /** Tokens from the midst of a document, after those that begin a text. */
    private int[] part(int[] tokens, int from, int length) {
        int[] part = Arrays.copyOf(added, length);
        System.arraycopy(tokens, from, part, added.length, length - added.length);
        return part;
    }
}
