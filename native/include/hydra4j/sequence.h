/* What changes from step to step: paged keys and values, a sequence, the rows that a program computes, the tree.
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
#define HYDRA_MAX_ROWS 64       /* rows of one pass: prompt tokens of a chunk, or nodes of a tree */
#define HYDRA_MAX_TOP 32        /* most candidates kept for one row */

typedef struct hydra_kv_pool hydra_kv_pool;
typedef struct hydra_sequence hydra_sequence;
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

/* Rotation angles: pair i of a head turns by position * frequencies[i] (float32 product), i < head_size / 2, 0 <=
 * position < positions. Rows of q and k are interleaved: pair i is rows 2i and 2i+1 of a head. */
HYDRA_API hydra_status hydra_rope_create(hydra_backend* backend, int32_t head_size, const float* frequencies,
                                         int32_t positions, hydra_rope** out);
HYDRA_API void hydra_rope_destroy(hydra_rope* rope);

/* What a step leaves behind for the host. */
typedef struct hydra_step_result {
    int32_t length; /* verified positions of the sequence, all of them in the KV cache */
    int32_t
        root; /* the base model's next token: arg-max at the last verified position; -1 before the first prefill ends */
    int32_t nodes;                  /* tree nodes (prefill: prompt tokens) that the pass computed */
    int32_t emitted;                /* tokens that the step emitted, root included; 0 after a prefill */
    int32_t tokens[HYDRA_MAX_ROWS]; /* [emitted] those tokens */
    int32_t path[HYDRA_MAX_ROWS];   /* [emitted] the accepted nodes: path[0] = 0, the root */
} hydra_step_result;

/* A sequence with room for a table of max_pages pages, empty. */
HYDRA_API hydra_status hydra_sequence_create(hydra_backend* backend, int32_t max_pages, hydra_sequence** out);
HYDRA_API void hydra_sequence_destroy(hydra_sequence* sequence);
/* Sets the page table: position p lives in page pages[p / HYDRA_PAGE_POSITIONS] of every pool that is used with this
 * sequence. */
HYDRA_API hydra_status hydra_sequence_set_pages(hydra_sequence* sequence, const int32_t* pages, int32_t count);
/* Back to `length` verified positions (0 <= length <= the present one); the root becomes `root` (-1: none). Pending
 * rows become none. */
HYDRA_API hydra_status hydra_sequence_rewind(hydra_sequence* sequence, int32_t length, int32_t root);
/* The last result; the pointer stays the same and valid until the sequence is destroyed. */
HYDRA_API const hydra_step_result* hydra_sequence_result(const hydra_sequence* sequence);

/* Rows of one pass over a sequence, which outlives them, none at first: for each a token, a position, a KV slot and the
 * set of rows of this pass that it sees. */
HYDRA_API hydra_status hydra_rows_create(hydra_sequence* sequence, hydra_rows** out);
HYDRA_API void hydra_rows_destroy(hydra_rows* rows);
/* Makes the rows a chain of 1 to HYDRA_MAX_ROWS tokens behind the verified positions of the sequence. */
HYDRA_API hydra_status hydra_rows_set_chain(hydra_rows* rows, const int32_t* tokens, int32_t count);
HYDRA_API int32_t hydra_rows_count(const hydra_rows* rows);
/* The tokens of all rows, [hydra_rows_count]; valid until the next run. */
HYDRA_API const int32_t* hydra_rows_tokens(const hydra_rows* rows);

/* A tree of one node, the root. */
HYDRA_API hydra_status hydra_tree_create(hydra_backend* backend, hydra_tree** out);
HYDRA_API void hydra_tree_destroy(hydra_tree* tree);
/* Sets the tree's shape. Node 0 is the root (parents[0] = -1, ranks[0] = 0); nodes stand in order of depth, parents
 * before children; ranks[i] (0 <= rank < HYDRA_MAX_TOP) says which of the parent's candidates, best first, node i is,
 * and is distinct among siblings. 1 <= nodes <= HYDRA_MAX_ROWS. */
HYDRA_API hydra_status hydra_tree_set(hydra_tree* tree, const int32_t* parents, const int32_t* ranks, int32_t nodes);

#ifdef __cplusplus
}
#endif
#endif
