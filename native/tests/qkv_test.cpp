#include "kv.h"
#include "program/half.h"
#include "trees.h"

namespace hydra::test {
namespace {

constexpr float EPSILON = 1e-5f;

struct Case {
    int heads, kv_heads, head_size, hidden;
    hydra_type type;
    bool biased;
};

struct Layer {
    Case shape;
    Matrix query, key, value;
    Buffer norm, query_bias, key_bias, value_bias;
    Rope rope;
    Pool pool;
    Floats norm_values, biases[3];

    Layer(hydra_backend* backend, const Case& made, uint32_t seed, hydra_type kv_type = HYDRA_F32)
        : shape(made),
          rope(test::rope(backend, made.head_size, 300)),
          pool(test::pool(backend, 2, made.kv_heads, made.head_size, PAGES, kv_type)) {
        Random random(seed);
        const int64_t rows = made.heads * made.head_size, kv = made.kv_heads * made.head_size;
        const float deviation = 1 / std::sqrt(static_cast<float>(made.hidden));
        query = matrix(backend, made.type, rows, made.hidden, random.normal(rows * made.hidden, deviation));
        key = matrix(backend, made.type, kv, made.hidden, random.normal(kv * made.hidden, deviation));
        value = matrix(backend, made.type, kv, made.hidden, random.normal(kv * made.hidden, deviation));
        norm_values = random.normal(made.hidden);
        norm = floats(backend, norm_values);
        if (!made.biased) return;
        for (int i = 0; i < 3; ++i) biases[i] = random.normal(i == 0 ? rows : kv);
        query_bias = floats(backend, biases[0]);
        key_bias = floats(backend, biases[1]);
        value_bias = floats(backend, biases[2]);
    }

    void record(const Pass& pass, const Buffer& x, const Buffer& out) const {
        must(test::record(pass.program, hydra_qkv{pass.rows, x, norm, EPSILON, query, key, value, query_bias, key_bias,
                                                  value_bias, rope, pool, 1, out}));
    }
};

// Poisons every slot, so that what is not written can be told.
void poison(const KvSlot& slots) {
    for (int slot = 0; slot < PAGES * HYDRA_PAGE_POSITIONS; ++slot) slots.fill(slot, Floats(slots.width(), NAN));
}

void expect_near_reference(hydra_backend* backend, const Case& shape, int first, int rows) {
    SCOPED_TRACE(testing::Message() << shape.heads << "/" << shape.kv_heads << " heads of " << shape.head_size
                                    << ", hidden " << shape.hidden << ", type " << shape.type << ", " << rows
                                    << " rows at " << first);
    Random random(rows);
    const Layer layer(backend, shape, 11);
    Pass pass(backend, first);
    const Tree nodes = tree(pass.batch, random_shape(random, rows));
    expand(pass, nodes, {});
    const KvSlot slots{layer.pool, pass.batch};
    poison(slots);
    const int64_t width = shape.heads * shape.head_size;
    const Floats x = random.normal(int64_t{rows} * shape.hidden);
    const Buffer out = poisoned(backend, width);
    const Buffer in = padded_rows(backend, x, shape.hidden);
    layer.record(pass, in, out);
    pass.run();

    Doubles queries, keys, values;
    Floats kept_keys, kept_values;
    const Floats frequencies = rope_frequencies(shape.head_size);
    for (int r = 0; r < rows; ++r) {
        const Floats row = row_of(x, r, shape.hidden);
        const Doubles normed = rms_norm(Doubles(row.begin(), row.end()), layer.norm_values, EPSILON);
        Doubles query = product(values_of(layer.query), normed, layer.biases[0]);
        Doubles key = product(values_of(layer.key), normed, layer.biases[1]);
        rotate(query, shape.head_size, frequencies, first + nodes->data->depths[r]);
        rotate(key, shape.head_size, frequencies, first + nodes->data->depths[r]);
        append(queries, query);
        append(keys, key);
        append(values, product(values_of(layer.value), normed, layer.biases[2]));
        for (int head = 0; head < shape.kv_heads; ++head) {
            append(kept_keys, slots.keys(1, head, first + r));
            append(kept_values, slots.values(1, head, first + r));
        }
    }
    EXPECT_LT(relative_error(contents(out, rows * width), queries), tolerance(shape.type));
    EXPECT_LT(relative_error(kept_keys, keys), tolerance(shape.type));
    EXPECT_LT(relative_error(kept_values, values), tolerance(shape.type));
    EXPECT_TRUE(untouched_behind(out, rows * width));
    for (int slot = 0; slot < PAGES * HYDRA_PAGE_POSITIONS; ++slot) {
        const bool written = slot >= first && slot < first + rows;
        const Floats all = slots.all(slot);
        const auto nans = std::count_if(all.begin(), all.end(), [](float v) { return std::isnan(v); });
        ASSERT_EQ(nans, slots.width() / (written ? 2 : 1)) << "slot " << slot;
    }
}

TEST(Qkv, MatchesTheReference) {
    for (int threads : {1, 2, 3}) {
        const Backend backend = open_backend(threads);
        expect_near_reference(backend, {3, 1, 8, 72, HYDRA_F32, true}, 0, 5);
        expect_near_reference(backend, {4, 2, 24, 120, HYDRA_F32, false}, 15, 17);
        expect_near_reference(backend, {9, 3, 64, 384, HYDRA_F32, true}, 33, 1);
        expect_near_reference(backend, {1, 1, 128, 72, HYDRA_F32, false}, 200, 64);
        expect_near_reference(backend, {4, 2, 16, 72, HYDRA_Q8_0, true}, 31, 2);
        expect_near_reference(backend, {9, 3, 24, 120, HYDRA_Q8_0, false}, 32, 17);
        expect_near_reference(backend, {3, 3, 64, 384, HYDRA_Q8_0, true}, 1, 64);
    }
}

// Queries, and keys and values of the rows, of a chain of `rows` rows of x.
Floats run_chain(hydra_backend* backend, const Layer& layer, const Floats& x, int first, int rows) {
    const int hidden = layer.shape.hidden, width = layer.shape.heads * layer.shape.head_size;
    Pass pass(backend, first);
    pass.chain_of(rows);
    const Buffer in = padded_rows(backend, x, hidden), out = poisoned(backend, width);
    layer.record(pass, in, out);
    pass.run();
    Floats all = contents(out, rows * width);
    for (int r = 0; r < rows; ++r) append(all, KvSlot{layer.pool, pass.batch}.all(first + r));
    return all;
}

TEST(Qkv, GivesTheSameBitsEverywhere) {
    for (hydra_type type : {HYDRA_F32, HYDRA_Q8_0}) {
        for (int rows : {1, 5, 17}) {
            const Floats x = Random(2).normal(rows * 120);
            expect_same_bits_everywhere([&](hydra_backend* backend) {
                return run_chain(backend, Layer(backend, {4, 2, 24, 120, type, true}, 3), x, 30, rows);
            });
        }
    }
}

TEST(Qkv, GivesTheSameBitsForOneRowAndForMany) {
    const Backend backend = open_backend(2);
    for (hydra_type type : {HYDRA_F32, HYDRA_Q8_0}) {
        const Layer layer(backend, {4, 2, 24, 120, type, true}, 3);
        const Floats x = Random(4).normal(64 * 120);
        for (int rows : {2, 5, 8, 9, 17, 64}) {
            const Floats together = run_chain(backend, layer, x, 20, rows);
            Floats queries, kept;
            for (int r = 0; r < rows; ++r) {
                const Floats one = run_chain(backend, layer, row_of(x, r, 120), 20 + r, 1);
                queries.insert(queries.end(), one.begin(), one.begin() + 96);
                kept.insert(kept.end(), one.begin() + 96, one.end());
            }
            append(queries, kept);
            EXPECT_TRUE(same_bits(queries, together)) << rows;
        }
    }
}

TEST(Qkv, AnF16CacheKeepsRoundedKeysAndValues) {
    if (cuda_library() == nullptr) GTEST_SKIP() << "the CPU's cache is F32";
    const Backend backend = open_backend();
    for (float size : {1.0f, 1e5f}) {
        const Case shape{4, 2, 24, 120, HYDRA_Q8_0, true};
        Layer exact(backend, shape, 3), rounded(backend, shape, 3, HYDRA_F16);
        for (Layer* layer : {&exact, &rounded}) {
            for (Floats& bias : layer->biases) {
                for (float& value : bias) value *= size;
            }
            layer->key_bias = floats(backend, layer->biases[1]);
            layer->value_bias = floats(backend, layer->biases[2]);
        }
        const Floats x = Random(6).normal(5 * 120);
        Floats expected = run_chain(backend, exact, x, 30, 5);
        const auto queries = 5 * 96;
        int largest = 0;
        for (size_t i = queries; i < expected.size(); ++i) {
            const float within = std::clamp(expected[i], -65504.0f, 65504.0f);
            largest += std::abs(within) == 65504.0f;
            expected[i] = half_to_float(float_to_half(within));
        }
        EXPECT_EQ(largest > 0, size > 1);
        EXPECT_TRUE(same_bits(run_chain(backend, rounded, x, 30, 5), expected)) << size;
    }
}

TEST(Qkv, TakesMatricesOfDifferentTypes) {
    const Backend backend = open_backend(2);
    const Layer plain(backend, {4, 2, 24, 96, HYDRA_F32, false}, 3);
    const Layer rounded(backend, {4, 2, 24, 96, HYDRA_Q8_0, false}, 3);
    Layer mixed(backend, {4, 2, 24, 96, HYDRA_F32, false}, 3);
    mixed.key = matrix(backend, HYDRA_Q8_0, 48, 96, values_of(rounded.key));
    const Floats x = Random(5).normal(3 * 96);
    const Floats both = run_chain(backend, mixed, x, 0, 3), exact = run_chain(backend, plain, x, 0, 3);
    EXPECT_TRUE(same_bits(Floats(both.begin(), both.begin() + 3 * 96), Floats(exact.begin(), exact.begin() + 3 * 96)));
    EXPECT_FALSE(same_bits(both, exact));
    Layer keys_only(backend, {4, 2, 24, 96, HYDRA_Q8_0, false}, 3);
    keys_only.query = matrix(backend, HYDRA_F32, 96, 96, values_of(plain.query));
    keys_only.value = matrix(backend, HYDRA_F32, 48, 96, values_of(plain.value));
    EXPECT_TRUE(same_bits(run_chain(backend, keys_only, x, 0, 3), both));
}

TEST(Qkv, RefusesWhatDoesNotFit) {
    const Backend backend = open_backend();
    const Layer layer(backend, {4, 2, 24, 72, HYDRA_F32, true}, 3);
    const Pass pass(backend);
    const Buffer x = poisoned(backend, 72), out = poisoned(backend, 96);
    const auto attempt = [&](const Buffer& in, const Matrix& query, const Matrix& key, const Buffer& bias,
                             const Rope& rope, int layer_index, float epsilon, const Buffer& target) {
        return record(pass.program, hydra_qkv{pass.rows, in, layer.norm, epsilon, query, key, layer.value, bias,
                                              nullptr, nullptr, rope, layer.pool, layer_index, target});
    };
    const Rope other = rope(backend, 16, 10);
    const Matrix odd = matrix(backend, HYDRA_F32, 100, 72, Floats(7200));
    expect_refused(attempt(x, odd, layer.key, {}, layer.rope, 0, 1e-5f, out), "query has 100 rows");
    expect_refused(attempt(x, layer.query, odd, {}, layer.rope, 0, 1e-5f, out), "key is [100][72], must be [48][72]");
    expect_refused(attempt(layer.norm, layer.query, layer.key, {}, layer.rope, 0, 1e-5f, out), "x has 288 bytes");
    expect_refused(attempt(x, layer.query, layer.key, layer.norm, layer.rope, 0, 1e-5f, out), "query_bias has 288");
    expect_refused(attempt(x, layer.query, layer.key, {}, other, 0, 1e-5f, out), "the rope has head size 16");
    expect_refused(attempt(x, layer.query, layer.key, {}, layer.rope, 2, 1e-5f, out), "layer is 2");
    expect_refused(attempt(x, layer.query, layer.key, {}, layer.rope, 0, 0, out), "epsilon is 0");
    expect_refused(attempt(x, layer.query, layer.key, {}, layer.rope, 0, 1e-5f, poisoned(backend, 72)),
                   "out has 18432 bytes");
    expect_refused(attempt(out, layer.query, layer.key, {}, layer.rope, 0, 1e-5f, out), "out must not be x");
}

TEST(Qkv, RefusesToRunWherePagesOrPositionsEnd) {
    const Backend backend = open_backend();
    Pass pass(backend, 30);
    const Layer layer(backend, {4, 2, 24, 72, HYDRA_F32, true}, 3);
    const Buffer x = poisoned(backend, 72), out = poisoned(backend, 96);
    layer.record(pass, x, out);
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
    layer.record(far, x, out);
    far.chain_of(3);
    expect_refused(hydra_program_run(far.program), "position 300 is beyond the context of 300 positions");
    far.chain_of(2);
    EXPECT_EQ(hydra_program_run(far.program), HYDRA_OK);
}

}  // namespace
}  // namespace hydra::test
