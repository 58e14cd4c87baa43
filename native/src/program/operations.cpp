// Recording: checks every shape against every other, once for all backends.
#include "program/operations.h"

#include <algorithm>
#include <vector>

#include "program/backend.h"
#include "program/buffer.h"
#include "program/error.h"
#include "program/matrix.h"
#include "program/program.h"
#include "program/sequence.h"

namespace hydra {

namespace {

long long wide(int64_t value) { return static_cast<long long>(value); }

// Refuses handles of another backend, which may have another memory; null is allowed.
template <class... Handles>
void require_home(const hydra_program* program, const Handles*... handles) {
    HYDRA_REQUIRE(((handles == nullptr || handles->backend == program->backend) && ...),
                  "a handle belongs to another backend than the program");
}

// Refuses a buffer that is null or smaller than rows x columns floats.
void require_floats(const hydra_buffer* buffer, int64_t rows, int64_t columns, const char* name) {
    HYDRA_REQUIRE(buffer != nullptr, "%s is null", name);
    HYDRA_REQUIRE(buffer->bytes >= rows * columns * 4, "%s has %lld bytes, must have %lld x %lld floats", name,
                  wide(buffer->bytes), wide(rows), wide(columns));
}

void require_shape(const hydra_matrix* matrix, int64_t rows, int64_t columns, const char* name) {
    HYDRA_REQUIRE(matrix != nullptr, "%s is null", name);
    HYDRA_REQUIRE(matrix->rows == rows && matrix->columns == columns, "%s is [%lld][%lld], must be [%lld][%lld]", name,
                  wide(matrix->rows), wide(matrix->columns), wide(rows), wide(columns));
}

void require_epsilon(float epsilon) {
    HYDRA_REQUIRE(epsilon > 0, "epsilon is %g, must be positive", static_cast<double>(epsilon));
}

void require_layer(int32_t layer, const hydra_kv_pool* pool) {
    HYDRA_REQUIRE(layer >= 0 && layer < pool->layers, "layer is %d, must be from 0 to %d", layer, pool->layers - 1);
}

// Checks the pending rows and their buffers and returns the width of a hidden state.
int64_t pending_width(const hydra_rows* rows, const hydra_buffer* hidden, const hydra_rows* pending_rows,
                      const hydra_buffer* pending) {
    if (pending_rows == nullptr) {
        HYDRA_REQUIRE(pending == nullptr, "pending without pending_rows");
        return 0;
    }
    HYDRA_REQUIRE(hidden != nullptr, "hidden is null");
    HYDRA_REQUIRE(pending != hidden, "pending must not be hidden");
    HYDRA_REQUIRE(pending_rows != rows, "pending_rows must not be the rows of the pass");
    HYDRA_REQUIRE(pending_rows->sequence == rows->sequence, "pending_rows belong to another sequence");
    const int64_t width = hidden->bytes / 4 / HYDRA_MAX_ROWS;
    require_floats(pending, HYDRA_MAX_ROWS, width, "pending");
    return width;
}

// The program may use the pending rows before it is checked again, so they must reach as far as the rows they come
// from.
void require_reach(const hydra_rows& rows, const hydra_rows* pending_rows) {
    HYDRA_REQUIRE(pending_rows == nullptr || pending_rows->state->position_limit >= rows.state->position_limit,
                  "the pending rows' context is %d positions, that of the pass %d", pending_rows->state->position_limit,
                  rows.state->position_limit);
}

// Entries that are no token ids.
void require_ids(const hydra_buffer& ids, int64_t count) {
    std::vector<int32_t> entries(static_cast<size_t>(count));
    ids.backend->copy_out(entries.data(), ids.data.get(), count * 4);
    for (int64_t i = 0; i < count; ++i) {
        HYDRA_REQUIRE(entries[i] >= 0, "entry %lld of ids is %d", wide(i), entries[i]);
    }
}

}  // namespace

void Embed::check() const {
    for (int r = 0; rows->given && r < rows->active(); ++r) {
        const int32_t token = rows->state->tokens[r];
        HYDRA_REQUIRE(token >= 0 && token < embedding->rows, "token %d of row %d is outside the vocabulary of %lld",
                      token, r, wide(embedding->rows));
    }
}

void Qkv::check() const { rows->require_pages(*pool); }

void Attention::check() const { rows->require_pages(*pool); }

void Plant::check() const {
    const hydra_step_result& result = rows->sequence->state->result;
    HYDRA_REQUIRE(result.root >= 0, "the sequence has no root token: no prefill has ended");
    HYDRA_REQUIRE(result.root < rows->token_limit, "the root token %d is outside the vocabulary of %lld", result.root,
                  wide(rows->token_limit));
    rows->require_room(result.length, tree->data->nodes, tree->data->levels);
}

void Plant::begin() const { rows->given = false; }

void DraftTokens::check() const {
    const int32_t needed = tree->data->level_top[level];
    HYDRA_REQUIRE(needed <= top->k, "depth %d of the tree needs %d candidates, the draft keeps %d", level + 1, needed,
                  top->k);
}

void Accept::check() const {
    nodes->require_pages(*pool);
    require_reach(*nodes, pending_rows);
}

void Advance::check() const { require_reach(*rows, pending_rows); }

}  // namespace hydra

using hydra::guarded;
using hydra::require_epsilon;
using hydra::require_floats;
using hydra::require_home;
using hydra::require_layer;
using hydra::require_shape;
using hydra::wide;

hydra_status hydra_program_embed(hydra_program* program, const hydra_rows* rows, const hydra_matrix* embedding,
                                 hydra_buffer* out) {
    return guarded("hydra_program_embed", [&] {
        HYDRA_REQUIRE(program && rows && embedding, "an argument is null");
        require_home(program, rows, embedding, out);
        require_floats(out, HYDRA_MAX_ROWS, embedding->columns, "out");
        program->record(hydra::Embed{rows, embedding, out});
        rows->limit_tokens(embedding->rows);
    });
}

hydra_status hydra_program_qkv(hydra_program* program, const hydra_rows* rows, const hydra_buffer* x,
                               const hydra_buffer* norm, float epsilon, const hydra_matrix* query,
                               const hydra_matrix* key, const hydra_matrix* value, const hydra_buffer* query_bias,
                               const hydra_buffer* key_bias, const hydra_buffer* value_bias, const hydra_rope* rope,
                               hydra_kv_pool* pool, int32_t layer, hydra_buffer* out) {
    return guarded("hydra_program_qkv", [&] {
        HYDRA_REQUIRE(program && rows && query && key && rope && pool, "an argument is null");
        require_home(program, rows, x, norm, query, key, value, query_bias, key_bias, value_bias, rope, pool, out);
        const int64_t hidden = query->columns, kv = int64_t{pool->kv_heads} * pool->head_size;
        HYDRA_REQUIRE(query->rows % kv == 0, "query has %lld rows, must be a multiple of %lld key rows",
                      wide(query->rows), wide(kv));
        require_shape(key, kv, hidden, "key");
        require_shape(value, kv, hidden, "value");
        require_floats(x, HYDRA_MAX_ROWS, hidden, "x");
        require_floats(norm, 1, hidden, "norm");
        require_floats(out, HYDRA_MAX_ROWS, query->rows, "out");
        HYDRA_REQUIRE(x != out, "out must not be x");
        if (query_bias) require_floats(query_bias, 1, query->rows, "query_bias");
        if (key_bias) require_floats(key_bias, 1, kv, "key_bias");
        if (value_bias) require_floats(value_bias, 1, kv, "value_bias");
        HYDRA_REQUIRE(rope->head_size == pool->head_size, "the rope has head size %d, the pool %d", rope->head_size,
                      pool->head_size);
        require_layer(layer, pool);
        require_epsilon(epsilon);
        rows->limit_positions(rope->positions);
        program->record(hydra::Qkv{rows, x, norm, epsilon, query, key, value, query_bias, key_bias, value_bias, rope,
                                   pool, layer, out});
    });
}

hydra_status hydra_program_attention(hydra_program* program, const hydra_rows* rows, const hydra_buffer* query,
                                     int32_t heads, const hydra_kv_pool* pool, int32_t layer, hydra_buffer* out) {
    return guarded("hydra_program_attention", [&] {
        HYDRA_REQUIRE(program && rows && pool, "an argument is null");
        require_home(program, rows, query, pool, out);
        HYDRA_REQUIRE(heads >= 1 && heads % pool->kv_heads == 0, "heads is %d, must be a multiple of %d KV heads",
                      heads, pool->kv_heads);
        require_layer(layer, pool);
        require_floats(query, HYDRA_MAX_ROWS, int64_t{heads} * pool->head_size, "query");
        require_floats(out, HYDRA_MAX_ROWS, int64_t{heads} * pool->head_size, "out");
        program->record(hydra::Attention{rows, query, heads, pool, layer, out});
    });
}

hydra_status hydra_program_project(hydra_program* program, const hydra_rows* rows, const hydra_buffer* x,
                                   const hydra_matrix* weight, const hydra_buffer* bias, hydra_buffer* residual) {
    return guarded("hydra_program_project", [&] {
        HYDRA_REQUIRE(program && rows && weight, "an argument is null");
        require_home(program, rows, x, weight, bias, residual);
        require_floats(x, HYDRA_MAX_ROWS, weight->columns, "x");
        require_floats(residual, HYDRA_MAX_ROWS, weight->rows, "residual");
        HYDRA_REQUIRE(x != residual, "residual must not be x");
        if (bias) require_floats(bias, 1, weight->rows, "bias");
        program->record(hydra::Project{rows, x, weight, bias, residual});
    });
}

hydra_status hydra_program_gate_up(hydra_program* program, const hydra_rows* rows, const hydra_buffer* x,
                                   const hydra_buffer* norm, float epsilon, const hydra_matrix* gate,
                                   const hydra_matrix* up, hydra_buffer* out) {
    return guarded("hydra_program_gate_up", [&] {
        HYDRA_REQUIRE(program && rows && gate, "an argument is null");
        require_home(program, rows, x, norm, gate, up, out);
        const int64_t hidden = gate->columns;
        require_shape(up, gate->rows, hidden, "up");
        require_floats(x, HYDRA_MAX_ROWS, hidden, "x");
        require_floats(norm, 1, hidden, "norm");
        require_floats(out, HYDRA_MAX_ROWS, gate->rows, "out");
        HYDRA_REQUIRE(x != out, "out must not be x");
        require_epsilon(epsilon);
        program->record(hydra::GateUp{rows, x, norm, epsilon, gate, up, out});
    });
}

hydra_status hydra_program_norm(hydra_program* program, const hydra_rows* rows, const hydra_buffer* x,
                                const hydra_buffer* norm, float epsilon, hydra_buffer* out) {
    return guarded("hydra_program_norm", [&] {
        HYDRA_REQUIRE(program && rows && norm, "an argument is null");
        require_home(program, rows, x, norm, out);
        const int64_t columns = norm->bytes / 4;
        require_floats(x, HYDRA_MAX_ROWS, columns, "x");
        require_floats(out, HYDRA_MAX_ROWS, columns, "out");
        require_epsilon(epsilon);
        program->record(hydra::Norm{rows, x, norm, epsilon, columns, out});
    });
}

hydra_status hydra_program_lm_head(hydra_program* program, const hydra_rows* rows, int32_t last_row_only,
                                   const hydra_buffer* x, const hydra_matrix* weight, const hydra_buffer* bias,
                                   const hydra_buffer* ids, hydra_top* top, hydra_buffer* logits) {
    return guarded("hydra_program_lm_head", [&] {
        HYDRA_REQUIRE(program && rows && weight && top, "an argument is null");
        require_home(program, rows, x, weight, bias, ids, top, logits);
        const int64_t vocabulary = weight->rows;
        require_floats(x, HYDRA_MAX_ROWS, weight->columns, "x");
        if (bias) require_floats(bias, 1, vocabulary, "bias");
        if (ids) require_floats(ids, 1, vocabulary, "ids");
        if (logits) require_floats(logits, last_row_only ? 1 : HYDRA_MAX_ROWS, vocabulary, "logits");
        HYDRA_REQUIRE(x != logits, "logits must not be x");
        HYDRA_REQUIRE(top->k <= vocabulary, "top has k %d, the vocabulary only %lld rows", top->k, wide(vocabulary));
        if (ids) hydra::require_ids(*ids, vocabulary);
        program->record(hydra::LmHead{rows, last_row_only != 0, x, weight, bias, ids, top, logits});
    });
}

hydra_status hydra_program_block(hydra_program* program, const hydra_rows* rows, const hydra_buffer* x,
                                 const hydra_matrix* linear, const hydra_buffer* linear_bias, const hydra_matrix* skip,
                                 const hydra_buffer* skip_bias, int32_t first_row, hydra_buffer* out) {
    return guarded("hydra_program_block", [&] {
        HYDRA_REQUIRE(program && rows && linear, "an argument is null");
        require_home(program, rows, x, linear, linear_bias, skip, skip_bias, out);
        const int64_t inputs = linear->columns, outputs = linear->rows;
        if (skip) {
            require_shape(skip, outputs, inputs, "skip");
            HYDRA_REQUIRE(x != out, "out must not be x where skip is given");
        } else {
            HYDRA_REQUIRE(inputs == outputs, "linear is [%lld][%lld], must be square without skip", wide(outputs),
                          wide(inputs));
            HYDRA_REQUIRE(skip_bias == nullptr, "skip_bias without skip");
            HYDRA_REQUIRE(x != out || first_row == 0, "first_row is %d, must be 0 where out is x", first_row);
        }
        HYDRA_REQUIRE(first_row >= 0 && first_row < HYDRA_MAX_ROWS, "first_row is %d, must be from 0 to %d", first_row,
                      HYDRA_MAX_ROWS - 1);
        require_floats(x, HYDRA_MAX_ROWS, inputs, "x");
        require_floats(out, HYDRA_MAX_ROWS + first_row, outputs, "out");
        if (linear_bias) require_floats(linear_bias, 1, outputs, "linear_bias");
        if (skip_bias) require_floats(skip_bias, 1, outputs, "skip_bias");
        program->record(hydra::Block{rows, x, linear, skip, linear_bias, skip_bias, first_row, out});
    });
}

hydra_status hydra_program_plant(hydra_program* program, const hydra_tree* tree, hydra_rows* rows) {
    return guarded("hydra_program_plant", [&] {
        HYDRA_REQUIRE(program && tree && rows, "an argument is null");
        require_home(program, tree, rows);
        program->record(hydra::Plant{tree, rows});
    });
}

hydra_status hydra_program_draft_inputs(hydra_program* program, const hydra_tree* tree, int32_t level,
                                        const hydra_rows* nodes, const hydra_rows* hidden_rows,
                                        const hydra_buffer* hidden, const hydra_matrix* embedding,
                                        hydra_rows* level_rows, hydra_buffer* out) {
    return guarded("hydra_program_draft_inputs", [&] {
        HYDRA_REQUIRE(program && tree && nodes && hidden_rows && hidden && level_rows && out, "an argument is null");
        require_home(program, tree, nodes, hidden_rows, hidden, embedding, level_rows, out);
        HYDRA_REQUIRE(level >= 0 && level < HYDRA_MAX_ROWS, "level is %d, must be from 0 to %d", level,
                      HYDRA_MAX_ROWS - 1);
        HYDRA_REQUIRE(level_rows != nodes && level_rows != hidden_rows,
                      "level_rows must be neither nodes nor hidden_rows");
        HYDRA_REQUIRE(hidden != out, "out must not be hidden");
        const int64_t width = embedding ? embedding->columns : hidden->bytes / 4 / HYDRA_MAX_ROWS;
        require_floats(hidden, HYDRA_MAX_ROWS, width, "hidden");
        require_floats(out, HYDRA_MAX_ROWS, embedding ? (level + 2) * width : width, "out");
        program->record(hydra::DraftInputs{tree, level, nodes, hidden_rows, hidden, width, embedding, level_rows, out});
        if (embedding) nodes->limit_tokens(embedding->rows);
    });
}

hydra_status hydra_program_draft_levels(hydra_program* program, const hydra_tree* tree, hydra_rows* rows) {
    return guarded("hydra_program_draft_levels", [&] {
        HYDRA_REQUIRE(program && tree && rows, "an argument is null");
        require_home(program, tree, rows);
        program->record(hydra::DraftLevels{tree, rows});
    });
}

hydra_status hydra_program_draft_tokens(hydra_program* program, const hydra_tree* tree, int32_t level,
                                        const hydra_top* top, int32_t row, hydra_rows* nodes) {
    return guarded("hydra_program_draft_tokens", [&] {
        HYDRA_REQUIRE(program && tree && top && nodes, "an argument is null");
        require_home(program, tree, top, nodes);
        HYDRA_REQUIRE(level >= 0 && level < HYDRA_MAX_ROWS - 1, "level is %d, must be from 0 to %d", level,
                      HYDRA_MAX_ROWS - 2);
        HYDRA_REQUIRE(row >= -1 && row < HYDRA_MAX_ROWS, "row is %d, must be from -1 to %d", row, HYDRA_MAX_ROWS - 1);
        program->record(hydra::DraftTokens{tree, level, top, row, nodes});
    });
}

hydra_status hydra_program_accept(hydra_program* program, const hydra_tree* tree, hydra_rows* nodes,
                                  const hydra_top* best, hydra_kv_pool* pool, const hydra_buffer* hidden,
                                  hydra_rows* pending_rows, hydra_buffer* pending, int32_t append) {
    return guarded("hydra_program_accept", [&] {
        HYDRA_REQUIRE(program && tree && nodes && best && pool, "an argument is null");
        require_home(program, tree, nodes, best, pool, hidden, pending_rows, pending);
        const int64_t width = hydra::pending_width(nodes, hidden, pending_rows, pending);
        program->record(hydra::Accept{tree, nodes, best, pool, pending_rows ? hidden : nullptr, width, pending_rows,
                                      pending, append != 0});
    });
}

hydra_status hydra_program_advance(hydra_program* program, hydra_rows* rows, const hydra_top* best,
                                   const hydra_buffer* hidden, hydra_rows* pending_rows, hydra_buffer* pending) {
    return guarded("hydra_program_advance", [&] {
        HYDRA_REQUIRE(program && rows, "an argument is null");
        require_home(program, rows, best, hidden, pending_rows, pending);
        const int64_t width = hydra::pending_width(rows, hidden, pending_rows, pending);
        program->record(hydra::Advance{rows, best, pending_rows ? hidden : nullptr, width, pending_rows, pending});
    });
}
