#include <numeric>

#include "types.h"

namespace hydra::test {
namespace {

Matrix create(hydra_backend* backend, hydra_type type, int64_t rows, int64_t columns) {
    hydra_matrix* out = nullptr;
    must(hydra_matrix_create(backend, type, rows, columns, &out));
    return Matrix(out);
}

void write(hydra_matrix* matrix, hydra_type type, const Bytes& rows, int64_t first, int64_t count,
           const int32_t* target_rows = nullptr) {
    must(hydra_matrix_write(matrix, first, count, target_rows, type, rows.data(), static_cast<int64_t>(rows.size())));
}

// What a row of `columns` values of one type becomes in a matrix of another, read as float32.
Floats through(hydra_type source, const Bytes& row, hydra_type target, int64_t columns) {
    Floats values = floats_of(converted(source, row, HYDRA_F32, columns));
    if (source == target) return values;
    values.resize(static_cast<size_t>((columns + 31) / 32 * 32));
    const auto padded = static_cast<int64_t>(values.size());
    values = floats_of(converted(target, converted(HYDRA_F32, bytes_of(values), target, padded), HYDRA_F32, padded));
    values.resize(static_cast<size_t>(columns));
    return values;
}

TEST(Matrix, HasTheTypesThatTheBackendHasKernelsFor) {
    const Backend backend = open_backend();
    EXPECT_EQ(matrix_types(backend), std::vector<hydra_type>(std::begin(ALL_TYPES), std::end(ALL_TYPES)));
    EXPECT_EQ(hydra_backend_has_kernel(backend, HYDRA_R8), cuda_library() == nullptr ? 1 : 0);
    EXPECT_EQ(hydra_backend_has_kernel(backend, static_cast<hydra_type>(11)), 0);
    EXPECT_EQ(hydra_backend_has_kernel(nullptr, HYDRA_F32), 0);
    for (hydra_type type : ALL_TYPES) {
        hydra_matrix* out = nullptr;
        const hydra_status status = hydra_matrix_create(backend, type, 1, 256, &out);
        if (hydra_backend_has_kernel(backend, type) == 0) expect_refused(status, facts_of(type).name);
        EXPECT_EQ(status == HYDRA_OK, hydra_backend_has_kernel(backend, type) == 1) << type;
        hydra_matrix_destroy(out);
    }
}

TEST(Matrix, HoldsRowsOfEverySourceType) {
    const Backend backend = open_backend();
    for (hydra_type type : matrix_types(backend)) {
        for (hydra_type source : ALL_TYPES) {
            if (source != type && !facts_of(type).quantisable) continue;
            for (int64_t columns : {1, 31, 32, 33, 120, 256, 512}) {
                if (columns % facts_of(source).block != 0) continue;
                for (int64_t count : {1, 16, 37}) {
                    SCOPED_TRACE(testing::Message() << facts_of(source).name << " into " << facts_of(type).name << " ["
                                                    << count << "][" << columns << "]");
                    Random random(static_cast<uint32_t>(columns * 64 + count));
                    const Bytes rows = random_rows(source, count, columns, random);
                    const Matrix matrix = create(backend, type, count, columns);
                    write(matrix, source, rows, 0, count);
                    const Floats values = values_of(matrix);
                    for (int64_t r = 0; r < count; ++r) {
                        const Bytes row = row_of(rows, r, static_cast<int64_t>(rows.size()) / count);
                        EXPECT_TRUE(same_bits(row_of(values, r, columns), through(source, row, type, columns))) << r;
                    }
                }
            }
        }
    }
}

TEST(Matrix, IsZeroAtFirst) {
    const Backend backend = open_backend();
    for (hydra_type type : matrix_types(backend)) {
        const int64_t columns = whole_columns(type, 33);
        EXPECT_EQ(values_of(create(backend, type, 17, columns)), Floats(17 * columns)) << type;
    }
}

TEST(Matrix, KnowsItsShape) {
    const Backend backend = open_backend();
    const Matrix matrix = create(backend, HYDRA_Q4_0, 17, 96);
    EXPECT_EQ(hydra_matrix_type(matrix), HYDRA_Q4_0);
    EXPECT_EQ(hydra_matrix_rows(matrix), 17);
    EXPECT_EQ(hydra_matrix_columns(matrix), 96);
    // On the CPU two tiles of three blocks: 32 bytes of scales each, padded to 128, and 256 of nibbles.
    if (cuda_library() == nullptr) {
        EXPECT_EQ(hydra_matrix_bytes(matrix), 2 * (128 + 3 * 256));
    }
    EXPECT_GE(hydra_matrix_bytes(matrix), 17 * 3 * 18);
}

TEST(Matrix, HasNoShapeWhereItIsNull) {
    EXPECT_EQ(hydra_matrix_type(nullptr), HYDRA_F32);
    EXPECT_EQ(hydra_matrix_rows(nullptr), 0);
    EXPECT_EQ(hydra_matrix_columns(nullptr), 0);
    EXPECT_EQ(hydra_matrix_bytes(nullptr), 0);
}

TEST(Matrix, WritesRowsWhereTheyAreWanted) {
    const Backend backend = open_backend();
    for (hydra_type type : matrix_types(backend)) {
        Random random(3);
        const int64_t rows = 40, columns = whole_columns(type, 64);
        const hydra_type from = facts_of(type).quantisable ? HYDRA_F32 : type;
        std::vector<int32_t> order(rows);
        for (int32_t i = 0; i < rows; ++i) order[i] = i;
        random.shuffle(order);
        const Bytes source = random_rows(from, rows, columns, random);
        const Matrix straight = create(backend, type, rows, columns), permuted = create(backend, type, rows, columns);
        const int64_t middle = hydra::bytes_of(from, 13, columns);
        const Bytes front(source.begin(), source.begin() + middle), back(source.begin() + middle, source.end());
        write(straight, from, back, 13, rows - 13);
        write(straight, from, front, 0, 13);
        write(permuted, from, source, 0, rows, order.data());
        const Floats a = values_of(straight), b = values_of(permuted);
        for (int32_t i = 0; i < rows; ++i)
            EXPECT_TRUE(same_bits(row_of(a, i, columns), row_of(b, order[i], columns))) << i;
    }
}

TEST(Matrix, IsTheSameHoweverManyThreadsPackIt) {
    // Much enough that all threads take part.
    const int64_t rows = 1100, columns = 2048;
    for (hydra_type type : {HYDRA_F32, HYDRA_Q8_0, HYDRA_Q4_K, HYDRA_Q6_K}) {
        Random random(7);
        const Bytes bytes = random_rows(type, rows, columns, random);
        ASSERT_GT(bytes.size(), size_t{1} << 20);
        std::vector<int32_t> targets(rows);
        std::iota(targets.begin(), targets.end(), 0);
        std::reverse(targets.begin(), targets.end());
        Floats one, three;
        for (int threads : {1, 3}) {
            const Backend backend = open_backend(threads);
            const Matrix matrix = create(backend, type, rows, columns);
            write(matrix, type, bytes, 0, rows, targets.data());
            (threads == 1 ? one : three) = values_of(matrix);
        }
        EXPECT_TRUE(same_bits(one, three)) << facts_of(type).name;
        const Bytes row = row_of(bytes, 3, static_cast<int64_t>(bytes.size()) / rows);
        EXPECT_TRUE(same_bits(row_of(three, targets[3], columns), through(type, row, type, columns)));
    }
}

TEST(Matrix, GathersRowsBitByBit) {
    const Backend backend = open_backend();
    for (hydra_type type : matrix_types(backend)) {
        Random random(4);
        const int64_t columns = whole_columns(type, 96);
        const Matrix source = create(backend, type, 50, columns);
        write(source, type, random_rows(type, 50, columns, random), 0, 50);
        const std::vector<int32_t> ids = {49, 0, 7, 7, 16, 15, 48, 1, 2, 3, 4, 5, 6, 30, 31, 32, 33, 17};
        hydra_matrix* out = nullptr;
        must(hydra_matrix_gather(source, ids.data(), static_cast<int64_t>(ids.size()), &out));
        const Matrix gathered(out);
        EXPECT_EQ(hydra_matrix_type(gathered), type);
        EXPECT_EQ(hydra_matrix_rows(gathered), static_cast<int64_t>(ids.size()));
        const Floats a = values_of(source), b = values_of(gathered);
        for (size_t i = 0; i < ids.size(); ++i) {
            EXPECT_TRUE(same_bits(row_of(b, i, columns), row_of(a, ids[i], columns))) << i;
        }
    }
}

// SplitMix64's output number `index` + 1 after a seed that went through it once, as whole numbers from -2^23 on.
int64_t random_place(uint64_t seed, uint64_t index) {
    const auto scramble = [](uint64_t x) {
        x ^= x >> 30, x *= 0xbf58476d1ce4e5b9, x ^= x >> 27, x *= 0x94d049bb133111eb;
        return x ^ x >> 31;
    };
    return static_cast<int64_t>(scramble(scramble(seed) + index * 0x9e3779b97f4a7c15) >> 40) - (1 << 23);
}

// What hydra_matrix_fill promises for a row.
Floats random_row(hydra_type type, int64_t seed, float scale, int64_t row, int64_t columns) {
    const auto rounded = [](float x) { return half_to_float(float_to_half(x)); };
    Floats values;
    for (int64_t c = 0; c < columns; ++c) {
        const int64_t place = random_place(static_cast<uint64_t>(seed), static_cast<uint64_t>((row << 24) + c));
        const auto quant = [&](int64_t count) { return static_cast<float>((place + (1 << 23)) * count / (1 << 24)); };
        switch (type) {
            case HYDRA_Q8_0:
                values.push_back(rounded(scale / 127) * (quant(255) - 127));
                break;
            case HYDRA_R8:
                values.push_back(scale / 127 * (quant(255) - 127));
                break;
            case HYDRA_Q4_0:
                values.push_back(rounded(scale / 7) * (quant(15) - 7));
                break;
            case HYDRA_Q4_1:
            case HYDRA_Q4_K:
                values.push_back(rounded(scale / 7.5f) * quant(16) + rounded(-scale));
                break;
            case HYDRA_Q5_0:
                values.push_back(rounded(scale / 15) * (quant(31) - 15));
                break;
            case HYDRA_Q5_1:
            case HYDRA_Q5_K:
                values.push_back(rounded(scale / 15.5f) * quant(32) + rounded(-scale));
                break;
            case HYDRA_Q6_K:
                values.push_back(rounded(scale / 31) * (quant(63) - 31));
                break;
            default:
                values.push_back(scale * (static_cast<float>(place) / (1 << 23)));
        }
    }
    if (type != HYDRA_F16 && type != HYDRA_BF16) return values;
    return floats_of(converted(type, converted(HYDRA_F32, bytes_of(values), type, columns), HYDRA_F32, columns));
}

TEST(Matrix, IsFilledByPlaceAlone) {
    const Backend backend = open_backend(3);
    for (hydra_type type : matrix_types(backend)) {
        for (const auto& [rows, least] : std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {50, 33}, {17, 160}}) {
            const int64_t columns = whole_columns(type, least);
            for (int64_t seed : {int64_t{0}, int64_t{-7}, INT64_MAX}) {
                SCOPED_TRACE(testing::Message()
                             << facts_of(type).name << " [" << rows << "][" << columns << "], seed " << seed);
                const Matrix matrix = create(backend, type, rows, columns);
                must(hydra_matrix_fill(matrix, 99, 3));
                must(hydra_matrix_fill(matrix, seed, 0.06f));
                const Floats values = values_of(matrix);
                for (int64_t r = 0; r < rows; ++r) {
                    EXPECT_TRUE(same_bits(row_of(values, r, columns), random_row(type, seed, 0.06f, r, columns))) << r;
                }
            }
        }
    }
}

TEST(Matrix, IsFilledEvenlyBetweenTheBounds) {
    const Backend backend = open_backend();
    const int64_t rows = 64, columns = 256, count = rows * columns;
    const auto correlation = [&](const Floats& a, const Floats& b, int64_t shift) {
        double sum = 0;
        for (int64_t i = 0; i + shift < count; ++i) sum += static_cast<double>(a[i]) * b[i + shift];
        return sum / count * 3;
    };
    for (hydra_type type : matrix_types(backend)) {
        SCOPED_TRACE(facts_of(type).name);
        const Matrix matrix = create(backend, type, rows, columns), other = create(backend, type, rows, columns);
        must(hydra_matrix_fill(matrix, 5, 1));
        must(hydra_matrix_fill(other, 6, 1));
        const Floats values = values_of(matrix), others = values_of(other);
        const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
        EXPECT_LE(*std::max_element(values.begin(), values.end()), 1.001f);
        EXPECT_GE(*std::min_element(values.begin(), values.end()), -1.001f);
        EXPECT_NEAR(mean, 0, 0.02);
        // Whole numbers vary a little more than all between them.
        const double steps = type == HYDRA_Q4_0                         ? 14
                             : type == HYDRA_Q4_1 || type == HYDRA_Q4_K ? 15
                             : type == HYDRA_Q5_0                       ? 30
                             : type == HYDRA_Q5_1 || type == HYDRA_Q5_K ? 31
                             : type == HYDRA_Q6_K                       ? 62
                                                                        : 1e9;
        EXPECT_NEAR(correlation(values, values, 0), 1 + 2 / steps, 0.03);
        for (int64_t shift : {int64_t{1}, int64_t{16}, columns})
            EXPECT_NEAR(correlation(values, values, shift), 0, 0.04);
        EXPECT_NEAR(correlation(values, others, 0), 0, 0.04);
    }
}

TEST(Matrix, LivesOnWhenItsNeighboursAreDestroyed) {
    const Backend backend = open_backend();
    Random random(6);
    const Bytes rows = random_rows(HYDRA_F32, 8, 32, random);
    std::vector<Matrix> matrices;
    for (int i = 0; i < 20; ++i) {
        matrices.push_back(create(backend, HYDRA_F32, 8, 32));
        write(matrices.back(), HYDRA_F32, rows, 0, 8);
    }
    for (int i = 0; i < 19; ++i) matrices.erase(matrices.begin());
    EXPECT_TRUE(same_bits(values_of(matrices.front()), floats_of(rows)));
}

TEST(Matrix, RefusesWhatDoesNotFit) {
    const Backend backend = open_backend();
    hydra_matrix* out = nullptr;
    expect_refused(hydra_matrix_create(nullptr, HYDRA_F32, 1, 1, &out), "null");
    expect_refused(hydra_matrix_create(backend, HYDRA_F32, 1, 1, nullptr), "null");
    expect_refused(hydra_matrix_create(backend, HYDRA_Q6_K, 1, 257, &out), "columns is 257");
    expect_refused(hydra_matrix_create(backend, static_cast<hydra_type>(11), 1, 256, &out), "type 11");
    expect_refused(hydra_matrix_create(backend, HYDRA_F32, 0, 1, &out), "rows is 0");
    expect_refused(hydra_matrix_create(backend, HYDRA_F32, (1 << 24) + 1, 1, &out), "rows is 16777217");
    expect_refused(hydra_matrix_create(backend, HYDRA_F32, 1, -5, &out), "columns is -5");
    EXPECT_EQ(out, nullptr);

    const Matrix matrix = create(backend, HYDRA_Q8_0, 20, 64);
    const Bytes rows(20 * 64 * 4);
    const auto write_rows = [&](int64_t first, int64_t count, const int32_t* targets, hydra_type type, int64_t bytes) {
        return hydra_matrix_write(matrix, first, count, targets, type, rows.data(), bytes);
    };
    expect_refused(write_rows(0, 1, nullptr, HYDRA_F32, 255), "source_bytes is 255");
    expect_refused(write_rows(0, 1, nullptr, HYDRA_Q4_K, 144), "64 values");
    expect_refused(write_rows(19, 2, nullptr, HYDRA_F32, 512), "first_row 19");
    expect_refused(write_rows(-1, 1, nullptr, HYDRA_F32, 256), "first_row -1");
    expect_refused(write_rows(INT64_MAX, 1, nullptr, HYDRA_F32, 256), "first_row");
    expect_refused(write_rows(0, -1, nullptr, HYDRA_F32, 256), "count is -1");
    expect_refused(write_rows(0, INT64_MAX, nullptr, HYDRA_F32, 256), "too many");
    const int32_t targets[] = {3, 20};
    expect_refused(write_rows(0, 2, targets, HYDRA_F32, 512), "target_rows[1] is 20");
    const int32_t twice[] = {3, 4, 3};
    expect_refused(write_rows(0, 3, twice, HYDRA_F32, 768), "target_rows[2] is 3, which one before it is, too");
    expect_refused(hydra_matrix_write(nullptr, 0, 1, nullptr, HYDRA_F32, rows.data(), 256), "null");
    expect_refused(hydra_matrix_write(matrix, 0, 1, nullptr, HYDRA_F32, nullptr, 256), "null");

    Floats values(64);
    expect_refused(hydra_matrix_read(matrix, 20, values.data()), "row is 20");
    expect_refused(hydra_matrix_read(matrix, -1, values.data()), "row is -1");
    expect_refused(hydra_matrix_read(nullptr, 0, values.data()), "null");

    expect_refused(hydra_matrix_fill(nullptr, 1, 1), "null");
    expect_refused(hydra_matrix_fill(matrix, 1, -0.5f), "scale is -0.5");
    expect_refused(hydra_matrix_fill(matrix, 1, NAN), "scale is nan");
    expect_refused(hydra_matrix_fill(matrix, 1, 32769), "scale is 32769");

    const int32_t ids[] = {0, -1};
    expect_refused(hydra_matrix_gather(matrix, ids, 2, &out), "ids[1] is -1");
    expect_refused(hydra_matrix_gather(matrix, ids, 0, &out), "count is 0");
    expect_refused(hydra_matrix_gather(matrix, nullptr, 1, &out), "null");
    EXPECT_EQ(out, nullptr);
    hydra_matrix_destroy(nullptr);
}

TEST(Matrix, OfATypeThatNothingIsConvertedToTakesItsOwnOnly) {
    const Backend backend = open_backend();
    hydra_matrix* out = nullptr;
    expect_refused(hydra_matrix_create(backend, HYDRA_Q4_K, 1, 288, &out),
                   "columns is 288, must be a multiple of the 256");
    EXPECT_EQ(out, nullptr);
    const Matrix matrix = create(backend, HYDRA_Q4_K, 2, 256);
    const Bytes rows(256 * 4);
    expect_refused(hydra_matrix_write(matrix, 0, 1, nullptr, HYDRA_F32, rows.data(), 256 * 4), "source_type is F32");
}

// A scale of a row that nothing rounds, and the nearest of the whole numbers from -127 to 127.
Floats in_r8(Floats row) {
    float largest = 0;
    for (float value : row) largest = std::max(largest, std::fabs(value));
    const float scale = largest / 127, inverse = largest == 0 ? 0 : 1 / scale;
    for (float& value : row) value = static_cast<float>(static_cast<int>(std::round(value * inverse))) * scale;
    return row;
}

TEST(Matrix, OfR8RoundsRowsOfEveryTypeWithOneScale) {
    if (cuda_library() != nullptr) GTEST_SKIP() << "CUDA has no kernel for R8";
    const Backend backend = open_backend();
    for (hydra_type source : ALL_TYPES) {
        for (int64_t columns : {1, 3, 31, 33, 120, 256, 512}) {
            if (columns % facts_of(source).block != 0) continue;
            SCOPED_TRACE(testing::Message() << facts_of(source).name << ", " << columns << " columns");
            Random random(static_cast<uint32_t>(columns));
            const Bytes rows = random_rows(source, 37, columns, random);
            const Matrix matrix = create(backend, HYDRA_R8, 37, columns);
            write(matrix, source, rows, 0, 37);
            const Floats given = floats_of(converted(source, rows, HYDRA_F32, 37 * columns)), held = values_of(matrix);
            for (int64_t r = 0; r < 37; ++r) {
                EXPECT_TRUE(same_bits(row_of(held, r, columns), in_r8(row_of(given, r, columns)))) << r;
            }
            const int32_t ids[] = {36, 0, 36};
            hydra_matrix* gathered = nullptr;
            must(hydra_matrix_gather(matrix, ids, 3, &gathered));
            const Floats some = values_of(Matrix(gathered));
            for (int i = 0; i < 3; ++i) {
                EXPECT_TRUE(same_bits(row_of(some, i, columns), row_of(held, ids[i], columns))) << i;
            }
        }
    }
}

TEST(Matrix, OfR8IsZeroAtFirstAndTakesRowsOfItsOwnAnywhere) {
    if (cuda_library() != nullptr) GTEST_SKIP() << "CUDA has no kernel for R8";
    const Backend backend = open_backend();
    const Matrix matrix = create(backend, HYDRA_R8, 18, 7);
    EXPECT_EQ(values_of(matrix), Floats(18 * 7));
    Bytes row(4 + 7);
    const float scale = 0.5f;
    std::memcpy(row.data(), &scale, sizeof scale);
    const int8_t quants[] = {-127, -1, 0, 1, 2, 126, 127};
    std::memcpy(row.data() + 4, quants, sizeof quants);
    const int32_t target = 17;
    write(matrix, HYDRA_R8, row, 0, 1, &target);
    EXPECT_EQ(row_of(values_of(matrix), 17, 7), (Floats{-63.5f, -0.5f, 0, 0.5f, 1, 63, 63.5f}));
    EXPECT_EQ(row_of(values_of(matrix), 16, 7), Floats(7));
}

TEST(Matrix, OfR8IsFilledByPlaceAlone) {
    if (cuda_library() != nullptr) GTEST_SKIP() << "CUDA has no kernel for R8";
    const Backend backend = open_backend(3);
    const Matrix matrix = create(backend, HYDRA_R8, 50, 33);
    must(hydra_matrix_fill(matrix, 99, 3));
    must(hydra_matrix_fill(matrix, -7, 0.06f));
    const Floats values = values_of(matrix);
    for (int64_t r = 0; r < 50; ++r) {
        EXPECT_TRUE(same_bits(row_of(values, r, 33), random_row(HYDRA_R8, -7, 0.06f, r, 33))) << r;
    }
}

TEST(Matrix, OfR8IsRefusedWhereItDoesNotFit) {
    const Backend backend = open_backend();
    hydra_matrix* out = nullptr;
    if (cuda_library() != nullptr) {
        expect_refused(hydra_matrix_create(backend, HYDRA_R8, 1, 64, &out),
                       "type is R8, for which the cuda backend has no kernel: take F32");
        return;
    }
    expect_refused(hydra_matrix_create(backend, HYDRA_R8, 1, 65537, &out),
                   "columns is 65537, an R8 matrix has at most");
    const float values[4] = {};
    uint8_t row[8];
    expect_refused(hydra_convert(HYDRA_F32, values, 16, HYDRA_R8, row, 8, 4), "R8 is a type of whole rows");
}

TEST(Matrix, SaysWhenThereIsNotEnoughMemory) {
    const Backend backend = open_backend();
    hydra_matrix* out = nullptr;
    EXPECT_EQ(hydra_matrix_create(backend, HYDRA_F32, 1 << 24, 1 << 24, &out), HYDRA_OUT_OF_MEMORY);
    EXPECT_EQ(out, nullptr);
}

}  // namespace
}  // namespace hydra::test
