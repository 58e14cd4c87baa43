#include "drafting.h"

namespace hydra::test {
namespace {

TEST(DraftStates, AreTheLastRowsOfTheSequences) {
    Random random(3);
    const Floats x = random.normal(150 * WIDTH), weight = random.normal(WIDTH), old = random.normal(3 * WIDTH);
    for (bool normed : {false, true}) {
        expect_same_bits_everywhere([&](hydra_backend* backend) {
            Pass pass(backend, {8, 5, 60}, 200);
            pass.chains({std::vector<int32_t>(20), {}, std::vector<int32_t>(130)});
            const Buffer in = padded_rows(backend, x, WIDTH, 200), norm = floats(backend, weight);
            const Buffer states = floats(backend, old), expected = poisoned(backend, WIDTH, 200);
            const hydra_buffer* weights = norm;
            must(record(pass.program,
                        hydra_draft_states{pass.rows, in, normed ? weights : nullptr, 1e-5f, WIDTH, states}));
            must(record(pass.program, hydra_norm{pass.rows, in, norm, 1e-5f, WIDTH, expected, nullptr}));
            pass.run();
            const Floats all = normed ? contents(expected, 150 * WIDTH) : x, found = contents(states, 3 * WIDTH);
            EXPECT_TRUE(same_bits(row_of(found, 0, WIDTH), row_of(all, 19, WIDTH)));
            EXPECT_TRUE(same_bits(row_of(found, 1, WIDTH), row_of(old, 1, WIDTH))) << "it has no rows";
            EXPECT_TRUE(same_bits(row_of(found, 2, WIDTH), row_of(all, 149, WIDTH)));
            return found;
        });
    }
}

TEST(DraftStates, RefuseWhatDoesNotFit) {
    const Backend backend = open_backend();
    const Pass pass(backend, {0, 0}, ROWS);
    const Buffer x = poisoned(backend, WIDTH), states = poisoned(backend, WIDTH, 2),
                 norm = floats(backend, Floats(WIDTH));
    const auto attempt = [&](const Buffer& from, const hydra_buffer* norms, float epsilon, const Buffer& to) {
        return record(pass.program, hydra_draft_states{pass.rows, from, norms, epsilon, WIDTH, to});
    };
    expect_refused(attempt(floats(backend, Floats(9)), norm, 1, states), "x has 36 bytes");
    expect_refused(attempt(x, floats(backend, Floats(9)), 1, states), "norm has 36 bytes");
    expect_refused(attempt(x, norm, 0, states), "epsilon is 0");
    expect_refused(attempt(x, norm, 1, x), "states must not be x");
    expect_refused(attempt(x, norm, 1, floats(backend, Floats(1))), "states has 4 bytes");
    expect_refused(attempt(x, norm, 1, {}), "null");
}

}  // namespace
}  // namespace hydra::test
