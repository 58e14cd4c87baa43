// Rows that an operation leaves for the products of the next one give the bits of those that are prepared for them.
#include <functional>

#include "fixture.h"

namespace hydra::cuda::test {
namespace {

constexpr float EPSILON = 1e-5f;

// Random matrices and vectors on the device, with workspace for products between any of them.
struct Data {
    static constexpr int MOST_COLUMNS = 2048;
    Random random{1};
    Memory<uint8_t> work = workspace(2 * MOST_COLUMNS, MOST_COLUMNS);
    Memory<uint8_t> handed = all_ones(api().handover_bytes(HYDRA_MAX_NODES, MOST_COLUMNS));
    std::vector<Matrix> matrices;
    std::vector<Memory<float>> vectors;

    const MatrixView& matrix(hydra_type type, int rows, int columns) {
        matrices.emplace_back(type, rows, columns, random);
        return matrices.back().view;
    }
    const float* vector(int columns) {
        vectors.emplace_back(random.normal(columns));
        return vectors.back();
    }
    Memory<float> rows_of(int rows, int columns) { return padded_rows(random.normal(rows * columns), columns); }
};

// An operation that fills out, and one that computes `results` columns from its columns, normalised by norm or not.
using Write = std::function<void(const RowsView&, float* out, Handover*)>;
using Read = std::function<Floats(const Pass&, const float* x, const Handover*)>;

void expect_same_bits(Data& data, Pass& pass, int columns, hydra_type type, const float* norm, const Write& write,
                      const Read& read) {
    SCOPED_TRACE(testing::Message() << "type " << type << ", " << pass.count() << " rows of " << columns);
    const Memory<float> alone = poisoned(columns), left = poisoned(columns), nothing = poisoned(columns);
    write(pass.view(), alone, nullptr);
    Handover handover{data.handed, type, norm};
    write(pass.view(), left, &handover);
    const int64_t values = int64_t{pass.count()} * columns;
    EXPECT_TRUE(same_bits(left.read(values), alone.read(values)));
    EXPECT_TRUE(handover.is_there);
    // What is handed over is all that is read.
    EXPECT_TRUE(same_bits(read(pass, nothing, &handover), read(pass, alone, nullptr)));
}

Read gate_up_of(Data& data, hydra_type type, int columns, const float* norm) {
    const int outputs = 24;
    const MatrixView gate = data.matrix(type, outputs, columns), up = data.matrix(type, outputs, columns);
    return [=, &data](const Pass& of, const float* x, const Handover* given) {
        const Memory<float> out = poisoned(outputs);
        run(api().gate_up, GateUp{of.view(), x, norm, EPSILON, gate, up, HYDRA_SILU, out, data.work, given});
        return out.read(of.count() * outputs);
    };
}

Read linear_of(Data& data, hydra_type type, int columns) {
    const int outputs = 40;
    const MatrixView weight = data.matrix(type, outputs, columns);
    return [=, &data](const Pass& of, const float* x, const Handover* given) {
        const Memory<float> out = poisoned(outputs);
        run(api().linear, Linear{of.view(), x, weight, nullptr, nullptr, out, data.work, given});
        return out.read(of.count() * outputs);
    };
}

TEST(Handover, OfALinearProductToANormalisedOne) {
    for (hydra_type type : ALL_TYPES) {
        for (int rows : {1, 9, 64}) {
            Data data;
            Pass pass;
            pass.chain(rows);
            const int inputs = whole_columns(type, 64), columns = whole_columns(type, 416);
            const float *norm = data.vector(columns), *bias = data.vector(columns);
            const Memory<float> x = data.rows_of(rows, inputs), residual = data.rows_of(rows, columns);
            const MatrixView weight = data.matrix(type, columns, inputs);
            const Write write = [&](const RowsView& view, float* out, Handover* left) {
                run(api().linear, Linear{view, x, weight, bias, residual, out, data.work, nullptr, left});
            };
            expect_same_bits(data, pass, columns, type, norm, write, gate_up_of(data, type, columns, norm));
        }
    }
}

// Sums of squares of 128 columns instead of 16, and columns that are split over blocks.
TEST(Handover, OfALargeProduct) {
    Data data;
    Pass pass;
    pass.chain(10);
    constexpr int COLUMNS = Data::MOST_COLUMNS;
    const float* norm = data.vector(COLUMNS);
    const Memory<float> x = data.rows_of(10, COLUMNS), residual = data.rows_of(10, COLUMNS);
    const MatrixView weight = data.matrix(HYDRA_BF16, COLUMNS, COLUMNS);
    const Write write = [&](const RowsView& view, float* out, Handover* left) {
        run(api().linear, Linear{view, x, weight, nullptr, residual, out, data.work, nullptr, left});
    };
    expect_same_bits(data, pass, COLUMNS, HYDRA_BF16, norm, write, gate_up_of(data, HYDRA_BF16, COLUMNS, norm));
}

TEST(Handover, OfGatedProducts) {
    for (hydra_type type : ALL_TYPES) {
        for (hydra_type other : {type, HYDRA_Q8_0}) {
            Data data;
            Pass pass;
            pass.chain(17);
            const int inputs = whole_columns(type, 96), columns = whole_columns(type, 160);
            const float* norm = data.vector(inputs);
            const Memory<float> x = data.rows_of(17, inputs);
            const MatrixView gate = data.matrix(type, columns, inputs), up = data.matrix(other, columns, inputs);
            const Write write = [&](const RowsView& view, float* out, Handover* left) {
                run(api().gate_up, GateUp{view, x, norm, EPSILON, gate, up, HYDRA_GELU, out, data.work, nullptr, left});
            };
            expect_same_bits(data, pass, columns, type, nullptr, write, linear_of(data, type, columns));
        }
    }
}

TEST(Handover, OfABlock) {
    for (hydra_type type : ALL_TYPES) {
        for (const bool with_skip : {false, true}) {
            Data data;
            Pass pass;
            pass.chain(3);
            const int columns = whole_columns(type, 96);
            const float* bias = data.vector(columns);
            const Memory<float> x = data.rows_of(3, columns);
            const MatrixView linear = data.matrix(type, columns, columns);
            const MatrixView skip = with_skip ? data.matrix(HYDRA_F32, columns, columns) : MatrixView{};
            const Write write = [&](const RowsView& view, float* out, Handover* left) {
                run(api().block, Block{view, x, linear, bias, skip, nullptr, 0, out, data.work, nullptr, left});
            };
            expect_same_bits(data, pass, columns, type, nullptr, write, linear_of(data, type, columns));
        }
    }
}

TEST(Handover, OfEmbeddings) {
    for (hydra_type type : ALL_TYPES) {
        Data data;
        Pass pass;
        pass.chain(5);
        pass.tokens = {3, 0, 69, 70, -1};  // the last ones are none
        pass.tokens.resize(HYDRA_MAX_NODES);
        pass.upload();
        const int columns = whole_columns(type, 288);
        const float* norm = data.vector(columns);
        const MatrixView embedding = data.matrix(type, 70, columns);
        const Write write = [&](const RowsView& view, float* out, Handover* left) {
            run(api().embed, Embed{view, embedding, out, 0, nullptr, nullptr, left});
        };
        const MatrixView query = data.matrix(type, 16, columns), key = data.matrix(type, 8, columns);
        const Read read = [&](const Pass& of, const float* x, const Handover* given) {
            const Memory<float> queries = poisoned(16), keys = poisoned(8), values = poisoned(8);
            run(api().qkv, Qkv{of.view(), x, norm, EPSILON, query, key, key, nullptr, nullptr, nullptr, queries, keys,
                               values, data.work, given});
            Floats all = queries.read(5 * 16);
            append(all, keys.read(5 * 8));
            append(all, values.read(5 * 8));
            return all;
        };
        expect_same_bits(data, pass, columns, type, norm, write, read);
    }
}

TEST(Handover, OfANormToAnLmHead) {
    for (hydra_type type : ALL_TYPES) {
        Data data;
        Pass pass;
        pass.chain(9);
        constexpr int VOCABULARY = 150;
        const int columns = whole_columns(type, 160);
        const float* norm = data.vector(columns);
        const Memory<float> x = data.rows_of(9, columns);
        const Write write = [&](const RowsView& view, float* out, Handover* left) {
            run(api().norm, Norm{view, x, norm, EPSILON, columns, out, nullptr, nullptr, nullptr, left});
        };
        const MatrixView head = data.matrix(type, VOCABULARY, columns);
        const Read read = [&](const Pass& of, const float* hidden, const Handover* given) {
            const Memory<float> logits = poisoned(VOCABULARY), best(HYDRA_MAX_NODES * 2);
            const Memory<int32_t> ids(HYDRA_MAX_NODES * 2);
            run(api().lm_head, LmHead{of.view(), 0, hidden, head, nullptr, nullptr,
                                      TopView{2, ids, best, HYDRA_MAX_NODES}, logits, 0, 0, data.work, given});
            return logits.read(9 * VOCABULARY);
        };
        expect_same_bits(data, pass, columns, type, nullptr, write, read);
    }
}

TEST(Handover, OfAttention) {
    constexpr int FIRST = 37, ROWS = 6;
    for (const int head_size : {64, 96, 128}) {
        for (const hydra_type type : {HYDRA_F32, HYDRA_F16, HYDRA_Q8_0}) {
            Data data;
            Pass pass(FIRST);
            pass.chain(ROWS);
            const int heads = 4, columns = heads * head_size;
            const Kv kv(HYDRA_F16, 1, 2, head_size);
            for (int slot = 0; slot < FIRST + ROWS; ++slot) kv.fill(pass, slot, data.random.normal(kv.width()));
            const Memory<float> queries = data.rows_of(ROWS, columns);
            const Memory<uint8_t> work = attention_workspace(heads, head_size, Pass::PAGES * HYDRA_PAGE_POSITIONS);
            const Write write = [&](const RowsView& view, float* out, Handover* left) {
                run(api().attention, Attention{view, queries, heads, kv.view, 0, out, 0, 0, 0, work, nullptr, left});
            };
            expect_same_bits(data, pass, columns, type, nullptr, write, linear_of(data, type, columns));
        }
    }
}

// Other attention leaves nothing, and says so.
TEST(Handover, IsNotThereAfterAttentionWithoutTheMatrixInstruction) {
    Data data;
    Pass pass(3);
    pass.chain(2);
    const Kv kv(HYDRA_F32, 1, 1, 32);
    for (int slot = 0; slot < 5; ++slot) kv.fill(pass, slot, data.random.normal(kv.width()));
    const Memory<float> queries = data.rows_of(2, 32), out = poisoned(32);
    const Memory<uint8_t> work = attention_workspace(1, 32, Pass::PAGES * HYDRA_PAGE_POSITIONS);
    Handover handover{data.handed, HYDRA_F32, nullptr};
    run(api().attention, Attention{pass.view(), queries, 1, kv.view, 0, out, 0, 0, 0, work, nullptr, &handover});
    EXPECT_FALSE(handover.is_there);
    const Read read = linear_of(data, HYDRA_F32, 32);
    EXPECT_TRUE(same_bits(read(pass, out, &handover), read(pass, out, nullptr)));
}

}  // namespace
}  // namespace hydra::cuda::test
