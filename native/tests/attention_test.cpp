#include "kv.h"
#include "trees.h"

namespace hydra::test {
namespace {

struct Case {
    int heads, kv_heads, head_size, prefix;
    Shape shape;
    float scale = 0, cap = 0;
    int window = 0;
};

// Queries, keys and values of all nodes and of the prefix, the same for every backend.
struct Data {
    Case made;
    Floats queries;          // [nodes][heads * head_size]
    std::vector<Floats> kv;  // by slot, as KvSlot::all

    Data(const Case& c, uint32_t seed) : made(c) {
        Random random(seed);
        queries = random.normal(int64_t{c.shape.nodes()} * c.heads * c.head_size, 2.0f);
        for (int slot = 0; slot < c.prefix + c.shape.nodes(); ++slot) {
            kv.push_back(random.normal(2 * c.kv_heads * c.head_size));
        }
    }

    int width() const { return made.heads * made.head_size; }
    Floats keys(int head, int slot) const { return row_of(kv[slot], 2 * head, made.head_size); }
    Floats values(int head, int slot) const { return row_of(kv[slot], 2 * head + 1, made.head_size); }

    // The slots that a node sees.
    std::vector<int> seen_by(int node) const {
        std::vector<int> slots;
        for (int slot = 0; slot < made.prefix; ++slot) slots.push_back(slot);
        for (int32_t ancestor : made.shape.path(node)) slots.push_back(made.prefix + ancestor);
        return slots;
    }
};

// Attention of the tree's nodes in one pass; everything that no node may see is NaN.
Floats run_tree(hydra_backend* backend, const Data& data) {
    const Case& c = data.made;
    const int nodes = c.shape.nodes();
    Pass pass(backend, c.prefix);
    const Pool kv = pool(backend, 1, c.kv_heads, c.head_size, PAGES);
    const KvSlot slots{kv, pass.batch};
    const Tree expanded = tree(pass.batch, c.shape);
    expand(pass, expanded, {});
    for (int slot = 0; slot < PAGES * HYDRA_PAGE_POSITIONS; ++slot) {
        slots.fill(slot, slot < c.prefix + nodes ? data.kv[slot] : Floats(slots.width(), NAN));
    }
    const Buffer query = padded_rows(backend, data.queries, data.width()), out = poisoned(backend, data.width());
    must(record(pass.program, hydra_attention{pass.rows, query, c.heads, kv, 0, out, c.scale, c.cap, c.window}));
    pass.run();
    EXPECT_TRUE(untouched_behind(out, nodes * data.width()));
    return contents(out, nodes * data.width());
}

// Attention of the last node of a path as the next token after its ancestors, each of which is verified.
Floats run_path_end(hydra_backend* backend, const Data& data, int node) {
    const std::vector<int> seen = data.seen_by(node);
    Data alone(data.made, 0);
    alone.made.prefix = static_cast<int>(seen.size()) - 1;
    alone.made.shape = Shape{};
    alone.queries = row_of(data.queries, node, data.width());
    alone.kv.clear();
    for (int slot : seen) alone.kv.push_back(data.kv[slot]);
    return run_tree(backend, alone);
}

Doubles reference(const Data& data) {
    Doubles out;
    for (int node = 0; node < data.made.shape.nodes(); ++node) {
        for (int head = 0; head < data.made.heads; ++head) {
            const int kv_head = head / (data.made.heads / data.made.kv_heads);
            std::vector<Floats> keys, values;
            std::vector<int> seen = data.seen_by(node);
            if (data.made.window > 0 && static_cast<int>(seen.size()) > data.made.window) {
                seen.erase(seen.begin(), seen.end() - data.made.window);
            }
            for (int slot : seen) {
                keys.push_back(data.keys(kv_head, slot));
                values.push_back(data.values(kv_head, slot));
            }
            const Floats query = row_of(data.queries, int64_t{node} * data.made.heads + head, data.made.head_size);
            append(out, attention(query, keys, values, data.made.scale, data.made.cap));
        }
    }
    return out;
}

std::vector<Case> cases() {
    Random random(7);
    const int heads[][2] = {{1, 1}, {3, 1}, {4, 2}, {9, 3}, {3, 3}};
    const int sizes[] = {8, 16, 24, 64, 128}, prefixes[] = {0, 1, 15, 16, 31, 32, 33, 200},
              rows[] = {1, 2, 3, 5, 8, 17, 64};
    std::vector<Case> all;
    // Every prefix with every head size; heads and numbers of rows go round at another pace.
    for (int i = 0; i < 40; ++i) {
        const int* pair = heads[(i + i / 5) % 5];
        all.push_back(
            {pair[0], pair[1], sizes[i % 5], prefixes[i % 8], random_shape(random, rows[(i * 2 + i / 5) % 7])});
    }
    return all;
}

// With windows shorter than a block of keys, than a tree, than a page and longer than all, with scales and with caps.
std::vector<Case> cases_of_families() {
    Random random(8);
    const int sizes[] = {8, 64, 128, 256}, prefixes[] = {0, 1, 31, 40, 200}, rows[] = {1, 3, 17, 64},
              windows[] = {1, 7, 24, 33, 70, 1000};
    std::vector<Case> all;
    for (int i = 0; i < 24; ++i) {
        Case c{4, i % 2 + 1, sizes[i % 4], prefixes[i % 5], random_shape(random, rows[(i + i / 4) % 4])};
        c.window = i % 4 == 3 ? 0 : windows[i % 6];
        c.scale = i % 3 == 0 ? 0 : 0.3f;
        c.cap = i % 2 == 0 ? 0 : 2.5f;
        all.push_back(c);
    }
    return all;
}

testing::Message describe(const Case& c) {
    return testing::Message() << c.heads << "/" << c.kv_heads << " heads of " << c.head_size << ", prefix " << c.prefix
                              << ", " << c.shape.nodes() << " nodes, scale " << c.scale << ", cap " << c.cap
                              << ", window " << c.window;
}

TEST(Attention, MatchesTheReference) {
    uint32_t seed = 1;
    for (const Case& c : cases()) {
        SCOPED_TRACE(describe(c));
        const Data data(c, ++seed);
        const Backend backend = open_backend(static_cast<int>(seed % 3 + 1));
        EXPECT_LT(relative_error(run_tree(backend, data), reference(data)), 2e-6);
    }
}

TEST(Attention, MatchesTheReferenceWithWindowsScalesAndCaps) {
    uint32_t seed = 1;
    for (const Case& c : cases_of_families()) {
        SCOPED_TRACE(describe(c));
        const Data data(c, ++seed);
        const Backend backend = open_backend(static_cast<int>(seed % 3 + 1));
        EXPECT_LT(relative_error(run_tree(backend, data), reference(data)), 3e-6);
    }
}

TEST(Attention, SeesAPathOfATreeAsItSeesAChainWithWindowsScalesAndCaps) {
    uint32_t seed = 1;
    const Backend backend = open_backend(2);
    for (const Case& c : cases_of_families()) {
        SCOPED_TRACE(describe(c));
        const Data data(c, ++seed);
        const Floats together = run_tree(backend, data);
        const int nodes = c.shape.nodes();
        for (int node : {0, nodes / 2, nodes - 1}) {
            EXPECT_TRUE(same_bits(run_path_end(backend, data, node), row_of(together, node, data.width()))) << node;
        }
        if (seed % 2 == 0) expect_same_bits_everywhere([&](hydra_backend* other) { return run_tree(other, data); });
    }
}

TEST(Attention, GivesTheBitsOfNoWindowWhereTheWindowReachesFarEnough) {
    Random random(5);
    Data data({4, 2, 64, 90, random_shape(random, 17)}, 3);
    const Backend backend = open_backend(2);
    const Floats whole = run_tree(backend, data);
    data.made.window = 200;
    EXPECT_TRUE(same_bits(run_tree(backend, data), whole));
}

TEST(Attention, StaysExactWhereScoresAreFarApart) {
    Random random(3);
    Data data({3, 1, 64, 33, random_shape(random, 17)}, 5);
    for (float& query : data.queries) query *= 40;
    EXPECT_LT(relative_error(run_tree(open_backend(), data), reference(data)), 1e-4);
}

TEST(Attention, GivesTheSameBitsEverywhere) {
    uint32_t seed = 1;
    for (const Case& c : cases()) {
        SCOPED_TRACE(describe(c));
        const Data data(c, ++seed);
        if (seed % 3 == 0) expect_same_bits_everywhere([&](hydra_backend* backend) { return run_tree(backend, data); });
    }
}

TEST(Attention, SeesAPathOfATreeAsItSeesAChain) {
    uint32_t seed = 1;
    const Backend backend = open_backend(2);
    for (const Case& c : cases()) {
        SCOPED_TRACE(describe(c));
        const Data data(c, ++seed);
        const Floats together = run_tree(backend, data);
        const int nodes = c.shape.nodes();
        for (int node : {0, 1, nodes / 2, nodes - 1}) {
            if (node >= nodes) continue;
            EXPECT_TRUE(same_bits(run_path_end(backend, data, node), row_of(together, node, data.width()))) << node;
        }
    }
}

TEST(Attention, RefusesWhatDoesNotFit) {
    const Backend backend = open_backend();
    const Pass pass(backend);
    const Pool kv = pool(backend, 2, 3, 16, PAGES);
    const Buffer query = poisoned(backend, 96), out = poisoned(backend, 96), small = poisoned(backend, 95);
    const auto attempt = [&](const Buffer& in, int heads, int layer, const Buffer& target) {
        return record(pass.program, hydra_attention{pass.rows, in, heads, kv, layer, target, 0, 0, 0});
    };
    EXPECT_EQ(attempt(query, 6, 1, out), HYDRA_OK);
    const auto with = [&](float scale, float cap, int window) {
        return record(pass.program, hydra_attention{pass.rows, query, 6, kv, 0, out, scale, cap, window});
    };
    expect_refused(with(-1, 0, 0), "scale is -1, must be positive and finite, or 0 for none");
    expect_refused(with(0, INFINITY, 0), "cap is inf");
    expect_refused(with(0, NAN, 0), "cap is");
    expect_refused(with(0, 0, -1), "window is -1");
    expect_refused(attempt(query, 4, 0, out), "heads is 4, must be a multiple of 3");
    expect_refused(attempt(query, 0, 0, out), "heads is 0");
    expect_refused(attempt(query, 6, 2, out), "layer is 2, must be from 0 to 1");
    expect_refused(attempt(query, 6, -1, out), "layer is -1");
    expect_refused(attempt(small, 6, 0, out), "query has 24320 bytes");
    expect_refused(attempt(query, 6, 0, small), "out has 24320 bytes");
    expect_refused(attempt(query, 6, 0, {}), "out is null");
}

}  // namespace
}  // namespace hydra::test
