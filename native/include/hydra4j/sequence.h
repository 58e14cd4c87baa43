/* What changes from step to step: paged keys and values, batches of sequences, the rows that a program computes, trees.
 *
 * Programs read this state when they run, so their arguments never change. Not thread-safe; none of it may be written
 * while a program that uses it runs, and it is refused between a program's being enqueued and awaited. */
#ifndef HYDRA4J_SEQUENCE_H
#define HYDRA4J_SEQUENCE_H

#include "hydra4j/buffer.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HYDRA_PAGE_POSITIONS 32 /* positions of a KV page */
#define HYDRA_MAX_NODES 64      /* nodes of a tree */
#define HYDRA_MAX_ROWS 2048     /* rows of one pass: prompt tokens, or the nodes of all sequences' trees */
#define HYDRA_MAX_SEQUENCES 256 /* sequences of a batch */
#define HYDRA_MAX_TOP 32        /* most candidates kept for one row */

typedef struct hydra_kv_pool hydra_kv_pool;
typedef struct hydra_batch hydra_batch;
typedef struct hydra_rows hydra_rows;
typedef struct hydra_tree hydra_tree;
typedef struct hydra_rope hydra_rope;

/* Keys and values of `layers` layers for `pages` pages. type: HYDRA_F32, or on CUDA HYDRA_F16, which rounds them to
 * nearest when they are stored; what is beyond its range becomes the largest number, 65504. The CPU refuses F16. On the
 * CPU address space is reserved and memory is taken as pages are used; on CUDA the memory of all pages is taken at
 * once. */
HYDRA_API hydra_status hydra_kv_pool_create(hydra_backend* backend, hydra_type type, int32_t layers, int32_t kv_heads,
                                            int32_t head_size, int32_t pages, hydra_kv_pool** out);
HYDRA_API void hydra_kv_pool_destroy(hydra_kv_pool* pool);
HYDRA_API int64_t hydra_kv_pool_page_bytes(const hydra_kv_pool* pool);
/* Says that no sequence uses a page any more; its contents are lost. The CPU gives its memory back to the system. */
HYDRA_API hydra_status hydra_kv_pool_release(hydra_kv_pool* pool, int32_t page);

/* Rotation angles: pair i of a head turns by position * frequencies[i] (float32 product) and is multiplied by scale, i
 * < head_size / 2, 0 <= position < positions; a pair whose frequency is 0 stays as it is. Memory is taken for the
 * positions in use. Rows of q and k are interleaved: pair i is rows 2i and 2i+1 of a head. */
HYDRA_API hydra_status hydra_rope_create(hydra_backend* backend, int32_t head_size, const float* frequencies,
                                         float scale, int32_t positions, hydra_rope** out);
HYDRA_API void hydra_rope_destroy(hydra_rope* rope);

/* What a pass leaves to the host, of each sequence. */
typedef struct hydra_step_result {
    int32_t length;  /* verified positions of the sequence, all of them in the KV cache */
    int32_t root;    /* its next token: the one selected at the last verified position; -1 where none is known */
    int32_t nodes;   /* tree nodes or prompt tokens that the pass computed of it; 0: it took no part */
    int32_t emitted; /* tokens that the step emitted, root included; 0 of a prompt */
    int32_t tokens[HYDRA_MAX_NODES]; /* [emitted] those tokens */
    int32_t path[HYDRA_MAX_NODES];   /* [emitted] the accepted nodes: path[0] = 0, the root */
} hydra_step_result;

/* 1 to HYDRA_MAX_SEQUENCES sequences, which programs compute side by side, each with room for a table of max_pages
 * pages, empty at first. A sequence's results do not depend on the others, to the bit. */
HYDRA_API hydra_status hydra_batch_create(hydra_backend* backend, int32_t sequences, int32_t max_pages,
                                          hydra_batch** out);
HYDRA_API void hydra_batch_destroy(hydra_batch* batch);
/* Sets a sequence's page table: position p lives in page pages[p / HYDRA_PAGE_POSITIONS] of every pool that is used
 * with this batch. All rows of the batch are invalidated where the table gets shorter. */
HYDRA_API hydra_status hydra_batch_set_pages(hydra_batch* batch, int32_t sequence, const int32_t* pages, int32_t count);
/* A sequence goes back to `length` verified positions (0 <= length <= the present one); its root becomes `root`. A
 * sequence without a root (-1) takes no part in steps. All rows of the batch are invalidated, uncommitted ones too. */
HYDRA_API hydra_status hydra_batch_rewind(hydra_batch* batch, int32_t sequence, int32_t length, int32_t root);
/* A sequence's next token becomes `root`, or none (-1); nothing else changes. */
HYDRA_API hydra_status hydra_batch_set_root(hydra_batch* batch, int32_t sequence, int32_t root);
/* The last result of a sequence; the pointer stays the same and valid until the batch is destroyed. Null where there
 * is no such sequence. */
HYDRA_API const hydra_step_result* hydra_batch_result(const hydra_batch* batch, int32_t sequence);

/* 1 to max_rows (at most HYDRA_MAX_ROWS) rows of one pass over a batch, which outlives them, none at first: for each a
 * token, a position, a KV slot and the set of rows of this pass that it sees. */
HYDRA_API hydra_status hydra_rows_create(hydra_batch* batch, int32_t max_rows, hydra_rows** out);
HYDRA_API void hydra_rows_destroy(hydra_rows* rows);
/* Makes the rows chains of tokens, one after the verified positions of each of `chains` different sequences, 0 or more:
 * chain i has counts[i] >= 1 tokens of sequence sequences[i]. A run whose operations have a KV pool refuses them once a
 * program has verified other positions of one of these sequences than theirs, and one that commits them once it has
 * verified theirs, too. tokens: those of all chains, one after the other. sets_root[i]: whether the token that follows
 * chain i is wanted and becomes the sequence's root, and not 0, where more of the prompt follows first; null: of all.
 */
HYDRA_API hydra_status hydra_rows_set_chains(hydra_rows* rows, const int32_t* sequences, const int32_t* counts,
                                             int32_t chains, const int32_t* tokens, const int32_t* sets_root);
/* No row stands at position `limit` or beyond it: trees are cut to the levels before it, and chains refused. Operations
 * that are recorded may lower it further. 1 <= limit. */
HYDRA_API hydra_status hydra_rows_limit(hydra_rows* rows, int32_t limit);
/* -1 where the device fails. */
HYDRA_API int32_t hydra_rows_count(const hydra_rows* rows);
/* The tokens of all rows, [hydra_rows_count]; to be asked for again after each run, as it may be only then that they
 * come from the device. The pointer stays the same; null where the device fails. */
HYDRA_API const int32_t* hydra_rows_tokens(const hydra_rows* rows);

/* The trees of a batch's sequences, of one node each at first, the root. The batch outlives them. */
HYDRA_API hydra_status hydra_tree_create(hydra_batch* batch, hydra_tree** out);
HYDRA_API void hydra_tree_destroy(hydra_tree* tree);
/* Sets the shape of a sequence's tree, or of all sequences' (-1). Node 0 is the root (parents[0] = -1, ranks[0] = 0);
 * nodes stand in order of depth, parents before children; ranks[i] (0 <= rank < HYDRA_MAX_TOP) says which of the
 * parent's candidates, best first, node i is, and is distinct among siblings. 1 <= nodes <= HYDRA_MAX_NODES. */
HYDRA_API hydra_status hydra_tree_set(hydra_tree* tree, int32_t sequence, const int32_t* parents, const int32_t* ranks,
                                      int32_t nodes);

/* Lets the tree of a sequence grow, or of all sequences (-1), until hydra_tree_set gives it a shape again: each step
 * makes it anew of the nodes that are likeliest to be right. hydra_program_expand makes it the root and a chain that
 * the host guesses, hydra_program_grow adds what a drafter proposes, and keeps the best. nodes: the most of the tree, 1
 * to HYDRA_MAX_NODES. levels: those that draft heads fill, from the root on, 0 to HYDRA_MAX_NODES - 1. width: the most
 * nodes of a depth whose children are drafted, 1 to HYDRA_MAX_NODES. guesses: nodes of the chain, 0 to HYDRA_MAX_NODES
 * - 1, of which those that the tree has no room for are left out; null pointers will do where there are none.
 * chain[guesses]: the tokens that follow the root, one after the other; chances[guesses]: how likely each is right
 * where the one before it is, 0 < chance < 1. */
HYDRA_API hydra_status hydra_tree_set_growth(hydra_tree* tree, int32_t sequence, int32_t nodes, float least,
                                             int32_t levels, int32_t width, const int32_t* chain, const float* chances,
                                             int32_t guesses);
/* The most nodes below their roots that all growing trees of a step have together, 0 or more: HYDRA_MAX_SEQUENCES *
 * HYDRA_MAX_NODES at first. They go where they are likeliest to be right. */
HYDRA_API hydra_status hydra_tree_set_budget(hydra_tree* tree, int32_t nodes);

#ifdef __cplusplus
}
#endif
#endif
