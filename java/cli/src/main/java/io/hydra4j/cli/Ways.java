package io.hydra4j.cli;

import io.hydra4j.FinishReason;
import io.hydra4j.GenerationOptions;
import io.hydra4j.HydraException;
import io.hydra4j.HydraModel;
import io.hydra4j.OutputAssembler;
import io.hydra4j.Speculation;
import io.hydra4j.decode.Session;
import io.hydra4j.decode.SessionOptions;
import io.hydra4j.decode.Tree;
import io.hydra4j.draft.Drafter;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.BiFunction;

/**
 * The ways of decoding that {@code bench} compares, by name. A further one is one more entry of {@link #KINDS}; what is none of them is a
 * tree as {@code --tree} takes it.
 */
final class Ways {
    private static final int LOOKUP_DEPTH = 8;
    private static final String NODES = "nodes:";

    /** Takes names that are its own, or begin with it, and makes ways of them. */
    private record Kind(String name, BiFunction<String, Console, Way> make) {
        boolean takes(String given) {
            return name.endsWith(":") ? given.startsWith(name) : given.equals(name);
        }
    }

    private static final List<Kind> KINDS = List.of(
            new Kind(
                    Way.PLAIN,
                    (name, console) -> Way.of(name, true, limits -> limits.withSpeculation(Speculation.OFF))),
            new Kind("auto", (name, console) -> Way.of(name, true, limits -> limits.withSpeculation(Speculation.AUTO))),
            new Kind("lookup", (name, console) -> new Way(name, true, Ways::lookUp)),
            new Kind(NODES, (name, console) -> nodes(name)));

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
                .map(kind -> kind.make().apply(name, console))
                .orElseGet(() -> tree(name, console));
    }

    /** In every step the same tree; null, the default one, has the depth of the heads. */
    private static Way tree(String name, Console console) {
        Tree tree = TreeName.read(name, console);
        return Way.of(
                name, true, limits -> limits.withSpeculation(Speculation.ON).withTree(tree));
    }

    private static Way nodes(String name) {
        int nodes;
        try {
            nodes = Integer.parseInt(name.substring(NODES.length()));
        } catch (NumberFormatException e) {
            throw new UsageException("'" + name + "' is no number of nodes: give " + NODES + "N");
        }
        UsageException.requireRange(NODES + "N", nodes, 2, Tree.MAX_NODES);
        return new Way(
                name,
                true,
                (model, prompt, limits) -> Run.of(model.generate(
                        prompt, limits.withSpeculation(Speculation.ON).withTree(model.tree(nodes)))));
    }

    /** With nothing but a lookup in the text so far, also where there are heads. */
    private static Run lookUp(HydraModel model, int[] prompt, GenerationOptions limits) {
        OutputAssembler output = model.output(prompt, limits);
        SessionOptions options = SessionOptions.of(Tree.chain(LOOKUP_DEPTH));
        if (!limits.sampling().isGreedy()) {
            options = options.withSampling(limits.sampling());
        }
        try (Session session = model.session(options, Drafter.lookup(LOOKUP_DEPTH))) {
            long begin = System.nanoTime();
            boolean isCancelled = !session.prefill(prompt, limits.cancelled());
            long prefilled = System.nanoTime();
            while (output.finishReason().isEmpty() && !isCancelled) {
                if (session.remainingContext() == 0) {
                    output.finish(FinishReason.LENGTH);
                } else {
                    output.push(session.step().tokens());
                    isCancelled = limits.cancelled().getAsBoolean();
                }
            }
            return new Run(
                    output.ids(), session.statistics(), prefilled - begin, System.nanoTime() - prefilled, isCancelled);
        }
    }
}
