#include "fixture.h"

namespace hydra::cuda::test {
namespace {

Floats read_row(const Matrix& matrix, int64_t row) {
    Floats values(static_cast<size_t>(matrix.view.columns), NAN);
    must(api().matrix_read(device(), &matrix.view, row, values.data()));
    return values;
}

TEST(Matrix, GivesBackWhatWasWritten) {
    Random random(1);
    for (hydra_type type : ALL_TYPES) {
        for (const auto& [rows, wanted] :
             std::vector<std::pair<int, int>>{{1, 32}, {16, 64}, {37, 160}, {5, 1}, {18, 45}, {21, 520}}) {
            const int columns = whole_columns(type, wanted);
            SCOPED_TRACE(testing::Message() << "type " << type << ", " << rows << " x " << columns);
            const Matrix matrix(type, rows, columns, random);
            for (int r = 0; r < rows; ++r) {
                EXPECT_TRUE(same_bits(read_row(matrix, r), row_of(matrix.values, r, columns))) << r;
            }
        }
    }
}

TEST(Matrix, PutsRowsWhereTheyAreTold) {
    Random random(2);
    for (hydra_type type : ALL_TYPES) {
        SCOPED_TRACE(testing::Message() << "type " << type);
        const int columns = whole_columns(type, 64);
        const Matrix source(type, 6, columns, random), target(type, 40, columns);
        const std::vector<int32_t> rows{39, 0, 17, 8, 16, 31};
        must(api().matrix_write(device(), &target.view, 0, 6, rows.data(), source.source.data()));
        must(api().matrix_write(device(), &target.view, 20, 2, nullptr, source.source.data()));
        for (int i = 0; i < 6; ++i) {
            EXPECT_TRUE(same_bits(read_row(target, rows[i]), row_of(source.values, i, columns))) << i;
        }
        EXPECT_TRUE(same_bits(read_row(target, 21), row_of(source.values, 1, columns)));
        for (float value : read_row(target, 22)) EXPECT_EQ(value, 0);
    }
}

TEST(Matrix, GathersRowsBitByBit) {
    Random random(3);
    for (hydra_type type : ALL_TYPES) {
        for (int wanted : {32, 96, 50, 520}) {
            const int columns = whole_columns(type, wanted);
            SCOPED_TRACE(testing::Message() << "type " << type << ", " << columns << " columns");
            const Matrix source(type, 35, columns, random), target(type, 5, columns);
            const std::vector<int32_t> ids{34, 0, 9, 9, 24};
            must(api().matrix_gather(device(), &target.view, &source.view, ids.data()));
            for (int i = 0; i < 5; ++i) {
                EXPECT_TRUE(same_bits(read_row(target, i), row_of(source.values, ids[i], columns))) << i;
            }
        }
    }
}

TEST(Matrix, TakesNoMoreThanItsTypeNeeds) {
    EXPECT_EQ(api().matrix_bytes(HYDRA_F32, 16, 32), 16 * 32 * 4);
    EXPECT_EQ(api().matrix_bytes(HYDRA_BF16, 32, 64), 32 * 64 * 2);
    EXPECT_EQ(api().matrix_bytes(HYDRA_Q8_0, 16, 64), 16 * 2 * 34);
    EXPECT_EQ(api().matrix_bytes(HYDRA_Q4_0, 16, 64), 16 * 2 * 18);
    EXPECT_EQ(api().matrix_bytes(HYDRA_Q4_1, 16, 64), 16 * 2 * 20);
    EXPECT_EQ(api().matrix_bytes(HYDRA_Q5_0, 16, 64), 16 * 2 * 22);
    EXPECT_EQ(api().matrix_bytes(HYDRA_Q5_1, 16, 64), 16 * 2 * 24);
    EXPECT_EQ(api().matrix_bytes(HYDRA_Q4_K, 16, 512), 16 * 2 * 148);
    EXPECT_EQ(api().matrix_bytes(HYDRA_Q5_K, 16, 512), 16 * 2 * 180);
    EXPECT_EQ(api().matrix_bytes(HYDRA_Q6_K, 16, 512), 16 * 2 * 210);
    EXPECT_EQ(api().matrix_bytes(HYDRA_F16, 17, 33), 32 * 64 * 2);
}

}  // namespace
}  // namespace hydra::cuda::test
