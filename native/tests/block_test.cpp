#include "fixture.h"
#include "team_sizes.h"
#include "types.h"

namespace hydra::test {
namespace {

struct Case {
    int inputs, outputs;
    hydra_type type, skip_type;
    bool skipping, biased;
    int group;
};

struct Data {
    Case made;
    Floats linear, skip, linear_bias, skip_bias;

    explicit Data(const Case& c) : made(c) {
        Random random(c.inputs);
        const float deviation = 1 / std::sqrt(static_cast<float>(c.inputs));
        linear = random.normal(c.inputs * c.outputs, deviation);
        if (c.skipping) skip = random.normal(c.inputs * c.outputs, deviation);
        if (c.biased) linear_bias = random.normal(c.outputs);
        if (c.biased && c.skipping) skip_bias = random.normal(c.outputs);
    }
};

Buffer or_null(hydra_backend* backend, const Floats& values) {
    return values.empty() ? Buffer() : floats(backend, values);
}

Floats run(hydra_backend* backend, const Data& data, const Floats& x, bool in_place = false) {
    const Case& c = data.made;
    const int rows = static_cast<int>(x.size()) / c.inputs;
    const int max_rows = std::max(ROWS, rows);
    Pass pass(backend, std::vector<int>{0}, max_rows);
    pass.chain_of(rows);
    const Buffer in = padded_rows(backend, x, c.inputs, max_rows);
    const Buffer other = poisoned(backend, c.outputs, max_rows * (c.group + 1));
    hydra_buffer* out = in_place ? in : other;
    const Matrix linear = matrix(backend, c.type, c.outputs, c.inputs, data.linear);
    const Matrix skip = c.skipping ? matrix(backend, c.skip_type, c.outputs, c.inputs, data.skip) : Matrix();
    const Buffer linear_bias = or_null(backend, data.linear_bias), skip_bias = or_null(backend, data.skip_bias);
    must(record(pass.program, hydra_block{pass.rows, in, linear, linear_bias, skip, skip_bias, c.group, out}));
    pass.run();
    const int before = c.group * rows;
    EXPECT_TRUE(untouched_behind(out, (rows + before) * c.outputs));
    const Floats all = contents(out, (rows + before) * c.outputs);
    const auto first = all.begin() + before * c.outputs;
    EXPECT_TRUE(std::all_of(all.begin(), first, [](float value) { return std::isnan(value); }));
    return Floats(first, all.end());
}

Doubles reference(hydra_backend* backend, const Data& data, const Floats& x) {
    const Case& c = data.made;
    const Floats linear = values_of(matrix(backend, c.type, c.outputs, c.inputs, data.linear));
    const Floats skip = c.skipping ? values_of(matrix(backend, c.skip_type, c.outputs, c.inputs, data.skip)) : Floats();
    Doubles expected;
    for (size_t r = 0; r < x.size() / c.inputs; ++r) {
        const Floats row = row_of(x, r, c.inputs);
        const Doubles input(row.begin(), row.end());
        Doubles out = product(linear, input, data.linear_bias);
        const Doubles kept = c.skipping ? product(skip, input, data.skip_bias) : input;
        for (int n = 0; n < c.outputs; ++n) out[n] = kept[n] + silu(out[n]);
        append(expected, out);
    }
    return expected;
}

TEST(Block, MatchesTheReference) {
    for (const Case& c :
         {Case{72, 72, HYDRA_F32, HYDRA_F32, false, false, 0}, Case{120, 120, HYDRA_F32, HYDRA_F32, false, true, 3},
          Case{240, 72, HYDRA_F32, HYDRA_F32, true, true, 0}, Case{72, 120, HYDRA_F32, HYDRA_F32, true, false, 1},
          Case{384, 384, HYDRA_Q8_0, HYDRA_Q8_0, false, true, 0}, Case{360, 120, HYDRA_Q8_0, HYDRA_Q8_0, true, true, 5},
          Case{240, 120, HYDRA_Q8_0, HYDRA_F32, true, false, 0},
          Case{240, 120, HYDRA_F32, HYDRA_Q8_0, true, false, 0}}) {
        const Data data(c);
        for (int rows : {1, 2, 5, 17, 64}) {
            SCOPED_TRACE(testing::Message() << c.inputs << " to " << c.outputs << ", types " << c.type << " and "
                                            << c.skip_type << ", " << rows << " rows, group " << c.group);
            const Backend backend = open_backend(rows % 3 + 1);
            const Floats x = Random(rows).normal(rows * c.inputs);
            const hydra_type rounder = c.skipping && c.skip_type != HYDRA_F32 ? c.skip_type : c.type;
            EXPECT_LT(relative_error(run(backend, data, x), reference(backend, data, x)), tolerance(rounder));
        }
    }
}

TEST(Block, MayOverwriteItsInput) {
    for (hydra_type type : types_of_each_form()) {
        const Data data({120, 120, type, type, false, true, 0});
        for (int rows : {1, 2, 17, 64, 70}) {
            const Floats x = Random(rows).normal(rows * 120);
            for (int threads : team_sizes()) {
                const Backend backend = open_backend(threads);
                EXPECT_TRUE(same_bits(run(backend, data, x, true), run(backend, data, x))) << rows << ", " << threads;
            }
        }
    }
}

TEST(Block, GivesTheSameBitsEverywhereAndForOneRowAndMany) {
    for (hydra_type type : types_of_each_form()) {
        const Data data({240, 120, type, type, true, true, 0});
        const int rows = emulated() ? 70 : 150;
        const Floats x = Random(1).normal(rows * 240);
        expect_same_bits_everywhere([&](hydra_backend* backend) { return run(backend, data, x); });
        const Backend backend = open_backend(2);
        const Floats together = run(backend, data, x);
        for (int r = 0; r < rows; r += 3) {
            EXPECT_TRUE(same_bits(run(backend, data, row_of(x, r, 240)), row_of(together, r, 120))) << r;
        }
    }
}

TEST(Block, RefusesWhatDoesNotFit) {
    const Backend backend = open_backend();
    const Pass pass(backend);
    const Matrix square = matrix(backend, HYDRA_F32, 40, 40, Floats(1600));
    const Matrix wide = matrix(backend, HYDRA_F32, 40, 80, Floats(3200));
    const Buffer x = poisoned(backend, 80), small = poisoned(backend, 39), bias = floats(backend, Floats(40));
    const Buffer out = poisoned(backend, 40);
    const auto attempt = [&](const Buffer& in, const Matrix& linear, const Matrix& skip, const Buffer& skip_bias,
                             int group, const Buffer& to) {
        return record(pass.program, hydra_block{pass.rows, in, linear, nullptr, skip, skip_bias, group, to});
    };
    expect_refused(attempt(x, wide, {}, {}, 0, out), "linear is [40][80], must be square");
    expect_refused(attempt(x, wide, square, {}, 0, out), "skip is [40][40], must be [40][80]");
    expect_refused(attempt(x, square, {}, bias, 0, out), "skip_bias without skip");
    expect_refused(attempt(x, square, square, {}, 0, x), "out must not be x");
    expect_refused(attempt(x, square, {}, {}, 2, x), "group is 2, must be 0 where out is x");
    expect_refused(attempt(x, square, {}, {}, 1, out), "out has 10240 bytes, must have 128 x 40 floats");
    expect_refused(attempt(x, square, {}, {}, -1, out), "group is -1");
    expect_refused(attempt(x, square, {}, {}, 64, out), "group is 64");
    expect_refused(attempt(small, square, {}, {}, 0, out), "x has 9984 bytes");
}

}  // namespace
}  // namespace hydra::test
