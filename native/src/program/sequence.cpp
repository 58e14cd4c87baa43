// Keys and values, batches, rows and trees: arguments, and the state that programs share.
#include "program/sequence.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "program/backend.h"
#include "program/error.h"

using hydra::guarded;

namespace hydra {

TreeData root_alone() {
    TreeData tree{};
    tree.nodes = 1;
    tree.grows = -1;
    tree.parents[0] = -1;
    tree.ancestors[0] = 1;
    tree.row_of[0] = -1;
    return tree;
}

namespace {

// A tree of these nodes; refuses what is none.
TreeData tree_of(const int32_t* parents, const int32_t* ranks, int32_t nodes) {
    HYDRA_REQUIRE(nodes >= 1 && nodes <= HYDRA_MAX_NODES, "nodes is %d, must be from 1 to %d", nodes, HYDRA_MAX_NODES);
    HYDRA_REQUIRE(parents[0] == -1 && ranks[0] == 0, "node 0 must be the root: parent -1, rank 0");
    TreeData tree = root_alone();
    tree.nodes = nodes;
    for (int32_t i = 1; i < nodes; ++i) {
        const int32_t parent = parents[i];
        HYDRA_REQUIRE(parent >= 0 && parent < i, "the parent of node %d is %d, must be from 0 to %d", i, parent, i - 1);
        HYDRA_REQUIRE(ranks[i] >= 0 && ranks[i] < HYDRA_MAX_TOP, "the rank of node %d is %d, must be from 0 to %d", i,
                      ranks[i], HYDRA_MAX_TOP - 1);
        for (int32_t j = 1; j < i; ++j) {
            HYDRA_REQUIRE(parents[j] != parent || ranks[j] != ranks[i], "nodes %d and %d have the same parent and rank",
                          j, i);
        }
        const int32_t depth = tree.depths[parent] + 1;
        HYDRA_REQUIRE(depth >= tree.depths[i - 1], "node %d stands after a deeper one", i);
        tree.parents[i] = static_cast<int8_t>(parent);
        tree.ranks[i] = static_cast<int8_t>(ranks[i]);
        tree.depths[i] = static_cast<int8_t>(depth);
        tree.ancestors[i] = tree.ancestors[parent] | uint64_t{1} << i;
        tree.candidates[depth - 1] = std::max(tree.candidates[depth - 1], static_cast<int8_t>(ranks[i] + 1));
        tree.levels = depth;
        tree.row_of[i] = -1;
    }
    for (int32_t i = 1; i < nodes; ++i) tree.row_of[parents[i]] = 0;
    int8_t inner = 0;
    for (int32_t depth = 0, i = 0; depth <= HYDRA_MAX_NODES; ++depth) {
        tree.begins[depth] = inner;
        for (; i < nodes && tree.depths[i] == depth; ++i) {
            if (tree.row_of[i] < 0) continue;
            tree.row_of[i] = static_cast<int8_t>(inner - tree.begins[depth]);
            tree.inner[inner++] = static_cast<int8_t>(i);
        }
    }
    return tree;
}

}  // namespace

}  // namespace hydra

hydra_batch::hydra_batch(hydra_backend* owner, int32_t its_sequences, int32_t most_pages)
    : backend(owner),
      sequences(its_sequences),
      max_pages(most_pages),
      memory(owner->mirror(hydra::STATES_OFFSET + its_sequences * int64_t{sizeof(hydra::SequenceState)})),
      page_memory(owner->mirror(int64_t{its_sequences} * most_pages * 4)),
      generation(memory.at<int64_t>()),
      states(memory.at<hydra::SequenceState>(hydra::STATES_OFFSET)),
      telling(owner->mirror(hydra::TOLD_RUNS * its_sequences * int64_t{sizeof(hydra_step_result)})),
      pages(page_memory.at<int32_t>()),
      largest_page(static_cast<size_t>(its_sequences), -1) {
    for (int32_t s = 0; s < sequences; ++s) change(s).result.root = -1;
}

hydra::SequenceState& hydra_batch::change(int32_t sequence) {
    memory.change(states + sequence, 1);
    return states[sequence];
}

void hydra_batch::void_rows() {
    memory.change(generation, 1);
    ++*generation;
}

void hydra_batch::take_results(int64_t number) {
    const hydra_step_result* all = telling.at<hydra_step_result>() + number % hydra::TOLD_RUNS * sequences;
    for (int32_t s = 0; s < sequences; ++s) {
        const hydra_step_result& from = all[s];
        hydra_step_result& to = states[s].result;
        to.length = from.length;
        to.root = from.root;
        to.nodes = from.nodes;
        to.emitted = from.emitted;
        std::copy_n(from.tokens, from.emitted, to.tokens);
        std::copy_n(from.path, from.emitted, to.path);
    }
}

hydra_rows::hydra_rows(hydra_batch* owner, int32_t most_rows)
    : backend(owner->backend), batch(owner), max_rows(most_rows), memory{}, view{} {
    // A sequence has one chain or tree, of which only the last segment may have less than HYDRA_MAX_NODES rows.
    const int32_t segments = std::min(most_rows, owner->sequences + most_rows / HYDRA_MAX_NODES);
    int64_t bytes = 0;
    const auto place = [&](int64_t count, size_t size) {
        const int64_t at = bytes;
        bytes += (count * static_cast<int64_t>(size) + 7) / 8 * 8;
        return at;
    };
    const int64_t state = place(1, sizeof(hydra::RowsState)), all = place(segments, sizeof(hydra::Segment)),
                  last = place(owner->sequences, 4), tokens = place(most_rows, 4), positions = place(most_rows, 4),
                  segment_of = place(most_rows, 4), ancestors = place(most_rows, 8);
    memory = backend->mirror(bytes);
    view = {memory.at<hydra::RowsState>(state),
            memory.at<hydra::Segment>(all),
            memory.at<int32_t>(last),
            memory.at<int32_t>(tokens),
            memory.at<int32_t>(positions),
            memory.at<int32_t>(segment_of),
            memory.at<uint64_t>(ancestors),
            owner->generation,
            owner->states,
            owner->pages,
            owner->sequences,
            owner->max_pages,
            most_rows,
            most_rows};
    change().state->position_limit = INT32_MAX;
}

void hydra_rows::fetch() const {
    if (!stale || memory.changing) return;
    backend->copy_out(memory.host.get(), memory.device.get(), memory.bytes);
    stale = false;
}

const hydra::RowsView& hydra_rows::change() const {
    fetch();
    return overwrite();
}

const hydra::RowsView& hydra_rows::overwrite() const {
    memory.change();
    stale = false;
    return view;
}

hydra_status hydra_kv_pool_create(hydra_backend* backend, hydra_type type, int32_t layers, int32_t kv_heads,
                                  int32_t head_size, int32_t pages, hydra_kv_pool** out) {
    return guarded("hydra_kv_pool_create", [&] {
        HYDRA_REQUIRE(backend != nullptr && out != nullptr, "backend or out is null");
        HYDRA_REQUIRE(type == HYDRA_F32 || type == HYDRA_F16, "type is %d, must be F32 (%d) or F16 (%d)",
                      static_cast<int>(type), static_cast<int>(HYDRA_F32), static_cast<int>(HYDRA_F16));
        HYDRA_REQUIRE(layers >= 1 && layers <= 4096, "layers is %d, must be from 1 to 4096", layers);
        HYDRA_REQUIRE(kv_heads >= 1 && kv_heads <= 4096, "kv_heads is %d, must be from 1 to 4096", kv_heads);
        HYDRA_REQUIRE(head_size >= 8 && head_size <= 1024 && head_size % 8 == 0,
                      "head_size is %d, must be a multiple of 8 from 8 to 1024", head_size);
        HYDRA_REQUIRE(pages >= 1 && pages <= (1 << 24), "pages is %d, must be from 1 to 2^24", pages);
        *out = backend->kv_pool(type, layers, kv_heads, head_size, pages).release();
    });
}

void hydra_kv_pool_destroy(hydra_kv_pool* pool) { delete pool; }

int64_t hydra_kv_pool_page_bytes(const hydra_kv_pool* pool) { return pool == nullptr ? 0 : pool->page_bytes(); }

hydra_status hydra_kv_pool_release(hydra_kv_pool* pool, int32_t page) {
    return guarded("hydra_kv_pool_release", [&] {
        HYDRA_REQUIRE(pool != nullptr, "pool is null");
        HYDRA_REQUIRE(page >= 0 && page < pool->pages, "page is %d, must be from 0 to %d", page, pool->pages - 1);
        pool->release(page);
    });
}

hydra_status hydra_batch_create(hydra_backend* backend, int32_t sequences, int32_t max_pages, hydra_batch** out) {
    return guarded("hydra_batch_create", [&] {
        HYDRA_REQUIRE(backend != nullptr && out != nullptr, "backend or out is null");
        HYDRA_REQUIRE(sequences >= 1 && sequences <= HYDRA_MAX_SEQUENCES, "sequences is %d, must be from 1 to %d",
                      sequences, HYDRA_MAX_SEQUENCES);
        HYDRA_REQUIRE(max_pages >= 1 && max_pages <= (1 << 20), "max_pages is %d, must be from 1 to 2^20", max_pages);
        *out = std::make_unique<hydra_batch>(backend, sequences, max_pages).release();
    });
}

void hydra_batch_destroy(hydra_batch* batch) { delete batch; }

namespace {

void require_sequence(const hydra_batch* batch, int32_t sequence) {
    HYDRA_REQUIRE(sequence >= 0 && sequence < batch->sequences, "sequence is %d, must be from 0 to %d", sequence,
                  batch->sequences - 1);
}

}  // namespace

hydra_status hydra_batch_set_pages(hydra_batch* batch, int32_t sequence, const int32_t* pages, int32_t count) {
    return guarded("hydra_batch_set_pages", [&] {
        HYDRA_REQUIRE(batch != nullptr && pages != nullptr, "batch or pages is null");
        require_sequence(batch, sequence);
        HYDRA_REQUIRE(count >= 0 && count <= batch->max_pages, "count is %d, must be from 0 to %d", count,
                      batch->max_pages);
        int32_t largest = -1;
        for (int32_t i = 0; i < count; ++i) {
            HYDRA_REQUIRE(pages[i] >= 0, "page %d of the table is %d", i, pages[i]);
            largest = std::max(largest, pages[i]);
        }
        int32_t* table = batch->pages + int64_t{sequence} * batch->max_pages;
        const auto first = static_cast<int32_t>(std::mismatch(pages, pages + count, table).first - pages);
        batch->page_memory.change(table + first, count - first);
        hydra::SequenceState& state = batch->change(sequence);
        if (count < state.page_count) batch->void_rows();
        state.page_count = count;
        batch->largest_page[sequence] = largest;
        batch->most_pages = std::max(batch->most_pages, count);
        std::copy(pages + first, pages + count, table + first);
    });
}

hydra_status hydra_batch_rewind(hydra_batch* batch, int32_t sequence, int32_t length, int32_t root) {
    return guarded("hydra_batch_rewind", [&] {
        HYDRA_REQUIRE(batch != nullptr, "batch is null");
        require_sequence(batch, sequence);
        const int32_t present = batch->states[sequence].result.length;
        HYDRA_REQUIRE(length >= 0 && length <= present, "length is %d, must be from 0 to %d", length, present);
        HYDRA_REQUIRE(root >= -1, "root is %d, must be a token or -1", root);
        hydra_step_result& result = batch->change(sequence).result;
        result.length = length;
        result.root = root;
        result.emitted = 0;
        batch->void_rows();
    });
}

hydra_status hydra_batch_set_root(hydra_batch* batch, int32_t sequence, int32_t root) {
    return guarded("hydra_batch_set_root", [&] {
        HYDRA_REQUIRE(batch != nullptr, "batch is null");
        require_sequence(batch, sequence);
        HYDRA_REQUIRE(root >= -1, "root is %d, must be a token or -1", root);
        batch->change(sequence).result.root = root;
    });
}

const hydra_step_result* hydra_batch_result(const hydra_batch* batch, int32_t sequence) {
    return batch == nullptr || sequence < 0 || sequence >= batch->sequences ? nullptr : &batch->states[sequence].result;
}

hydra_status hydra_rows_create(hydra_batch* batch, int32_t max_rows, hydra_rows** out) {
    return guarded("hydra_rows_create", [&] {
        HYDRA_REQUIRE(batch != nullptr && out != nullptr, "batch or out is null");
        HYDRA_REQUIRE(max_rows >= 1 && max_rows <= HYDRA_MAX_ROWS, "max_rows is %d, must be from 1 to %d", max_rows,
                      HYDRA_MAX_ROWS);
        *out = std::make_unique<hydra_rows>(batch, max_rows).release();
    });
}

void hydra_rows_destroy(hydra_rows* rows) { delete rows; }

void hydra_rows::limit_positions(int32_t limit) const {
    if (limit < view.state->position_limit) change().state->position_limit = limit;
}

void hydra_rows::limit_tokens(int64_t limit) const { token_limit = std::min(token_limit, limit); }

void hydra_rows::require_current(bool or_committed) const {
    int32_t begin = 0;
    for (int32_t i = view.active_trees(); set_by_host && i < view.active_segments(); ++i) {
        const hydra::Segment& chain = view.segments[i];
        if (i == view.active_trees() || view.ends_sequence(i - 1)) begin = chain.first;
        if (!view.ends_sequence(i)) continue;
        const int32_t length = batch->states[chain.sequence].result.length;
        HYDRA_REQUIRE(begin == length || (or_committed && chain.first + chain.count == length),
                      "the chain of sequence %d was set after %d verified positions, now there are %d: set it again",
                      chain.sequence, begin, length);
    }
}

void hydra_rows::require_room(const hydra::Segment& chain) const {
    const auto end = static_cast<long long>(int64_t{chain.first} + chain.count);
    HYDRA_REQUIRE(view.has_pages(chain.sequence, chain.first, chain.count),
                  "the page table of sequence %d, %d pages, does not cover %lld positions", chain.sequence,
                  batch->states[chain.sequence].page_count, end);
    HYDRA_REQUIRE(view.has_positions(chain.first, chain.count - 1),
                  "position %lld is beyond the context of %d positions", end - 1, view.state->position_limit);
}

void hydra_rows::require_pages(const hydra_kv_pool& pool) const {
    for (int32_t s = 0; s < batch->sequences; ++s) {
        HYDRA_REQUIRE(batch->largest_page[s] < pool.pages, "the page table of sequence %d has page %d, the pool has %d",
                      s, batch->largest_page[s], pool.pages);
    }
    if (stale) return;
    for (int32_t i = view.active_trees(); i < view.active_segments(); ++i) require_room(view.segments[i]);
}

void hydra_rows::require_rows(int64_t all) const {
    HYDRA_REQUIRE(all <= max_rows, "%lld rows of %d sequences are more than the rows' max_rows of %d",
                  static_cast<long long>(all), batch->sequences, max_rows);
}

hydra_status hydra_rows_set_chains(hydra_rows* rows, const int32_t* sequences, const int32_t* counts, int32_t chains,
                                   const int32_t* tokens, const int32_t* sets_root) {
    return guarded("hydra_rows_set_chains", [&] {
        HYDRA_REQUIRE(
            rows != nullptr && (chains == 0 || (sequences != nullptr && counts != nullptr && tokens != nullptr)),
            "an argument is null");
        HYDRA_REQUIRE(chains >= 0 && chains <= rows->batch->sequences, "chains is %d, must be from 0 to %d", chains,
                      rows->batch->sequences);
        int64_t all = 0;
        std::vector<bool> taken(static_cast<size_t>(rows->batch->sequences));
        for (int32_t i = 0; i < chains; ++i) {
            require_sequence(rows->batch, sequences[i]);
            HYDRA_REQUIRE(!taken[sequences[i]], "sequence %d has two chains", sequences[i]);
            taken[sequences[i]] = true;
            HYDRA_REQUIRE(counts[i] >= 1, "count %d is %d, must be positive", i, counts[i]);
            all += counts[i];
        }
        HYDRA_REQUIRE(all <= rows->max_rows, "the chains have %lld tokens, the rows have room for %d",
                      static_cast<long long>(all), rows->max_rows);
        HYDRA_REQUIRE(!rows->batch->memory.changing, "a program that changes the batch is enqueued: await it first");
        const hydra::RowsView& view = rows->overwrite();
        view.set_count(0);
        for (int32_t i = 0; i < chains; ++i) {
            view.add(sequences[i], rows->batch->states[sequences[i]].result.length, counts[i],
                     sets_root == nullptr || sets_root[i] != 0);
        }
        for (int32_t s = 0; s < view.state->segments; ++s) {
            for (int32_t i = 0; i < view.segments[s].count; ++i) view.set_chain_row(s, i);
        }
        rows->set_by_host = true;
        if (chains > 0) std::copy_n(tokens, all, view.tokens);
    });
}

hydra_status hydra_rows_limit(hydra_rows* rows, int32_t limit) {
    return guarded("hydra_rows_limit", [&] {
        HYDRA_REQUIRE(rows != nullptr, "rows is null");
        HYDRA_REQUIRE(limit >= 1, "limit is %d, must be positive", limit);
        rows->limit_positions(limit);
    });
}

int32_t hydra_rows_count(const hydra_rows* rows) {
    const bool there = guarded("hydra_rows_count", [&] {
                           HYDRA_REQUIRE(rows != nullptr, "rows is null");
                           rows->fetch();
                       }) == HYDRA_OK;
    return there ? rows->active() : -1;
}

const int32_t* hydra_rows_tokens(const hydra_rows* rows) {
    return hydra_rows_count(rows) < 0 ? nullptr : rows->view.tokens;
}

hydra_tree::hydra_tree(hydra_batch* owner)
    : backend(owner->backend),
      batch(owner),
      memory(owner->backend->mirror(owner->sequences * int64_t{sizeof(hydra::TreeData)})),
      data(memory.at<hydra::TreeData>()),
      setting(owner->backend->mirror(hydra::ALIGNMENT + owner->sequences * int64_t{sizeof(hydra::Growth)})),
      budget(setting.at<int32_t>()),
      growth(setting.at<hydra::Growth>(hydra::ALIGNMENT)),
      growing(owner->backend->allocate(owner->sequences * int64_t{sizeof(hydra::Grown) + sizeof(hydra::Sprouts)})) {
    memory.change();
    std::fill_n(data, owner->sequences, hydra::root_alone());
    setting.change();
    *budget = HYDRA_MAX_SEQUENCES * HYDRA_MAX_NODES;
}

int32_t hydra_tree::most_levels(int32_t sequence) const {
    return growth[sequence].nodes > 0 ? growth[sequence].levels : data[sequence].levels;
}

int32_t hydra_tree::most_depth(int32_t sequence) const {
    const hydra::Growth& own = growth[sequence];
    return own.nodes > 0 ? std::min(own.nodes - 1, std::max(own.levels, own.guesses)) : data[sequence].levels;
}

int32_t hydra_tree::most_level_rows(int32_t sequence, int32_t level) const {
    const hydra::Growth& own = growth[sequence];
    if (own.nodes == 0) return data[sequence].level_rows(level);
    return level >= own.levels ? 0 : level == 0 ? 1 : std::min(own.width, own.nodes - 1);
}

int64_t hydra_tree::level_rows(int32_t level) const {
    return sum([&](int32_t s) { return most_level_rows(s, level); });
}

int64_t hydra_tree::drafted() const {
    return sum([&](int32_t s) { return most_levels(s) > 0; });
}

hydra_status hydra_tree_create(hydra_batch* batch, hydra_tree** out) {
    return guarded("hydra_tree_create", [&] {
        HYDRA_REQUIRE(batch != nullptr && out != nullptr, "batch or out is null");
        *out = std::make_unique<hydra_tree>(batch).release();
    });
}

void hydra_tree_destroy(hydra_tree* tree) { delete tree; }

namespace {

// Gives a sequence its tree, or all of them (-1). Where none grows, what is set for growing stays as it is.
void set(hydra_tree* tree, int32_t sequence, const hydra::TreeData& data, const hydra::Growth& growth) {
    const int32_t first = sequence == -1 ? 0 : sequence, count = sequence == -1 ? tree->batch->sequences : 1;
    const auto grows = [](const hydra::Growth& own) { return own.nodes > 0; };
    tree->memory.change(tree->data + first, count);
    if (grows(growth) || std::any_of(tree->growth + first, tree->growth + first + count, grows)) {
        tree->setting.change(tree->growth + first, count);
        std::fill_n(tree->growth + first, count, growth);
    }
    std::fill_n(tree->data + first, count, data);
}

}  // namespace

hydra_status hydra_tree_set(hydra_tree* tree, int32_t sequence, const int32_t* parents, const int32_t* ranks,
                            int32_t nodes) {
    return guarded("hydra_tree_set", [&] {
        HYDRA_REQUIRE(tree != nullptr && parents != nullptr && ranks != nullptr, "an argument is null");
        if (sequence != -1) require_sequence(tree->batch, sequence);
        const hydra::TreeData next = hydra::tree_of(parents, ranks, nodes);
        set(tree, sequence, next, hydra::Growth{});
    });
}

hydra_status hydra_tree_set_growth(hydra_tree* tree, int32_t sequence, int32_t nodes, float least, int32_t levels,
                                   int32_t width, const int32_t* chain, const float* chances, int32_t guesses) {
    return guarded("hydra_tree_set_growth", [&] {
        HYDRA_REQUIRE(tree != nullptr, "tree is null");
        if (sequence != -1) require_sequence(tree->batch, sequence);
        const auto require = [](int32_t value, const char* name, int32_t least, int32_t most) {
            HYDRA_REQUIRE(value >= least && value <= most, "%s is %d, must be from %d to %d", name, value, least, most);
        };
        require(nodes, "nodes", 1, HYDRA_MAX_NODES);
        HYDRA_REQUIRE(least >= 0 && least <= 1, "least is %g, must be from 0 to 1", static_cast<double>(least));
        require(levels, "levels", 0, HYDRA_MAX_NODES - 1);
        require(width, "width", 1, HYDRA_MAX_NODES);
        require(guesses, "guesses", 0, HYDRA_MAX_NODES - 1);
        HYDRA_REQUIRE(guesses == 0 || (chain != nullptr && chances != nullptr),
                      "there are %d guesses, but chain or chances is null", guesses);
        hydra::Growth next{nodes, std::log(least), levels, width, guesses, {}, {}};
        for (int32_t i = 0; i < guesses; ++i) {
            const float chance = chances[i];
            HYDRA_REQUIRE(chain[i] >= 0, "token %d of the chain is %d", i, chain[i]);
            HYDRA_REQUIRE(chance > 0 && chance < 1, "chance %d is %g, must be between 0 and 1", i,
                          static_cast<double>(chance));
            next.chain[i] = chain[i];
            next.chances[i] = chance;
        }
        set(tree, sequence, hydra::root_alone(), next);
    });
}

hydra_status hydra_tree_set_budget(hydra_tree* tree, int32_t nodes) {
    return guarded("hydra_tree_set_budget", [&] {
        HYDRA_REQUIRE(tree != nullptr, "tree is null");
        HYDRA_REQUIRE(nodes >= 0, "nodes is %d, must not be negative", nodes);
        tree->setting.change(tree->budget, 1);
        *tree->budget = nodes;
    });
}
