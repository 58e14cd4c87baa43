#include "fixture.h"

namespace hydra::cuda::test {
namespace {

using hydra::test::attention;

struct Case {
    int heads, kv_heads, head_size, prefix;
    Shape shape;
    hydra_type type = HYDRA_F32;
    float scale = 0, cap = 0;
    int window = 0;
};

// Over an F16 cache these sizes are computed by the matrix instruction, with queries and weights as f16.
bool rounds_queries(const Case& c) {
    return c.type == HYDRA_F16 && (c.head_size == 64 || c.head_size == 96 || c.head_size == 128 || c.head_size == 256);
}

double tolerance(const Case& c) { return rounds_queries(c) ? 5e-4 : 2e-6; }

testing::Message describe(const Case& c) {
    return testing::Message() << c.heads << "/" << c.kv_heads << " heads of " << c.head_size << ", prefix " << c.prefix
                              << ", " << c.shape.nodes() << " nodes, type " << c.type;
}

// Queries and all slots' keys and values.
struct Data {
    Case made;
    Floats queries;
    std::vector<Floats> slots;  // [kv_heads][2][head_size] of each

    Data(const Case& c, Random& random) : made(c), queries(random.normal(c.shape.nodes() * c.heads * c.head_size)) {
        for (int i = 0; i < c.prefix + c.shape.nodes(); ++i) {
            slots.push_back(kept(c.type, random.normal(c.kv_heads * 2 * c.head_size)));
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

// In a pass that has room for so many rows.
Floats run_tree(const Data& data, int max_rows = HYDRA_MAX_NODES) {
    const Case& c = data.made;
    const int nodes = c.shape.nodes(), capacity = Pass::PAGES * HYDRA_PAGE_POSITIONS;
    Pass pass(std::make_shared<Batch>(std::vector<int>{c.prefix}, Pass::PAGES), max_rows);
    expand_shape(pass, c.shape);
    const Kv kv(c.type, 2, c.kv_heads, c.head_size);
    for (size_t i = 0; i < data.slots.size(); ++i) {
        // Only layer 1 is real.
        Floats both(data.slots[i].size(), NAN);
        append(both, data.slots[i]);
        kv.fill(pass, static_cast<int>(i), both);
    }
    const auto query = padded_rows(data.queries, data.width(), max_rows), out = poisoned(data.width(), max_rows);
    const Memory<uint8_t> work = attention_workspace(c.heads, c.head_size, capacity, max_rows);
    run(api().attention, Attention{pass.view(), query, c.heads, kv.view, 1, out, c.scale, c.cap, c.window, work});
    EXPECT_TRUE(untouched_behind(out, nodes * data.width()));
    EXPECT_EQ(work.read(WORKSPACE_ZEROS), std::vector<uint8_t>(WORKSPACE_ZEROS));
    return out.read(nodes * data.width());
}

// Attention of the last node of a path as the next token after its ancestors, each of which is verified, in a pass of
// one row.
Floats run_path_end(const Data& data, int node) {
    Data alone = data;
    const std::vector<int> seen = data.seen_by(node);
    alone.made.prefix = static_cast<int>(seen.size()) - 1;
    alone.made.shape = Shape{};
    alone.queries = row_of(data.queries, node, data.width());
    alone.slots.clear();
    for (int slot : seen) alone.slots.push_back(data.slots[slot]);
    return run_tree(alone, 1);
}

Doubles reference(const Data& data) {
    const Case& c = data.made;
    Doubles out;
    for (int node = 0; node < c.shape.nodes(); ++node) {
        for (int head = 0; head < c.heads; ++head) {
            const int kv_head = head / (c.heads / c.kv_heads);
            std::vector<Floats> keys, values;
            std::vector<int> seen = data.seen_by(node);
            if (c.window > 0 && static_cast<int>(seen.size()) > c.window)
                seen.erase(seen.begin(), seen.end() - c.window);
            for (int slot : seen) {
                keys.push_back(row_of(data.slots[slot], kv_head * 2, c.head_size));
                values.push_back(row_of(data.slots[slot], kv_head * 2 + 1, c.head_size));
            }
            const Floats query = row_of(data.queries, int64_t{node} * c.heads + head, c.head_size);
            append(out, attention(query, keys, values, c.scale, c.cap));
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
    // Of families with scales, caps and windows: within a tile, within the tail, over several splits.
    for (hydra_type type : {HYDRA_F32, HYDRA_F16}) {
        all.push_back({4, 2, 64, 700, random_shape(random, 17), type, 0.3f, 2.5f, 100});
        all.push_back({2, 1, 128, 250, random_shape(random, 64), type, 0, 0, 7});
        all.push_back({4, 1, 256, 70, random_shape(random, 5), type, 0.1f, 0, 33});
        all.push_back({4, 2, 96, 40, random_shape(random, 5), type, 0.2f, 3, 0});
        all.push_back({4, 2, 96, 300, random_shape(random, 8), type, 0.2f, 0, 0});
    }
    return all;
}

void expect_reference_and_chains(const Case& c, Random& random) {
    SCOPED_TRACE(describe(c));
    const Data data(c, random);
    const Floats together = run_tree(data);
    EXPECT_LT(relative_error(together, reference(data)), tolerance(c));
    const int nodes = c.shape.nodes();
    EXPECT_TRUE(same_bits(run_tree(data, nodes), together));
    for (int node : {nodes / 3, nodes - 1}) {
        EXPECT_TRUE(same_bits(run_path_end(data, node), row_of(together, node, data.width()))) << node;
    }
}

TEST(Attention, MatchesTheReferenceAndSeesAPathAsAChain) {
    Random random(1);
    for (const Case& c : cases(random)) expect_reference_and_chains(c, random);
}

TEST(Attention, OverHalvesMatchesTheReferenceAndSeesAPathAsAChain) {
    Random random(4);
    const int heads[][2] = {{1, 1}, {3, 1}, {8, 2}, {8, 1}, {12, 1}, {2, 2}};
    const int prefixes[] = {0, 1, 31, 32, 33, 100, 130, 255}, rows[] = {1, 3, 8, 17, 64};
    // Every prefix with every matrix instruction's head size; heads and numbers of rows go round at another pace.
    for (int i = 0; i < 24; ++i) {
        const int* pair = heads[(i + i / 6) % 6];
        const int size = i % 3 == 0 ? 64 : i % 3 == 1 ? 96 : 128;
        expect_reference_and_chains(
            {pair[0], pair[1], size, prefixes[i % 8], random_shape(random, rows[i % 5]), HYDRA_F16}, random);
    }
    // Blocks of all sizes; more vectors than a block has; contexts of many splits, among them those of many KV heads.
    const int others[][5] = {{8, 1, 64, 40, 40},   {8, 2, 64, 70, 10},  {16, 1, 64, 33, 64},  {2, 1, 64, 40, 60},
                             {1, 1, 64, 2600, 3},  {4, 1, 96, 2047, 7}, {16, 16, 64, 290, 2}, {4, 1, 128, 2200, 6},
                             {4, 1, 64, 2600, 40}, {8, 1, 96, 300, 64}, {5, 1, 256, 330, 2}};
    for (const int(&c)[5] : others) {
        expect_reference_and_chains({c[0], c[1], c[2], c[3], random_shape(random, c[4]), HYDRA_F16}, random);
    }
    // Sizes that the plain kernel computes.
    for (int size : {8, 24, 40, 72, 104, 136, 304}) {
        expect_reference_and_chains({4, 2, size, 45, random_shape(random, 9), HYDRA_F16}, random);
    }
}

// Windows that begin in a leaf, at its border, between splits and behind the prefix; caps; 256 columns.
TEST(Attention, OverHalvesTakesWindowsCapsAndWideHeads) {
    Random random(8);
    const struct {
        int heads, kv_heads, head_size, prefix, rows, window;
        float cap;
    } families[] = {{2, 1, 256, 300, 3, 0, 30},  {8, 4, 256, 200, 20, 130, 50}, {2, 1, 256, 70, 64, 33, 0},
                    {4, 1, 128, 640, 3, 320, 0}, {1, 1, 128, 641, 13, 320, 2},  {4, 4, 64, 2400, 2, 2100, 0},
                    {3, 1, 96, 515, 40, 256, 0}, {2, 2, 64, 2300, 20, 1000, 0}, {4, 1, 64, 90, 33, 7, 1}};
    for (const auto& c : families) {
        expect_reference_and_chains(
            {c.heads, c.kv_heads, c.head_size, c.prefix, random_shape(random, c.rows), HYDRA_F16, 0, c.cap, c.window},
            random);
    }
}

TEST(Attention, StaysExactWhereScoresAreFarApart) {
    Random random(2);
    for (hydra_type type : {HYDRA_F32, HYDRA_F16}) {
        Data data({3, 1, 64, 300, random_shape(random, 17), type}, random);
        for (float& query : data.queries) query *= 40;
        // Of queries rounded to f16 the scores, whose deviation is 40, are off by up to some 0.01.
        EXPECT_LT(relative_error(run_tree(data), reference(data)), type == HYDRA_F16 ? 5e-3 : 1e-4);
    }
}

TEST(Attention, TakesALongDeepChainAcrossSplits) {
    Random random(3);
    Shape chain;
    for (int i = 0; i < 63; ++i) chain.add(i, 0);
    for (hydra_type type : {HYDRA_F32, HYDRA_F16}) {
        for (int prefix : {100, 230, 500}) {
            const Data data({2, 1, type == HYDRA_F16 ? 64 : 32, prefix, chain, type}, random);
            const Floats together = run_tree(data);
            EXPECT_LT(relative_error(together, reference(data)), tolerance(data.made));
            for (int node : {10, 40, 63}) {
                EXPECT_TRUE(same_bits(run_path_end(data, node), row_of(together, node, data.width()))) << node;
            }
        }
    }
}

// A root and two chains below it, whose nodes come in turn, in either order.
TEST(Attention, DoesNotSeeInWhichSlotsAPathLies) {
    Random random(5);
    Shape shape;
    for (int i = 0; i < 40; ++i) shape.add(i < 2 ? 0 : i - 1, i < 2 ? i : 0);
    for (int head_size : {64, 96, 128}) {
        const Data data({4, 1, head_size, 45, shape, HYDRA_F16}, random);
        Data turned = data;
        // Node i's twin in the other chain.
        const auto twin = [](int node) { return node == 0 ? 0 : ((node - 1) ^ 1) + 1; };
        for (int node = 0; node < shape.nodes(); ++node) {
            turned.slots[data.made.prefix + twin(node)] = data.slots[data.made.prefix + node];
            std::copy_n(data.queries.begin() + node * data.width(), data.width(),
                        turned.queries.begin() + twin(node) * data.width());
        }
        const Floats expected = run_tree(data), found = run_tree(turned);
        for (int node = 0; node < shape.nodes(); ++node) {
            ASSERT_TRUE(same_bits(row_of(found, twin(node), data.width()), row_of(expected, node, data.width())))
                << node;
        }
    }
}

// A sequence of `slots` slots, whose rows from `prefix` on are a chain, and what passes of some of them find.
struct LongChain {
    Case made;
    Floats queries;
    std::vector<Floats> slots;
    std::shared_ptr<Batch> batch = std::make_shared<Batch>(std::vector<int>{0}, 20);
    Kv kv;

    LongChain(const Case& c, int rows, Random& random)
        : made(c), queries(random.normal(rows * c.heads * c.head_size)), kv(c.type, 1, c.kv_heads, c.head_size, 20) {
        const Pass any(batch);
        for (int i = 0; i < c.prefix + rows; ++i) {
            slots.push_back(kept(c.type, random.normal(c.kv_heads * 2 * c.head_size)));
            kv.fill(any, i, slots[i]);
        }
    }

    int64_t width() const { return int64_t{made.heads} * made.head_size; }

    Floats run_rows(int first, int count) const {
        batch->result(0).length = made.prefix + first;
        Pass pass(batch, count <= HYDRA_MAX_NODES ? HYDRA_MAX_NODES : count + 30);
        pass.chain(count);
        const auto query =
            padded_rows(Floats(queries.begin() + first * width(), queries.begin() + (first + count) * width()), width(),
                        pass.max_rows);
        const auto out = poisoned(width(), pass.max_rows);
        const int capacity = 20 * HYDRA_PAGE_POSITIONS;
        const Memory<uint8_t> work = attention_workspace(made.heads, made.head_size, capacity, pass.max_rows);
        run(api().attention, Attention{pass.view(), query, made.heads, kv.view, 0, out, 0, 0, 0, work});
        EXPECT_TRUE(untouched_behind(out, count * width()));
        return out.read(count * width());
    }
};

// Segments of other beginnings, of other waves, alone or many together: the same bits.
TEST(Attention, GivesALongChunkTheBitsOfItsRowsAlone) {
    Random random(6);
    const Case cases[] = {{2, 1, 32, 45, {}, HYDRA_F32}, {1, 1, 200, 3, {}, HYDRA_F32},
                          {2, 2, 24, 0, {}, HYDRA_F16},  {4, 1, 64, 100, {}, HYDRA_F16},
                          {2, 2, 96, 31, {}, HYDRA_F16}, {3, 1, 128, 64, {}, HYDRA_F16}};
    for (const Case& c : cases) {
        SCOPED_TRACE(describe(c));
        const int rows = c.head_size == 200 ? 130 : 340;
        const LongChain chain(c, rows, random);
        const Floats together = chain.run_rows(0, rows);
        for (int first = 0; first < rows; first += 50) {
            const int count = std::min(50, rows - first);
            const Floats expected(together.begin() + first * chain.width(),
                                  together.begin() + (first + count) * chain.width());
            EXPECT_TRUE(same_bits(chain.run_rows(first, count), expected)) << first;
        }
        const Floats both = chain.run_rows(20, 100);
        EXPECT_TRUE(same_bits(row_of(both, 79, chain.width()), row_of(together, 99, chain.width())));
        Doubles expected;
        for (int head = 0; head < c.heads; ++head) {
            const int kv_head = head / (c.heads / c.kv_heads);
            std::vector<Floats> keys, values;
            for (const Floats& slot : chain.slots) {
                keys.push_back(row_of(slot, kv_head * 2, c.head_size));
                values.push_back(row_of(slot, kv_head * 2 + 1, c.head_size));
            }
            append(expected, attention(row_of(chain.queries, (rows - 1) * c.heads + head, c.head_size), keys, values));
        }
        EXPECT_LT(relative_error(row_of(together, rows - 1, chain.width()), expected), tolerance(c));
        for (int row : {0, 64, rows - 1}) {
            EXPECT_TRUE(same_bits(chain.run_rows(row, 1), row_of(together, row, chain.width()))) << row;
        }
    }
}

// Trees of several sequences in one pass, in another order than the batch, over a wave's end.
TEST(Attention, GivesASequenceOfABatchTheBitsOfItAlone) {
    Random random(7);
    const Case cases[] = {{2, 1, 16, 0, {}, HYDRA_F32}, {3, 1, 64, 0, {}, HYDRA_F16}, {2, 2, 64, 0, {}, HYDRA_F16}};
    for (const Case& c : cases) {
        SCOPED_TRACE(describe(c));
        constexpr int SEQUENCES = 24, PAGES_EACH = 13;
        std::vector<Data> all;
        std::vector<int> lengths, order;
        int rows = 0;
        for (int s = 0; s < SEQUENCES; ++s) {
            Case own = c;
            own.prefix = s == 3 ? 300 : random.below(100);
            own.shape = random_shape(random, s == 10 ? 64 : 1 + random.below(s % 4 == 0 ? 40 : 9));
            all.emplace_back(own, random);
            lengths.push_back(own.prefix);
            order.push_back(s);
            rows += own.shape.nodes();
        }
        ASSERT_GT(rows, 200);
        random.shuffle(order);
        order.resize(SEQUENCES - 2);  // two have no rows
        const auto batch = std::make_shared<Batch>(lengths, PAGES_EACH);
        const Kv kv(c.type, 1, c.kv_heads, c.head_size, SEQUENCES * PAGES_EACH);
        Pass pass(batch, 320);
        ASSERT_LE(rows, pass.max_rows);
        const RowsView host = pass.on_host();
        Floats queries;
        for (int s : order) {
            const Data& data = all[s];
            const TreeData tree = data.made.shape.data();
            const int segment = host.state->segments;
            host.add(s, data.made.prefix, data.made.shape.nodes());
            for (int i = 0; i < data.made.shape.nodes(); ++i) {
                host.set_row(segment, i, data.made.prefix + tree.depths[i], tree.ancestors[i]);
            }
            for (size_t i = 0; i < data.slots.size(); ++i) kv.fill(pass, static_cast<int>(i), data.slots[i], s);
            append(queries, data.queries);
        }
        pass.upload();
        const int64_t width = all[0].width();
        const auto query = padded_rows(queries, width, pass.max_rows), out = poisoned(width, pass.max_rows);
        const int capacity = PAGES_EACH * HYDRA_PAGE_POSITIONS;
        const Memory<uint8_t> work = attention_workspace(c.heads, c.head_size, capacity, pass.max_rows);
        run(api().attention, Attention{pass.view(), query, c.heads, kv.view, 0, out, 0, 0, 0, work});
        EXPECT_TRUE(untouched_behind(out, pass.count() * width));
        const Floats together = out.read(pass.count() * width);
        for (int segment = 0; segment < host.state->segments; ++segment) {
            const int s = order[segment], row = pass.segments[segment].row, nodes = all[s].made.shape.nodes();
            const Floats own(together.begin() + row * width, together.begin() + (row + nodes) * width);
            EXPECT_TRUE(same_bits(own, run_tree(all[s]))) << s;
        }
    }
}

TEST(Attention, DoesNothingAfterARewind) {
    Pass pass(3);
    pass.chain(2);
    ++pass.batch->generation;
    pass.upload();
    const Kv kv(HYDRA_F32, 1, 1, 8);
    const auto query = poisoned(8), out = poisoned(8);
    const Memory<uint8_t> work = attention_workspace(1, 8, 64);
    run(api().attention, Attention{pass.view(), query, 1, kv.view, 0, out, 0, 0, 0, work});
    EXPECT_TRUE(untouched_behind(out, 0));
}

}  // namespace
}  // namespace hydra::cuda::test
