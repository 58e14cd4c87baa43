package io.hydra4j.runtime;

import io.hydra4j.runtime.bindings.Native;
import io.hydra4j.runtime.bindings.hydra_append_kv;
import io.hydra4j.runtime.bindings.hydra_attention;
import io.hydra4j.runtime.bindings.hydra_block;
import io.hydra4j.runtime.bindings.hydra_buffer;
import io.hydra4j.runtime.bindings.hydra_commit;
import io.hydra4j.runtime.bindings.hydra_draft_inputs;
import io.hydra4j.runtime.bindings.hydra_draft_levels;
import io.hydra4j.runtime.bindings.hydra_draft_states;
import io.hydra4j.runtime.bindings.hydra_draft_tokens;
import io.hydra4j.runtime.bindings.hydra_embed;
import io.hydra4j.runtime.bindings.hydra_expand;
import io.hydra4j.runtime.bindings.hydra_gate_up;
import io.hydra4j.runtime.bindings.hydra_give_tokens;
import io.hydra4j.runtime.bindings.hydra_grow;
import io.hydra4j.runtime.bindings.hydra_judge;
import io.hydra4j.runtime.bindings.hydra_judge_typical;
import io.hydra4j.runtime.bindings.hydra_kv_pool;
import io.hydra4j.runtime.bindings.hydra_linear;
import io.hydra4j.runtime.bindings.hydra_lm_head;
import io.hydra4j.runtime.bindings.hydra_matrix;
import io.hydra4j.runtime.bindings.hydra_norm;
import io.hydra4j.runtime.bindings.hydra_prepare_selection;
import io.hydra4j.runtime.bindings.hydra_program;
import io.hydra4j.runtime.bindings.hydra_qkv;
import io.hydra4j.runtime.bindings.hydra_rank;
import io.hydra4j.runtime.bindings.hydra_rows;
import io.hydra4j.runtime.bindings.hydra_sampling;
import io.hydra4j.runtime.bindings.hydra_select;
import io.hydra4j.runtime.bindings.hydra_stream;
import io.hydra4j.runtime.bindings.hydra_table_block;
import io.hydra4j.runtime.bindings.hydra_top;
import io.hydra4j.runtime.bindings.hydra_tree;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.function.ToIntFunction;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;

/**
 * A list of operations that one native call runs. Recording an operation checks every shape against every other one; what
 * changes from run to run is read from the rows, batches and topologies that were recorded.
 *
 * <p>Shapes: a buffer {@code float[rows][n]} holds at least one row of n values for each of the rows' {@link PassRows#maxRows},
 * of which only the first {@link PassRows#count()} are read and written. An operation over zero rows does nothing. No row's
 * result depends on the rows beside it, to the bit. {@code h} is the hidden size, {@code d} the head size. Every recording method throws {@link NativeException} with status {@code INVALID_ARGUMENT} if the
 * shapes do not fit, and {@link IllegalStateException} if the program or an operand is closed. Closing a program waits for it
 * where it was enqueued and not awaited.
 */
public final class Program extends NativeObject {
    private final Handle<hydra_program> handle;
    private final Operands operands;
    private final ByteBuffer scratch = ByteBuffer.allocateDirect(1024).order(ByteOrder.nativeOrder());
    private LongBuffer times;

    private Program(Handle<hydra_program> handle, Operands operands) {
        this.handle = handle;
        this.operands = operands;
    }

    @Override
    Handle<hydra_program> handle() {
        return handle;
    }

    /**
     * Creates an empty program on a stream that the backend has for such programs.
     *
     * @param backend on which it runs
     * @return the program, to be closed
     * @throws OutOfNativeMemoryException if the system refuses the memory
     */
    public static Program create(Backend backend) {
        return create(backend, null, List.of(backend.handle()));
    }

    /**
     * Creates an empty program on a stream.
     *
     * @param stream on which it runs, in order with what else is enqueued there
     * @return the program, to be closed
     * @throws OutOfNativeMemoryException if the system refuses the memory
     */
    public static Program create(Stream stream) {
        return create(stream.backend(), stream.handle().pointer(), List.of(stream.handle()));
    }

    private static Program create(Backend backend, hydra_stream stream, List<Handle<?>> parents) {
        Operands operands = new Operands();
        return new Program(
                Handle.create(
                        "program",
                        new hydra_program(),
                        out -> Native.hydra_program_create(backend.handle().pointer(), stream, out),
                        program -> {
                            Native.hydra_program_destroy(program);
                            operands.release();
                        },
                        parents),
                operands);
    }

    /**
     * Runs all operations and returns when they are done. The page tables must cover every row.
     *
     * @throws NativeException with status {@code INVALID_ARGUMENT} if the state of a sequence does not allow the run: a
     *     position without a page, a token outside the vocabulary
     */
    public void run() {
        handle.check(Native::hydra_program_run);
    }

    /**
     * As {@link #run}, without waiting: the operations run after what was enqueued to the stream before, by whomever, and
     * before what is enqueued later. (Where the program was not run since it was recorded, it is prepared first, which may
     * wait for the device.) On the CPU the operations have run when this returns. Until {@link #await} has returned
     *
     * <ul>
     *   <li>what is enqueued to the stream after the program finds its results in buffers;
     *   <li>results of batches, rows and top entries, and times, are not to be read: they may be old, new, or half of each;
     *   <li>the program's batches, their rows, and its trees cannot be set, and it records nothing more;
     *   <li>programs of other streams cannot use these, and if the program changes them (by expand, draft, judge or commit),
     *       none can but itself: it may be enqueued once more, so that a step is there for the device when the one before it
     *       ends ({@link #awaitFirst}), unless it takes in chains that were set, or commits a batch twice. Where the first run
     *       leaves no room for what the second one is to compute, this does nothing. (On the CPU the second run's operations
     *       run when it is awaited.) A program that does not change them may be enqueued again and again, and others after it.
     * </ul>
     *
     * @throws NativeException as {@link #run}, with status {@code INVALID_ARGUMENT} too while the caller captures the stream,
     *     and if an enqueued program has what this one needs
     */
    public void enqueue() {
        handle.check(Native::hydra_program_enqueue);
    }

    /**
     * Waits until all that was enqueued to the program's stream is done; then the program's results can be read. Does nothing
     * where the program is not enqueued.
     *
     * @throws NativeException with status {@code INVALID_ARGUMENT} while the caller captures the stream
     */
    public void await() {
        handle.check(Native::hydra_program_await);
    }

    /**
     * Where the program is enqueued twice and changes state, waits until the first of these runs is done: then the results of its
     * batches are that run's; all else is still that of an enqueued program, which may be enqueued once more. Where it is not, as
     * {@link #await}. A run that fails ends the one behind it, too.
     *
     * @throws NativeException with status {@code INVALID_ARGUMENT} while the caller captures the stream
     */
    public void awaitFirst() {
        handle.check(Native::hydra_program_await_first);
    }

    /** Records a mark: the time at which a run arrives here. */
    public void mark() {
        record(Native::hydra_program_mark);
    }

    /**
     * @return the number of marks; mark 0 is the beginning and the last one the end of the run, both always there: of a
     *     program that was enqueued, when it was, and when waiting for it ended
     */
    public int marks() {
        return handle.get(Native::hydra_program_marks);
    }

    /**
     * The time of a mark in the last run, in nanoseconds of a monotonic clock.
     *
     * @param mark 0 to {@link #marks()} - 1
     * @return nanoseconds since some moment
     * @throws IndexOutOfBoundsException if there is no such mark
     */
    public long time(int mark) {
        hydra_program program = handle.acquire();
        try {
            if (times == null) {
                LongPointer pointer = Native.hydra_program_times(program);
                times = new Memory(pointer.address(), Native.hydra_program_marks(program) * (long) Long.BYTES)
                        .asByteBuffer()
                        .asLongBuffer()
                        .asReadOnlyBuffer();
            }
            return times.get(Objects.checkIndex(mark, times.capacity()));
        } finally {
            handle.release();
        }
    }

    /**
     * The time between two marks of the last run in nanoseconds.
     *
     * @param from the earlier mark, 0 to {@link #marks()} - 1
     * @param to the later one
     * @return nanoseconds, from the first mark to the second
     * @throws IndexOutOfBoundsException if there is no such mark
     */
    public long nanos(int from, int to) {
        return time(to) - time(from);
    }

    /**
     * Embedding: the rows of the embedding matrix at the rows' tokens.
     *
     * @param rows whose tokens are looked up
     * @param embedding [vocabulary][h]
     * @param out {@code float[rows][h]}
     */
    public void embed(PassRows rows, Matrix embedding, Buffer out) {
        embed(rows, embedding, 0, out);
    }

    /**
     * Embedding: the rows of the embedding matrix at the rows' tokens, times a factor.
     *
     * @param rows whose tokens are looked up
     * @param embedding [vocabulary][h]
     * @param scale what they are multiplied by, 0 for none
     * @param out {@code float[rows][h]}
     */
    public void embed(PassRows rows, Matrix embedding, float scale, Buffer out) {
        try (hydra_embed arguments = new hydra_embed(arguments())) {
            arguments
                    .rows(use(rows.handle()))
                    .embedding(use(embedding.handle()))
                    .out(use(out.handle()))
                    .scale(scale);
            record(program -> Native.hydra_program_embed(program, arguments));
        }
    }

    /**
     * One layer's queries, keys and values: n = RMSNorm(x) * norm, or x without a norm, queryOut = query n + queryBias, and so
     * the others.
     *
     * @param rows what is computed
     * @param x {@code float[rows][h]}
     * @param norm {@code float[h]}, or null
     * @param epsilon of the norm: added to the mean square under the root
     * @param query [heads * d][h], its rows interleaved as {@link Rope} says
     * @param key [kvHeads * d][h], its rows interleaved likewise
     * @param value [kvHeads * d][h]
     * @param queryBias {@code float[heads * d]}, or null
     * @param keyBias {@code float[kvHeads * d]}, or null
     * @param valueBias {@code float[kvHeads * d]}, or null
     * @param queryOut {@code float[rows][heads * d]}
     * @param keyOut {@code float[rows][kvHeads * d]}
     * @param valueOut {@code float[rows][kvHeads * d]}
     */
    public void qkv(
            PassRows rows,
            Buffer x,
            Buffer norm,
            float epsilon,
            Matrix query,
            Matrix key,
            Matrix value,
            Buffer queryBias,
            Buffer keyBias,
            Buffer valueBias,
            Buffer queryOut,
            Buffer keyOut,
            Buffer valueOut) {
        try (hydra_qkv arguments = new hydra_qkv(arguments())) {
            arguments
                    .rows(use(rows.handle()))
                    .x(use(x.handle()))
                    .norm(optional(norm))
                    .epsilon(epsilon)
                    .query(use(query.handle()))
                    .key(use(key.handle()))
                    .value(use(value.handle()))
                    .query_bias(optional(queryBias))
                    .key_bias(optional(keyBias))
                    .value_bias(optional(valueBias))
                    .query_out(use(queryOut.handle()))
                    .key_out(use(keyOut.handle()))
                    .value_out(use(valueOut.handle()));
            record(program -> Native.hydra_program_qkv(program, arguments));
        }
    }

    /**
     * What stands between the products of queries, keys and values and their attention. Of each head of a row: RMSNorm over its
     * d values, times the norm, where one is given (QK norm); then RoPE, in place of the query; then key and value go to the
     * row's slot of a layer of the pool. Afterwards {@code key} and {@code value} hold anything.
     *
     * @param rows what is computed
     * @param query {@code float[rows][heads * d]}, the columns of each head interleaved as {@link Rope} says
     * @param key {@code float[rows][kvHeads * d]}, interleaved likewise
     * @param value {@code float[rows][kvHeads * d]}
     * @param heads query heads, a multiple of the KV heads of the pool
     * @param queryNorm {@code float[d]}, interleaved likewise, or null
     * @param keyNorm {@code float[d]}, interleaved likewise, or null
     * @param epsilon of the norms
     * @param rope the angles of positions
     * @param pool where keys and values are kept
     * @param layer of the pool, counted from 0
     */
    public void appendKv(
            PassRows rows,
            Buffer query,
            Buffer key,
            Buffer value,
            int heads,
            Buffer queryNorm,
            Buffer keyNorm,
            float epsilon,
            Rope rope,
            KvPool pool,
            int layer) {
        try (hydra_append_kv arguments = new hydra_append_kv(arguments())) {
            arguments
                    .rows(use(rows.handle()))
                    .query(use(query.handle()))
                    .key(use(key.handle()))
                    .value(use(value.handle()))
                    .heads(heads)
                    .query_norm(optional(queryNorm))
                    .key_norm(optional(keyNorm))
                    .epsilon(epsilon)
                    .rope(use(rope.handle()))
                    .pool(use(pool.handle()))
                    .layer(layer);
            record(program -> Native.hydra_program_append_kv(program, arguments));
        }
    }

    /**
     * Tree attention: a row sees all verified positions before the pass, and those rows of the pass that are its ancestors,
     * itself included. Scores are scaled by 1 / sqrt(d).
     *
     * @param rows of which each asks for itself and what it sees
     * @param query {@code float[rows][heads * d]}
     * @param heads query heads, a multiple of the KV heads of the pool
     * @param pool where keys and values are kept
     * @param layer of the pool, counted from 0
     * @param out {@code float[rows][heads * d]}
     */
    public void attention(PassRows rows, Buffer query, int heads, KvPool pool, int layer, Buffer out) {
        attention(rows, query, heads, pool, layer, 0, 0, 0, out);
    }

    /**
     * Tree attention as {@link #attention(PassRows, Buffer, int, KvPool, int, Buffer)}, with what some families have.
     *
     * @param rows of which each asks for itself and what it sees
     * @param query {@code float[rows][heads * d]}
     * @param heads query heads, a multiple of the KV heads of the pool
     * @param pool where keys and values are kept
     * @param layer of the pool, counted from 0
     * @param scale what the product of a query and a key is multiplied by, 0 for 1 / sqrt(d)
     * @param cap scores s become cap * tanh(s / cap), 0 for none
     * @param window of what a row sees only the last so many positions, itself included; 0 for all
     * @param out {@code float[rows][heads * d]}
     */
    public void attention(
            PassRows rows,
            Buffer query,
            int heads,
            KvPool pool,
            int layer,
            float scale,
            float cap,
            int window,
            Buffer out) {
        try (hydra_attention arguments = new hydra_attention(arguments())) {
            arguments
                    .rows(use(rows.handle()))
                    .query(use(query.handle()))
                    .heads(heads)
                    .pool(use(pool.handle()))
                    .layer(layer)
                    .out(use(out.handle()))
                    .scale(scale)
                    .cap(cap)
                    .window(window);
            record(program -> Native.hydra_program_attention(program, arguments));
        }
    }

    /**
     * A product: out = weight x + bias + residual.
     *
     * @param rows what is computed
     * @param x {@code float[rows][m]}
     * @param weight [n][m]
     * @param bias {@code float[n]}, or null
     * @param residual {@code float[rows][n]}, or null; may be out, to which the product is added then
     * @param out {@code float[rows][n]}
     */
    public void linear(PassRows rows, Buffer x, Matrix weight, Buffer bias, Buffer residual, Buffer out) {
        try (hydra_linear arguments = new hydra_linear(arguments())) {
            arguments
                    .rows(use(rows.handle()))
                    .x(use(x.handle()))
                    .weight(use(weight.handle()))
                    .bias(optional(bias))
                    .residual(optional(residual))
                    .out(use(out.handle()));
            record(program -> Native.hydra_program_linear(program, arguments));
        }
    }

    /**
     * The first half of a gated MLP: n = RMSNorm(x) * norm, or x without a norm, out = activation(gate n) * (up n).
     *
     * @param rows what is computed
     * @param x {@code float[rows][h]}
     * @param norm {@code float[h]}, or null
     * @param epsilon of the norm: added to the mean square under the root
     * @param gate [m][h]
     * @param up [m][h]
     * @param activation that of the gate
     * @param out {@code float[rows][m]}
     */
    public void gateUp(
            PassRows rows,
            Buffer x,
            Buffer norm,
            float epsilon,
            Matrix gate,
            Matrix up,
            Activation activation,
            Buffer out) {
        try (hydra_gate_up arguments = new hydra_gate_up(arguments())) {
            arguments
                    .rows(use(rows.handle()))
                    .x(use(x.handle()))
                    .norm(optional(norm))
                    .epsilon(epsilon)
                    .gate(use(gate.handle()))
                    .up(use(up.handle()))
                    .activation(activation.code())
                    .out(use(out.handle()));
            record(program -> Native.hydra_program_gate_up(program, arguments));
        }
    }

    /**
     * RMSNorm: out = RMSNorm(x) * norm.
     *
     * @param rows what is computed
     * @param x {@code float[rows][h]}
     * @param norm {@code float[h]}
     * @param epsilon added to the mean square under the root
     * @param out {@code float[rows][h]}
     */
    public void norm(PassRows rows, Buffer x, Buffer norm, float epsilon, Buffer out) {
        norm(rows, x, norm, epsilon, null, out);
    }

    /**
     * RMSNorm added to a residual: out = RMSNorm(x) * norm + residual.
     *
     * @param rows what is computed
     * @param x {@code float[rows][h]}
     * @param norm {@code float[h]}
     * @param epsilon added to the mean square under the root
     * @param residual {@code float[rows][h]}, or null; may be out, and not x
     * @param out {@code float[rows][h]}; may be x
     */
    public void norm(PassRows rows, Buffer x, Buffer norm, float epsilon, Buffer residual, Buffer out) {
        try (hydra_norm arguments = new hydra_norm(arguments())) {
            arguments
                    .rows(use(rows.handle()))
                    .x(use(x.handle()))
                    .norm(use(norm.handle()))
                    .epsilon(epsilon)
                    .width(norm.bytes() / Float.BYTES)
                    .out(use(out.handle()))
                    .residual(optional(residual));
            record(program -> Native.hydra_program_norm(program, arguments));
        }
    }

    /**
     * LM head: the k best of weight x + bias for each row.
     *
     * @param rows what is computed
     * @param selectedRowsOnly compute only the rows at which a token is selected: all nodes of trees, then the last row of each
     *     chain, in the order of the rows, as many as top has room for; then these are the rows of top and logits
     * @param x {@code float[rows][h]}
     * @param weight [v][h]
     * @param bias {@code float[v]}, or null
     * @param ids {@code int32[v]} token id of each row of the weight, or null if they are the same
     * @param top receives the best of each row; may be null where logits are given
     * @param logits {@code float[rows][v]}, or {@code float[rows of top][v]} with selectedRowsOnly, receives all logits; or null
     */
    public void lmHead(
            PassRows rows,
            boolean selectedRowsOnly,
            Buffer x,
            Matrix weight,
            Buffer bias,
            Buffer ids,
            TopK top,
            Buffer logits) {
        lmHead(rows, selectedRowsOnly, x, weight, bias, ids, 0, 0, top, logits);
    }

    /**
     * LM head as {@link #lmHead(PassRows, boolean, Buffer, Matrix, Buffer, Buffer, TopK, Buffer)}, of logits that are scaled and
     * capped.
     *
     * @param rows what is computed
     * @param selectedRowsOnly compute only the rows at which a token is selected
     * @param x {@code float[rows][h]}
     * @param weight [v][h]
     * @param bias {@code float[v]}, or null
     * @param ids {@code int32[v]} token id of each row of the weight, or null if they are the same
     * @param scale what weight x + bias is multiplied by, 0 for none
     * @param cap logits l become cap * tanh(l / cap) then, 0 for none
     * @param top receives the best of each row; may be null where logits are given
     * @param logits receives all logits; or null
     */
    public void lmHead(
            PassRows rows,
            boolean selectedRowsOnly,
            Buffer x,
            Matrix weight,
            Buffer bias,
            Buffer ids,
            float scale,
            float cap,
            TopK top,
            Buffer logits) {
        try (hydra_lm_head arguments = new hydra_lm_head(arguments())) {
            arguments
                    .rows(use(rows.handle()))
                    .selected_rows_only(selectedRowsOnly ? 1 : 0)
                    .x(use(x.handle()))
                    .weight(use(weight.handle()))
                    .bias(optional(bias))
                    .ids(optional(ids))
                    .top(optional(top))
                    .logits(optional(logits))
                    .scale(scale)
                    .cap(cap);
            record(program -> Native.hydra_program_lm_head(program, arguments));
        }
    }

    /**
     * A residual block of a draft head: out row (group * number of rows + r) = s + silu(linear x + linearBias), where
     * s = skip x + skipBias, or x without a skip.
     *
     * @param rows what is computed
     * @param x {@code float[rows][m]}
     * @param linear [n][m]
     * @param linearBias {@code float[n]}, or null
     * @param skip [n][m], or null where n = m
     * @param skipBias {@code float[n]}, or null
     * @param group which group of as many rows as there are
     * @param out {@code float[(group + 1) rows][n]}; x itself is allowed without a skip in group 0
     */
    public void block(
            PassRows rows,
            Buffer x,
            Matrix linear,
            Buffer linearBias,
            Matrix skip,
            Buffer skipBias,
            int group,
            Buffer out) {
        try (hydra_block arguments = new hydra_block(arguments())) {
            arguments
                    .rows(use(rows.handle()))
                    .x(use(x.handle()))
                    .linear(use(linear.handle()))
                    .linear_bias(optional(linearBias))
                    .skip(optional(skip))
                    .skip_bias(optional(skipBias))
                    .group(group)
                    .out(use(out.handle()));
            record(program -> Native.hydra_program_block(program, arguments));
        }
    }

    /**
     * Begins a pass: the rows become the nodes of the trees of all sequences that have a root token and room for it, in the
     * batch's order, after their verified positions; node 0 of each gets the root token. A tree is cut to as many whole levels
     * as there is room for. After the trees come the chains of prompts, whose sequences have no tree.
     *
     * @param tree the trees of the sequences, one of each
     * @param prompts chains, or null
     * @param rows must suffice for all of them when the program runs
     */
    public void expand(TreeTopology tree, PassRows prompts, PassRows rows) {
        try (hydra_expand arguments = new hydra_expand(arguments())) {
            arguments.tree(use(tree.handle())).prompts(optional(prompts)).rows(use(rows.handle()));
            record(program -> Native.hydra_program_expand(program, arguments));
        }
    }

    /**
     * Keeps the hidden states that drafts start from: that of each sequence among the rows is its last row of x, as
     * RMSNorm(x) * norm where a norm is given. Other sequences keep theirs.
     *
     * @param rows in which each sequence has its last row last
     * @param x {@code float[rows][h]}
     * @param norm {@code float[h]}, or null
     * @param epsilon of the norm; without one it means nothing
     * @param h the hidden size
     * @param states {@code float[sequences][h]}
     */
    public void draftStates(PassRows rows, Buffer x, Buffer norm, float epsilon, long h, Buffer states) {
        try (hydra_draft_states arguments = new hydra_draft_states(arguments())) {
            arguments
                    .rows(use(rows.handle()))
                    .x(use(x.handle()))
                    .norm(optional(norm))
                    .epsilon(epsilon)
                    .width(h)
                    .states(use(states.handle()));
            record(program -> Native.hydra_program_draft_states(program, arguments));
        }
    }

    /**
     * Inputs of a draft head for the sequences of the nodes. With an embedding (Hydra) there is, sequence by sequence, one row
     * for each node of depth {@code level} that has children: [state; E(root); ...; E(node)]. Without one (Medusa) there is
     * one row a sequence, [state], if the tree is deeper than the level.
     *
     * @param tree the trees of the sequences
     * @param level the draft head: head 0 drafts the root's children
     * @param nodes the nodes of the sequences' trees
     * @param states {@code float[sequences][h]}, as {@link #draftStates} keeps them
     * @param h the hidden size
     * @param embedding [vocabulary][h], or null
     * @param levelRows become the rows of out; must suffice for all sequences when the program runs
     * @param out {@code float[rows][(level + 2) * h]}, or {@code float[rows][h]} without an embedding
     */
    public void draftInputs(
            TreeTopology tree,
            int level,
            PassRows nodes,
            Buffer states,
            long h,
            Matrix embedding,
            PassRows levelRows,
            Buffer out) {
        try (hydra_draft_inputs arguments = new hydra_draft_inputs(arguments())) {
            arguments
                    .tree(use(tree.handle()))
                    .level(level)
                    .nodes(use(nodes.handle()))
                    .states(use(states.handle()))
                    .width(h)
                    .embedding(optional(embedding))
                    .level_rows(use(levelRows.handle()))
                    .out(use(out.handle()));
            record(program -> Native.hydra_program_draft_inputs(program, arguments));
        }
    }

    /**
     * The inputs of a grounded head and its first block in one, where the block's products with the embedding are tables.
     *
     * @param tree the trees of the sequences
     * @param level the draft head: head 0 drafts the root's children
     * @param nodes the nodes of the sequences' trees
     * @param parts {@code float[sequences][width]}: in columns first to first + 2n - 1 of the rows of the sequences of nodes, in
     *     their order, the state's part of the block, linear and then skip, biases included
     * @param width columns of parts
     * @param first the first column of the block in parts
     * @param tables {@code F16[level + 1][vocabulary][2n]}: what a token adds to that at each depth; tokens beyond the vocabulary
     *     add nothing
     * @param vocabulary tokens that the tables have
     * @param n width of the block, a multiple of 16
     * @param levelRows become those of {@link #draftInputs}
     * @param out {@code float[rows][n]}: skip + silu(linear)
     */
    public void tableBlock(
            TreeTopology tree,
            int level,
            PassRows nodes,
            Buffer parts,
            long width,
            long first,
            Buffer tables,
            long vocabulary,
            long n,
            PassRows levelRows,
            Buffer out) {
        try (hydra_table_block arguments = new hydra_table_block(arguments())) {
            arguments
                    .tree(use(tree.handle()))
                    .level(level)
                    .nodes(use(nodes.handle()))
                    .parts(use(parts.handle()))
                    .width(width)
                    .first(first)
                    .tables(use(tables.handle()))
                    .vocabulary(vocabulary)
                    .n(n)
                    .level_rows(use(levelRows.handle()))
                    .out(use(out.handle()));
            record(program -> Native.hydra_program_table_block(program, arguments));
        }
    }

    /**
     * The rows become, for each level of the tree below the root, one for each sequence of the nodes: for heads that are
     * evaluated together, each in its group of rows.
     *
     * @param tree the trees of the sequences
     * @param nodes the nodes of the sequences' trees
     * @param rows become one of each sequence for each level; must suffice when the program runs
     */
    public void draftLevels(TreeTopology tree, PassRows nodes, PassRows rows) {
        try (hydra_draft_levels arguments = new hydra_draft_levels(arguments())) {
            arguments.tree(use(tree.handle())).nodes(use(nodes.handle())).rows(use(rows.handle()));
            record(program -> Native.hydra_program_draft_levels(program, arguments));
        }
    }

    /**
     * Adds a level of a drafter's candidates to the trees that grow, and keeps the nodes that are likeliest to be right: the best of
     * each tree, no more than its nodes, and of all trees no more than the budget ({@link TreeTopology#setGrowth}). Where the
     * host's chain goes on with a token of chance c after a node, that token is right with c + (1 - c) p, p its probability among
     * the candidates, and every other one with (1 - c) p. The rows become the nodes of all trees and the prompts anew; the
     * nodes of depth level + 1 whose children the next level drafts are the best ones. A pass computes the trees after the
     * last level.
     *
     * @param tree the trees of the sequences
     * @param level the draft head: head 0 drafts the root's children
     * @param top the candidates, whose values are log-probabilities; null where nothing is added
     * @param group as in {@link #draftTokens}
     * @param prompts the chains that {@link #expand} was given, or null
     * @param rows the nodes of the sequences' trees
     */
    public void grow(TreeTopology tree, int level, TopK top, int group, PassRows prompts, PassRows rows) {
        try (hydra_grow arguments = new hydra_grow(arguments())) {
            arguments
                    .tree(use(tree.handle()))
                    .level(level)
                    .top(optional(top))
                    .group(group)
                    .prompts(optional(prompts))
                    .rows(use(rows.handle()));
            record(program -> Native.hydra_program_grow(program, arguments));
        }
    }

    /**
     * Gives the nodes of depth level + 1 their tokens: each one gets the candidate of its rank from the row of top that belongs
     * to its parent.
     *
     * @param tree the trees of the sequences
     * @param level the draft head: head 0 drafts the root's children
     * @param top its k must exceed every rank of that depth when the program runs
     * @param group -1, and each parent has the row that it has in {@link #draftInputs}, as with Hydra; else the group of one
     *     row for each sequence that holds the candidates of all its parents, as with Medusa
     * @param nodes the nodes of the sequences' trees
     */
    public void draftTokens(TreeTopology tree, int level, TopK top, int group, PassRows nodes) {
        try (hydra_draft_tokens arguments = new hydra_draft_tokens(arguments())) {
            arguments
                    .tree(use(tree.handle()))
                    .level(level)
                    .top(use(top.handle()))
                    .group(group)
                    .nodes(use(nodes.handle()));
            record(program -> Native.hydra_program_draft_tokens(program, arguments));
        }
    }

    /**
     * Gives the nodes of all trees but the roots the tokens that the host guessed.
     *
     * @param tokens {@code int32[sequences of the batch][TreeTopology.MAX_NODES]}: by sequence and node
     * @param nodes the nodes of the sequences' trees
     */
    public void setTokens(Buffer tokens, PassRows nodes) {
        try (hydra_give_tokens arguments = new hydra_give_tokens(arguments())) {
            arguments.tokens(use(tokens.handle())).nodes(use(nodes.handle()));
            record(program -> Native.hydra_program_give_tokens(program, arguments));
        }
    }

    /**
     * The best of the logits of a draft head, by the noise with which the sequence's tokens will be selected: the score of an
     * index is its logit, or, where the sequence has a temperature, logit / temperature + the noise of its token at the position
     * at which the drafted token will stand.
     *
     * @param rows of a draft level; of other rows, the position is the one after theirs
     * @param logits {@code float[rows][columns]}
     * @param columns of the logits
     * @param ids {@code int32[columns]} token id of each column, of the sampling's vocabulary, or null if they are the same
     * @param sampling how the sequences select, or null: by logits
     * @param top receives the best of each row, equal scores by smaller index; values are the log-softmax of the scores
     */
    public void rank(PassRows rows, Buffer logits, long columns, Buffer ids, Sampling sampling, TopK top) {
        try (hydra_rank arguments = new hydra_rank(arguments())) {
            arguments
                    .rows(use(rows.handle()))
                    .logits(use(logits.handle()))
                    .columns(columns)
                    .ids(optional(ids))
                    .sampling(optional(sampling))
                    .top(use(top.handle()));
            record(program -> Native.hydra_program_rank(program, arguments));
        }
    }

    /**
     * Prepares what selections and rankings of a pass need of the sampling: the noise at the positions at which a token of the
     * sequences may be selected or drafted, and the occurrences of tokens for penalties. After {@link #expand}, or before a pass
     * over chains that selects. Without it noise is drawn where it is needed, and penalties find the occurrences of before.
     *
     * @param rows the rows of the pass
     * @param sampling how their sequences select
     */
    public void prepareSelection(PassRows rows, Sampling sampling) {
        try (hydra_prepare_selection arguments = new hydra_prepare_selection(arguments())) {
            arguments.rows(use(rows.handle())).sampling(use(sampling.handle()));
            record(program -> Native.hydra_program_prepare_selection(program, arguments));
        }
    }

    /**
     * Selects a token at each node of trees and at the last row of each chain, in the order of {@link #lmHead} with
     * selectedRowsOnly: the one that plain decoding would emit there, as the sequence's options of the sampling say, or the best
     * entry of top where they have no temperature, penalties and biases. The host may read and write the selection between
     * programs, so that a loop can select for itself.
     *
     * @param rows nodes of trees and chains
     * @param top the best entries of each row's logits
     * @param logits {@code float[selections][vocabulary]}, as {@link #lmHead} leaves them; may be null without sampling and
     *     logProbabilities
     * @param vocabulary columns of the logits; without them it means nothing
     * @param sampling how the sequences select, or null: the best entries of top
     * @param selection {@code int32[]}, as many as the smaller one of the rows and the rows of top
     * @param logProbabilities {@code float[selections][2]}, or null: the logit of the selected token, and log(sum(exp(logits))),
     *     both as they are in logits: any token's log-probability is its logit minus the second one
     */
    public void select(
            PassRows rows,
            TopK top,
            Buffer logits,
            long vocabulary,
            Sampling sampling,
            Buffer selection,
            Buffer logProbabilities) {
        try (hydra_select arguments = new hydra_select(arguments())) {
            arguments
                    .rows(use(rows.handle()))
                    .top(use(top.handle()))
                    .logits(optional(logits))
                    .vocabulary(vocabulary)
                    .sampling(optional(sampling))
                    .selection(use(selection.handle()))
                    .log_probabilities(optional(logProbabilities));
            record(program -> Native.hydra_program_select(program, arguments));
        }
    }

    /**
     * Selects the best entry of top at each row that asks for a token, as {@link #select(PassRows, TopK, Buffer, long, Sampling,
     * Buffer, Buffer)} without logits and sampling.
     *
     * @param rows nodes of trees and chains
     * @param top the best entries of each row's logits
     * @param selection {@code int32[]}, as many as the smaller one of the rows and the rows of top
     */
    public void select(PassRows rows, TopK top, Buffer selection) {
        select(rows, top, null, 0, null, selection, null);
    }

    /**
     * Marks the accepted nodes of trees. A node agrees if its token is the one selected at its parent; the longest path
     * of nodes that agree is accepted, the first in node order among equals.
     *
     * @param tree the trees of the sequences
     * @param rows the nodes, of which some are marked
     * @param selection {@code int32[rows]}
     */
    public void judge(TreeTopology tree, PassRows rows, Buffer selection) {
        try (hydra_judge arguments = new hydra_judge(arguments())) {
            arguments.tree(use(tree.handle())).rows(use(rows.handle())).selection(use(selection.handle()));
            record(program -> Native.hydra_program_judge(program, arguments));
        }
    }

    /**
     * As {@link #judge}, by typical acceptance, another judge: more is accepted, and the text is not what the model alone would
     * write. With p = softmax(logits / temperature) at a node's parent, and H = -sum p log(p + 1e-5) its entropy, the node is right
     * if p of its token is above min(epsilon, alpha exp(-H)). The longest path of right nodes is accepted, among equally long ones
     * that of the highest sum of log p, then the first in node order. A node is wrong where its parent has no row of logits, or one
     * of which a value is not finite.
     *
     * @param tree the trees of the sequences
     * @param rows the nodes, of which some are marked
     * @param logits {@code float[logitRows][vocabulary]}: those of {@link #lmHead} with selectedRowsOnly
     * @param logitRows at least 1
     * @param vocabulary at least 1
     * @param temperature positive and finite
     * @param epsilon above 0, at most 1
     * @param alpha above 0, at most 1
     */
    public void judgeTypical(
            TreeTopology tree,
            PassRows rows,
            Buffer logits,
            int logitRows,
            long vocabulary,
            float temperature,
            float epsilon,
            float alpha) {
        try (hydra_judge_typical arguments = new hydra_judge_typical(arguments())) {
            arguments.tree(use(tree.handle())).rows(use(rows.handle())).logits(use(logits.handle()));
            arguments.logit_rows(logitRows).vocabulary(vocabulary);
            arguments.temperature(temperature).epsilon(epsilon).alpha(alpha);
            record(program -> Native.hydra_program_judge_typical(program, arguments));
        }
    }

    /**
     * Ends a pass: accepted rows become part of their sequences. Accepted are, of a tree, the root and what {@link #judge} has
     * marked, of a chain all rows. Their keys and values move to the positions after the verified ones, the sequence's length
     * grows, its root becomes the token selected at its last accepted row, or none where that is not wanted
     * ({@link PassRows#setChains}), and its result is filled. A sequence without rows emits nothing.
     *
     * @param tree null, as pool, where the rows are chains alone
     * @param rows nodes of trees, chains, or both
     * @param selection {@code int32[rows]}, where they are chains alone {@code int32[sequences]}; null: no root is known
     * @param pool where keys and values of trees are moved; null, as tree, where there are chains alone
     * @param hidden {@code float[rows][h]} of the rows, or null
     * @param h the hidden size; without uncommittedRows it means nothing
     * @param uncommittedRows become the accepted positions as chains; null where no drafter needs them
     * @param uncommitted {@code float[rows of uncommittedRows][h]} gets the rows of hidden that are accepted, in order; null with
     *     uncommittedRows
     * @param append for a batch of one sequence: append them to the uncommitted rows that are there, where these end at the
     *     verified positions and there is space for all, {@link TreeTopology#MAX_NODES}
     * @param sampling the tokens of accepted rows become its history, which penalties look at, those of trees as generated ones;
     *     or null
     */
    public void commit(
            TreeTopology tree,
            PassRows rows,
            Buffer selection,
            KvPool pool,
            Buffer hidden,
            long h,
            PassRows uncommittedRows,
            Buffer uncommitted,
            boolean append,
            Sampling sampling) {
        try (hydra_commit arguments = new hydra_commit(arguments())) {
            arguments
                    .tree(optional(tree))
                    .rows(use(rows.handle()))
                    .selection(optional(selection))
                    .pool(optional(pool))
                    .hidden(optional(hidden))
                    .width(h)
                    .uncommitted_rows(optional(uncommittedRows))
                    .uncommitted(optional(uncommitted))
                    .append(append ? 1 : 0)
                    .sampling(optional(sampling));
            record(program -> Native.hydra_program_commit(program, arguments));
        }
    }

    private void record(ToIntFunction<hydra_program> operation) {
        times = null;
        try {
            handle.check(operation);
        } finally {
            Reference.reachabilityFence(scratch);
        }
    }

    /** Memory for the struct of one operation, all zero: allocated by JavaCPP it would be subject to JavaCPP's limits on memory. */
    private Memory arguments() {
        scratch.clear();
        scratch.put(new byte[scratch.capacity()]);
        return new Memory(new Pointer(scratch.clear()).address(), scratch.capacity());
    }

    /** Keeps an operand in use as long as this program lives. */
    private <P extends Pointer> P use(Handle<P> operand) {
        P pointer = operand.acquire();
        if (!operands.add(operand.uses())) {
            operand.release();
        }
        return pointer;
    }

    /** What a program uses until it is destroyed, which may be while another thread records. Thread-safe. */
    private static final class Operands {
        private final Set<UseCount> used = new HashSet<>();
        private boolean released;

        /** Whether it has taken over a use. */
        synchronized boolean add(UseCount operand) {
            return !released && used.add(operand);
        }

        synchronized void release() {
            released = true;
            used.forEach(UseCount::release);
            used.clear();
        }
    }

    private hydra_buffer optional(Buffer buffer) {
        return buffer == null ? null : use(buffer.handle());
    }

    private hydra_matrix optional(Matrix matrix) {
        return matrix == null ? null : use(matrix.handle());
    }

    private hydra_rows optional(PassRows rows) {
        return rows == null ? null : use(rows.handle());
    }

    private hydra_tree optional(TreeTopology tree) {
        return tree == null ? null : use(tree.handle());
    }

    private hydra_top optional(TopK top) {
        return top == null ? null : use(top.handle());
    }

    private hydra_sampling optional(Sampling sampling) {
        return sampling == null ? null : use(sampling.handle());
    }

    private hydra_kv_pool optional(KvPool pool) {
        return pool == null ? null : use(pool.handle());
    }
}
