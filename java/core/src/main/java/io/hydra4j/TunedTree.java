package io.hydra4j;

import io.hydra4j.decode.Tree;
import io.hydra4j.heads.TreeOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * A tree that {@link HydraModel#tuneTree} has grown for a model's heads and a text, and what was measured while it was: acceptance
 * lengths, and what steps cost on that machine. Immutable; can be saved and loaded. Any model may use the {@link #tree}, and its output stays
 * the same; it is the speed that was tuned.
 */
public final class TunedTree {
    private final TreeOrder order;
    private final MeasuredTree chosen;
    private final List<MeasuredTree> measured;
    private final long tuningTokens;
    private final long heldOutTokens;
    private final Map<String, String> facts;

    /**
     * @param order the nodes of the tree in the order in which they are worth most
     * @param facts by name, what it was made with
     */
    TunedTree(
            TreeOrder order,
            MeasuredTree chosen,
            List<MeasuredTree> measured,
            long tuningTokens,
            long heldOutTokens,
            Map<String, String> facts) {
        this.order = order;
        this.chosen = chosen;
        this.measured = List.copyOf(measured);
        this.tuningTokens = tuningTokens;
        this.heldOutTokens = heldOutTokens;
        this.facts = Map.copyOf(facts);
    }

    /**
     * Reads a tree that was saved. {@link TreeFile#read} reads the tree alone, also from a bare list of paths.
     *
     * @param file a file that {@link #save} wrote
     * @return the tree and what was measured
     * @throws HydraException if the file cannot be read or is no such file; names file, field and value
     */
    public static TunedTree load(Path file) {
        return TreeFile.load(OpenOptions.require("file", file, "one that TunedTree.save has written"));
    }

    /**
     * Writes a small JSON file, which {@link TreeFile} reads; one that is there is replaced at once, when all is written.
     *
     * @param file the file to write
     * @throws HydraException if it cannot be written
     */
    public void save(Path file) {
        TreeFile.write(OpenOptions.require("file", file, "the file to write"), this);
    }

    /** {@return the tree, for {@link GenerationOptions#withTree}; the root alone where plain decoding is fastest} */
    public Tree tree() {
        return Tree.of(order.paths());
    }

    /** {@return what {@link #tree} was seen to do} */
    public MeasuredTree chosen() {
        return chosen;
    }

    /**
     * {@return trees of every size in the order of their nodes, the root alone first: that of the size from which most is accepted, and
     * that which is fastest here if it is another, less deep one} Unmodifiable.
     */
    public List<MeasuredTree> measured() {
        return measured;
    }

    /** {@return how many tokens the model wrote for the half of the text that the tree was tuned on} */
    public long tuningTokens() {
        return tuningTokens;
    }

    /** {@return how many tokens the model wrote for the half that measures} */
    public long heldOutTokens() {
        return heldOutTokens;
    }

    /** {@return what it was made with, by name: the model, its heads and the machine} Unmodifiable. */
    public Map<String, String> facts() {
        return facts;
    }

    TreeOrder order() {
        return order;
    }

    private List<Object> values() {
        return List.of(order, chosen, measured, tuningTokens, heldOutTokens, facts);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof TunedTree tree && values().equals(tree.values());
    }

    @Override
    public int hashCode() {
        return values().hashCode();
    }

    @Override
    public String toString() {
        return "TunedTree[chosen=" + chosen + ", facts=" + facts + "]";
    }
}
