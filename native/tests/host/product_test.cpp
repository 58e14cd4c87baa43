#include "cpu/matrix.h"
#include "types.h"

namespace hydra::test {
namespace {

// Random weights as a matrix, with the values that it really holds.
struct Weights {
    Matrix matrix;
    Floats values;

    Weights(hydra_backend* backend, hydra_type type, int64_t rows, int64_t columns) {
        Random random(static_cast<uint32_t>(rows * 2048 + columns));
        matrix = test::matrix(backend, type, rows, columns, random.normal(rows * columns));
        values = values_of(matrix);
    }
    const PackedMatrix& packed() const { return packed_of(matrix); }
};

// Prepared activation rows. What is after them are NaN and quants of -1.
struct Inputs {
    Aligned<ValueBlock> values;
    Aligned<QuantisedBlock> quantised;
    Activations activations{};

    Inputs(const Kernels& kernels, const PackedMatrix& matrix, const Floats& x) {
        const int64_t blocks = matrix.padded_columns / BLOCK_COLUMNS,
                      rows = static_cast<int64_t>(x.size()) / matrix.columns;
        const int64_t count = (rows + ROW_GROUP - 1) / ROW_GROUP * blocks;
        values = allocate<ValueBlock>(count);
        quantised = allocate<QuantisedBlock>(count);
        std::memset(static_cast<void*>(values.get()), 0xff, static_cast<size_t>(count) * sizeof(ValueBlock));
        std::memset(static_cast<void*>(quantised.get()), 0xff, static_cast<size_t>(count) * sizeof(QuantisedBlock));
        activations = {matrix.padded_columns, values.get(), quantised.get()};
        for (int r = 0; r < rows; ++r) {
            kernels.prepare(&x[r * matrix.columns], matrix.columns, is_quantised(matrix.type), activations, r);
        }
    }

    // The value of the prepared activations: what quantisation left of x.
    double at(bool is_quantised, int64_t row, int64_t column) const {
        const int64_t blocks = activations.padded_columns / BLOCK_COLUMNS;
        const int64_t block = row / ROW_GROUP * blocks + column / BLOCK_COLUMNS;
        const int64_t r = row % ROW_GROUP, c = column % BLOCK_COLUMNS;
        if (!is_quantised) return values[block].values[r][c];
        return static_cast<double>(quantised[block].scales[r]) * quantised[block].quants[r][c];
    }
};

// [rows][matrix rows] for row-major x [rows][matrix columns], `tiles` tiles at a time.
Floats product(const Kernels& kernels, const PackedMatrix& matrix, const Floats& x, int tiles = MAX_TILES) {
    const Inputs inputs(kernels, matrix, x);
    const int rows = static_cast<int>(static_cast<int64_t>(x.size()) / matrix.columns);
    Floats out(static_cast<size_t>(rows * matrix.rows), NAN);
    for (int64_t tile = 0; tile < matrix.tiles; tile += tiles) {
        const int count = static_cast<int>(std::min<int64_t>(tiles, matrix.tiles - tile));
        const size_t written = static_cast<size_t>(count) * rows * TILE_ROWS;
        Floats scratch(written + 16, NAN);
        kernels.product[product_index(matrix.type)](matrix, tile, count, inputs.activations, rows, scratch.data());
        EXPECT_TRUE(std::all_of(scratch.begin() + static_cast<int64_t>(written), scratch.end(),
                                [](float v) { return std::isnan(v); }));
        for (int64_t n = tile * TILE_ROWS; n < std::min((tile + count) * TILE_ROWS, matrix.rows); ++n) {
            for (int r = 0; r < rows; ++r) {
                out[r * matrix.rows + n] = scratch[((n / TILE_ROWS - tile) * rows + r) * TILE_ROWS + n % TILE_ROWS];
            }
        }
    }
    return out;
}

Doubles reference(const Weights& weights, const Inputs& inputs, int rows) {
    const PackedMatrix& m = weights.packed();
    Doubles out(static_cast<size_t>(rows * m.rows));
    for (int64_t r = 0; r < rows; ++r) {
        Doubles x(static_cast<size_t>(m.columns));
        for (int64_t c = 0; c < m.columns; ++c) x[c] = inputs.at(is_quantised(m.type), r, c);
        const Doubles row = test::product(weights.values, x);
        std::copy(row.begin(), row.end(), out.begin() + r * m.rows);
    }
    return out;
}

class Product : public testing::TestWithParam<hydra_type> {
  protected:
    Backend backend = open_backend();
    hydra_type type = GetParam();
};

INSTANTIATE_TEST_SUITE_P(EveryType, Product, testing::ValuesIn(KERNEL_TYPES),
                         [](const auto& info) { return facts_of(info.param).name; });

// The products are chains of float32 additions over values that are exactly what the reference sees. A few sums alone
// may cancel, which leaves less of their digits.
double tolerance(int64_t outputs) { return outputs < 16 ? 2e-5 : 2e-6; }

TEST_P(Product, EqualsTheReference) {
    for (const std::string& isa : instruction_sets()) {
        const Kernels& kernels = *find_kernels(isa.c_str());
        for (int64_t columns : {1, 31, 32, 33, 120, 384, 1536}) {
            for (int64_t matrix_rows : {1, 16, 67}) {
                const Weights weights(backend, type, matrix_rows, columns);
                for (int rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 23, 64}) {
                    SCOPED_TRACE(testing::Message() << isa << " [" << matrix_rows << "][" << columns << "], " << rows);
                    Random random(static_cast<uint32_t>(rows));
                    const Floats x = random.normal(rows * columns);
                    const Floats out = product(kernels, weights.packed(), x);
                    const Inputs inputs(kernels, weights.packed(), x);
                    ASSERT_LT(relative_error(out, reference(weights, inputs, rows)), tolerance(matrix_rows * rows));
                }
            }
        }
    }
}

TEST_P(Product, IsNearTheProductOfTheRoundedActivations) {
    const Weights weights(backend, type, 67, 384);
    Random random(2);
    const Floats x = random.normal(384);
    const double error = relative_error(product(*best_kernels(), weights.packed(), x),
                                        test::product(weights.values, Doubles(x.begin(), x.end())));
    EXPECT_LT(error, is_quantised(type) ? 1e-2 : 2e-6);
}

TEST_P(Product, HasTheSameBitsOnEveryInstructionSet) {
    const Kernels& plain = *find_kernels("portable");
    for (int64_t columns : {33, 120, 1536}) {
        const Weights weights(backend, type, 67, columns);
        Random random(11);
        for (int rows : {1, 3, 7, 8, 13, 64}) {
            const Floats x = random.normal(rows * columns);
            const Floats expected = product(plain, weights.packed(), x);
            for (const std::string& isa : instruction_sets()) {
                EXPECT_TRUE(same_bits(product(*find_kernels(isa.c_str()), weights.packed(), x), expected))
                    << isa << ", " << columns << " columns, " << rows << " rows";
            }
        }
    }
}

TEST_P(Product, OfARowDoesNotDependOnItsNeighbours) {
    for (const std::string& isa : instruction_sets()) {
        const Kernels& kernels = *find_kernels(isa.c_str());
        const Weights weights(backend, type, 67, 120);
        Random random(12);
        const Floats x = random.normal(64 * 120);
        Floats alone;
        for (int r = 0; r < 64; ++r) append(alone, product(kernels, weights.packed(), row_of(x, r, 120)));
        for (int rows = 1; rows <= 64; ++rows) {
            for (int tiles : {1, 2, 3, 4}) {
                const Floats together =
                    product(kernels, weights.packed(), Floats(x.begin(), x.begin() + rows * 120), tiles);
                EXPECT_TRUE(same_bits(together, Floats(alone.begin(), alone.begin() + rows * 67)))
                    << isa << ", " << rows << " rows, " << tiles << " tiles";
            }
        }
    }
}

// Tiles of which a pair does not fit the near cache take another way through the kernels.
TEST_P(Product, OfWideMatricesIsTheSame) {
    const int64_t columns = 16384;
    const Weights weights(backend, type, 33, columns);
    Random random(13);
    const Floats x = random.normal(9 * columns);
    const Floats expected = product(*find_kernels("portable"), weights.packed(), x);
    for (const std::string& isa : instruction_sets()) {
        const Kernels& kernels = *find_kernels(isa.c_str());
        EXPECT_TRUE(same_bits(product(kernels, weights.packed(), x), expected)) << isa;
        EXPECT_LT(relative_error(expected, reference(weights, Inputs(kernels, weights.packed(), x), 9)), 1e-5);
    }
}

TEST_P(Product, OfTheGreatestWeightsAndActivationsIsExact) {
    if (type == HYDRA_F16 || type == HYDRA_BF16 || type == HYDRA_F32)
        GTEST_SKIP() << "only quantised products can overflow";
    // Every quant at its limit, of either sign, with scales of 1.
    const int64_t columns = 64;
    const TypeFacts& facts = facts_of(type);
    for (int weight : {0, 127, 128, 255}) {
        Bytes row(static_cast<size_t>(hydra::bytes_of(type, 1, columns)), static_cast<uint8_t>(weight));
        for (size_t block = 0; block < row.size(); block += static_cast<size_t>(facts.bytes)) {
            row[block] = 0x00;
            row[block + 1] = 0x3c;
            if (type == HYDRA_Q4_1) row[block + 2] = row[block + 3] = 0;
        }
        hydra_matrix* out = nullptr;
        must(hydra_matrix_create(backend, type, 1, columns, &out));
        const Matrix matrix(out);
        must(hydra_matrix_write(matrix, 0, 1, nullptr, type, row.data(), static_cast<int64_t>(row.size())));
        const Floats weights = values_of(matrix);
        for (float sign : {-1.0f, 1.0f}) {
            const Floats x(columns, sign * 127);
            double expected = 0;
            for (float value : weights) expected += static_cast<double>(value) * sign * 127;
            for (const std::string& isa : instruction_sets()) {
                EXPECT_EQ(product(*find_kernels(isa.c_str()), packed_of(matrix), x)[0], expected)
                    << isa << ", " << weight;
            }
        }
    }
}

TEST_P(Product, ShowsActivationsThatAreNotFinite) {
    const Weights weights(backend, type, 17, 96);
    for (const std::string& isa : instruction_sets()) {
        for (float odd : {NAN, INFINITY, -INFINITY}) {
            Random random(14);
            Floats x = random.normal(3 * 96);
            const Floats before = product(*find_kernels(isa.c_str()), weights.packed(), x);
            x[96 + 40] = odd;
            const Floats after = product(*find_kernels(isa.c_str()), weights.packed(), x);
            for (int n = 0; n < 17; ++n) {
                EXPECT_FALSE(std::isfinite(after[17 + n])) << isa;
                EXPECT_EQ(after[n], before[n]) << isa;
                EXPECT_EQ(after[2 * 17 + n], before[2 * 17 + n]) << isa;
            }
        }
    }
}

}  // namespace
}  // namespace hydra::test
