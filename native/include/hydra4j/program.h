/* Recorded programs: a list of operations that one call runs.
 *
 * Recording checks every shape against every other and keeps the handles; they must outlive the program. Buffers named
 * `float[rows][n]` hold at least one row of n values for each of the rows' max_rows; only the first hydra_rows_count
 * rows are read and written. An operation over zero rows does nothing. No row's result depends on the rows beside it,
 * to the bit. */
#ifndef HYDRA4J_PROGRAM_H
#define HYDRA4J_PROGRAM_H

#include "hydra4j/matrix.h"
#include "hydra4j/sampling.h"
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

/* As hydra_program_run, without waiting: the operations run after what was enqueued to the stream before, by whomever,
 * and before what is enqueued later. (Where the program was not run since it was recorded, it is prepared first, which
 * may wait for the device.) On the CPU the operations have run when this returns. Until hydra_program_await has
 * returned
 *  - what is enqueued to the stream after the program finds its results in buffers;
 *  - results of batches, rows and tops, and times, are not to be read: they may be old, new, or half of each;
 *  - the program's batches, their rows, and its trees cannot be set, and it records nothing more;
 *  - programs of other streams cannot use these, and if the program changes them (by expand, draft, judge or commit),
 *    none can but itself: it may be enqueued once more, so that a step is there for the device when the one before it
 *    ends (hydra_program_await_first), unless it takes in chains that the host has set, or commits a batch twice. Where
 *    the first run leaves no room for what the second one is to compute, this does nothing. (On the CPU the second
 * run's operations run when it is awaited.) A program that does not change them may be enqueued again and again, and
 *    others after it.
 * What cannot be done is HYDRA_INVALID_ARGUMENT; so is this call while the caller captures the stream. */
HYDRA_API hydra_status hydra_program_enqueue(hydra_program* program);

/* Waits until all that was enqueued to the program's stream is done; then the program's results can be read. Does
 * nothing where the program is not enqueued. Refused while the caller captures the stream. */
HYDRA_API hydra_status hydra_program_await(hydra_program* program);

/* Where the program is enqueued twice and changes state, waits until the first of these runs is done: then the results
 * of its batches are that run's; all else is still that of an enqueued program, which may be enqueued once more. Where
 * it is not, as hydra_program_await. A run that fails ends the one behind it, too. */
HYDRA_API hydra_status hydra_program_await_first(hydra_program* program);

/* Records the time at which the program arrives here. Mark i's time of the last run, in nanoseconds of a monotonic
 * clock, is hydra_program_times()[i]; mark 0 is the beginning and the last one the end of the run, both always there:
 * of a program that was enqueued, when it was, and when waiting for it ended. */
HYDRA_API hydra_status hydra_program_mark(hydra_program* program);
HYDRA_API int32_t hydra_program_marks(const hydra_program* program);
HYDRA_API const int64_t* hydra_program_times(const hydra_program* program);

/* What the last run gave a device to do; on the CPU, and before the first run, nothing. */
typedef struct hydra_launches {
    int32_t kernels;
    int32_t copies;       /* between host and device, before the kernels and after them */
    int64_t copied_bytes; /* of those before them: what the host had changed */
} hydra_launches;
HYDRA_API hydra_status hydra_program_launches(const hydra_program* program, hydra_launches* out);

/* The k best entries of each of up to max_rows rows, best first, equal values by smaller index: 1 <= k <=
 * HYDRA_MAX_TOP, 1 <= max_rows <= HYDRA_MAX_ROWS. */
HYDRA_API hydra_status hydra_top_create(hydra_backend* backend, int32_t k, int32_t max_rows, hydra_top** out);
HYDRA_API void hydra_top_destroy(hydra_top* top);
/* ids [rows][k] and values [rows][k] of the last run; to be asked for again after each run, as it may be only then that
 * they come from the device. The pointers stay the same; null where the device fails. */
HYDRA_API const int32_t* hydra_top_ids(const hydra_top* top);
HYDRA_API const float* hydra_top_values(const hydra_top* top);

/* Operations. Each takes its arguments in a struct of its name, all fields of which count; handles may be null where it
 * is said. What is recorded is a copy of the struct. */

/* out float[rows][h] = rows of the embedding [vocabulary][h] at the rows' tokens, times scale; zeros where a drafted
 * token is beyond the vocabulary. */
typedef struct hydra_embed {
    const hydra_rows* rows;
    const hydra_matrix* embedding; /* [vocabulary][h] */
    hydra_buffer* out;             /* float[rows][h] */
    float scale;                   /* 0: none */
} hydra_embed;
HYDRA_API hydra_status hydra_program_embed(hydra_program* program, const hydra_embed* arguments);

/* One layer's queries, keys and values. n = RMSNorm(x) * norm, or x where norm is null; query_out = query n +
 * query_bias, and so the others. */
typedef struct hydra_qkv {
    const hydra_rows* rows;
    const hydra_buffer* x;          /* float[rows][h] */
    const hydra_buffer* norm;       /* float[h], or null */
    float epsilon;                  /* of the norm */
    const hydra_matrix* query;      /* [heads*d][h] */
    const hydra_matrix* key;        /* [kv_heads*d][h] */
    const hydra_matrix* value;      /* [kv_heads*d][h] */
    const hydra_buffer* query_bias; /* float[heads*d], or null */
    const hydra_buffer* key_bias;   /* float[kv_heads*d], or null */
    const hydra_buffer* value_bias; /* float[kv_heads*d], or null */
    hydra_buffer* query_out;        /* float[rows][heads*d] */
    hydra_buffer* key_out;          /* float[rows][kv_heads*d] */
    hydra_buffer* value_out;        /* float[rows][kv_heads*d] */
} hydra_qkv;
HYDRA_API hydra_status hydra_program_qkv(hydra_program* program, const hydra_qkv* arguments);

/* What stands between the products of queries, keys and values and their attention. Of each head of a row: RMSNorm over
 * its d values, times the norm, where one is given (QK norm); then RoPE, in place of the query; then key and value go
 * to the row's slot of `layer` of the pool. Columns of query and key are interleaved (hydra_rope), so are their norms.
 * Afterwards key and value hold anything. */
typedef struct hydra_append_kv {
    const hydra_rows* rows;
    hydra_buffer* query; /* float[rows][heads*d] */
    hydra_buffer* key;   /* float[rows][kv_heads*d] */
    hydra_buffer* value; /* float[rows][kv_heads*d] */
    int32_t heads;
    const hydra_buffer* query_norm; /* float[d], or null */
    const hydra_buffer* key_norm;   /* float[d], or null */
    float epsilon;                  /* of the norms */
    const hydra_rope* rope;
    hydra_kv_pool* pool;
    int32_t layer;
} hydra_append_kv;
HYDRA_API hydra_status hydra_program_append_kv(hydra_program* program, const hydra_append_kv* arguments);

/* Tree attention: every row sees all verified positions before the pass and those rows of the pass that are its
 * ancestors, itself included; with a window, the last `window` positions of these. A score is scale * query key, with a
 * cap cap * tanh(that / cap). */
typedef struct hydra_attention {
    const hydra_rows* rows;
    const hydra_buffer* query; /* float[rows][heads*d] */
    int32_t heads;
    const hydra_kv_pool* pool;
    int32_t layer;
    hydra_buffer* out; /* float[rows][heads*d] */
    float scale;       /* 0: 1/sqrt(d) */
    float cap;         /* 0: none */
    int32_t window;    /* 0: none */
} hydra_attention;
HYDRA_API hydra_status hydra_program_attention(hydra_program* program, const hydra_attention* arguments);

/* out = weight x + bias + residual. */
typedef struct hydra_linear {
    const hydra_rows* rows;
    const hydra_buffer* x;        /* float[rows][m] */
    const hydra_matrix* weight;   /* [n][m] */
    const hydra_buffer* bias;     /* float[n], or null */
    const hydra_buffer* residual; /* float[rows][n], or null; may be out */
    hydra_buffer* out;            /* float[rows][n] */
} hydra_linear;
HYDRA_API hydra_status hydra_program_linear(hydra_program* program, const hydra_linear* arguments);

typedef enum hydra_activation {
    HYDRA_SILU = 0, /* x / (1 + exp(-x)) */
    HYDRA_GELU = 1  /* x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 */
} hydra_activation;

/* n = RMSNorm(x) * norm, or x where norm is null; out = activation(gate n) * (up n). */
typedef struct hydra_gate_up {
    const hydra_rows* rows;
    const hydra_buffer* x;    /* float[rows][h] */
    const hydra_buffer* norm; /* float[h], or null */
    float epsilon;            /* of the norm */
    const hydra_matrix* gate; /* [m][h] */
    const hydra_matrix* up;   /* [m][h] */
    int32_t activation;       /* hydra_activation */
    hydra_buffer* out;        /* float[rows][m] */
} hydra_gate_up;
HYDRA_API hydra_status hydra_program_gate_up(hydra_program* program, const hydra_gate_up* arguments);

/* out = RMSNorm(x) * norm + residual. */
typedef struct hydra_norm {
    const hydra_rows* rows;
    const hydra_buffer* x;    /* float[rows][width] */
    const hydra_buffer* norm; /* float[width] */
    float epsilon;
    int64_t width;
    hydra_buffer* out;            /* float[rows][width]; may be x */
    const hydra_buffer* residual; /* float[rows][width], or null; may be out, and not x */
} hydra_norm;
HYDRA_API hydra_status hydra_program_norm(hydra_program* program, const hydra_norm* arguments);

/* The k best of logits for each row: weight x + bias, times scale, and with a cap cap * tanh(that / cap). Entries are
 * indices, or ids[index] where ids are given. With
 * selected_rows_only they are those of the rows at which a token is selected: all nodes of trees, then the last row of
 * each chain, in the order of the rows, as many as top has room for. */
typedef struct hydra_lm_head {
    const hydra_rows* rows;
    int32_t selected_rows_only; /* 0: of all rows */
    const hydra_buffer* x;      /* float[rows][h] */
    const hydra_matrix* weight; /* [v][h] */
    const hydra_buffer* bias;   /* float[v], or null */
    const hydra_buffer* ids;    /* int32[v], or null */
    hydra_top* top;             /* or null where logits are given */
    hydra_buffer* logits; /* float[rows][v] (with selected_rows_only float[rows of top][v]) for all of them, or null */
    float scale;          /* 0: none */
    float cap;            /* 0: none */
} hydra_lm_head;
HYDRA_API hydra_status hydra_program_lm_head(hydra_program* program, const hydra_lm_head* arguments);

/* A residual block of a draft head: out row (group * number of rows + r) = s + silu(linear x + linear_bias), s = skip x
 * + skip_bias, or x where skip is null. */
typedef struct hydra_block {
    const hydra_rows* rows;
    const hydra_buffer* x;           /* float[rows][m] */
    const hydra_matrix* linear;      /* [n][m] */
    const hydra_buffer* linear_bias; /* float[n], or null */
    const hydra_matrix* skip;        /* [n][m], or null where n = m */
    const hydra_buffer* skip_bias;   /* float[n], or null */
    int32_t group;
    hydra_buffer* out; /* float[(group + 1) rows][n]; may be x where skip is null and group is 0 */
} hydra_block;
HYDRA_API hydra_status hydra_program_block(hydra_program* program, const hydra_block* arguments);

/* Begins a pass: rows become the nodes of the trees of all sequences that have a root token and room for it, in the
 * batch's order, after their verified positions; node 0 of each gets the root. A tree is cut to as many whole levels as
 * there is room for. A tree that grows becomes its root and its chain, whose tokens the rows get, too. After the trees
 * come the chains of prompts, whose sequences have no tree. The rows must suffice for all. */
typedef struct hydra_expand {
    hydra_tree* tree;
    /* Chains that hydra_rows_set_chains made, or null. A run refuses those that a program has changed since, and those
     * whose sequences have more verified positions since. */
    const hydra_rows* prompts;
    hydra_rows* rows;
} hydra_expand;
HYDRA_API hydra_status hydra_program_expand(hydra_program* program, const hydra_expand* arguments);

/* The hidden state that the draft of a sequence starts from: row s of states = the last row of sequence s among x, as
 * RMSNorm(x) * norm where norm is given. Sequences without rows keep theirs. */
typedef struct hydra_draft_states {
    const hydra_rows* rows;
    const hydra_buffer* x;    /* float[rows][width] */
    const hydra_buffer* norm; /* float[width], or null */
    float epsilon;            /* of the norm */
    int64_t width;
    hydra_buffer* states; /* float[sequences][width] */
} hydra_draft_states;
HYDRA_API hydra_status hydra_program_draft_states(hydra_program* program, const hydra_draft_states* arguments);

/* Inputs of draft head `level` (0 is the head that drafts the root's children) for the sequences of nodes. Grounded:
 * level_rows become, sequence by sequence, one for each node of depth `level` that has children, a row of out is
 * [state; E(root); ...; E(node)] with E the rows of embedding. Not grounded (embedding null): one row, [state], for
 * each sequence whose tree has more than the root, as long as one of the trees is deeper than level. level_rows must
 * suffice for all sequences of the batch. */
typedef struct hydra_draft_inputs {
    const hydra_tree* tree;
    int32_t level;
    const hydra_rows* nodes;
    const hydra_buffer* states; /* float[sequences][width], as hydra_program_draft_states keeps them */
    int64_t width;
    const hydra_matrix* embedding; /* [vocabulary][width], or null */
    hydra_rows* level_rows;
    hydra_buffer* out; /* float[rows][(level+2)*width], float[rows][width] without embedding */
} hydra_draft_inputs;
HYDRA_API hydra_status hydra_program_draft_inputs(hydra_program* program, const hydra_draft_inputs* arguments);

/* hydra_program_draft_inputs and the first block of a grounded head, n wide, in one: the block is linear in the state
 * and in each embedding, so that the state's part is computed once a sequence and an embedding's is a row of a table.
 * A row of out = s + silu(l), [l; s] = columns first ... first + 2n - 1 of parts, whose rows are those that
 * hydra_program_draft_inputs has without an embedding, plus, for each depth d up to the node's, row `token` of
 * tables[d]. Tokens beyond the vocabulary add nothing. */
typedef struct hydra_table_block {
    const hydra_tree* tree;
    int32_t level;
    const hydra_rows* nodes;
    const hydra_buffer* parts; /* float[sequences][width] */
    int64_t width;
    int64_t first;
    const hydra_buffer* tables; /* F16[level + 1][vocabulary][2n] */
    int64_t vocabulary;
    int64_t n;              /* a multiple of 16 */
    hydra_rows* level_rows; /* become those of hydra_program_draft_inputs */
    hydra_buffer* out;      /* float[rows][n] */
} hydra_table_block;
HYDRA_API hydra_status hydra_program_table_block(hydra_program* program, const hydra_table_block* arguments);

/* rows become, for each level of the deepest tree below the root, one for each sequence whose tree has more than the
 * root: for heads that are evaluated together, each in its group of rows (hydra_block). */
typedef struct hydra_draft_levels {
    const hydra_tree* tree;
    const hydra_rows* nodes;
    hydra_rows* rows;
} hydra_draft_levels;
HYDRA_API hydra_status hydra_program_draft_levels(hydra_program* program, const hydra_draft_levels* arguments);

/* Gives the nodes of depth level + 1 their tokens: node i gets entry ranks[i] of a row of `top`. group -1: the row that
 * belongs to its parent, by its place among the level_rows of hydra_program_draft_inputs; else that of its sequence in
 * a group of one row for each sequence whose tree has more than the root. k of top must exceed every rank of that depth
 * when the program runs. */
typedef struct hydra_draft_tokens {
    const hydra_tree* tree;
    int32_t level;
    const hydra_top* top;
    int32_t group;
    hydra_rows* nodes;
} hydra_draft_tokens;
HYDRA_API hydra_status hydra_program_draft_tokens(hydra_program* program, const hydra_draft_tokens* arguments);

/* Adds a level of a drafter's candidates to the trees that grow (hydra_tree_set_growth), and keeps the nodes that are
 * likeliest to be right: the best of each tree, no more than its nodes, and of all trees no more than the budget. The
 * candidates of a node are those of a row of `top`, found by `level` and `group` as in hydra_program_draft_tokens,
 * values are their log-probabilities where the node is right. Where the chain of the host goes on with a token of
 * chance c after a node, that counts as a second opinion: the token is right with c + (1 - c) p, p its probability
 * among the candidates, and every other one with (1 - c) p. rows become the nodes of all trees and the prompts anew, as
 * hydra_program_expand makes them, with all their tokens; of the nodes of depth level + 1 the best `width` are those
 * whose children the next level drafts. A pass computes the trees after the last level. Trees that do not grow keep
 * their shape and lose the tokens of all nodes but their roots. */
typedef struct hydra_grow {
    hydra_tree* tree;
    int32_t level;
    const hydra_top* top; /* null where nothing is added */
    int32_t group;
    const hydra_rows* prompts; /* as in hydra_expand */
    hydra_rows* rows;
} hydra_grow;
HYDRA_API hydra_status hydra_program_grow(hydra_program* program, const hydra_grow* arguments);

/* Gives the nodes of all trees but the roots the tokens that the host guessed: node i of the tree of sequence s gets
 * tokens[s][i]. */
typedef struct hydra_give_tokens {
    const hydra_buffer* tokens; /* int32[sequences of the batch][HYDRA_MAX_NODES] */
    hydra_rows* nodes;
} hydra_give_tokens;
HYDRA_API hydra_status hydra_program_give_tokens(hydra_program* program, const hydra_give_tokens* arguments);

/* The k best of the logits of a draft head, by the sequence's own noise, so that a drafter guesses the samples and not
 * the most likely tokens: the score of an index is its logit, or, where the sequence has a temperature, logit /
 * temperature + the noise of its token at the position at which the drafted token will stand, which a row of a draft
 * level knows. Equal scores by smaller index; entries are indices, or ids[index]; values are log-softmax of the scores.
 * Rows of a draft level whose sequence drafts nothing there are left as they are. Of a row of a pass, the position is
 * the one after it. */
typedef struct hydra_rank {
    const hydra_rows* rows;
    const hydra_buffer* logits; /* float[rows][columns] */
    int64_t columns;
    const hydra_buffer* ids;        /* int32[columns] tokens of the sampling's vocabulary, or null */
    const hydra_sampling* sampling; /* or null: by logits */
    hydra_top* top;
} hydra_rank;
HYDRA_API hydra_status hydra_program_rank(hydra_program* program, const hydra_rank* arguments);

/* What the selections and rankings of a pass need of the sampling: of each sequence among the rows that draws, the
 * noise at the positions at which a token of it may be selected or drafted; of each that has penalties, the occurrences
 * of tokens in its history and in its chain. After expand, or before a pass over chains that selects. Where it is not
 * recorded, noise is drawn where it is needed, and penalties find what occurrences there were. */
typedef struct hydra_prepare_selection {
    const hydra_rows* rows;
    hydra_sampling* sampling;
} hydra_prepare_selection;
HYDRA_API hydra_status hydra_program_prepare_selection(hydra_program* program,
                                                       const hydra_prepare_selection* arguments);

/* Selects a token at each node of trees and at the last row of each chain, in the order of hydra_lm_head's rows with
 * selected_rows_only: the one that plain decoding would emit there, as sampling.h says, or the best entry of top where
 * the sequence has no temperature, penalties and biases. The host may read and write the selection between programs, so
 * that a loop can select for itself. */
typedef struct hydra_select {
    const hydra_rows* rows;
    const hydra_top* top;
    const hydra_buffer* logits;     /* float[selections][vocabulary] as hydra_lm_head leaves them, or null without
                                       sampling and log_probabilities */
    int64_t vocabulary;             /* not used without logits */
    const hydra_sampling* sampling; /* or null: the best entries of top */
    hydra_buffer* selection;        /* int32[the smaller one of the rows and the rows of top] */
    /* float[selections][2], or null: the selected token's logit, and log(sum(exp(logits))), both as they are in logits:
     * any token's log-probability is its logit minus the second one. */
    hydra_buffer* log_probabilities;
} hydra_select;
HYDRA_API hydra_status hydra_program_select(hydra_program* program, const hydra_select* arguments);

/* Marks the accepted nodes of trees. A node is right if its token is the one selected at its parent; accepted are the
 * nodes of the longest path of right ones, the first in node order among equals. */
typedef struct hydra_judge {
    const hydra_tree* tree;
    hydra_rows* rows;
    const hydra_buffer* selection; /* int32[rows] */
} hydra_judge;
HYDRA_API hydra_status hydra_program_judge(hydra_program* program, const hydra_judge* arguments);

/* As hydra_judge, by typical acceptance, another judge: more is accepted, and the text is not what the model alone
 * would write. p = softmax(logits / temperature) at a node's parent, H = -sum p log(p + 1e-5) its entropy: the node is
 * right if p of its token is above min(epsilon, alpha exp(-H)). Accepted are the nodes of the longest path of right
 * ones, among equally long ones that of the highest sum of log p, then the first in node order. A node is wrong where
 * its parent has no row of logits, or one of which a value is not finite. */
typedef struct hydra_judge_typical {
    const hydra_tree* tree;
    hydra_rows* rows;
    const hydra_buffer* logits; /* float[logit_rows][vocabulary]: those of hydra_lm_head with selected_rows_only */
    int32_t logit_rows;
    int64_t vocabulary;
    float temperature; /* positive, finite */
    float epsilon;     /* above 0, to 1 */
    float alpha;       /* above 0, to 1 */
} hydra_judge_typical;
HYDRA_API hydra_status hydra_program_judge_typical(hydra_program* program, const hydra_judge_typical* arguments);

/* Ends a pass: accepted rows become part of their sequences. Accepted are, of a tree, the root and what a judge has
 * marked, of a chain all rows. Keys and values of accepted nodes move to the positions after the verified ones; a
 * sequence's length grows; its root becomes the token selected at its last accepted row, or none where that is not
 * wanted (hydra_rows_set_chains); its result is filled. A sequence without rows emits nothing. hidden of the accepted
 * rows is copied in order to uncommitted, and uncommitted_rows become these positions as chains, for a drafter to
 * commit (all three null where none does; width is not used then). With append, for a batch of one sequence, they come
 * after the uncommitted rows that are there, where these end at the verified positions and there is space for all,
 * HYDRA_MAX_NODES. */
typedef struct hydra_commit {
    const hydra_tree* tree; /* null, as pool, where the rows are chains alone; trees are left as they are then */
    const hydra_rows* rows;
    const hydra_buffer*
        selection; /* int32[rows], where they are chains alone int32[sequences]; null: no root is known */
    hydra_kv_pool* pool;
    const hydra_buffer* hidden; /* float[rows][width], or null */
    int64_t width;
    hydra_rows* uncommitted_rows; /* or null */
    hydra_buffer* uncommitted;    /* float[rows of uncommitted_rows][width], or null */
    int32_t append;
    /* Or null: accepted rows' tokens become its history, those of trees as generated ones. Penalties know of what all
     * commits have brought there. */
    hydra_sampling* sampling;
} hydra_commit;
HYDRA_API hydra_status hydra_program_commit(hydra_program* program, const hydra_commit* arguments);

#ifdef __cplusplus
}
#endif
#endif
