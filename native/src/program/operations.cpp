// Recording: checks every shape against every other, once for all backends. Shapes that are simple stand in
// operations.def.
#include "program/operations.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <type_traits>
#include <utility>
#include <vector>

#include "program/backend.h"
#include "program/buffer.h"
#include "program/error.h"
#include "program/live_rows.h"
#include "program/matrix.h"
#include "program/program.h"
#include "program/rope.h"
#include "program/sampling.h"
#include "program/sequence.h"

namespace hydra {

namespace {

long long wide(int64_t value) { return static_cast<long long>(value); }

// How messages name what is in a buffer.
template <class Element>
constexpr const char* ELEMENTS = "floats";
template <>
constexpr const char* ELEMENTS<int32_t> = "32-bit integers";
template <>
constexpr const char* ELEMENTS<uint16_t> = "F16 values";

// Refuses a buffer that has less than rows x columns elements.
template <class Element>
void require_elements(const hydra_buffer* buffer, int64_t rows, int64_t columns, const char* name) {
    HYDRA_REQUIRE(buffer->bytes >= rows * columns * int64_t{sizeof(Element)},
                  "%s has %lld bytes, must have %lld x %lld %s", name, wide(buffer->bytes), wide(rows), wide(columns),
                  ELEMENTS<Element>);
}

void require_shape(const hydra_matrix* matrix, int64_t rows, int64_t columns, const char* name) {
    HYDRA_REQUIRE(matrix->rows == rows && matrix->columns == columns, "%s is [%lld][%lld], must be [%lld][%lld]", name,
                  wide(matrix->rows), wide(matrix->columns), wide(rows), wide(columns));
}

void require_epsilon(float epsilon) {
    HYDRA_REQUIRE(epsilon > 0, "epsilon is %g, must be positive", static_cast<double>(epsilon));
}

// Refuses a factor or a limit that is neither 0, which is none, nor one that makes sense.
void require_none_or_positive(float value, const char* name) {
    HYDRA_REQUIRE(value >= 0 && std::isfinite(value), "%s is %g, must be positive and finite, or 0 for none", name,
                  static_cast<double>(value));
}

void require_width(int64_t width) {
    HYDRA_REQUIRE(width >= 1 && width <= MAX_EXTENT, "width is %lld, must be from 1 to %lld", wide(width),
                  wide(MAX_EXTENT));
}

void require_layer(int32_t layer, const hydra_kv_pool* pool) {
    HYDRA_REQUIRE(layer >= 0 && layer < pool->layers, "layer is %d, must be from 0 to %d", layer, pool->layers - 1);
}

void require_heads(int32_t heads, const hydra_kv_pool* pool) {
    HYDRA_REQUIRE(heads >= 1 && heads % pool->kv_heads == 0, "heads is %d, must be a multiple of %d KV heads", heads,
                  pool->kv_heads);
}

// Refuses one buffer in two places.
void require_different(std::initializer_list<std::pair<const char*, const hydra_buffer*>> buffers) {
    for (auto one = buffers.begin(); one != buffers.end(); ++one) {
        for (auto other = buffers.begin(); other != one; ++other) {
            HYDRA_REQUIRE(one->second != other->second, "%s must not be %s", one->first, other->first);
        }
    }
}

void require_level(int32_t level, int32_t most) {
    HYDRA_REQUIRE(level >= 0 && level <= most, "level is %d, must be from 0 to %d", level, most);
}

void require_level_rows(const hydra_rows* level_rows, const hydra_rows* nodes) {
    HYDRA_REQUIRE(level_rows != nodes, "level_rows must not be nodes");
    HYDRA_REQUIRE(level_rows->batch == nodes->batch, "level_rows belong to another batch");
}

// Rows of a pool's key matrices.
int64_t kv_columns(const hydra_kv_pool* pool) { return int64_t{pool->kv_heads} * pool->head_size; }

// Checks the uncommitted rows and that their buffers are there.
void require_uncommitted(const hydra_rows* rows, const hydra_buffer* hidden, int64_t width,
                         const hydra_rows* uncommitted_rows, const hydra_buffer* uncommitted) {
    if (uncommitted_rows == nullptr) {
        HYDRA_REQUIRE(uncommitted == nullptr, "uncommitted without uncommitted_rows");
        return;
    }
    require_width(width);
    HYDRA_REQUIRE(hidden != nullptr, "hidden is null");
    HYDRA_REQUIRE(uncommitted != nullptr, "uncommitted is null");
    HYDRA_REQUIRE(uncommitted != hidden, "uncommitted must not be hidden");
    HYDRA_REQUIRE(uncommitted_rows != rows, "uncommitted_rows must not be the rows of the pass");
    HYDRA_REQUIRE(uncommitted_rows->batch == rows->batch, "uncommitted_rows belong to another batch");
}

void require_top_rows(const hydra_top* top, int64_t rows, const char* name) {
    HYDRA_REQUIRE(top->max_rows >= rows, "%s has room for %d rows, must have it for %lld", name, top->max_rows,
                  wide(rows));
}

void require_k(const hydra_top* top, int64_t vocabulary) {
    HYDRA_REQUIRE(top->k <= vocabulary, "top has k %d, the vocabulary only %lld rows", top->k, wide(vocabulary));
}

void require_same_batch(const hydra_sampling* sampling, const hydra_rows* rows) {
    HYDRA_REQUIRE(sampling->batch == rows->batch, "the sampling belongs to another batch than the rows");
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

// Rows of an LM head's results, and tokens that are selected.
int32_t results_of(const LmHead& o) {
    return o.selected_rows_only && o.top ? std::min(o.top->max_rows, o.rows->max_rows) : o.rows->max_rows;
}
int32_t results_of(const Select& o) { return std::min(o.top->max_rows, o.rows->max_rows); }

void require_same_batch(const hydra_tree* tree, const hydra_rows* rows) {
    HYDRA_REQUIRE(tree->batch == rows->batch, "the trees belong to another batch than the rows");
}

// Entries that are no token ids.
void require_ids(const hydra_buffer& ids, int64_t count, int32_t vocabulary = INT32_MAX) {
    std::vector<int32_t> entries(static_cast<size_t>(count));
    ids.backend->copy_out(entries.data(), ids.data.get(), count * 4);
    for (int64_t i = 0; i < count; ++i) {
        HYDRA_REQUIRE(entries[i] >= 0, "entry %lld of ids is %d", wide(i), entries[i]);
        HYDRA_REQUIRE(entries[i] < vocabulary, "entry %lld of ids is %d, the vocabulary has %d tokens", wide(i),
                      entries[i], vocabulary);
    }
}

// What recording an operation refuses beside handles and shapes, called before the shapes are looked at.

void require(const Embed& o) { require_none_or_positive(o.scale, "scale"); }

void require(const Qkv& o) {
    require_different({{"x", o.x}, {"query_out", o.query_out}, {"key_out", o.key_out}, {"value_out", o.value_out}});
    if (o.norm != nullptr) require_epsilon(o.epsilon);
}

void require(const AppendKv& o) {
    require_heads(o.heads, o.pool);
    require_different({{"query", o.query}, {"key", o.key}, {"value", o.value}});
    HYDRA_REQUIRE(o.rope->head_size == o.pool->head_size, "the rope has head size %d, the pool %d", o.rope->head_size,
                  o.pool->head_size);
    require_layer(o.layer, o.pool);
    if (o.query_norm != nullptr || o.key_norm != nullptr) require_epsilon(o.epsilon);
}

void require(const Attention& o) {
    require_heads(o.heads, o.pool);
    require_layer(o.layer, o.pool);
    require_none_or_positive(o.scale, "scale");
    require_none_or_positive(o.cap, "cap");
    HYDRA_REQUIRE(o.window >= 0, "window is %d, must be positive, or 0 for none", o.window);
}

void require(const Linear& o) { HYDRA_REQUIRE(o.x != o.out, "out must not be x"); }

void require(const GateUp& o) {
    HYDRA_REQUIRE(o.x != o.out, "out must not be x");
    HYDRA_REQUIRE(o.activation == HYDRA_SILU || o.activation == HYDRA_GELU,
                  "activation is %d, must be SILU (%d) or GELU (%d)", o.activation, static_cast<int>(HYDRA_SILU),
                  static_cast<int>(HYDRA_GELU));
    if (o.norm != nullptr) require_epsilon(o.epsilon);
}

void require(const Norm& o) {
    require_width(o.width);
    require_epsilon(o.epsilon);
    HYDRA_REQUIRE(o.residual == nullptr || o.residual != o.x, "residual must not be x");
}

void require(const LmHead& o) {
    const int64_t vocabulary = o.weight->rows;
    HYDRA_REQUIRE(o.top != nullptr || o.logits != nullptr, "top and logits are null, one must be there");
    HYDRA_REQUIRE(o.x != o.logits, "logits must not be x");
    require_none_or_positive(o.scale, "scale");
    require_none_or_positive(o.cap, "cap");
    if (o.top) {
        require_top_rows(o.top, o.selected_rows_only ? last_rows(o.rows) : o.rows->max_rows, "top");
        require_k(o.top, vocabulary);
    }
    if (!o.ids) return;
    require_elements<int32_t>(o.ids, 1, vocabulary, "ids");
    require_ids(*o.ids, vocabulary);
}

void require(const Block& o) {
    if (o.skip) {
        HYDRA_REQUIRE(o.x != o.out, "out must not be x where skip is given");
    } else {
        HYDRA_REQUIRE(o.linear->columns == o.linear->rows, "linear is [%lld][%lld], must be square without skip",
                      wide(o.linear->rows), wide(o.linear->columns));
        HYDRA_REQUIRE(o.skip_bias == nullptr, "skip_bias without skip");
        HYDRA_REQUIRE(o.x != o.out || o.group == 0, "group is %d, must be 0 where out is x", o.group);
    }
    HYDRA_REQUIRE(o.group >= 0 && o.group < HYDRA_MAX_NODES, "group is %d, must be from 0 to %d", o.group,
                  HYDRA_MAX_NODES - 1);
}

void require(const Expand& o) {
    require_same_batch(o.tree, o.rows);
    if (o.prompts == nullptr) return;
    HYDRA_REQUIRE(o.prompts != o.rows, "prompts must not be rows");
    HYDRA_REQUIRE(o.prompts->batch == o.rows->batch, "prompts belong to another batch than rows");
}

void require(const DraftStates& o) {
    HYDRA_REQUIRE(o.x != o.states, "states must not be x");
    require_width(o.width);
    if (o.norm) require_epsilon(o.epsilon);
}

void require(const DraftInputs& o) {
    require_same_batch(o.tree, o.nodes);
    require_level(o.level, HYDRA_MAX_NODES - 1);
    require_level_rows(o.level_rows, o.nodes);
    HYDRA_REQUIRE(o.states != o.out, "out must not be states");
    require_width(o.width);
    if (o.embedding) require_shape(o.embedding, o.embedding->rows, o.width, "embedding");
}

void require(const TableBlock& o) {
    require_same_batch(o.tree, o.nodes);
    require_level(o.level, HYDRA_MAX_NODES - 1);
    require_level_rows(o.level_rows, o.nodes);
    HYDRA_REQUIRE(o.out != o.parts && o.out != o.tables, "out must be neither parts nor tables");
    HYDRA_REQUIRE(o.n >= 16 && o.n <= MAX_EXTENT && o.n % 16 == 0,
                  "n is %lld, must be a multiple of 16 from 16 to 2^24", wide(o.n));
    // With n and level, tables of fewer than 2^62 bytes: 6 bits, 31 and 24.
    HYDRA_REQUIRE(o.vocabulary >= 1 && o.vocabulary <= INT32_MAX, "vocabulary is %lld, must be from 1 to 2^31 - 1",
                  wide(o.vocabulary));
    HYDRA_REQUIRE(o.first >= 0 && o.width <= INT32_MAX && o.first + 2 * o.n <= o.width,
                  "columns %lld to %lld are not all in a width of %lld", wide(o.first), wide(o.first + 2 * o.n - 1),
                  wide(o.width));
}

void require(const DraftLevels& o) {
    require_same_batch(o.tree, o.nodes);
    HYDRA_REQUIRE(o.rows != o.nodes, "rows must not be nodes");
    HYDRA_REQUIRE(o.rows->batch == o.nodes->batch, "rows belong to another batch");
}

void require(const Grow& o) {
    require_same_batch(o.tree, o.rows);
    require_level(o.level, HYDRA_MAX_NODES - 2);
    HYDRA_REQUIRE(o.group >= -1 && o.group < HYDRA_MAX_NODES, "group is %d, must be from -1 to %d", o.group,
                  HYDRA_MAX_NODES - 1);
    if (o.prompts == nullptr) return;
    HYDRA_REQUIRE(o.prompts != o.rows, "prompts must not be rows");
    HYDRA_REQUIRE(o.prompts->batch == o.rows->batch, "prompts belong to another batch than rows");
}

void require(const DraftTokens& o) {
    require_same_batch(o.tree, o.nodes);
    require_level(o.level, HYDRA_MAX_NODES - 2);
    HYDRA_REQUIRE(o.group >= -1 && o.group < HYDRA_MAX_NODES, "group is %d, must be from -1 to %d", o.group,
                  HYDRA_MAX_NODES - 1);
}

void require(const Rank& o) {
    HYDRA_REQUIRE(o.columns >= 1 && o.columns <= MAX_EXTENT, "columns is %lld, must be from 1 to %lld", wide(o.columns),
                  wide(MAX_EXTENT));
    require_top_rows(o.top, o.rows->max_rows, "top");
    require_k(o.top, o.columns);
    if (o.sampling) {
        require_same_batch(o.sampling, o.rows);
        HYDRA_REQUIRE(o.ids != nullptr || o.columns <= o.sampling->vocabulary,
                      "columns is %lld, the sampling has %d tokens", wide(o.columns), o.sampling->vocabulary);
    }
    if (!o.ids) return;
    require_elements<int32_t>(o.ids, 1, o.columns, "ids");
    require_ids(*o.ids, o.columns, o.sampling ? o.sampling->vocabulary : INT32_MAX);
}

void require(const PrepareSelection& o) { require_same_batch(o.sampling, o.rows); }

void require(const Select& o) {
    if (o.logits == nullptr) {
        HYDRA_REQUIRE(o.sampling == nullptr, "logits is null, must be there where sampling is");
        HYDRA_REQUIRE(o.log_probabilities == nullptr, "logits is null, must be there where log_probabilities are");
        return;
    }
    HYDRA_REQUIRE(o.vocabulary >= 1 && o.vocabulary <= MAX_EXTENT, "vocabulary is %lld, must be from 1 to %lld",
                  wide(o.vocabulary), wide(MAX_EXTENT));
    require_different({{"logits", o.logits}, {"selection", o.selection}, {"log_probabilities", o.log_probabilities}});
    if (o.sampling == nullptr) return;
    require_same_batch(o.sampling, o.rows);
    HYDRA_REQUIRE(o.vocabulary == o.sampling->vocabulary, "vocabulary is %lld, the sampling has %d tokens",
                  wide(o.vocabulary), o.sampling->vocabulary);
}

void require(const Judge& o) { require_same_batch(o.tree, o.rows); }

// Refuses what no probability is that something can be above.
void require_share(float value, const char* name) {
    HYDRA_REQUIRE(value > 0 && value <= 1, "%s is %g, must be above 0 and at most 1", name, static_cast<double>(value));
}

void require(const JudgeTypical& o) {
    require_same_batch(o.tree, o.rows);
    HYDRA_REQUIRE(o.logit_rows >= 1 && o.logit_rows <= HYDRA_MAX_ROWS, "logit_rows is %d, must be from 1 to %d",
                  o.logit_rows, HYDRA_MAX_ROWS);
    HYDRA_REQUIRE(o.vocabulary >= 1 && o.vocabulary <= INT32_MAX, "vocabulary is %lld, must be from 1 to 2^31 - 1",
                  wide(o.vocabulary));
    HYDRA_REQUIRE(o.temperature > 0 && std::isfinite(o.temperature), "temperature is %g, must be positive and finite",
                  static_cast<double>(o.temperature));
    require_share(o.epsilon, "epsilon");
    require_share(o.alpha, "alpha");
}

void require(const Commit& o) {
    require_uncommitted(o.rows, o.hidden, o.width, o.uncommitted_rows, o.uncommitted);
    HYDRA_REQUIRE((o.tree == nullptr) == (o.pool == nullptr), "tree and pool are for trees, both or neither");
    if (o.tree) require_same_batch(o.tree, o.rows);
    HYDRA_REQUIRE(
        o.tree != nullptr || o.uncommitted_rows == nullptr || o.uncommitted_rows->max_rows >= o.rows->max_rows,
        "uncommitted_rows have room for %d rows, must have it for %d", o.uncommitted_rows->max_rows, o.rows->max_rows);
    if (o.sampling) require_same_batch(o.sampling, o.rows);
    HYDRA_REQUIRE(o.append == 0 || o.rows->batch->sequences == 1, "append is for a batch of one sequence, not of %d",
                  o.rows->batch->sequences);
}

// What recorded operations ask of rows that are set later.

void limit(const Embed& o) { o.rows->limit_tokens(o.embedding->rows); }

void limit(const Expand& o) {
    if (o.prompts) o.rows->prompt_rows = std::max(o.rows->prompt_rows, o.prompts->max_rows);
}

void limit(const AppendKv& o) { o.rows->limit_positions(o.rope->positions); }

void limit(const DraftInputs& o) {
    if (o.embedding) o.nodes->limit_tokens(o.embedding->rows);
}

// What a row does not list nobody checks or passes on: it has every field of its struct, in the struct's order.

struct AnyValue {
    template <class Field>
    operator Field() const;
};

template <class Arguments, class... Values>
constexpr bool takes = requires {
    Arguments{Values()...};
};

template <class Arguments, size_t... place>
constexpr bool has_fields(std::index_sequence<place...>) {
    return takes<Arguments, decltype(place, AnyValue())...> &&
           !takes<Arguments, decltype(place, AnyValue())..., AnyValue>;
}

template <class Arguments, size_t count>
constexpr bool lists_all_fields(const std::array<size_t, count>& offsets) {
    return std::ranges::adjacent_find(offsets, std::ranges::greater_equal()) == offsets.end() &&
           has_fields<Arguments>(std::make_index_sequence<count>());
}

#define OPERATION(name, Name, FIELDS)            \
    static_assert(lists_all_fields<Name>([] {    \
                      using Arguments = Name;    \
                      return std::array{FIELDS}; \
                  }()),                          \
                  #name " in operations.def does not list the fields of hydra_" #name);
#define FIELD(field) offsetof(Arguments, field),
#include "program/operations.def"

// Refuses null where a handle must be there, and handles of another backend, which may have another memory.
template <class O>
void require_handles(const hydra_program& program, const O& operation) {
    each_field(operation, [](const auto& value, const char* name, bool optional) {
        if constexpr (std::is_pointer_v<std::decay_t<decltype(value)>>) {
            HYDRA_REQUIRE(optional || value != nullptr, "%s is null", name);
        }
    });
    each_field(operation, [&](const auto& value, const char* name, bool) {
        if constexpr (std::is_pointer_v<std::decay_t<decltype(value)>>) {
            HYDRA_REQUIRE(value == nullptr || value->backend == program.backend,
                          "%s belongs to another backend than the program", name);
        }
    });
}

#define OPERATION(name, Name, FIELDS) \
    void require_shapes([[maybe_unused]] const Name& o) { FIELDS }
#define FIELD(field)
#define BUFFER(field, element, rows, columns) require_elements<element>(o.field, rows, columns, #field);
#define OPTIONAL_BUFFER(field, element, rows, columns) \
    if (o.field != nullptr) require_elements<element>(o.field, rows, columns, #field);
#define MATRIX(field, rows, columns) require_shape(o.field, rows, columns, #field);
#define OPTIONAL_MATRIX(field, rows, columns) \
    if (o.field != nullptr) require_shape(o.field, rows, columns, #field);
#include "program/operations.def"

template <class O>
hydra_status record(const char* function, hydra_program* program, const O* arguments) {
    return guarded(function, [&] {
        HYDRA_REQUIRE(program != nullptr && arguments != nullptr, "program or arguments is null");
        require_handles(*program, *arguments);
        if constexpr (requires { require(*arguments); }) require(*arguments);
        require_shapes(*arguments);
        // First, as it may refuse, too.
        if constexpr (requires { limit(*arguments); }) limit(*arguments);
        program->record(*arguments);
    });
}

// What a run refuses of the state that an operation finds.

void check(const Embed& o) {
    for (int r = 0; o.rows->set_by_host && r < o.rows->active(); ++r) {
        const int32_t token = o.rows->view.tokens[r];
        HYDRA_REQUIRE(token >= 0 && token < o.embedding->rows, "token %d of row %d is outside the vocabulary of %lld",
                      token, r, wide(o.embedding->rows));
    }
}

void check(const AppendKv& o) { o.rope->cover(o.rows->batch->reach()); }

void check(const Expand& o) {
    const hydra_rows& rows = *o.rows;
    HYDRA_REQUIRE(o.prompts == nullptr || o.prompts->set_by_host,
                  "a program has changed the prompts since they were set: set their chains again");
    if (o.prompts != nullptr) o.prompts->require_current(false);
    const int32_t chains = o.prompts != nullptr ? o.prompts->view.active_segments() : 0;
    for (int32_t c = 0; c < chains; ++c) rows.require_room(o.prompts->view.segments[c]);
    for (int32_t r = 0; chains > 0 && r < o.prompts->active(); ++r) {
        const int32_t token = o.prompts->view.tokens[r];
        HYDRA_REQUIRE(token >= 0 && token < rows.token_limit,
                      "token %d of row %d of the prompts is outside the vocabulary of %lld", token, r,
                      wide(rows.token_limit));
    }
    const ExpandedNodes expanded(*o.tree, o.prompts, rows);
    for (int32_t s = 0; s < rows.batch->sequences; ++s) {
        const int32_t root = rows.batch->states[s].result.root;
        HYDRA_REQUIRE(expanded.of(s) == 0 || root < rows.token_limit,
                      "the root token %d of sequence %d is outside the vocabulary of %lld", root, s,
                      wide(rows.token_limit));
    }
    const int64_t needed = expanded.rows();
    HYDRA_REQUIRE(needed > 0, "no sequence has a root token, and room for it, or a prompt");
    rows.require_rows(needed);
}

// Rows of a level's candidates.
int64_t candidate_rows(const hydra_tree& tree, int32_t level, int32_t group) {
    return group < 0 ? tree.level_rows(level) : (group + 1) * tree.drafted();
}

void check(const DraftInputs& o) {
    o.level_rows->require_rows(o.embedding != nullptr ? o.tree->level_rows(o.level) : o.tree->drafted());
}

void check(const TableBlock& o) { o.level_rows->require_rows(o.tree->level_rows(o.level)); }

void check(const DraftLevels& o) {
    o.rows->require_rows(o.tree->drafted() * o.tree->largest([&](int32_t s) { return o.tree->most_levels(s); }));
}

void check(const DraftTokens& o) {
    const int32_t needed = o.tree->largest([&](int32_t s) { return o.tree->data[s].candidates[o.level]; });
    HYDRA_REQUIRE(needed <= o.top->k, "depth %d of a tree needs %d candidates, the draft keeps %d", o.level + 1, needed,
                  o.top->k);
    const int64_t rows = candidate_rows(*o.tree, o.level, o.group);
    if (needed > 0) require_top_rows(o.top, rows, "top");
}

void check(const Grow& o) {
    if (o.top != nullptr) require_top_rows(o.top, candidate_rows(*o.tree, o.level, o.group), "top");
}

void check(const Commit& o) {
    if (o.uncommitted_rows == nullptr) return;
    require_reach(*o.rows, o.uncommitted_rows);
    if (o.tree == nullptr) return;
    const int64_t paths = o.tree->sum([&](int32_t s) { return o.tree->most_depth(s) + 1; });
    o.uncommitted_rows->require_rows(std::min<int64_t>(o.rows->max_rows, paths + o.rows->prompt_rows));
}

}  // namespace

void check_state(const Operation& operation) {
    std::visit(
        [](const auto& one) {
            if constexpr (requires { check(one); }) check(one);
        },
        operation);
}

}  // namespace hydra

#define OPERATION(name, Name, FIELDS)                                                          \
    hydra_status hydra_program_##name(hydra_program* program, const hydra_##name* arguments) { \
        return hydra::record("hydra_program_" #name, program, arguments);                      \
    }
#include "program/operations.def"
