#include "kv.h"
#include "program/half.h"
#include "team_sizes.h"
#include "trees.h"

namespace hydra::test {
namespace {

constexpr float EPSILON = 1e-5f;
constexpr int LAYER = 1;

struct Case {
    int heads, kv_heads, head_size;
    bool query_normed, key_normed;

    int queries() const { return heads * head_size; }
    int keys() const { return kv_heads * head_size; }
};

// Inputs of the rows of a pass: of each its queries, keys and values.
struct Inputs {
    Floats query, key, value;

    static Inputs random(const Case& shape, int rows, uint32_t seed) {
        Random random(seed);
        return {random.normal(int64_t{rows} * shape.queries()), random.normal(int64_t{rows} * shape.keys()),
                random.normal(int64_t{rows} * shape.keys())};
    }
    Inputs row(const Case& shape, int r) const {
        return {row_of(query, r, shape.queries()), row_of(key, r, shape.keys()), row_of(value, r, shape.keys())};
    }
};

struct Appending {
    Case shape;
    Rope rope;
    Pool pool;
    Floats norms[2];
    Buffer query_norm, key_norm;

    Appending(hydra_backend* backend, const Case& made, hydra_type type = HYDRA_F32)
        : shape(made),
          rope(test::rope(backend, made.head_size, 300)),
          pool(test::pool(backend, 2, made.kv_heads, made.head_size, PAGES, type)) {
        Random random(7);
        for (Floats& norm : norms) norm = random.normal(made.head_size);
        if (made.query_normed) query_norm = floats(backend, norms[0]);
        if (made.key_normed) key_norm = floats(backend, norms[1]);
    }

    hydra_append_kv arguments(const Pass& pass, const Buffer& query, const Buffer& key, const Buffer& value) const {
        return {pass.rows, query, key, value, shape.heads, query_norm, key_norm, EPSILON, rope, pool, LAYER};
    }

    // The queries that a chain at `first` ends up with; its keys and values are then in the pool.
    Floats run_chain(hydra_backend* backend, const Inputs& inputs, int first, int rows) const {
        Pass pass(backend, first);
        pass.chain_of(rows);
        return run(pass, inputs, rows);
    }

    Floats run(Pass& pass, const Inputs& inputs, int rows) const {
        const Buffer query = padded_rows(pass.backend, inputs.query, shape.queries());
        const Buffer key = padded_rows(pass.backend, inputs.key, shape.keys());
        const Buffer value = padded_rows(pass.backend, inputs.value, shape.keys());
        must(record(pass.program, arguments(pass, query, key, value)));
        pass.run();
        EXPECT_TRUE(untouched_behind(query, int64_t{rows} * shape.queries()));
        return contents(query, int64_t{rows} * shape.queries());
    }

    // Queries of a chain, then what the pool has of each row.
    Floats run_all(hydra_backend* backend, const Inputs& inputs, int first, int rows) const {
        Floats all = run_chain(backend, inputs, first, rows);
        const Pass same(backend, first);
        for (int r = 0; r < rows; ++r) append(all, KvSlot{pool, same.batch}.all(first + r));
        return all;
    }

    // A row's heads, normalised and turned.
    Doubles expected(const Floats& heads, const Floats* norm, int position) const {
        Doubles all;
        for (size_t begin = 0; begin < heads.size(); begin += shape.head_size) {
            const Doubles head(heads.begin() + begin, heads.begin() + begin + shape.head_size);
            append(all, norm != nullptr ? rms_norm(head, *norm, EPSILON) : head);
        }
        rotate(all, shape.head_size, rope_frequencies(shape.head_size), position);
        return all;
    }
};

// Poisons every slot, so that what is not written can be told.
void poison(const KvSlot& slots) {
    for (int slot = 0; slot < PAGES * HYDRA_PAGE_POSITIONS; ++slot) slots.fill(slot, Floats(slots.width(), NAN));
}

void expect_near_reference(hydra_backend* backend, const Case& shape, int first, int rows) {
    SCOPED_TRACE(testing::Message() << shape.heads << "/" << shape.kv_heads << " heads of " << shape.head_size << ", "
                                    << rows << " rows at " << first);
    Random random(rows);
    const Appending appending(backend, shape);
    Pass pass(backend, first);
    const Tree nodes = tree(pass.batch, random_shape(random, rows));
    expand(pass, nodes, {});
    const KvSlot slots{appending.pool, pass.batch};
    poison(slots);
    const Inputs inputs = Inputs::random(shape, rows, 5);
    const Floats found = appending.run(pass, inputs, rows);

    Doubles queries, keys;
    Floats kept_keys, kept_values;
    for (int r = 0; r < rows; ++r) {
        const Inputs row = inputs.row(shape, r);
        const int position = first + nodes->data->depths[r];
        append(queries, appending.expected(row.query, shape.query_normed ? &appending.norms[0] : nullptr, position));
        append(keys, appending.expected(row.key, shape.key_normed ? &appending.norms[1] : nullptr, position));
        for (int head = 0; head < shape.kv_heads; ++head) {
            append(kept_keys, slots.keys(LAYER, head, first + r));
            append(kept_values, slots.values(LAYER, head, first + r));
        }
    }
    EXPECT_LT(relative_error(found, queries), 1e-6);
    EXPECT_LT(relative_error(kept_keys, keys), 1e-6);
    EXPECT_TRUE(same_bits(kept_values, inputs.value));
    for (int slot = 0; slot < PAGES * HYDRA_PAGE_POSITIONS; ++slot) {
        const bool written = slot >= first && slot < first + rows;
        const Floats all = slots.all(slot);
        const auto nans = std::count_if(all.begin(), all.end(), [](float v) { return std::isnan(v); });
        ASSERT_EQ(nans, slots.width() / (written ? 2 : 1)) << "slot " << slot;
    }
}

TEST(AppendKv, MatchesTheReference) {
    for (int threads : team_sizes()) {
        const Backend backend = open_backend(threads);
        expect_near_reference(backend, {3, 1, 8, false, false}, 0, 5);
        expect_near_reference(backend, {4, 2, 24, true, true}, 15, 17);
        expect_near_reference(backend, {9, 3, 64, false, false}, 33, 1);
        expect_near_reference(backend, {1, 1, 128, true, false}, 200, 64);
        expect_near_reference(backend, {4, 2, 40, false, true}, 31, 2);
        expect_near_reference(backend, {2, 2, 256, true, true}, 1, 9);
        expect_near_reference(backend, {16, 2, 16, true, true}, 32, 64);
    }
}

TEST(AppendKv, GivesTheSameBitsEverywhere) {
    const Case shape{6, 3, 24, true, true};
    for (int rows : {1, 5, 17}) {
        const Inputs inputs = Inputs::random(shape, rows, 2);
        expect_same_bits_everywhere(
            [&](hydra_backend* backend) { return Appending(backend, shape).run_all(backend, inputs, 30, rows); });
    }
}

TEST(AppendKv, GivesTheSameBitsForOneRowAndForMany) {
    const Backend backend = open_backend(2);
    const Case shape{4, 2, 24, true, true};
    const Appending appending(backend, shape);
    const Inputs inputs = Inputs::random(shape, 64, 4);
    for (int rows : {2, 5, 17, 64}) {
        Inputs first = inputs;
        first.query.resize(size_t(rows) * shape.queries());
        first.key.resize(size_t(rows) * shape.keys());
        first.value.resize(size_t(rows) * shape.keys());
        const Floats together = appending.run_all(backend, first, 20, rows);
        Floats queries, kept;
        for (int r = 0; r < rows; ++r) {
            const Floats one = appending.run_all(backend, inputs.row(shape, r), 20 + r, 1);
            append(queries, Floats(one.begin(), one.begin() + shape.queries()));
            append(kept, Floats(one.begin() + shape.queries(), one.end()));
        }
        append(queries, kept);
        EXPECT_TRUE(same_bits(queries, together)) << rows;
    }
}

// A backend may run products and what follows them as one where there are no norms.
TEST(AppendKv, RightAfterItsProductsGivesTheSameBitsAsApart) {
    const Backend backend = open_backend(2);
    constexpr int HIDDEN = 72, ROWS_OF_PASS = 17, FIRST = 30;
    const Case shape{4, 2, 24, false, false};
    Random random(3);
    const auto weight = [&](int rows, hydra_type type) {
        return matrix(backend, type, rows, HIDDEN, random.normal(int64_t{rows} * HIDDEN, 0.1f));
    };
    const Matrix query = weight(shape.queries(), HYDRA_Q8_0), key = weight(shape.keys(), HYDRA_Q8_0),
                 value = weight(shape.keys(), HYDRA_F32);
    const Buffer norm = floats(backend, random.normal(HIDDEN)), bias = floats(backend, random.normal(shape.keys()));
    const Buffer x = padded_rows(backend, random.normal(ROWS_OF_PASS * HIDDEN), HIDDEN);
    for (hydra_type type : {HYDRA_F32, HYDRA_F16}) {
        if (type == HYDRA_F16 && cuda_library() == nullptr) continue;
        const Appending appending(backend, shape, type);
        const auto run = [&](bool apart) {
            Pass pass(backend, FIRST);
            pass.chain_of(ROWS_OF_PASS);
            poison({appending.pool, pass.batch});
            const Buffer queries = poisoned(backend, shape.queries()), keys = poisoned(backend, shape.keys()),
                         values = poisoned(backend, shape.keys());
            must(record(pass.program, hydra_qkv{pass.rows, x, norm, EPSILON, query, key, value, nullptr, bias, bias,
                                                queries, keys, values}));
            if (apart) must(hydra_program_mark(pass.program));
            must(record(pass.program, appending.arguments(pass, queries, keys, values)));
            pass.run();
            Floats all = contents(queries, ROWS_OF_PASS * shape.queries());
            for (int r = 0; r < ROWS_OF_PASS; ++r) append(all, KvSlot{appending.pool, pass.batch}.all(FIRST + r));
            return all;
        };
        EXPECT_TRUE(same_bits(run(false), run(true))) << type;
    }
}

TEST(AppendKv, KeepsRoundedKeysAndValuesInAnF16Cache) {
    if (cuda_library() == nullptr) GTEST_SKIP() << "the CPU's cache is F32";
    const Backend backend = open_backend();
    const Case shape{4, 2, 24, false, false};
    for (float size : {1.0f, 1e5f}) {
        Inputs inputs = Inputs::random(shape, 5, 6);
        for (Floats* values : {&inputs.key, &inputs.value}) {
            for (float& value : *values) value *= size;
        }
        Floats expected = Appending(backend, shape).run_all(backend, inputs, 30, 5);
        int largest = 0;
        for (size_t i = size_t{5} * shape.queries(); i < expected.size(); ++i) {
            const float within = std::clamp(expected[i], -65504.0f, 65504.0f);
            largest += std::abs(within) == 65504.0f;
            expected[i] = half_to_float(float_to_half(within));
        }
        EXPECT_EQ(largest > 0, size > 1);
        const Appending rounding(backend, shape, HYDRA_F16);
        EXPECT_TRUE(same_bits(rounding.run_all(backend, inputs, 30, 5), expected)) << size;
    }
}

TEST(AppendKv, RefusesWhatDoesNotFit) {
    const Backend backend = open_backend();
    const Appending appending(backend, {4, 2, 24, true, true});
    const Pass pass(backend);
    const Buffer query = poisoned(backend, 96), key = poisoned(backend, 48), value = poisoned(backend, 48),
                 narrow = poisoned(backend, 48), small = floats(backend, Floats(16));
    const hydra_append_kv fits = appending.arguments(pass, query, key, value);
    const auto expect = [&](const char* refusal, auto&& change) {
        hydra_append_kv arguments = fits;
        change(arguments);
        expect_refused(record(pass.program, arguments), refusal);
    };
    const Rope other = rope(backend, 16, 10);
    expect("heads is 3, must be a multiple of 2 KV heads", [](hydra_append_kv& o) { o.heads = 3; });
    expect("heads is 0", [](hydra_append_kv& o) { o.heads = 0; });
    expect("query has 12288 bytes", [&](hydra_append_kv& o) { o.query = narrow; });
    expect("value has 64 bytes", [&](hydra_append_kv& o) { o.value = small; });
    expect("value must not be key", [&](hydra_append_kv& o) { o.value = key; });
    expect("key_norm has 64 bytes", [&](hydra_append_kv& o) { o.key_norm = small; });
    expect("epsilon is 0", [](hydra_append_kv& o) { o.epsilon = 0; });
    expect("the rope has head size 16, the pool 24", [&](hydra_append_kv& o) { o.rope = other; });
    expect("layer is 2", [](hydra_append_kv& o) { o.layer = 2; });
    EXPECT_EQ(record(pass.program, fits), HYDRA_OK);
}

TEST(AppendKv, RefusesToRunWherePagesOrPositionsEnd) {
    const Backend backend = open_backend();
    Pass pass(backend, 30);
    const Appending appending(backend, {4, 2, 24, false, false});
    const Buffer query = poisoned(backend, 96), key = poisoned(backend, 48), value = poisoned(backend, 48);
    must(record(pass.program, appending.arguments(pass, query, key, value)));
    const int32_t one[1] = {PAGES - 1}, beyond[1] = {PAGES};
    must(hydra_batch_set_pages(pass.batch, 0, one, 1));
    pass.chain_of(3);
    expect_refused(hydra_program_run(pass.program),
                   "the page table of sequence 0, 1 pages, does not cover 33 positions");
    pass.chain_of(2);
    EXPECT_EQ(hydra_program_run(pass.program), HYDRA_OK);
    must(hydra_batch_set_pages(pass.batch, 0, beyond, 1));
    expect_refused(hydra_program_run(pass.program), "the page table of sequence 0 has page 12, the pool has 12");

    Pass far(backend, 298);
    must(record(far.program, appending.arguments(far, query, key, value)));
    far.chain_of(3);
    expect_refused(hydra_program_run(far.program), "position 300 is beyond the context of 300 positions");
    far.chain_of(2);
    EXPECT_EQ(hydra_program_run(far.program), HYDRA_OK);
}

}  // namespace
}  // namespace hydra::test
