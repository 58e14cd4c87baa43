package io.hydra4j.benchmarks;

import io.hydra4j.DraftSource;
import io.hydra4j.GenerationOptions;
import io.hydra4j.HeadsInfo;
import io.hydra4j.HydraException;
import io.hydra4j.HydraModel;
import io.hydra4j.Speculation;
import io.hydra4j.decode.Sampling;
import io.hydra4j.decode.SessionStatistics;
import io.hydra4j.decode.Tree;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * A way to decode.
 *
 * @param method plain, or a kind of heads
 * @param tree the name of a tree, as {@link Trees} knows it, or one of {@link #CHOSEN}; empty for plain decoding
 */
record Variant(Method method, String tree) {
    /** The name of the tree that the library chooses as it goes. */
    static final String AUTO = "auto";
    /** Trees that the library chooses step by step, and what guesses for them. */
    static final Map<String, DraftSource> CHOSEN =
            Map.of(AUTO, DraftSource.AUTO, "auto-heads", DraftSource.HEADS, "auto-lookup", DraftSource.LOOKUP);
    /** Of sampled text. */
    private static final long SEED = 1;

    static final Variant PLAIN = new Variant(Method.PLAIN, "");

    /** Reads {@code plain}, or {@code METHOD/TREE}. */
    static Variant parse(String text) {
        int slash = text.indexOf('/');
        return slash < 0
                ? new Variant(method(text), "")
                : new Variant(method(text.substring(0, slash)), text.substring(slash + 1));
    }

    /** @throws HydraException if there is no such method */
    static Method method(String name) {
        return Arrays.stream(Method.values())
                .filter(method -> name(method).equals(name))
                .findFirst()
                .orElseThrow(() -> new HydraException("no method is called '" + name + "': choose of "
                        + Arrays.stream(Method.values()).map(Variant::name).collect(Collectors.joining(", "))));
    }

    /** The name of a method on the command line. */
    static String name(Method method) {
        return method == Method.HYDRA_PLUS_PLUS ? "hydra++" : method.name().toLowerCase(Locale.ROOT);
    }

    /**
     * Options for a generation of this kind.
     *
     * @param resolved the tree that the name stands for; null with those of {@link #CHOSEN}
     * @param temperature 0 for greedy decoding
     */
    GenerationOptions options(Tree resolved, int maxTokens, float temperature) {
        Sampling sampling = temperature == 0 ? Sampling.GREEDY : Sampling.of(temperature, SEED);
        GenerationOptions options =
                GenerationOptions.DEFAULT.withMaxTokens(maxTokens).withSampling(sampling);
        return method == Method.PLAIN
                ? options.withSpeculation(Speculation.OFF)
                : CHOSEN.containsKey(tree)
                        ? options.withDraft(CHOSEN.get(tree))
                        : options.withSpeculation(Speculation.ON).withTree(resolved);
    }

    /** Bytes of weights that these steps read: those of the base in each pass, those of the heads in each that drafted. */
    static long bytesRead(HydraModel model, SessionStatistics statistics) {
        long drafts = statistics.draftedSteps() == 0
                ? 0
                : statistics.draftedSteps() * statistics.passes() / statistics.steps();
        long heads = model.info().heads().map(HeadsInfo::bytesPerStep).orElse(0L);
        return model.info().bytesPerPass() * statistics.passes() + heads * drafts;
    }

    @Override
    public String toString() {
        return tree.isEmpty() ? name(method) : name(method) + "/" + tree;
    }
}
