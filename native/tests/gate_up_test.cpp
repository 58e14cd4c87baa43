#include "fixture.h"
#include "types.h"

namespace hydra::test {
namespace {

constexpr float EPSILON = 1e-5f;

struct Data {
    int hidden, outputs;
    hydra_type gate_type, up_type;
    hydra_activation activation;
    Floats norm, gate, up;  // norm: empty where there is none

    Data(int columns, int rows, hydra_type first, hydra_type second, hydra_activation made = HYDRA_SILU,
         bool normed = true)
        : hidden(columns), outputs(rows), gate_type(first), up_type(second), activation(made) {
        Random random(columns);
        const float deviation = 1 / std::sqrt(static_cast<float>(columns));
        if (normed) norm = random.normal(columns);
        gate = random.normal(rows * columns, deviation);
        up = random.normal(rows * columns, deviation);
    }
};

Floats run(hydra_backend* backend, const Data& data, const Floats& x) {
    const int rows = static_cast<int>(x.size()) / data.hidden;
    Pass pass(backend);
    pass.chain_of(rows);
    const Buffer in = padded_rows(backend, x, data.hidden), out = poisoned(backend, data.outputs);
    const Buffer norm = data.norm.empty() ? Buffer() : floats(backend, data.norm);
    const Matrix gate = matrix(backend, data.gate_type, data.outputs, data.hidden, data.gate);
    const Matrix up = matrix(backend, data.up_type, data.outputs, data.hidden, data.up);
    must(record(pass.program, hydra_gate_up{pass.rows, in, norm, EPSILON, gate, up, data.activation, out}));
    pass.run();
    EXPECT_TRUE(untouched_behind(out, rows * data.outputs));
    return contents(out, rows * data.outputs);
}

Doubles reference(hydra_backend* backend, const Data& data, const Floats& x) {
    const Floats gate = values_of(matrix(backend, data.gate_type, data.outputs, data.hidden, data.gate));
    const Floats up = values_of(matrix(backend, data.up_type, data.outputs, data.hidden, data.up));
    Doubles expected;
    for (size_t r = 0; r < x.size() / data.hidden; ++r) {
        const Floats row = row_of(x, r, data.hidden);
        Doubles normed(row.begin(), row.end());
        if (!data.norm.empty()) normed = rms_norm(normed, data.norm, EPSILON);
        Doubles gated = product(gate, normed);
        const Doubles upped = product(up, normed);
        for (int n = 0; n < data.outputs; ++n) {
            gated[n] = (data.activation == HYDRA_GELU ? gelu(gated[n]) : silu(gated[n])) * upped[n];
        }
        append(expected, gated);
    }
    return expected;
}

TEST(GateUp, MatchesTheReference) {
    for (const Data& data :
         {Data(72, 200, HYDRA_F32, HYDRA_F32), Data(120, 72, HYDRA_F32, HYDRA_F32),
          Data(384, 100, HYDRA_F32, HYDRA_F32), Data(72, 200, HYDRA_Q8_0, HYDRA_Q8_0),
          Data(384, 100, HYDRA_Q8_0, HYDRA_Q8_0), Data(120, 72, HYDRA_F32, HYDRA_Q8_0),
          Data(72, 200, HYDRA_F32, HYDRA_F32, HYDRA_GELU), Data(384, 100, HYDRA_Q8_0, HYDRA_Q8_0, HYDRA_GELU),
          Data(120, 72, HYDRA_F32, HYDRA_Q8_0, HYDRA_GELU), Data(72, 200, HYDRA_F32, HYDRA_F32, HYDRA_SILU, false),
          Data(384, 100, HYDRA_Q8_0, HYDRA_Q8_0, HYDRA_GELU, false)}) {
        for (int rows : {1, 2, 5, 17, 64}) {
            SCOPED_TRACE(testing::Message() << data.hidden << " to " << data.outputs << ", types " << data.gate_type
                                            << " and " << data.up_type << ", " << rows << " rows");
            const Backend backend = open_backend(rows % 3 + 1);
            const Floats x = Random(rows).normal(rows * data.hidden, 3.0f);
            // Both products are rounded.
            EXPECT_LT(relative_error(run(backend, data, x), reference(backend, data, x)),
                      1.5 * tolerance(data.up_type));
        }
    }
}

TEST(GateUp, GivesTheSameBitsEverywhere) {
    for (hydra_type type : types_of_each_form()) {
        const Data data(120, 200, type, type);
        for (int rows : {1, 8, 9}) {
            const Floats x = Random(rows).normal(rows * 120);
            expect_same_bits_everywhere([&](hydra_backend* backend) { return run(backend, data, x); });
        }
    }
}

TEST(GateUp, GivesTheSameBitsForOneRowAndForMany) {
    const Backend backend = open_backend(3);
    for (hydra_type type : types_of_each_form()) {
        const Data data(120, 200, type, type, type == HYDRA_F32 ? HYDRA_SILU : HYDRA_GELU);
        const Floats x = Random(1).normal(64 * 120), together = run(backend, data, x);
        for (int r : {0, 1, 7, 8, 31, 63}) {
            EXPECT_TRUE(same_bits(run(backend, data, row_of(x, r, 120)), row_of(together, r, 200))) << r;
        }
    }
}

TEST(GateUp, RefusesWhatDoesNotFit) {
    const Backend backend = open_backend();
    const Pass pass(backend);
    const Matrix gate = matrix(backend, HYDRA_F32, 40, 40, Floats(1600));
    const Matrix other = matrix(backend, HYDRA_F32, 39, 40, Floats(39 * 40));
    const Buffer x = poisoned(backend, 40), out = poisoned(backend, 40), small = poisoned(backend, 39);
    const Buffer norm = floats(backend, Floats(40)), short_norm = floats(backend, Floats(39));
    const auto attempt = [&](const Buffer& in, const Buffer& weight, float epsilon, const Matrix& up,
                             const Buffer& to) {
        return record(pass.program, hydra_gate_up{pass.rows, in, weight, epsilon, gate, up, HYDRA_SILU, to});
    };
    expect_refused(attempt(x, norm, 1e-5f, other, out), "up is [39][40], must be [40][40]");
    expect_refused(attempt(small, norm, 1e-5f, gate, out), "x has 9984 bytes");
    expect_refused(attempt(x, norm, 1e-5f, gate, small), "out has 9984 bytes");
    expect_refused(attempt(x, short_norm, 1e-5f, gate, out), "norm has 156 bytes");
    expect_refused(attempt(x, norm, -1, gate, out), "epsilon is -1");
    expect_refused(attempt(x, norm, NAN, gate, out), "epsilon is");
    expect_refused(attempt(x, norm, 1e-5f, gate, x), "out must not be x");
    expect_refused(attempt(x, norm, 1e-5f, {}, out), "up is null");
    for (int32_t wrong : {-1, 2}) {
        expect_refused(record(pass.program, hydra_gate_up{pass.rows, x, norm, 1e-5f, gate, gate, wrong, out}),
                       "activation is " + std::to_string(wrong));
    }
}

}  // namespace
}  // namespace hydra::test
