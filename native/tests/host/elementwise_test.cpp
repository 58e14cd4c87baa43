#include "cpu/kernels.h"
#include "types.h"

namespace hydra::test {
namespace {

struct Quantised {
    std::vector<int> quants;
    Floats scales, sums;
    std::vector<int> offsets;
};

Quantised prepared(const Kernels& kernels, const Floats& x, int row) {
    const auto columns = static_cast<int64_t>(x.size());
    const int64_t blocks = (columns + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS, groups = row / ROW_GROUP + 1;
    const Aligned<QuantisedBlock> memory = allocate<QuantisedBlock>(groups * blocks);
    std::memset(static_cast<void*>(memory.get()), 0x55, static_cast<size_t>(groups * blocks) * sizeof(QuantisedBlock));
    kernels.prepare(x.data(), nullptr, 1, columns, Form::BLOCKS, {blocks * BLOCK_COLUMNS, nullptr, memory.get()}, row);
    Quantised out;
    for (int64_t b = 0; b < blocks; ++b) {
        const QuantisedBlock& block = memory[row / ROW_GROUP * blocks + b];
        for (int8_t q : block.quants[row % ROW_GROUP]) out.quants.push_back(q);
        out.scales.push_back(block.scales[row % ROW_GROUP]);
        out.sums.push_back(block.sums[row % ROW_GROUP]);
        out.offsets.push_back(block.offsets[row % ROW_GROUP]);
    }
    return out;
}

Quantised expected_of(Floats x) {
    x.resize((x.size() + 31) / 32 * 32);
    Quantised out;
    for (size_t b = 0; b < x.size(); b += 32) {
        float largest = 0;
        for (size_t i = b; i < b + 32; ++i) largest = std::max(largest, std::fabs(x[i]));
        const bool zeros = largest < 0x1p-119f;
        const float scale = zeros ? 0 : largest / 127, inverse = 127 / largest;
        int sum = 0;
        for (size_t i = b; i < b + 32; ++i) {
            const float q = zeros ? 0.0f : std::nearbyint(x[i] * inverse);
            out.quants.push_back(static_cast<int>(std::clamp(q, -127.0f, 127.0f)));
            sum += out.quants.back();
        }
        out.scales.push_back(scale);
        out.sums.push_back(scale * static_cast<float>(sum));
        out.offsets.push_back(-128 * sum);
    }
    return out;
}

TEST(Prepare, QuantisesBlocksOfThirtyTwoToNearest) {
    for (const std::string& isa : instruction_sets()) {
        for (int64_t columns : {1, 15, 16, 17, 31, 32, 33, 120, 576}) {
            for (float deviation : {1e-42f, 1e-36f, 1e-20f, 1.0f, 1e35f}) {
                for (int row : {0, 5, 7, 8, 63}) {
                    Random random(static_cast<uint32_t>(columns + row));
                    Floats x = random.normal(columns, deviation);
                    const Quantised out = prepared(*find_kernels(isa.c_str()), x, row), expected = expected_of(x);
                    EXPECT_EQ(out.quants, expected.quants) << isa;
                    EXPECT_TRUE(same_bits(out.scales, expected.scales)) << isa;
                    EXPECT_TRUE(same_bits(out.sums, expected.sums)) << isa;
                    EXPECT_EQ(out.offsets, expected.offsets) << isa;
                }
            }
        }
    }
}

TEST(Prepare, RoundsTiesToEven) {
    Floats x(32);
    x[0] = 127;
    for (int i = 1; i < 32; ++i) x[i] = static_cast<float>(i) - 15.5f;
    for (const std::string& isa : instruction_sets()) {
        const Quantised out = prepared(*find_kernels(isa.c_str()), x, 0);
        for (int i = 1; i < 32; ++i) EXPECT_EQ(out.quants[i] % 2, 0) << isa << ", " << x[i];
    }
}

TEST(Prepare, GivesBlocksOfZerosTheScaleZero) {
    for (const std::string& isa : instruction_sets()) {
        Floats x(64, -0.0f);
        x[40] = 1;
        const Quantised out = prepared(*find_kernels(isa.c_str()), x, 0);
        EXPECT_EQ(out.scales[0], 0.0f);
        EXPECT_GT(out.scales[1], 0.0f);
        EXPECT_TRUE(std::all_of(out.quants.begin(), out.quants.begin() + 32, [](int q) { return q == 0; }));
    }
}

TEST(Prepare, MarksBlocksThatAreNotFinite) {
    for (const std::string& isa : instruction_sets()) {
        for (float odd : {NAN, -NAN, INFINITY, -INFINITY}) {
            for (int at : {0, 15, 16, 31}) {
                Floats x(64, 1.0f);
                x[at] = odd;
                const Quantised out = prepared(*find_kernels(isa.c_str()), x, 0);
                EXPECT_TRUE(std::isnan(out.scales[0])) << isa;
                EXPECT_TRUE(std::isnan(out.sums[0])) << isa;
                EXPECT_EQ(out.offsets[0], 0) << isa;
                EXPECT_EQ(out.scales[1], 1.0f / 127) << isa;
            }
        }
    }
}

TEST(Prepare, CopiesFloatsAndPadsThemWithZeros) {
    for (const std::string& isa : instruction_sets()) {
        for (int64_t columns : {1, 16, 31, 32, 33, 70}) {
            for (int row : {0, 7, 9}) {
                const int64_t blocks = (columns + 31) / 32;
                const Aligned<ValueBlock> memory = allocate<ValueBlock>(2 * blocks);
                std::memset(static_cast<void*>(memory.get()), 0xff,
                            static_cast<size_t>(2 * blocks) * sizeof(ValueBlock));
                Random random(1);
                Floats x = random.normal(columns), out;
                find_kernels(isa.c_str())
                    ->prepare(x.data(), nullptr, 1, columns, Form::VALUES, {blocks * 32, memory.get(), nullptr}, row);
                for (int64_t b = 0; b < blocks; ++b) {
                    const float* values = memory[row / 8 * blocks + b].values[row % 8];
                    out.insert(out.end(), values, values + 32);
                }
                x.resize(static_cast<size_t>(blocks) * 32);
                EXPECT_TRUE(same_bits(out, x)) << isa << ", " << columns;
            }
        }
    }
}

// Runs change(kernels, values) on every instruction set, expects the same bits of all, and returns them.
template <class Change>
Floats everywhere(const Floats& values, Change&& change) {
    Floats expected = values;
    change(*find_kernels("portable"), expected);
    for (const std::string& isa : instruction_sets()) {
        Floats out = values;
        change(*find_kernels(isa.c_str()), out);
        EXPECT_TRUE(same_bits(out, expected)) << isa;
    }
    return expected;
}

TEST(Prepare, RoundsToSixteenBitsInTwoPlanes) {
    constexpr int STEPS = 255 * 127 + 127;
    for (const std::string& isa : instruction_sets()) {
        for (int64_t columns : {1, 17, 63, 64, 65, 576}) {
            for (float deviation : {1e-42f, 1e-33f, 1e-20f, 1.0f, 1e34f}) {
                for (int row : {0, 7, 15, 16, 63}) {
                    SCOPED_TRACE(testing::Message() << isa << ", " << columns << " columns, row " << row);
                    const Floats x = Random(static_cast<uint32_t>(columns + row)).normal(columns, deviation);
                    const int64_t blocks = plane_blocks(columns), first = row / PLANE_GROUP * blocks;
                    const Aligned<PlaneBlock> memory = allocate<PlaneBlock>(first + blocks);
                    std::memset(static_cast<void*>(memory.get()), 0x55,
                                static_cast<size_t>(first + blocks) * sizeof(PlaneBlock));
                    find_kernels(isa.c_str())
                        ->prepare(x.data(), nullptr, 1, columns, Form::PLANES, {0, nullptr, nullptr, memory.get()},
                                  row);
                    const PlaneBlock* group = memory.get() + first;
                    const int r = row % PLANE_GROUP;
                    float largest = 0;
                    for (float value : x) largest = std::max(largest, std::fabs(value));
                    const bool zeros = largest < 0x1p-111f;
                    const float scale = zeros ? 0 : largest / STEPS, inverse = STEPS / largest;
                    EXPECT_EQ(group->scales[r], scale);
                    int sums[2] = {};
                    for (int64_t c = 0; c < blocks * PLANE_COLUMNS; ++c) {
                        const auto& planes = group[c / PLANE_COLUMNS].planes[r];
                        const int high = planes[0][c % PLANE_COLUMNS], low = planes[1][c % PLANE_COLUMNS];
                        sums[0] += high;
                        sums[1] += low;
                        const float value = c < columns && !zeros ? std::nearbyint(x[c] * inverse) : 0;
                        EXPECT_EQ(255 * high + low, std::clamp(static_cast<int>(value), -STEPS, STEPS)) << c;
                        EXPECT_LE(std::max(std::abs(high), std::abs(low)), 127) << c;
                    }
                    EXPECT_EQ(group->offsets[r][0], -128 * sums[0]);
                    EXPECT_EQ(group->offsets[r][1], -128 * sums[1]);
                }
            }
        }
    }
}

// Normalising rows while they are prepared, some of them side by side, is the same to the bit as doing it before.
TEST(Prepare, NormalisesAsRmsNormDoes) {
    constexpr int ROWS = 7;
    for (const std::string& isa : instruction_sets()) {
        const Kernels& kernels = *find_kernels(isa.c_str());
        for (int64_t columns : {1, 31, 96, 128, 140, 384, 576}) {
            Random random(static_cast<uint32_t>(columns));
            const Floats x = random.normal(ROWS * columns), weight = random.normal(columns);
            const float* rows[ROWS];
            for (int r = 0; r < ROWS; ++r) rows[r] = x.data() + r * columns;
            float scales[ROWS];
            kernels.norm_scales(rows, ROWS, columns, 1e-5f, scales);

            const int64_t blocks = (columns + 31) / 32, planes = plane_blocks(columns);
            struct Prepared {
                Aligned<ValueBlock> values;
                Aligned<QuantisedBlock> quantised;
                Aligned<PlaneBlock> planes;
            } before, meanwhile;
            for (Prepared* each : {&before, &meanwhile}) {
                *each = {allocate<ValueBlock>(blocks), allocate<QuantisedBlock>(blocks), allocate<PlaneBlock>(planes)};
            }
            const auto view = [&](const Prepared& of) {
                return Activations{blocks * 32, of.values.get(), of.quantised.get(), of.planes.get()};
            };
            for (int r = 0; r < ROWS; ++r) {
                Floats normed(static_cast<size_t>(columns));
                kernels.rms_norm(rows[r], weight.data(), columns, 1e-5f, normed.data());
                for (Form form : {Form::VALUES, Form::BLOCKS, Form::PLANES}) {
                    EXPECT_EQ(kernels.prepare(rows[r], weight.data(), scales[r], columns, form, view(meanwhile), r),
                              kernels.prepare(normed.data(), nullptr, 1, columns, form, view(before), r));
                }
            }
            const auto same = [](const auto& one, const auto& other, int64_t count) {
                return std::memcmp(one.get(), other.get(), static_cast<size_t>(count) * sizeof one[0]) == 0;
            };
            EXPECT_TRUE(same(before.values, meanwhile.values, blocks)) << isa << ", " << columns;
            EXPECT_TRUE(same(before.quantised, meanwhile.quantised, blocks)) << isa << ", " << columns;
            EXPECT_TRUE(same(before.planes, meanwhile.planes, planes)) << isa << ", " << columns;
        }
    }
}

TEST(Remainder, IsWhatTheQuantsLeaveOut) {
    for (const std::string& isa : instruction_sets()) {
        for (int64_t columns : {1, 16, 31, 33, 120}) {
            for (int row : {0, 7, 9}) {
                Random random(static_cast<uint32_t>(columns));
                const Floats x = random.normal(columns);
                const int64_t blocks = (columns + 31) / 32;
                const Aligned<QuantisedBlock> memory = allocate<QuantisedBlock>(2 * blocks);
                const Activations activations = {blocks * 32, nullptr, memory.get()};
                const Kernels& kernels = *find_kernels(isa.c_str());
                kernels.prepare(x.data(), nullptr, 1, columns, Form::BLOCKS, activations, row);
                Floats out(columns + 1, 42), expected;
                kernels.remainder(x.data(), columns, activations, row, out.data());
                for (int64_t i = 0; i < columns; ++i) {
                    const QuantisedBlock& block = memory[row / 8 * blocks + i / 32];
                    const float kept = static_cast<float>(block.quants[row % 8][i % 32]) * block.scales[row % 8];
                    expected.push_back(x[i] - kept);
                }
                expected.push_back(42);
                EXPECT_TRUE(same_bits(out, expected)) << isa << ", " << columns;
            }
        }
    }
}

TEST(RmsNorm, EqualsTheReference) {
    for (int64_t n : {1, 7, 8, 16, 24, 100, 384, 576, 4096}) {
        for (float deviation : {1e-3f, 1.0f, 1e4f}) {
            Random random(static_cast<uint32_t>(n));
            const Floats x = random.normal(n, deviation), weight = random.normal(n);
            Floats guarded = x;
            guarded.push_back(42);
            const Floats out = everywhere(guarded, [&](const Kernels& kernels, Floats& values) {
                kernels.rms_norm(x.data(), weight.data(), n, 1e-5f, values.data());
            });
            EXPECT_EQ(out.back(), 42);
            // Rounding of the scale and of two products.
            EXPECT_LT(relative_error(Floats(out.begin(), out.end() - 1),
                                     rms_norm(Doubles(x.begin(), x.end()), weight, 1e-5f)),
                      5e-7);
        }
    }
}

TEST(RmsNorm, MayWriteWhereItReads) {
    Random random(8);
    const Floats x = random.normal(100), weight = random.normal(100);
    for (const std::string& isa : instruction_sets()) {
        Floats apart(100), inside = x;
        find_kernels(isa.c_str())->rms_norm(x.data(), weight.data(), 100, 1e-5f, apart.data());
        find_kernels(isa.c_str())->rms_norm(inside.data(), weight.data(), 100, 1e-5f, inside.data());
        EXPECT_TRUE(same_bits(apart, inside));
    }
}

TEST(Rotate, TurnsEveryPair) {
    Random random(14);
    const Floats x = random.normal(40);
    Floats angles, expected;
    for (int i = 0; i < 40; i += 2) {
        const float angle = static_cast<float>(i * i), cosine = std::cos(angle), sine = std::sin(angle);
        append(angles, {cosine, sine});
        append(expected, {x[i] * cosine - x[i + 1] * sine, x[i + 1] * cosine + x[i] * sine});
    }
    const Floats out = everywhere(x, [&](const Kernels& k, Floats& v) { k.rotate(v.data(), angles.data(), 40); });
    EXPECT_TRUE(same_bits(out, expected));
}

TEST(Silu, EqualsTheReference) {
    Random random(15);
    Floats x = random.normal(256, 5.0f);
    for (float value : {0.0f, -0.0f, 80.0f, -80.0f, 200.0f, -200.0f}) append(x, Floats(16, value));
    const Floats up = random.normal(static_cast<int64_t>(x.size()));
    const Floats alone =
        everywhere(x, [](const Kernels& k, Floats& v) { k.silu(v.data(), static_cast<int64_t>(v.size())); });
    const Floats product = everywhere(
        x, [&](const Kernels& k, Floats& v) { k.silu_mul(v.data(), up.data(), static_cast<int64_t>(v.size())); });
    Doubles expected, expected_product;
    for (size_t i = 0; i < x.size(); ++i) {
        expected.push_back(silu(x[i]));
        expected_product.push_back(silu(x[i]) * up[i]);
        EXPECT_NEAR(alone[i], expected[i], std::fabs(expected[i]) * 1e-6 + 1e-30) << x[i];
    }
    EXPECT_LT(relative_error(alone, expected), 5e-7);
    EXPECT_LT(relative_error(product, expected_product), 5e-7);
}

TEST(Gelu, EqualsTheReference) {
    Random random(17);
    Floats x = random.normal(256, 3.0f);
    for (float value : {0.0f, -0.0f, 4.0f, -4.0f, 80.0f, -80.0f, 1e15f, -1e15f}) append(x, Floats(16, value));
    const Floats up = random.normal(static_cast<int64_t>(x.size()));
    const Floats product = everywhere(
        x, [&](const Kernels& k, Floats& v) { k.gelu_mul(v.data(), up.data(), static_cast<int64_t>(v.size())); });
    Doubles expected;
    for (size_t i = 0; i < x.size(); ++i) {
        expected.push_back(gelu(x[i]) * up[i]);
        EXPECT_NEAR(product[i], expected[i], std::fabs(expected[i]) * 1e-6 + 1e-6) << x[i];
    }
    EXPECT_LT(relative_error(product, expected), 5e-7);
}

TEST(Reaching, FindsWhatIsNotBelowTheThresholdOfItsRow) {
    Random random(16);
    for (const std::string& isa : instruction_sets()) {
        for (int rows : {1, 3, 64}) {
            Floats x = random.normal(16 * rows), thresholds = random.normal(rows);
            for (int r = 0; r < rows; ++r) {
                x[16 * r + 3] = NAN;
                x[16 * r + 4] = thresholds[r];
                x[16 * r + 5] = INFINITY;
            }
            thresholds[rows / 2] = rows > 1 ? NAN : thresholds[0];
            std::vector<uint32_t> lanes(static_cast<size_t>(rows)), expected(lanes);
            uint64_t any = 0;
            for (int r = 0; r < rows; ++r) {
                for (int i = 0; i < 16; ++i) expected[r] |= static_cast<uint32_t>(x[16 * r + i] >= thresholds[r]) << i;
                any |= uint64_t{expected[r] != 0} << r;
            }
            EXPECT_EQ(find_kernels(isa.c_str())->reaching(x.data(), rows, thresholds.data(), lanes.data()), any);
            EXPECT_EQ(lanes, expected) << isa;
        }
    }
}

TEST(PutTile, AddsBiasThenResidualAndLeavesOtherColumns) {
    Random random(18);
    for (const std::string& isa : instruction_sets()) {
        for (int lanes : {1, 7, 15, 16}) {
            for (int rows : {1, 5}) {
                for (int given = 0; given < 4; ++given) {
                    const Floats values = random.normal(16 * rows), bias = random.normal(lanes);
                    const int stride = 40, residual_stride = 33;
                    const Floats residual = random.normal(residual_stride * rows);
                    Floats out(static_cast<size_t>(stride * rows), 7.0f), expected = out;
                    for (int r = 0; r < rows; ++r) {
                        for (int l = 0; l < lanes; ++l) {
                            float value = values[16 * r + l];
                            if ((given & 1) != 0) value += bias[l];
                            if ((given & 2) != 0) value = residual[residual_stride * r + l] + value;
                            expected[stride * r + l] = value;
                        }
                    }
                    find_kernels(isa.c_str())
                        ->put_tile(values.data(), rows, lanes, (given & 1) != 0 ? bias.data() : nullptr,
                                   (given & 2) != 0 ? residual.data() : nullptr, residual_stride, out.data(), stride);
                    EXPECT_TRUE(same_bits(out, expected)) << isa << ", " << lanes << " lanes, " << given;
                }
            }
        }
    }
}

TEST(Prepare, TellsRowsWithABlockThatIsMuchLargerThanTheOthers) {
    for (const std::string& isa : instruction_sets()) {
        for (int64_t columns : {192, 384, 576}) {
            for (float factor : {1.0f, 4.0f, 1000.0f}) {
                Floats x(static_cast<size_t>(columns), 1.0f);
                x[40] = factor;
                const int64_t blocks = columns / BLOCK_COLUMNS;
                const Aligned<QuantisedBlock> memory = allocate<QuantisedBlock>(blocks);
                const float most = factor / 127, sum = most + static_cast<float>(blocks - 1) / 127;
                EXPECT_EQ(
                    find_kernels(isa.c_str())
                        ->prepare(x.data(), nullptr, 1, columns, Form::BLOCKS, {columns, nullptr, memory.get()}, 3),
                    most * static_cast<float>(blocks) > 5 * sum)
                    << isa << ", " << columns << " columns, " << factor;
            }
        }
    }
}

TEST(Read, AddsEveryWord) {
    Random random(17);
    for (const std::string& isa : instruction_sets()) {
        for (int64_t words : {0, 8, 64, 72, 1000}) {
            std::vector<uint64_t> data(static_cast<size_t>(words));
            uint64_t sum = 0;
            for (uint64_t& word : data) sum += word = static_cast<uint64_t>(random.below(1 << 30)) << random.below(40);
            EXPECT_EQ(find_kernels(isa.c_str())->read(data.data(), words * 8), sum) << isa;
        }
    }
}

}  // namespace
}  // namespace hydra::test
