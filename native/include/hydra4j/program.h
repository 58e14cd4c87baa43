/* Recorded programs: a list of operations that one call runs.
 *
 * Recording checks every shape against every other and keeps the handles; they must outlive the program. Buffers named
 * `float[rows][n]` hold at least one row of n values for each of the rows' max_rows; only the first hydra_rows_count
 * rows are read and written. An operation over zero rows does nothing. Optional handles (biases, logits, ids) may be
 * null. No row's result depends on the rows beside it, to the bit. */
#ifndef HYDRA4J_PROGRAM_H
#define HYDRA4J_PROGRAM_H

#include "hydra4j/matrix.h"
#include "hydra4j/sequence.h"
#include "hydra4j/stream.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hydra_program hydra_program;
typedef struct hydra_top hydra_top;

/* stream: where the program runs, of the same backend; null: on a stream that the backend has for such programs. */
HYDRA_API hydra_status hydra_program_create(hydra_backend* backend, hydra_stream* stream, hydra_program** out);
/* Waits for the program where it was enqueued and not awaited. */
HYDRA_API void hydra_program_destroy(hydra_program* program);

/* Runs all operations and returns when they are done. Before it, the page tables must cover every row. Where one fails
 * on the way, the run ends with its status; buffers, rows and tops then hold anything, a sequence is as it was before
 * or as it is after a step, and programs can run again. */
HYDRA_API hydra_status hydra_program_run(hydra_program* program);

/* As hydra_program_run, without waiting: the operations run behind what was enqueued to the stream before, by whomever,
 * and before what is enqueued later. (Where the program was not run since it was recorded, it is prepared first, which
 * may wait for the device.) On the CPU the operations have run when this returns. Until hydra_program_await has
 * returned
 *  - what is enqueued to the stream behind the program finds its results in buffers;
 *  - results of batches, rows and tops, and times, are not to be read: they may be old, new, or half of each;
 *  - the program's batches, their rows, and its trees cannot be set, and it records nothing more;
 *  - programs of other streams cannot use these, and if the program changes them (by expand, draft, accept or advance),
 *    none can. A program that does not may be enqueued again and again, and others behind it.
 * What cannot be done is HYDRA_INVALID_ARGUMENT; so is this call while the caller captures the stream. */
HYDRA_API hydra_status hydra_program_enqueue(hydra_program* program);

/* Waits until all that was enqueued to the program's stream is done; then the program's results can be read. Does
 * nothing where the program is not enqueued. Refused while the caller captures the stream. */
HYDRA_API hydra_status hydra_program_await(hydra_program* program);

/* Records the time at which the program arrives here. Mark i's time of the last run, in nanoseconds of a monotonic
 * clock, is hydra_program_times()[i]; mark 0 is the beginning and the last one the end of the run, both always there:
 * of a program that was enqueued, when it was, and when waiting for it ended. */
HYDRA_API hydra_status hydra_program_mark(hydra_program* program);
HYDRA_API int32_t hydra_program_marks(const hydra_program* program);
HYDRA_API const int64_t* hydra_program_times(const hydra_program* program);

/* The k best entries of each of up to max_rows rows, best first, equal values by smaller index: 1 <= k <=
 * HYDRA_MAX_TOP, 1 <= max_rows <= HYDRA_MAX_ROWS. */
HYDRA_API hydra_status hydra_top_create(hydra_backend* backend, int32_t k, int32_t max_rows, hydra_top** out);
HYDRA_API void hydra_top_destroy(hydra_top* top);
/* ids [rows][k] and values [rows][k] of the last run; to be asked for again after each run, as it may be only then that
 * they come from the device. The pointers stay the same; null where the device fails. */
HYDRA_API const int32_t* hydra_top_ids(const hydra_top* top);
HYDRA_API const float* hydra_top_values(const hydra_top* top);

/* out float[rows][h] = rows of the embedding [vocabulary][h] at the rows' tokens; zeros where a drafted token is beyond
 * the vocabulary. */
HYDRA_API hydra_status hydra_program_embed(hydra_program* program, const hydra_rows* rows,
                                           const hydra_matrix* embedding, hydra_buffer* out);

/* One layer's queries, keys and values. x float[rows][h]; norm float[h]; query [heads*d][h], key and value
 * [kv_heads*d][h], biases float[rows of the matrix] or null, rows of query and key interleaved (hydra_rope). n =
 * RMSNorm(x) * norm; out float[rows][heads*d] = rope(query n + bias); keys and values of every row are stored in the
 * row's slot of `layer` of the pool. */
HYDRA_API hydra_status hydra_program_qkv(hydra_program* program, const hydra_rows* rows, const hydra_buffer* x,
                                         const hydra_buffer* norm, float epsilon, const hydra_matrix* query,
                                         const hydra_matrix* key, const hydra_matrix* value,
                                         const hydra_buffer* query_bias, const hydra_buffer* key_bias,
                                         const hydra_buffer* value_bias, const hydra_rope* rope, hydra_kv_pool* pool,
                                         int32_t layer, hydra_buffer* out);

/* Tree attention: every row sees all verified positions before the pass and those rows of the pass that are its
 * ancestors, itself included. query float[rows][heads*d], out float[rows][heads*d]; scale 1/sqrt(d). */
HYDRA_API hydra_status hydra_program_attention(hydra_program* program, const hydra_rows* rows,
                                               const hydra_buffer* query, int32_t heads, const hydra_kv_pool* pool,
                                               int32_t layer, hydra_buffer* out);

/* residual float[rows][n] += weight [n][m] x + bias, x float[rows][m]. */
HYDRA_API hydra_status hydra_program_project(hydra_program* program, const hydra_rows* rows, const hydra_buffer* x,
                                             const hydra_matrix* weight, const hydra_buffer* bias,
                                             hydra_buffer* residual);

/* out float[rows][n] = weight [n][m] x + bias, x float[rows][m]. */
HYDRA_API hydra_status hydra_program_linear(hydra_program* program, const hydra_rows* rows, const hydra_buffer* x,
                                            const hydra_matrix* weight, const hydra_buffer* bias, hydra_buffer* out);

/* n = RMSNorm(x) * norm; out float[rows][m] = silu(gate n) * (up n); gate and up [m][h]. */
HYDRA_API hydra_status hydra_program_gate_up(hydra_program* program, const hydra_rows* rows, const hydra_buffer* x,
                                             const hydra_buffer* norm, float epsilon, const hydra_matrix* gate,
                                             const hydra_matrix* up, hydra_buffer* out);

/* out float[rows][h] = RMSNorm(x) * norm. */
HYDRA_API hydra_status hydra_program_norm(hydra_program* program, const hydra_rows* rows, const hydra_buffer* x,
                                          const hydra_buffer* norm, float epsilon, hydra_buffer* out);

/* The k best of weight [v][h] x + bias for each row; entries are indices, or ids[index] where ids (int32[v]) is given.
 * With last_rows_only only the last row of each sequence is computed, in the order in which the sequences have their
 * rows. logits: null, or float[rows][v] (float[sequences][v] with last_rows_only) that receives all of them. */
HYDRA_API hydra_status hydra_program_lm_head(hydra_program* program, const hydra_rows* rows, int32_t last_rows_only,
                                             const hydra_buffer* x, const hydra_matrix* weight,
                                             const hydra_buffer* bias, const hydra_buffer* ids, hydra_top* top,
                                             hydra_buffer* logits);

/* A residual block of a draft head: out row (group * number of rows + r) = s + silu(linear x + linear_bias), s = skip x
 * + skip_bias, or x where skip is null. x float[rows][m], linear and skip [n][m], out float[(group + 1) rows][n]. out
 * may be x where skip is null and group is 0. */
HYDRA_API hydra_status hydra_program_block(hydra_program* program, const hydra_rows* rows, const hydra_buffer* x,
                                           const hydra_matrix* linear, const hydra_buffer* linear_bias,
                                           const hydra_matrix* skip, const hydra_buffer* skip_bias, int32_t group,
                                           hydra_buffer* out);

/* Begins a step: rows become the tree's nodes behind the verified positions of every sequence that has a root token and
 * room for them, in the batch's order; node 0 of each gets the root. The rows must suffice for all sequences. */
HYDRA_API hydra_status hydra_program_expand(hydra_program* program, const hydra_tree* tree, hydra_rows* rows);

/* The hidden state that the draft of a sequence starts from: states float[sequences][h], row s = the last row of
 * sequence s among x float[rows][h], as RMSNorm(x) * norm where norm float[h] is given. Sequences without rows keep
 * theirs. */
HYDRA_API hydra_status hydra_program_draft_states(hydra_program* program, const hydra_rows* rows, const hydra_buffer* x,
                                                  const hydra_buffer* norm, float epsilon, hydra_buffer* states);

/* Inputs of draft head `level` (0 is the head that drafts the root's children) for the sequences of nodes, whose hidden
 * states are rows of states float[sequences][h]. Grounded: level_rows become, sequence by sequence, one for each node
 * of depth `level` that has children, out float[rows][(level+2)*h] = [state; E(root); ...; E(node)] with E the rows of
 * embedding [vocabulary][h]. Not grounded (embedding null): one row a sequence, [state], if the tree is deeper than
 * level. level_rows must suffice for all sequences of the batch. */
HYDRA_API hydra_status hydra_program_draft_inputs(hydra_program* program, const hydra_tree* tree, int32_t level,
                                                  const hydra_rows* nodes, const hydra_buffer* states,
                                                  const hydra_matrix* embedding, hydra_rows* level_rows,
                                                  hydra_buffer* out);

/* hydra_program_draft_inputs and the first block of a grounded head, n wide, in one: the block is linear in the state
 * and in each embedding, so that the state's part is computed once a sequence and an embedding's is a row of a table.
 * level_rows as there; out float[rows][n] = s + silu(l), [l; s] = columns first ... first + 2n - 1 of parts
 * float[sequences][width], whose rows are those of the sequences of nodes in their order, plus, for each depth d up to
 * the node's, row `token` of tables[d]; tables F16[level + 1][vocabulary][2n]. Tokens beyond the vocabulary add
 * nothing. n is a multiple of 16. */
HYDRA_API hydra_status hydra_program_table_block(hydra_program* program, const hydra_tree* tree, int32_t level,
                                                 const hydra_rows* nodes, const hydra_buffer* parts, int64_t width,
                                                 int64_t first, const hydra_buffer* tables, int64_t vocabulary,
                                                 int64_t n, hydra_rows* level_rows, hydra_buffer* out);

/* rows become, for each level of the tree below the root, one a sequence of nodes: for heads that are evaluated
 * together, each in its group of rows (hydra_program_block). */
HYDRA_API hydra_status hydra_program_draft_levels(hydra_program* program, const hydra_tree* tree,
                                                  const hydra_rows* nodes, hydra_rows* rows);

/* Gives the nodes of depth level + 1 their tokens: node i gets entry ranks[i] of a row of `top`. group -1: the row that
 * belongs to its parent, by its place among the level_rows of hydra_program_draft_inputs; else that of its sequence in
 * a group of one row a sequence. k of top must exceed every rank of that depth when the program runs. */
HYDRA_API hydra_status hydra_program_draft_tokens(hydra_program* program, const hydra_tree* tree, int32_t level,
                                                  const hydra_top* top, int32_t group, hydra_rows* nodes);

/* Ends a step. best: the base's arg-max of every node (k >= 1). A node is accepted if its parent is and its token is
 * its parent's best. In each sequence the longest accepted path (the first in node order among equals) is kept: its
 * keys and values move to the positions behind the verified ones in `pool`, the sequence's length grows, its root
 * becomes the best of the last accepted node, its result is filled; a sequence without nodes emits nothing. hidden
 * float[rows][h] of the accepted nodes is copied in order to uncommitted float[rows][h], and uncommitted_rows become
 * these positions as chains (both null where no drafter needs them; h is not used then). With append, for a batch of
 * one sequence, they come behind the uncommitted rows that are there, where these end at the verified positions and
 * have room, HYDRA_MAX_NODES. */
HYDRA_API hydra_status hydra_program_accept(hydra_program* program, const hydra_tree* tree, const hydra_rows* nodes,
                                            const hydra_top* best, hydra_kv_pool* pool, const hydra_buffer* hidden,
                                            int64_t h, hydra_rows* uncommitted_rows, hydra_buffer* uncommitted,
                                            int32_t append);

/* Ends the pass over chunks of prompts: all rows count as accepted. best: null where more of the prompts follows, else
 * its rows, one a sequence as hydra_program_lm_head leaves them, give the roots. hidden, h, uncommitted as in
 * hydra_program_accept. */
HYDRA_API hydra_status hydra_program_advance(hydra_program* program, const hydra_rows* rows, const hydra_top* best,
                                             const hydra_buffer* hidden, int64_t h, hydra_rows* uncommitted_rows,
                                             hydra_buffer* uncommitted);

#ifdef __cplusplus
}
#endif
#endif
