// Recording: checks every shape against every other, once for all backends.
#include "program/operations.h"

#include <algorithm>
#include <vector>

#include "program/backend.h"
#include "program/buffer.h"
#include "program/error.h"
#include "program/matrix.h"
#include "program/program.h"
#include "program/rope.h"
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

// Checks the uncommitted rows and their buffers.
void require_uncommitted(const hydra_rows* rows, const hydra_buffer* hidden, int64_t width,
                         const hydra_rows* uncommitted_rows, const hydra_buffer* uncommitted) {
    if (uncommitted_rows == nullptr) {
        HYDRA_REQUIRE(uncommitted == nullptr, "uncommitted without uncommitted_rows");
        return;
    }
    HYDRA_REQUIRE(width >= 1, "h is %lld, must be positive", wide(width));
    require_floats(hidden, rows->max_rows, width, "hidden");
    require_floats(uncommitted, uncommitted_rows->max_rows, width, "uncommitted");
    HYDRA_REQUIRE(uncommitted != hidden, "uncommitted must not be hidden");
    HYDRA_REQUIRE(uncommitted_rows != rows, "uncommitted_rows must not be the rows of the pass");
    HYDRA_REQUIRE(uncommitted_rows->batch == rows->batch, "uncommitted_rows belong to another batch");
}

// Checks the operands of a product of the rows with a matrix, whose result goes to `out`.
void require_product(const hydra_program* program, const hydra_rows* rows, const hydra_buffer* x,
                     const hydra_matrix* weight, const hydra_buffer* bias, const hydra_buffer* out, const char* name) {
    HYDRA_REQUIRE(program && rows && weight, "an argument is null");
    require_home(program, rows, x, weight, bias, out);
    require_floats(x, rows->max_rows, weight->columns, "x");
    require_floats(out, rows->max_rows, weight->rows, name);
    HYDRA_REQUIRE(x != out, "%s must not be x", name);
    if (bias) require_floats(bias, 1, weight->rows, "bias");
}

void require_top_rows(const hydra_top* top, int32_t rows, const char* name) {
    HYDRA_REQUIRE(top->max_rows >= rows, "%s has room for %d rows, must have it for %d", name, top->max_rows, rows);
}

// Rows that an LM head leaves of the last row of each sequence.
int32_t last_rows(const hydra_rows* rows) { return std::min(rows->batch->sequences, rows->max_rows); }

// The program may use the uncommitted rows before it is checked again, so they must reach as far as the rows they come
// from.
void require_reach(const hydra_rows& rows, const hydra_rows* uncommitted_rows) {
    HYDRA_REQUIRE(
        uncommitted_rows == nullptr || uncommitted_rows->view.state->position_limit >= rows.view.state->position_limit,
        "the uncommitted rows' context is %d positions, that of the pass %d",
        uncommitted_rows->view.state->position_limit, rows.view.state->position_limit);
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
        const int32_t token = rows->view.tokens[r];
        HYDRA_REQUIRE(token >= 0 && token < embedding->rows, "token %d of row %d is outside the vocabulary of %lld",
                      token, r, wide(embedding->rows));
    }
}

void Qkv::check() const {
    rows->require_pages(*pool);
    rope->cover(rows->batch->reach());
}

void Attention::check() const { rows->require_pages(*pool); }

void Expand::check() const {
    rows->require_rows_of_all(tree->data->nodes);
    int32_t rooted = 0;
    for (int32_t s = 0; s < rows->batch->sequences; ++s) {
        const hydra_step_result& result = rows->batch->states[s].result;
        if (result.root < 0) continue;
        ++rooted;
        HYDRA_REQUIRE(result.root < rows->token_limit,
                      "the root token %d of sequence %d is outside the vocabulary of %lld", result.root, s,
                      wide(rows->token_limit));
        rows->require_room(s, result.length, tree->data->nodes, tree->data->levels);
    }
    HYDRA_REQUIRE(rooted > 0, "no sequence has a root token: no prefill has ended");
}

void Expand::begin() const { rows->given = false; }

void DraftInputs::check() const {
    level_rows->require_rows_of_all(embedding != nullptr ? tree->data->level_rows[level] : 1);
}

void TableBlock::check() const { level_rows->require_rows_of_all(tree->data->level_rows[level]); }

void DraftLevels::check() const { rows->require_rows_of_all(tree->data->levels); }

void DraftTokens::check() const {
    const int32_t needed = tree->data->level_top[level];
    HYDRA_REQUIRE(needed <= top->k, "depth %d of the tree needs %d candidates, the draft keeps %d", level + 1, needed,
                  top->k);
    const int32_t rows = group < 0 ? tree->data->level_rows[level] : group + 1;
    if (needed > 0) require_top_rows(top, rows * nodes->batch->sequences, "top");
}

void Accept::check() const {
    nodes->require_pages(*pool);
    if (uncommitted_rows == nullptr) return;
    require_reach(*nodes, uncommitted_rows);
    uncommitted_rows->require_rows_of_all(tree->data->levels + 1);
}

void Advance::check() const { require_reach(*rows, uncommitted_rows); }

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
        require_floats(out, rows->max_rows, embedding->columns, "out");
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
        require_floats(x, rows->max_rows, hidden, "x");
        require_floats(norm, 1, hidden, "norm");
        require_floats(out, rows->max_rows, query->rows, "out");
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
        require_floats(query, rows->max_rows, int64_t{heads} * pool->head_size, "query");
        require_floats(out, rows->max_rows, int64_t{heads} * pool->head_size, "out");
        program->record(hydra::Attention{rows, query, heads, pool, layer, out});
    });
}

hydra_status hydra_program_project(hydra_program* program, const hydra_rows* rows, const hydra_buffer* x,
                                   const hydra_matrix* weight, const hydra_buffer* bias, hydra_buffer* residual) {
    return guarded("hydra_program_project", [&] {
        hydra::require_product(program, rows, x, weight, bias, residual, "residual");
        program->record(hydra::Project{rows, x, weight, bias, residual});
    });
}

hydra_status hydra_program_linear(hydra_program* program, const hydra_rows* rows, const hydra_buffer* x,
                                  const hydra_matrix* weight, const hydra_buffer* bias, hydra_buffer* out) {
    return guarded("hydra_program_linear", [&] {
        hydra::require_product(program, rows, x, weight, bias, out, "out");
        program->record(hydra::Linear{rows, x, weight, bias, out});
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
        require_floats(x, rows->max_rows, hidden, "x");
        require_floats(norm, 1, hidden, "norm");
        require_floats(out, rows->max_rows, gate->rows, "out");
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
        require_floats(x, rows->max_rows, columns, "x");
        require_floats(out, rows->max_rows, columns, "out");
        require_epsilon(epsilon);
        program->record(hydra::Norm{rows, x, norm, epsilon, columns, out});
    });
}

hydra_status hydra_program_lm_head(hydra_program* program, const hydra_rows* rows, int32_t last_rows_only,
                                   const hydra_buffer* x, const hydra_matrix* weight, const hydra_buffer* bias,
                                   const hydra_buffer* ids, hydra_top* top, hydra_buffer* logits) {
    return guarded("hydra_program_lm_head", [&] {
        HYDRA_REQUIRE(program && rows && weight && top, "an argument is null");
        require_home(program, rows, x, weight, bias, ids, top, logits);
        const int64_t vocabulary = weight->rows;
        require_floats(x, rows->max_rows, weight->columns, "x");
        if (bias) require_floats(bias, 1, vocabulary, "bias");
        if (ids) require_floats(ids, 1, vocabulary, "ids");
        const int32_t results = last_rows_only ? hydra::last_rows(rows) : rows->max_rows;
        hydra::require_top_rows(top, results, "top");
        if (logits) require_floats(logits, results, vocabulary, "logits");
        HYDRA_REQUIRE(x != logits, "logits must not be x");
        HYDRA_REQUIRE(top->k <= vocabulary, "top has k %d, the vocabulary only %lld rows", top->k, wide(vocabulary));
        if (ids) hydra::require_ids(*ids, vocabulary);
        program->record(hydra::LmHead{rows, last_rows_only != 0, x, weight, bias, ids, top, logits});
    });
}

hydra_status hydra_program_block(hydra_program* program, const hydra_rows* rows, const hydra_buffer* x,
                                 const hydra_matrix* linear, const hydra_buffer* linear_bias, const hydra_matrix* skip,
                                 const hydra_buffer* skip_bias, int32_t group, hydra_buffer* out) {
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
            HYDRA_REQUIRE(x != out || group == 0, "group is %d, must be 0 where out is x", group);
        }
        HYDRA_REQUIRE(group >= 0 && group < HYDRA_MAX_NODES, "group is %d, must be from 0 to %d", group,
                      HYDRA_MAX_NODES - 1);
        require_floats(x, rows->max_rows, inputs, "x");
        require_floats(out, int64_t{rows->max_rows} * (group + 1), outputs, "out");
        if (linear_bias) require_floats(linear_bias, 1, outputs, "linear_bias");
        if (skip_bias) require_floats(skip_bias, 1, outputs, "skip_bias");
        program->record(hydra::Block{rows, x, linear, skip, linear_bias, skip_bias, group, out});
    });
}

hydra_status hydra_program_expand(hydra_program* program, const hydra_tree* tree, hydra_rows* rows) {
    return guarded("hydra_program_expand", [&] {
        HYDRA_REQUIRE(program && tree && rows, "an argument is null");
        require_home(program, tree, rows);
        program->record(hydra::Expand{tree, rows});
    });
}

hydra_status hydra_program_draft_states(hydra_program* program, const hydra_rows* rows, const hydra_buffer* x,
                                        const hydra_buffer* norm, float epsilon, hydra_buffer* states) {
    return guarded("hydra_program_draft_states", [&] {
        HYDRA_REQUIRE(program && rows && states, "an argument is null");
        require_home(program, rows, x, norm, states);
        HYDRA_REQUIRE(x != states, "states must not be x");
        const int64_t columns = states->bytes / 4 / rows->batch->sequences;
        HYDRA_REQUIRE(columns >= 1, "states is empty");
        require_floats(x, rows->max_rows, columns, "x");
        if (norm) {
            require_floats(norm, 1, columns, "norm");
            require_epsilon(epsilon);
        }
        program->record(hydra::DraftStates{rows, x, norm, epsilon, columns, states});
    });
}

hydra_status hydra_program_draft_inputs(hydra_program* program, const hydra_tree* tree, int32_t level,
                                        const hydra_rows* nodes, const hydra_buffer* states,
                                        const hydra_matrix* embedding, hydra_rows* level_rows, hydra_buffer* out) {
    return guarded("hydra_program_draft_inputs", [&] {
        HYDRA_REQUIRE(program && tree && nodes && states && level_rows && out, "an argument is null");
        require_home(program, tree, nodes, states, embedding, level_rows, out);
        HYDRA_REQUIRE(level >= 0 && level < HYDRA_MAX_NODES, "level is %d, must be from 0 to %d", level,
                      HYDRA_MAX_NODES - 1);
        HYDRA_REQUIRE(level_rows != nodes, "level_rows must not be nodes");
        HYDRA_REQUIRE(level_rows->batch == nodes->batch, "level_rows belong to another batch");
        HYDRA_REQUIRE(states != out, "out must not be states");
        const int32_t sequences = nodes->batch->sequences;
        const int64_t width = embedding ? embedding->columns : states->bytes / 4 / sequences;
        require_floats(states, sequences, width, "states");
        require_floats(out, level_rows->max_rows, embedding ? (level + 2) * width : width, "out");
        program->record(hydra::DraftInputs{tree, level, nodes, states, width, embedding, level_rows, out});
        if (embedding) nodes->limit_tokens(embedding->rows);
    });
}

hydra_status hydra_program_table_block(hydra_program* program, const hydra_tree* tree, int32_t level,
                                       const hydra_rows* nodes, const hydra_buffer* parts, int64_t width, int64_t first,
                                       const hydra_buffer* tables, int64_t vocabulary, int64_t n,
                                       hydra_rows* level_rows, hydra_buffer* out) {
    return guarded("hydra_program_table_block", [&] {
        HYDRA_REQUIRE(program && tree && nodes && parts && tables && level_rows && out, "an argument is null");
        require_home(program, tree, nodes, parts, tables, level_rows, out);
        HYDRA_REQUIRE(level >= 0 && level < HYDRA_MAX_NODES, "level is %d, must be from 0 to %d", level,
                      HYDRA_MAX_NODES - 1);
        HYDRA_REQUIRE(level_rows != nodes, "level_rows must not be nodes");
        HYDRA_REQUIRE(level_rows->batch == nodes->batch, "level_rows belong to another batch");
        HYDRA_REQUIRE(out != parts && out != tables, "out must be neither parts nor tables");
        HYDRA_REQUIRE(n >= 16 && n <= (1 << 24) && n % 16 == 0, "n is %lld, must be a multiple of 16 from 16 to 2^24",
                      wide(n));
        HYDRA_REQUIRE(vocabulary >= 1 && vocabulary <= INT32_MAX, "vocabulary is %lld, must be from 1 to 2^31 - 1",
                      wide(vocabulary));
        HYDRA_REQUIRE(first >= 0 && width <= INT32_MAX && first + 2 * n <= width,
                      "columns %lld to %lld are not all in a width of %lld", wide(first), wide(first + 2 * n - 1),
                      wide(width));
        require_floats(parts, nodes->batch->sequences, width, "parts");
        // Two halves take the place of a float. Fewer than 2^62 bytes: 6 bits, 31 and 24.
        require_floats(tables, (level + 1) * vocabulary, n, "tables");
        require_floats(out, level_rows->max_rows, n, "out");
        program->record(
            hydra::TableBlock{tree, level, nodes, parts, width, first, tables, vocabulary, n, level_rows, out});
    });
}

hydra_status hydra_program_draft_levels(hydra_program* program, const hydra_tree* tree, const hydra_rows* nodes,
                                        hydra_rows* rows) {
    return guarded("hydra_program_draft_levels", [&] {
        HYDRA_REQUIRE(program && tree && nodes && rows, "an argument is null");
        require_home(program, tree, nodes, rows);
        HYDRA_REQUIRE(rows != nodes, "rows must not be nodes");
        HYDRA_REQUIRE(rows->batch == nodes->batch, "rows belong to another batch");
        program->record(hydra::DraftLevels{tree, nodes, rows});
    });
}

hydra_status hydra_program_draft_tokens(hydra_program* program, const hydra_tree* tree, int32_t level,
                                        const hydra_top* top, int32_t group, hydra_rows* nodes) {
    return guarded("hydra_program_draft_tokens", [&] {
        HYDRA_REQUIRE(program && tree && top && nodes, "an argument is null");
        require_home(program, tree, top, nodes);
        HYDRA_REQUIRE(level >= 0 && level < HYDRA_MAX_NODES - 1, "level is %d, must be from 0 to %d", level,
                      HYDRA_MAX_NODES - 2);
        HYDRA_REQUIRE(group >= -1 && group < HYDRA_MAX_NODES, "group is %d, must be from -1 to %d", group,
                      HYDRA_MAX_NODES - 1);
        program->record(hydra::DraftTokens{tree, level, top, group, nodes});
    });
}

hydra_status hydra_program_accept(hydra_program* program, const hydra_tree* tree, const hydra_rows* nodes,
                                  const hydra_top* best, hydra_kv_pool* pool, const hydra_buffer* hidden, int64_t h,
                                  hydra_rows* uncommitted_rows, hydra_buffer* uncommitted, int32_t append) {
    return guarded("hydra_program_accept", [&] {
        HYDRA_REQUIRE(program && tree && nodes && best && pool, "an argument is null");
        require_home(program, tree, nodes, best, pool, hidden, uncommitted_rows, uncommitted);
        hydra::require_uncommitted(nodes, hidden, h, uncommitted_rows, uncommitted);
        hydra::require_top_rows(best, nodes->max_rows, "best");
        HYDRA_REQUIRE(append == 0 || nodes->batch->sequences == 1, "append is for a batch of one sequence, not of %d",
                      nodes->batch->sequences);
        program->record(hydra::Accept{tree, nodes, best, pool, uncommitted_rows ? hidden : nullptr, h, uncommitted_rows,
                                      uncommitted, append != 0});
    });
}

hydra_status hydra_program_advance(hydra_program* program, const hydra_rows* rows, const hydra_top* best,
                                   const hydra_buffer* hidden, int64_t h, hydra_rows* uncommitted_rows,
                                   hydra_buffer* uncommitted) {
    return guarded("hydra_program_advance", [&] {
        HYDRA_REQUIRE(program && rows, "an argument is null");
        require_home(program, rows, best, hidden, uncommitted_rows, uncommitted);
        hydra::require_uncommitted(rows, hidden, h, uncommitted_rows, uncommitted);
        HYDRA_REQUIRE(uncommitted_rows == nullptr || uncommitted_rows->max_rows >= rows->max_rows,
                      "uncommitted_rows have room for %d rows, must have it for %d", uncommitted_rows->max_rows,
                      rows->max_rows);
        if (best) hydra::require_top_rows(best, hydra::last_rows(rows), "best");
        program->record(
            hydra::Advance{rows, best, uncommitted_rows ? hidden : nullptr, h, uncommitted_rows, uncommitted});
    });
}
