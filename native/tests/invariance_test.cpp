// The promise behind lossless decoding: how a token is computed, alone or in a chunk or in a tree, does not change a
// bit.
#include "team_sizes.h"
#include "toy_model.h"
#include "types.h"

namespace hydra::test {
namespace {

std::vector<int32_t> random_tokens(Random& random, int count) {
    std::vector<int32_t> tokens;
    for (int i = 0; i < count; ++i) tokens.push_back(random.below(ToyModel::VOCABULARY));
    return tokens;
}

TEST(Invariance, ChunksOfAPromptDoNotMatter) {
    for (hydra_type type : types_of_each_form()) {
        const Backend backend = open_backend(2);
        const ToyModel model(backend, type);
        Random random(1);
        const std::vector<int32_t> prompt = random_tokens(random, emulated() ? 37 : 170);
        ToySession expected(model);
        expected.feed(prompt, 1);
        for (int chunk : emulated() ? std::vector<int>{7, 33} : std::vector<int>{2, 7, 16, 33, 64, 65, 200}) {
            ToySession session(model, 1, 200);
            session.feed(prompt, chunk);
            EXPECT_TRUE(same_bits(session.cache(), expected.cache())) << chunk;
            EXPECT_TRUE(same_bits(session.logits_of(0), expected.logits_of(0))) << chunk;
            EXPECT_EQ(session.result().root, expected.result().root);
        }
    }
}

// From some rows for each thread on, every thread computes rows of its own.
TEST(Invariance, RowsThatThreadsComputeApartDoNotMatter) {
    if (cuda_library() != nullptr) GTEST_SKIP() << "a team means nothing on CUDA";
    Random random(6);
    const std::vector<int32_t> prompt = random_tokens(random, 150);
    for (hydra_type type : types_of_each_form()) {
        const Backend alone = open_backend(1);
        const ToyModel model(alone, type);
        ToySession expected(model);
        expected.feed(prompt, 1);
        for (int threads : {2, 3, 8}) {
            const Backend backend = open_backend(threads);
            const ToyModel same(backend, type);
            for (int chunk : {5 * threads, 41, 64, 150}) {
                SCOPED_TRACE(testing::Message() << "type " << type << ", " << threads << " threads, " << chunk);
                ToySession session(same, 1, 150);
                session.feed(prompt, chunk);
                EXPECT_TRUE(same_bits(session.cache(), expected.cache()));
                EXPECT_TRUE(same_bits(session.logits_of(0), expected.logits_of(0)));
            }
        }
    }
}

// Sequences of unequal lengths side by side, one of them joining late, against the same alone.
TEST(Invariance, TheOtherSequencesOfABatchDoNotMatter) {
    const ToyShape halves{3, 1, 64, HYDRA_F16, 160};  // whose layers are tasks of one kernel
    for (hydra_type type : types_of_each_form()) {
        const Backend backend = open_backend(2);
        const ToyModel model(backend, type, 2, cuda_library() && type == HYDRA_Q8_0 ? halves : ToyShape{});
        Random random(4);
        const std::vector<int> lengths =
            emulated() ? std::vector<int>{3, 70, 40, 11} : std::vector<int>{3, 150, 40, 70};
        const int sequences = static_cast<int>(lengths.size()), late = 2;
        std::vector<std::vector<int32_t>> prompts;
        for (int length : lengths) prompts.push_back(random_tokens(random, length));
        ToySession together(model, sequences, 300);
        std::vector<ToySession> alone;
        for (int s = 0; s < sequences; ++s) {
            alone.emplace_back(model);
            alone[s].feed(prompts[s], 64);
        }
        std::vector<std::vector<int32_t>> early = prompts;
        early[late].clear();
        together.feed_all(early, 100);
        for (int step = 0; step < 4; ++step) {
            if (step == 2) {
                std::vector<std::vector<int32_t>> joins(static_cast<size_t>(sequences));
                joins[late] = prompts[late];
                together.feed_all(joins, 100);
            }
            const Shape shape = random_shape(random, emulated() ? 5 : 17);
            std::vector<std::vector<int32_t>> tokens;
            for (int s = 0; s < sequences; ++s) {
                tokens.push_back(random_tokens(random, shape.nodes()));
                if (s != late || step >= 2) alone[s].verify(shape, tokens[s]);
            }
            together.verify_all(shape, tokens);
            for (int s = 0, order = 0; s < sequences; ++s) {
                SCOPED_TRACE(testing::Message() << "type " << type << ", step " << step << ", sequence " << s);
                const hydra_step_result &found = together.result(s), &expected = alone[s].result();
                if (s == late && step < 2) {
                    EXPECT_EQ(found.emitted, 0);
                    EXPECT_EQ(found.length, 0);
                    continue;
                }
                EXPECT_EQ(std::vector<int32_t>(found.tokens, found.tokens + found.emitted),
                          std::vector<int32_t>(expected.tokens, expected.tokens + expected.emitted));
                EXPECT_EQ(found.length, expected.length);
                EXPECT_EQ(found.root, expected.root);
                for (int node = 0; node < shape.nodes(); ++node) {
                    const int row = order * shape.nodes() + node;
                    ASSERT_TRUE(same_bits(together.row(row), alone[s].row(node))) << node;
                    ASSERT_TRUE(same_bits(together.logits_of(row), alone[s].logits_of(node))) << node;
                }
                EXPECT_TRUE(same_bits(together.cache(s), alone[s].cache()));
                ++order;
            }
        }
    }
}

// Every node of a tree against the same tokens one by one.
void expect_paths_like_chains(hydra_backend* backend, hydra_type type, int prefix, int nodes,
                              const ToyShape& kind = {}) {
    SCOPED_TRACE(testing::Message() << "type " << type << ", prefix " << prefix << ", " << nodes << " nodes");
    Random random(prefix + nodes);
    const ToyModel model(backend, type, 1, kind);
    const std::vector<int32_t> prompt = random_tokens(random, prefix);
    const Shape shape = random_shape(random, nodes);
    std::vector<int32_t> tokens = random_tokens(random, nodes);

    ToySession together(model);
    together.feed(prompt, 64);
    tokens[0] = together.result().root;
    must(set_tree(together.nodes, 0, shape));
    expand(together.pass, together.nodes, tokens);
    hydra_program* out = nullptr;
    must(hydra_program_create(backend, nullptr, &out));
    const Program forward(out);
    together.record_forward(forward, false);
    must(hydra_program_run(forward));
    const KvSlot kept{together.kv, together.pass.batch};

    ToySession alone(model);
    alone.feed(prompt, emulated() ? 8 : 1);
    const KvSlot recomputed{alone.kv, alone.pass.batch};
    for (int node : {nodes - 1, nodes / 2, nodes / 3}) {
        must(hydra_batch_rewind(alone.pass.batch, 0, prefix, tokens[0]));
        for (int32_t ancestor : shape.path(node)) {
            alone.feed({tokens[ancestor]}, 1);
            EXPECT_TRUE(same_bits(alone.row(0), together.row(ancestor))) << "node " << ancestor;
            EXPECT_TRUE(same_bits(alone.logits_of(0), together.logits_of(ancestor))) << "node " << ancestor;
            EXPECT_TRUE(same_bits(recomputed.all(alone.result().length - 1), kept.all(prefix + ancestor)))
                << "node " << ancestor;
        }
    }
}

TEST(Invariance, APathOfATreeIsAChain) {
    const Backend backend = open_backend(2);
    if (emulated()) {
        expect_paths_like_chains(backend, HYDRA_F32, 33, 17);
        expect_paths_like_chains(backend, HYDRA_Q8_0, 31, 9);
        return;
    }
    for (hydra_type type : types_of_each_form()) {
        expect_paths_like_chains(backend, type, 1, 2);
        expect_paths_like_chains(backend, type, 15, 5);
        expect_paths_like_chains(backend, type, 16, 64);
        expect_paths_like_chains(backend, type, 31, 17);
        expect_paths_like_chains(backend, type, 32, 9);
        expect_paths_like_chains(backend, type, 33, 64);
        expect_paths_like_chains(backend, type, 200, 33);
    }
}

// Over an F16 cache, whose attention the matrix instruction computes, with all kinds of groups of query heads.
TEST(Invariance, APathOfATreeIsAChainOverHalves) {
    if (cuda_library() == nullptr) GTEST_SKIP() << "the CPU's cache is F32";
    const Backend backend = open_backend();
    const ToyShape kinds[] = {{2, 2, 64, HYDRA_F16},
                              {3, 1, 96, HYDRA_F16},
                              {4, 1, 128, HYDRA_F16},
                              {8, 1, 64, HYDRA_F16},
                              {4, 2, 24, HYDRA_F16}};
    for (const ToyShape& kind : kinds) {
        SCOPED_TRACE(testing::Message() << kind.heads << "/" << kind.kv_heads << " heads of " << kind.head_size);
        expect_paths_like_chains(backend, HYDRA_Q8_0, 30, 17, kind);
        if (!emulated()) expect_paths_like_chains(backend, HYDRA_BF16, 300, 64, kind);
    }
}

std::vector<int32_t> decode_plainly(const ToyModel& model, const std::vector<int32_t>& prompt, size_t count,
                                    Floats* cache) {
    ToySession session(model);
    session.feed(prompt, 64);
    std::vector<int32_t> tokens;
    while (tokens.size() < count) {
        tokens.push_back(session.result().root);
        session.feed({session.result().root}, 1);
    }
    *cache = session.cache();
    return tokens;
}

// Drafts that are right now and then: a node whose path is right so far gets the true token with a chance of 4 in 5.
std::vector<int32_t> draft(Random& random, const Shape& shape, const std::vector<int32_t>& truth, size_t at) {
    std::vector<int32_t> tokens = random_tokens(random, shape.nodes());
    for (int i = 1; i < shape.nodes(); ++i) {
        const size_t next = at + shape.depths[i];
        if (next < truth.size() && random.below(5) > 0) tokens[i] = truth[next];
    }
    return tokens;
}

TEST(Invariance, SpeculativeDecodingGivesThePlainTokensAndCache) {
    const ToyShape halves{3, 1, 64, HYDRA_F16, 160};  // whose layers are tasks of one kernel
    for (hydra_type type : types_of_each_form()) {
        const ToyShape kind = cuda_library() && type == HYDRA_Q8_0 ? halves : ToyShape{};
        for (int threads : team_sizes()) {
            const Backend backend = open_backend(threads);
            const ToyModel model(backend, type, 3, kind);
            Random random(threads);
            const std::vector<int32_t> prompt = random_tokens(random, 21);
            const size_t count = emulated() ? 25 : 100;
            Floats plain_cache;
            const std::vector<int32_t> truth = decode_plainly(model, prompt, count + 20, &plain_cache);
            ToySession session(model);
            session.feed(prompt, 64);
            std::vector<int32_t> emitted;
            int steps = 0;
            for (; emitted.size() < count; ++steps) {
                const Shape shape = random_shape(random, 1 + random.below(30));
                session.verify(shape, draft(random, shape, truth, emitted.size()));
                const hydra_step_result& result = session.result();
                emitted.insert(emitted.end(), result.tokens, result.tokens + result.emitted);
                ASSERT_EQ(result.length, static_cast<int32_t>(prompt.size() + emitted.size()));
            }
            ASSERT_LT(emitted.size(), truth.size());
            EXPECT_LT(steps, static_cast<int>(count * 3 / 5)) << "hardly anything was accepted";
            EXPECT_EQ(emitted, std::vector<int32_t>(truth.begin(), truth.begin() + emitted.size()));
            EXPECT_EQ(session.result().root, truth[emitted.size()]);
            const Floats cache = session.cache();
            plain_cache.resize(cache.size());
            EXPECT_TRUE(same_bits(cache, plain_cache));
        }
    }
}

TEST(Invariance, AWholeModelGivesTheSameBitsEverywhere) {
    for (hydra_type type : types_of_each_form()) {
        expect_same_bits_everywhere([&](hydra_backend* backend) {
            const ToyModel model(backend, type);
            Random random(2);
            ToySession session(model);
            session.feed(random_tokens(random, 20), 16);
            session.verify(random_shape(random, 17), random_tokens(random, 17));
            Floats all = session.cache();
            append(all, contents(session.logits, 17 * ToyModel::VOCABULARY));
            return all;
        });
    }
}

}  // namespace
}  // namespace hydra::test
