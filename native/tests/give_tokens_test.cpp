#include "drafting.h"

namespace hydra::test {
namespace {

TEST(GiveTokens, AreThoseOfEachSequenceAndNodeButTheRoots) {
    Random random(10);
    for (int nodes : {1, 2, 17, 64}) {
        for (int batch : {1, 4}) {
            const Backend backend = open_backend(2);
            Draft draft(backend, random_shape(random, nodes), random, batch);
            const std::vector<int32_t> guesses = random_tokens(random, batch * HYDRA_MAX_NODES);
            const Buffer given = buffer(backend, guesses.data(), batch * HYDRA_MAX_NODES * int64_t{4});
            must(record(draft.pass.program, hydra_give_tokens{given, draft.pass.rows}));
            draft.pass.run();
            const int32_t* tokens = hydra_rows_tokens(draft.pass.rows);
            for (size_t order = 0; order < draft.expanded_sequences.size(); ++order) {
                const int32_t* own = guesses.data() + draft.expanded_sequences[order] * HYDRA_MAX_NODES;
                const int32_t* row = tokens + order * nodes;
                EXPECT_EQ(row[0], draft.tokens[order * nodes]);
                EXPECT_EQ(std::vector<int32_t>(row + 1, row + nodes), std::vector<int32_t>(own + 1, own + nodes));
            }
        }
    }
}

TEST(GiveTokens, RefuseGuessesForFewerSequences) {
    const Backend backend = open_backend();
    Pass pass(backend, {3, 4}, 8);
    const Buffer one = floats(backend, Floats(HYDRA_MAX_NODES));
    expect_refused(record(pass.program, hydra_give_tokens{one, pass.rows}), "tokens");
    expect_refused(record(pass.program, hydra_give_tokens{nullptr, pass.rows}), "null");
}

}  // namespace
}  // namespace hydra::test
