#include "fixture.h"

namespace hydra::cuda::test {
namespace {

using hydra::test::attention;

struct Case {
    int heads, kv_heads, head_size, prefix;
    Shape shape;
};

testing::Message describe(const Case& c) {
    return testing::Message() << c.heads << "/" << c.kv_heads << " heads of " << c.head_size << ", prefix " << c.prefix
                              << ", " << c.shape.nodes() << " nodes";
}

// Queries and all slots' keys and values.
struct Data {
    Case made;
    Floats queries;
    std::vector<Floats> slots;  // [kv_heads][2][head_size] of each

    Data(const Case& c, Random& random) : made(c), queries(random.normal(c.shape.nodes() * c.heads * c.head_size)) {
        for (int i = 0; i < c.prefix + c.shape.nodes(); ++i) {
            slots.push_back(random.normal(c.kv_heads * 2 * c.head_size));
        }
    }

    int64_t width() const { return int64_t{made.heads} * made.head_size; }

    std::vector<int> seen_by(int node) const {
        std::vector<int> seen;
        for (int i = 0; i < made.prefix; ++i) seen.push_back(i);
        for (int32_t ancestor : made.shape.path(node)) seen.push_back(made.prefix + ancestor);
        return seen;
    }
};

Floats run_tree(const Data& data) {
    const Case& c = data.made;
    const int nodes = c.shape.nodes(), capacity = Pass::PAGES * HYDRA_PAGE_POSITIONS;
    Pass pass(c.prefix);
    plant_shape(pass, c.shape);
    const Kv kv(2, c.kv_heads, c.head_size);
    for (size_t i = 0; i < data.slots.size(); ++i) {
        // Only layer 1 is real.
        Floats both(data.slots[i].size(), NAN);
        append(both, data.slots[i]);
        kv.fill(pass, static_cast<int>(i), both);
    }
    const auto query = padded_rows(data.queries, data.width()), out = poisoned(data.width());
    const Memory<uint8_t> work = workspace(16, 32, c.heads, c.head_size, capacity);
    run(api().attention, Attention{pass.view(), query, c.heads, kv.view, 1, capacity, out, work});
    EXPECT_TRUE(untouched_behind(out, nodes * data.width()));
    return out.read(nodes * data.width());
}

// Attention of the last node of a path as the next token behind its ancestors, each of which is verified.
Floats run_path_end(const Data& data, int node) {
    Data alone = data;
    const std::vector<int> seen = data.seen_by(node);
    alone.made.prefix = static_cast<int>(seen.size()) - 1;
    alone.made.shape = Shape{};
    alone.queries = row_of(data.queries, node, data.width());
    alone.slots.clear();
    for (int slot : seen) alone.slots.push_back(data.slots[slot]);
    return run_tree(alone);
}

Doubles reference(const Data& data) {
    const Case& c = data.made;
    Doubles out;
    for (int node = 0; node < c.shape.nodes(); ++node) {
        for (int head = 0; head < c.heads; ++head) {
            const int kv_head = head / (c.heads / c.kv_heads);
            std::vector<Floats> keys, values;
            for (int slot : data.seen_by(node)) {
                keys.push_back(row_of(data.slots[slot], kv_head * 2, c.head_size));
                values.push_back(row_of(data.slots[slot], kv_head * 2 + 1, c.head_size));
            }
            append(out, attention(row_of(data.queries, int64_t{node} * c.heads + head, c.head_size), keys, values));
        }
    }
    return out;
}

std::vector<Case> cases(Random& random) {
    const int heads[][2] = {{1, 1}, {3, 1}, {4, 2}, {6, 3}, {2, 2}};
    const int sizes[] = {8, 16, 24, 64, 96, 128}, prefixes[] = {0, 1, 31, 32, 33, 224, 250, 300, 700};
    const int rows[] = {1, 3, 8, 17, 64};
    std::vector<Case> all;
    // Every prefix with every head size; heads and numbers of rows go round at another pace.
    for (int i = 0; i < 54; ++i) {
        const int* pair = heads[(i + i / 5) % 5];
        const int prefix = prefixes[(i + i / 18) % 9];
        const int nodes = prefix > 299 ? rows[i % 4] : rows[(i * 2 + i / 5) % 5];
        all.push_back({pair[0], pair[1], sizes[i % 6], prefix, random_shape(random, nodes)});
    }
    all.push_back({6, 2, 64, 100, random_shape(random, 40)});
    all.push_back({2, 1, 200, 40, random_shape(random, 5)});
    all.push_back({2, 1, 32, 2600, random_shape(random, 5)});
    all.push_back({12, 1, 136, 31, random_shape(random, 7)});
    all.push_back({1, 1, 1024, 33, random_shape(random, 3)});
    return all;
}

TEST(Attention, MatchesTheReferenceAndSeesAPathAsAChain) {
    Random random(1);
    for (const Case& c : cases(random)) {
        SCOPED_TRACE(describe(c));
        const Data data(c, random);
        const Floats together = run_tree(data);
        EXPECT_LT(relative_error(together, reference(data)), 2e-6);
        const int nodes = c.shape.nodes();
        for (int node : {nodes / 2, nodes - 1}) {
            EXPECT_TRUE(same_bits(run_path_end(data, node), row_of(together, node, data.width()))) << node;
        }
    }
}

TEST(Attention, StaysExactWhereScoresAreFarApart) {
    Random random(2);
    Data data({3, 1, 64, 300, random_shape(random, 17)}, random);
    for (float& query : data.queries) query *= 40;
    EXPECT_LT(relative_error(run_tree(data), reference(data)), 1e-4);
}

TEST(Attention, TakesALongDeepChainAcrossSplits) {
    Random random(3);
    Shape chain;
    for (int i = 0; i < 63; ++i) chain.add(i, 0);
    for (int prefix : {100, 230, 500}) {
        const Data data({2, 1, 32, prefix, chain}, random);
        const Floats together = run_tree(data);
        EXPECT_LT(relative_error(together, reference(data)), 2e-6);
        for (int node : {10, 40, 63}) {
            EXPECT_TRUE(same_bits(run_path_end(data, node), row_of(together, node, data.width()))) << node;
        }
    }
}

TEST(Attention, DoesNothingAfterARewind) {
    Pass pass(3);
    pass.chain(2);
    ++pass.state.generation;
    pass.upload();
    const Kv kv(1, 1, 8);
    const auto query = poisoned(8), out = poisoned(8);
    const Memory<uint8_t> work = workspace(16, 32, 1, 8, 64);
    run(api().attention, Attention{pass.view(), query, 1, kv.view, 0, 64, out, work});
    EXPECT_TRUE(untouched_behind(out, 0));
}

}  // namespace
}  // namespace hydra::cuda::test
