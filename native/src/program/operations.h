// The operations of a program as they were recorded: handles and numbers that fit each other, which a backend turns
// into what its kernels take. Named and shaped as the functions of hydra4j/program.h.
#pragma once

#include <variant>

#include "hydra4j/program.h"

namespace hydra {

// Where check is there, it refuses a run that would leave the memory of the state that it finds; called before anything
// runs. begin is called when all checks have passed.

struct Embed {
    const hydra_rows* rows;
    const hydra_matrix* embedding;
    hydra_buffer* out;
    void check() const;
};

struct Qkv {
    const hydra_rows* rows;
    const hydra_buffer *x, *norm;
    float epsilon;
    const hydra_matrix *query, *key, *value;
    const hydra_buffer *query_bias, *key_bias, *value_bias;  // or null
    const hydra_rope* rope;
    hydra_kv_pool* pool;
    int32_t layer;
    hydra_buffer* out;
    void check() const;
};

struct Attention {
    const hydra_rows* rows;
    const hydra_buffer* query;
    int32_t heads;
    const hydra_kv_pool* pool;
    int32_t layer;
    hydra_buffer* out;
    void check() const;
};

struct Project {
    const hydra_rows* rows;
    const hydra_buffer* x;
    const hydra_matrix* weight;
    const hydra_buffer* bias;  // or null
    hydra_buffer* residual;
};

struct Linear {
    const hydra_rows* rows;
    const hydra_buffer* x;
    const hydra_matrix* weight;
    const hydra_buffer* bias;  // or null
    hydra_buffer* out;
};

struct GateUp {
    const hydra_rows* rows;
    const hydra_buffer *x, *norm;
    float epsilon;
    const hydra_matrix *gate, *up;
    hydra_buffer* out;
};

struct Norm {
    const hydra_rows* rows;
    const hydra_buffer *x, *norm;
    float epsilon;
    int64_t columns;
    hydra_buffer* out;
};

struct LmHead {
    const hydra_rows* rows;
    bool last_rows_only;
    const hydra_buffer* x;
    const hydra_matrix* weight;
    const hydra_buffer *bias, *ids;  // or null
    hydra_top* top;
    hydra_buffer* logits;  // or null
};

struct Block {
    const hydra_rows* rows;
    const hydra_buffer* x;
    const hydra_matrix *linear, *skip;  // skip null: the residual is x
    const hydra_buffer *linear_bias, *skip_bias;
    int32_t group;
    hydra_buffer* out;
};

struct Expand {
    const hydra_tree* tree;
    hydra_rows* rows;
    void check() const;
    void begin() const;
};

struct DraftStates {
    const hydra_rows* rows;
    const hydra_buffer *x, *norm;  // norm null: the rows as they are
    float epsilon;
    int64_t columns;
    hydra_buffer* states;
};

struct DraftInputs {
    const hydra_tree* tree;
    int32_t level;
    const hydra_rows* nodes;
    const hydra_buffer* states;
    int64_t width;
    const hydra_matrix* embedding;  // null: heads that are not grounded
    hydra_rows* level_rows;
    hydra_buffer* out;
    void check() const;
};

struct TableBlock {
    const hydra_tree* tree;
    int32_t level;
    const hydra_rows* nodes;
    const hydra_buffer* parts;
    int64_t width, first;
    const hydra_buffer* tables;
    int64_t vocabulary, n;
    hydra_rows* level_rows;
    hydra_buffer* out;
    void check() const;
};

struct DraftLevels {
    const hydra_tree* tree;
    const hydra_rows* nodes;
    hydra_rows* rows;
    void check() const;
};

struct DraftTokens {
    const hydra_tree* tree;
    int32_t level;
    const hydra_top* top;
    int32_t group;  // -1: the row of the parent
    hydra_rows* nodes;
    void check() const;
};

struct Accept {
    const hydra_tree* tree;
    const hydra_rows* nodes;
    const hydra_top* best;
    hydra_kv_pool* pool;
    const hydra_buffer* hidden;  // null without uncommitted rows, as uncommitted
    int64_t width;
    hydra_rows* uncommitted_rows;
    hydra_buffer* uncommitted;
    bool append;
    void check() const;
};

struct Advance {
    const hydra_rows* rows;
    const hydra_top* best;  // null: more of the prompts follows
    const hydra_buffer* hidden;
    int64_t width;
    hydra_rows* uncommitted_rows;
    hydra_buffer* uncommitted;
    void check() const;
};

struct Mark {
    int32_t index;  // of the program's times
};

using Operation = std::variant<Embed, Qkv, Attention, Project, Linear, GateUp, Norm, LmHead, Block, Expand, DraftStates,
                               DraftInputs, TableBlock, DraftLevels, DraftTokens, Accept, Advance, Mark>;

}  // namespace hydra
