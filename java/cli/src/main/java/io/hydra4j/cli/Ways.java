package io.hydra4j.cli;

import io.hydra4j.DraftSource;
import io.hydra4j.GenerationOptions;
import io.hydra4j.HydraException;
import io.hydra4j.Speculation;
import io.hydra4j.decode.Acceptance;
import io.hydra4j.decode.Sampling;
import io.hydra4j.decode.Tree;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;
import picocli.CommandLine.TypeConversionException;

/**
 * The ways of decoding that {@code bench} compares, by name. A further one is one more entry of {@link #KINDS}; what is none of them is a
 * tree as {@code --tree} takes it.
 */
final class Ways {
    private static final String TYPICAL = "typical";

    /** Makes a way of the rest of its name. */
    @FunctionalInterface
    private interface Maker {
        Way make(String name, String rest, Console console);
    }

    /**
     * Ways of one kind.
     *
     * @param name their name; where it ends in a colon, something follows it
     * @param maker makes them
     */
    private record Kind(String name, Maker maker) {
        boolean takes(String given) {
            return name.endsWith(":") ? given.startsWith(name) : given.equals(name);
        }

        Way make(String given, Console console) {
            return maker.make(given, given.substring(name.length()), console);
        }
    }

    private static final List<Kind> KINDS = List.of(
            kind(Way.PLAIN, limits -> limits.withSpeculation(Speculation.OFF)),
            kind("auto", limits -> limits.withSpeculation(Speculation.AUTO)),
            kind("heads", auto(DraftSource.HEADS)),
            kind("heads+lookup", auto(DraftSource.HEADS_AND_LOOKUP)),
            kind("lookup", limits -> on(limits).withDraft(DraftSource.LOOKUP)),
            new Kind("heads:", (name, rest, console) -> tree(name, rest, DraftSource.HEADS, console)),
            new Kind("heads+lookup:", (name, rest, console) -> tree(name, rest, DraftSource.HEADS_AND_LOOKUP, console)),
            new Kind("lookup:", (name, rest, console) -> tree(name, rest, DraftSource.LOOKUP, console)),
            new Kind("nodes:", (name, rest, console) -> nodes(name, rest)),
            new Kind(TYPICAL, (name, rest, console) -> typical(name)),
            new Kind(TYPICAL + ":", (name, rest, console) -> typical(name)));

    private Ways() {}

    /** The names that are compared where none are given. */
    static List<String> usual(boolean hasHeads) {
        return hasHeads ? List.of("auto", "nodes:4", "nodes:16", "lookup") : List.of("auto", "lookup");
    }

    /**
     * The ways of these names, after plain decoding.
     *
     * @throws UsageException if a name is given twice or means nothing
     * @throws HydraException if a file holds no tree
     */
    static List<Way> of(List<String> names, Console console) {
        List<Way> ways = new ArrayList<>(List.of(way(Way.PLAIN, console)));
        Set<String> seen = new HashSet<>(Set.of(Way.PLAIN));
        for (String name : names) {
            if (!seen.add(name)) {
                throw new UsageException("--ways has '" + name + "' twice"
                        + (name.equals(Way.PLAIN) ? ": it is always there" : ": leave out one of them"));
            }
            ways.add(way(name, console));
        }
        return List.copyOf(ways);
    }

    private static Way way(String name, Console console) {
        return KINDS.stream()
                .filter(kind -> kind.takes(name))
                .findFirst()
                .map(kind -> kind.make(name, console))
                .orElseGet(() -> tree(name, name, DraftSource.AUTO, console));
    }

    private static Kind kind(String name, UnaryOperator<GenerationOptions> settings) {
        return new Kind(name, (given, rest, console) -> Way.of(name, true, settings));
    }

    private static UnaryOperator<GenerationOptions> auto(DraftSource source) {
        return limits -> limits.withSpeculation(Speculation.AUTO).withDraft(source);
    }

    private static GenerationOptions on(GenerationOptions limits) {
        return limits.withSpeculation(Speculation.ON);
    }

    /** In every step the same tree, or the same number of nodes; null, the default one, has the depth of the heads. */
    private static Way tree(String name, String tree, DraftSource source, Console console) {
        Tree read = TreeName.read(tree, console);
        return Way.of(name, true, limits -> on(limits).withTree(read).withDraft(source));
    }

    private static Way nodes(String name, String number) {
        int nodes;
        try {
            nodes = Integer.parseInt(number);
        } catch (NumberFormatException e) {
            throw new UsageException("'" + name + "' is no number of nodes: give nodes:N");
        }
        UsageException.requireRange("nodes:N", nodes, 2, Tree.MAX_NODES);
        return new Way(
                name,
                true,
                (model, prompt, limits) ->
                        Run.of(model.generate(prompt, on(limits).withTree(model.tree(nodes)))));
    }

    /** Lossy: its output may differ. It draws nothing, and tests at the temperature at which the others sample. */
    private static Way typical(String name) {
        Acceptance acceptance;
        try {
            acceptance = new AcceptanceName().convert(name);
        } catch (TypeConversionException e) {
            throw new UsageException(e.getMessage());
        }
        return Way.of(name, false, limits -> on(limits)
                .withSampling(Sampling.GREEDY)
                .withAcceptance(
                        limits.sampling().isGreedy()
                                ? acceptance
                                : acceptance.withTemperature(limits.sampling().temperature())));
    }
}
