#include "products.h"

namespace hydra::test {
namespace {

Doubles reference(const Weights& weights, const Inputs& inputs, int rows) {
    const PackedMatrix& m = weights.packed();
    Doubles out(static_cast<size_t>(rows * m.rows));
    for (int64_t r = 0; r < rows; ++r) {
        Doubles x(static_cast<size_t>(m.columns));
        for (int64_t c = 0; c < m.columns; ++c) x[c] = inputs.at(form_of(m.type), r, c);
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

INSTANTIATE_TEST_SUITE_P(EveryType, Product,
                         testing::Values(HYDRA_F32, HYDRA_F16, HYDRA_BF16, HYDRA_Q8_0, HYDRA_Q4_0, HYDRA_Q4_1,
                                         HYDRA_Q5_0, HYDRA_Q5_1, HYDRA_Q4_K, HYDRA_Q5_K, HYDRA_Q6_K, HYDRA_R8),
                         [](const auto& info) { return facts_of(info.param).name; });

// The products are chains of float32 additions over values that are exactly what the reference sees. A few sums alone
// may cancel, which leaves less of their digits.
double tolerance(int64_t outputs) { return outputs < 16 ? 2e-5 : 2e-6; }

TEST_P(Product, EqualsTheReference) {
    for (const std::string& isa : instruction_sets()) {
        const Kernels& kernels = *find_kernels(isa.c_str());
        for (int64_t columns : {1, 31, 32, 33, 120, 256, 384, 1536}) {
            if (columns != whole_columns(type, columns)) continue;
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
    const Floats x = random.normal(weights.columns());
    const double error = relative_error(product(*best_kernels(), weights.packed(), x),
                                        test::product(weights.values, Doubles(x.begin(), x.end())));
    EXPECT_LT(error, in_blocks(form_of(type)) ? 1e-2 : form_of(type) == Form::PLANES ? 1e-4 : 2e-6);
}

TEST_P(Product, HasTheSameBitsOnEveryInstructionSet) {
    const Kernels& plain = *find_kernels("portable");
    for (int64_t columns : {33, 120, 1536}) {
        const Weights weights(backend, type, 67, columns);
        Random random(11);
        for (int rows : {1, 3, 7, 8, 13, 64}) {
            const Floats x = random.normal(rows * weights.columns());
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
        const int64_t columns = weights.columns();
        Random random(12);
        const Floats x = random.normal(64 * columns);
        Floats alone;
        for (int r = 0; r < 64; ++r) append(alone, product(kernels, weights.packed(), row_of(x, r, columns)));
        for (int rows = 1; rows <= 64; ++rows) {
            for (int tiles : {1, 2, 3, 4}) {
                const Floats together =
                    product(kernels, weights.packed(), Floats(x.begin(), x.begin() + rows * columns), tiles);
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
    if (form_of(type) == Form::VALUES) GTEST_SKIP() << "only quantised products can overflow";
    // Every quant at its limit, of either sign, with scales of 1.
    const int64_t columns = type == HYDRA_R8 ? 1 << 16 : whole_columns(type, 64);
    const float most = type == HYDRA_R8 ? 255 * 127 + 127 : 127;
    for (int weight : {0, 127, 128, 255}) {
        Bytes row(static_cast<size_t>(hydra::bytes_of(type, 1, columns)), static_cast<uint8_t>(weight));
        const float one = 1;
        if (type == HYDRA_R8) std::memcpy(row.data(), &one, sizeof one);
        if (type != HYDRA_R8) set_scales(type, row, [](int h) -> uint16_t { return h == 0 ? 0x3c00 : 0; });
        hydra_matrix* out = nullptr;
        must(hydra_matrix_create(backend, type, 1, columns, &out));
        const Matrix matrix(out);
        must(hydra_matrix_write(matrix, 0, 1, nullptr, type, row.data(), static_cast<int64_t>(row.size())));
        const Floats weights = values_of(matrix);
        for (float sign : {-1.0f, 1.0f}) {
            // Of a super-block two blocks, whose sum float32 holds.
            Floats x(columns);
            std::fill_n(x.begin(), type == HYDRA_R8 ? columns : 64, sign * most);
            double expected = 0;
            for (int64_t c = 0; c < columns; ++c) expected += static_cast<double>(weights[c]) * x[c];
            for (const std::string& isa : instruction_sets()) {
                EXPECT_EQ(product(*find_kernels(isa.c_str()), packed_of(matrix), x)[0], static_cast<float>(expected))
                    << isa << ", " << weight;
            }
        }
    }
}

TEST_P(Product, ShowsActivationsThatAreNotFinite) {
    const Weights weights(backend, type, 17, 96);
    const int64_t columns = weights.columns();
    for (const std::string& isa : instruction_sets()) {
        for (float odd : {NAN, INFINITY, -INFINITY}) {
            Random random(14);
            Floats x = random.normal(3 * columns);
            const Floats before = product(*find_kernels(isa.c_str()), weights.packed(), x);
            x[columns + 40] = odd;
            const Floats after = product(*find_kernels(isa.c_str()), weights.packed(), x);
            for (int n = 0; n < 17; ++n) {
                EXPECT_FALSE(std::isfinite(after[17 + n])) << isa;
                EXPECT_EQ(after[n], before[n]) << isa;
                EXPECT_EQ(after[2 * 17 + n], before[2 * 17 + n]) << isa;
            }
        }
    }
}

TEST_P(Product, ShowsScalesThatAreNotFiniteInTheirRowsAlone) {
    if (!in_blocks(form_of(type))) GTEST_SKIP() << "only blocks have f16 scales";
    const int64_t columns = whole_columns(type, 96);
    Random random(15);
    const Floats x = random.normal(9 * columns);
    for (uint16_t odd : {0x7e00, 0x7c00, 0xfc00}) {  // NaN and the infinities
        for (int half : {0, 1}) {
            const Matrix matrix = matrix_of(backend, type, 17, columns, random);
            const Floats before = product(*find_kernels("portable"), packed_of(matrix), x);
            Bytes row = random_rows(type, 1, columns, random);
            bool present = false;
            set_scales(type, row, [&](int h) -> uint16_t {
                present |= h == half;
                return h == half ? odd : 0x3c00;
            });
            if (!present) continue;
            must(hydra_matrix_write(matrix, 5, 1, nullptr, type, row.data(), static_cast<int64_t>(row.size())));
            for (const std::string& isa : instruction_sets()) {
                const Floats after = product(*find_kernels(isa.c_str()), packed_of(matrix), x);
                for (size_t i = 0; i < after.size(); ++i) {
                    if (i % 17 == 5) {
                        EXPECT_FALSE(std::isfinite(after[i])) << isa << ", " << i;
                    } else {
                        EXPECT_EQ(after[i], before[i]) << isa << ", " << i;
                    }
                }
            }
        }
    }
}

}  // namespace
}  // namespace hydra::test
