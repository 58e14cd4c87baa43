#include "trees.h"
#include "typical.h"

namespace hydra::test {
namespace {

struct Settings {
    float temperature = 0.7f, epsilon = 0.09f, alpha = 0.3f;
};

// A tree that was verified: the tokens of its nodes, and the logits at them.
struct Verified {
    Shape shape;
    std::vector<int32_t> tokens;  // [nodes]
    Floats logits;                // [nodes][vocabulary]
    int64_t vocabulary;

    Verified(const Shape& made, std::vector<int32_t> its_tokens, Floats its_logits)
        : shape(made),
          tokens(std::move(its_tokens)),
          logits(std::move(its_logits)),
          vocabulary(static_cast<int64_t>(logits.size()) / shape.nodes()) {}

    // Most tokens are among the likeliest at their parents.
    static Verified random(Random& random, const Shape& shape, int64_t vocabulary, float deviation) {
        Verified made(shape, std::vector<int32_t>(shape.nodes()), random.normal(shape.nodes() * vocabulary, deviation));
        for (int i = 1; i < shape.nodes(); ++i) {
            const Floats row = row_of(made.logits, shape.parents[i], vocabulary);
            std::vector<int32_t> order(row.size());
            for (size_t v = 0; v < order.size(); ++v) order[v] = static_cast<int32_t>(v);
            std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return row[a] > row[b]; });
            made.tokens[i] = order[random.below(std::min<int>(3, static_cast<int>(vocabulary)))];
        }
        return made;
    }

    // All paths one by one, in double precision. Nothing where rounding decides.
    std::vector<int32_t> typical_path(const Settings& settings) const {
        std::vector<int32_t> found{0};
        double likelihood = 0;
        for (int node = 1; node < shape.nodes(); ++node) {
            const std::vector<int32_t> path = shape.path(node);
            bool right = true;
            double sum = 0;
            for (size_t i = 1; i < path.size(); ++i) {
                const TypicalRow row(row_of(logits, path[i - 1], vocabulary), settings.temperature);
                const double log_p = row.log_p[tokens[path[i]]];
                const double margin = log_p - std::log(row.threshold(settings.epsilon, settings.alpha));
                if (std::abs(margin) < 1e-3) return {};
                right = right && margin > 0;
                sum += log_p;
            }
            if (!right || path.size() < found.size()) continue;
            if (path.size() == found.size() && std::abs(sum - likelihood) < 1e-4) return {};
            if (path.size() > found.size() || sum > likelihood) {
                found = path;
                likelihood = sum;
            }
        }
        return found;
    }
};

std::vector<int32_t> nodes_of(uint64_t accepted) {
    std::vector<int32_t> nodes;
    for (; accepted != 0; accepted &= accepted - 1) nodes.push_back(__builtin_ctzll(accepted));
    return nodes;
}

// The nodes that are marked of each tree, of the sequences of a batch one each, all of one vocabulary.
std::vector<std::vector<int32_t>> accepted_of(hydra_backend* backend, const std::vector<Verified>& trees,
                                              const Settings& settings = {}, int logit_rows = -1) {
    int rows = 0;
    for (const Verified& tree : trees) rows += tree.shape.nodes();
    Pass pass(backend, std::vector<int>(trees.size(), 5), std::max(rows, ROWS));
    hydra_tree* made = nullptr;
    must(hydra_tree_create(pass.batch, &made));
    const Tree expanded(made);
    std::vector<int32_t> tokens;
    Floats logits;
    for (size_t s = 0; s < trees.size(); ++s) {
        must(set_tree(expanded, static_cast<int32_t>(s), trees[s].shape));
        append(tokens, trees[s].tokens);
        append(logits, trees[s].logits);
    }
    const int64_t vocabulary = trees[0].vocabulary;
    const int with_logits = logit_rows < 0 ? rows : logit_rows;
    logits.resize(static_cast<size_t>(with_logits * vocabulary));
    const Buffer kept = floats(backend, logits);
    expand(pass, expanded, tokens);
    must(record(pass.program, hydra_judge_typical{expanded, pass.rows, kept, with_logits, vocabulary,
                                                  settings.temperature, settings.epsilon, settings.alpha}));
    pass.run();
    hydra_rows_count(pass.rows);
    std::vector<std::vector<int32_t>> accepted;
    for (size_t s = 0; s < trees.size(); ++s) {
        accepted.push_back(nodes_of(pass.rows->view.segments[s].accepted));
        EXPECT_EQ(pass.result(static_cast<int>(s)).length, 5) << "nothing is committed";
    }
    return accepted;
}

std::vector<int32_t> accepted_of(hydra_backend* backend, const Verified& tree, const Settings& settings = {}) {
    return accepted_of(backend, std::vector<Verified>{tree}, settings)[0];
}

// Logits of which one token has nearly all probability.
void make_certain(Verified& tree, int node, int32_t token) { tree.logits[node * tree.vocabulary + token] = 50; }

TEST(JudgeTypical, MarksTheLongestPathThatIsLikelyEnough) {
    Random random(1);
    int longer = 0, alone = 0, decided = 0;
    for (int round = 0; round < (emulated() ? 24 : 96); ++round) {
        const int sizes[] = {1, 2, 5, 17, 33, 64}, vocabularies[] = {2, 3, 17, 300, 1001};
        const Settings settings[] = {{}, {1.0f, 0.3f, 0.5f}, {0.3f, 0.01f, 0.1f}, {2.5f, 1.0f, 1.0f}};
        const Settings& chosen = settings[round % 4];
        const Backend backend = open_backend(round % 3 + 1);
        const Verified tree =
            Verified::random(random, random_shape(random, sizes[round % 6]), vocabularies[round % 5], 3);
        const std::vector<int32_t> expected = tree.typical_path(chosen);
        if (expected.empty()) continue;
        ASSERT_EQ(accepted_of(backend, tree, chosen), expected) << round;
        ++decided;
        longer += expected.size() > 2;
        alone += expected.size() == 1 && tree.shape.nodes() > 1;
    }
    EXPECT_GT(decided, emulated() ? 12 : 60);
    EXPECT_GT(longer, 3);
    EXPECT_GT(alone, 1);
}

TEST(JudgeTypical, TakesTheLikeliestOfEquallyLongPathsAndThenTheFirst) {
    const Backend backend = open_backend(2);
    // Nodes 1 and 2 below the root, 3 below 1, 4 and 5 below 2; a longer path is right for 2 alone.
    const Shape shape{{-1, 0, 0, 1, 2, 2}, {0, 0, 1, 0, 0, 1}, {0, 1, 1, 2, 2, 2}};
    Verified tree(shape, {9, 0, 1, 2, 3, 4}, Floats(6 * 8));
    // At the root and at node 1 two tokens are likely, the first more; at node 2 two are, equally.
    Floats& logits = tree.logits;
    logits[0 * 8 + 0] = 20.5f;
    logits[0 * 8 + 1] = 20;
    logits[1 * 8 + 2] = 20.2f;
    logits[1 * 8 + 0] = 20;
    logits[2 * 8 + 3] = logits[2 * 8 + 4] = 20;
    EXPECT_EQ(accepted_of(backend, tree, {1, 0.09f, 0.3f}), (std::vector<int32_t>{0, 1, 3}));
    logits[1 * 8 + 2] = 19;
    EXPECT_EQ(accepted_of(backend, tree, {1, 0.09f, 0.3f}), (std::vector<int32_t>{0, 2, 4}));
    logits[1 * 8 + 2] = 0;
    EXPECT_EQ(accepted_of(backend, tree, {1, 0.09f, 0.3f}), (std::vector<int32_t>{0, 2, 4}));
    logits[0 * 8 + 1] = 0;
    EXPECT_EQ(accepted_of(backend, tree, {1, 0.09f, 0.3f}), (std::vector<int32_t>{0, 1}));
}

TEST(JudgeTypical, MeasuresByTheEntropyWhereThatIsHigh) {
    const Backend backend = open_backend();
    // 256 tokens are equally likely: each below epsilon, and above alpha times what they all have.
    Verified tree(Shape{{-1, 0}, {0, 0}, {0, 1}}, {0, 200}, Floats(2 * 256));
    EXPECT_EQ(accepted_of(backend, tree, {1, 0.09f, 0.3f}), (std::vector<int32_t>{0, 1}));
    EXPECT_EQ(accepted_of(backend, tree, {1, 0.003f, 1}), (std::vector<int32_t>{0, 1}));
    // 1e-5 beside a probability of 0.0039 makes the bound a little more than 1 / 256.
    EXPECT_EQ(accepted_of(backend, tree, {1, 1, 1}), (std::vector<int32_t>{0}));
}

TEST(JudgeTypical, IsSharperAtALowerTemperature) {
    const Backend backend = open_backend();
    Verified tree(Shape{{-1, 0}, {0, 0}, {0, 1}}, {0, 1}, {1, 0, 0, 0});
    EXPECT_EQ(accepted_of(backend, tree, {1, 0.5f, 0.3f}), (std::vector<int32_t>{0, 1}));
    EXPECT_EQ(accepted_of(backend, tree, {0.2f, 0.5f, 0.3f}), (std::vector<int32_t>{0}));
    for (float extreme : {1e-45f, 1e-30f}) {
        EXPECT_EQ(accepted_of(backend, tree, {extreme, 0.5f, 0.3f}), (std::vector<int32_t>{0}));
        tree.tokens[1] = 0;
        EXPECT_EQ(accepted_of(backend, tree, {extreme, 0.5f, 0.3f}), (std::vector<int32_t>{0, 1}));
        tree.tokens[1] = 1;
    }
    EXPECT_EQ(accepted_of(backend, tree, {3e38f, 0.4f, 0.3f}), (std::vector<int32_t>{0, 1}));
}

TEST(JudgeTypical, JudgesEachTreeOfABatchAsItIsAlone) {
    Random random(3);
    for (int round = 0; round < (emulated() ? 2 : 6); ++round) {
        std::vector<Verified> trees;
        for (int s = 0; s < (round == 0 ? 1 : 19); ++s) {
            trees.push_back(Verified::random(random, random_shape(random, 1 + random.below(40)), 77, 2));
        }
        const Backend backend = open_backend(round % 3 + 1), other = open_backend((round + 1) % 3 + 1);
        const std::vector<std::vector<int32_t>> together = accepted_of(backend, trees);
        size_t longest = 0;
        for (size_t s = 0; s < trees.size(); ++s) {
            EXPECT_EQ(together[s], accepted_of(other, trees[s])) << s;
            longest = std::max(longest, together[s].size());
        }
        EXPECT_GT(longest, 1U);
    }
}

TEST(JudgeTypical, AcceptsNothingBelowLogitsThatAreNotFinite) {
    const Backend backend = open_backend(2);
    for (float odd : {NAN, -NAN, INFINITY, -INFINITY}) {
        for (int at : {0, 16, 36}) {
            // A chain of four nodes.
            Verified tree(Shape{{-1, 0, 1, 2}, {0, 0, 0, 0}, {0, 1, 2, 3}}, {7, 7, 7, 7}, Floats(4 * 37));
            for (int node = 0; node < 3; ++node) make_certain(tree, node, 7);
            EXPECT_EQ(accepted_of(backend, tree).size(), 4U);
            tree.logits[37 + at] = odd;
            EXPECT_EQ(accepted_of(backend, tree), (std::vector<int32_t>{0, 1})) << odd << " at " << at;
            tree.tokens[2] = at;
            EXPECT_EQ(accepted_of(backend, tree), (std::vector<int32_t>{0, 1})) << odd << " at " << at;
        }
    }
    Verified tree(Shape{{-1, 0}, {0, 0}, {0, 1}}, {0, 1}, Floats(2 * 20, 3.3e38f));
    tree.logits[0] = -3.3e38f;
    EXPECT_EQ(accepted_of(backend, tree), (std::vector<int32_t>{0, 1})) << "the largest floats are finite";
}

TEST(JudgeTypical, TakesNodesWithoutATokenOrAParentsLogitsForWrong) {
    const Backend backend = open_backend(2);
    const Shape chain{{-1, 0, 1}, {0, 0, 0}, {0, 1, 2}};
    for (int32_t token : {-1, 20, INT32_MAX}) {
        Verified tree(chain, {0, 3, token}, Floats(3 * 20));
        make_certain(tree, 0, 3);
        EXPECT_EQ(accepted_of(backend, tree), (std::vector<int32_t>{0, 1})) << token;
    }
    Verified tree(chain, {0, 3, 3}, Floats(3 * 20));
    make_certain(tree, 0, 3);
    make_certain(tree, 1, 3);
    const std::vector<Verified> both{tree, tree};
    for (int rows = 1; rows <= 6; ++rows) {
        const std::vector<std::vector<int32_t>> accepted = accepted_of(backend, both, {}, rows);
        EXPECT_EQ(accepted[0].size(), static_cast<size_t>(std::min(rows, 2) + 1));
        EXPECT_EQ(accepted[1].size(), static_cast<size_t>(std::clamp(rows - 3, 0, 2) + 1));
    }
}

TEST(JudgeTypical, MarksNoMoreThanTheNodesThatWereExpanded) {
    const Backend backend = open_backend();
    Random random(4);
    Pass pass(backend, 5);
    const Tree expanded = tree(pass.batch, random_shape(random, 3));
    expand(pass, expanded, {0, 0, 0});
    const Buffer logits = floats(backend, Floats(3, 1.0f));
    must(record(pass.program, hydra_judge_typical{expanded, pass.rows, logits, 3, 1, 1, 0.5f, 0.5f}));
    must(set_tree(expanded, 0, random_shape(random, 64)));
    pass.run();
    hydra_rows_count(pass.rows);
    for (int32_t node : nodes_of(pass.rows->view.segments[0].accepted)) EXPECT_LT(node, 3);
}

TEST(JudgeTypical, KnowsANodesChildrenByTheirParent) {
    const Backend backend = open_backend(2);
    Pass pass(backend, 5);
    const Tree expanded = tree(pass.batch, Shape{{-1, 0, 1}, {0, 0, 0}, {0, 1, 2}});
    expand(pass, expanded, {0, 0, 0});
    // Of a tree that grows no more is known than this of the depths that are not drafted just now.
    std::fill_n(expanded->data[0].row_of, HYDRA_MAX_NODES, int8_t{-1});
    expanded->memory.change();
    const Buffer logits = floats(backend, Floats(3, 1.0f));
    must(record(pass.program, hydra_judge_typical{expanded, pass.rows, logits, 3, 1, 1, 0.5f, 0.5f}));
    pass.run();
    hydra_rows_count(pass.rows);
    EXPECT_EQ(nodes_of(pass.rows->view.segments[0].accepted), (std::vector<int32_t>{0, 1, 2}));
}

TEST(JudgeTypical, LeavesChainsAndPassesWithoutTreesAsTheyAre) {
    const Backend backend = open_backend(2);
    Pass pass(backend, std::vector<int>{5, 9}, ROWS);
    const Tree trees = tree(pass.batch, Shape{});
    const Buffer logits = floats(backend, Floats(4, 1.0f));
    must(record(pass.program, hydra_judge_typical{trees, pass.rows, logits, 1, 4, 1, 0.5f, 0.5f}));
    pass.run();
    pass.chains({{1, 2, 3}, {4}});
    pass.run();
    hydra_rows_count(pass.rows);
    EXPECT_EQ(pass.rows->view.segments[0].accepted, 7U);
    EXPECT_EQ(pass.rows->view.segments[1].accepted, 1U);
}

TEST(JudgeTypical, RefusesWhatDoesNotFit) {
    const Backend backend = open_backend();
    const Pass pass(backend), other(backend);
    const Tree trees = tree(pass.batch, Shape{}), others = tree(other.batch, Shape{});
    const Buffer logits = floats(backend, Floats(4 * 10));
    const hydra_judge_typical right{trees, pass.rows, logits, 4, 10, 0.7f, 0.09f, 0.3f};
    must(record(pass.program, right));
    const auto refused = [&](auto change, const char* part) {
        hydra_judge_typical wrong = right;
        change(wrong);
        expect_refused(record(pass.program, wrong), part);
    };
    refused([&](auto& o) { o.tree = others; }, "the trees belong to another batch");
    refused([](auto& o) { o.logits = nullptr; }, "logits is null");
    refused([](auto& o) { o.vocabulary = 11; }, "logits has 160 bytes, must have 4 x 11 floats");
    refused([](auto& o) { o.logit_rows = 5; }, "logits has 160 bytes, must have 5 x 10 floats");
    refused([](auto& o) { o.logit_rows = 0; }, "logit_rows is 0, must be from 1 to 2048");
    refused([](auto& o) { o.logit_rows = 2049; }, "logit_rows is 2049");
    refused([](auto& o) { o.vocabulary = 0; }, "vocabulary is 0");
    refused([](auto& o) { o.vocabulary = int64_t{1} << 31; }, "vocabulary is 2147483648");
    for (float value : {0.0f, -1.0f, NAN, INFINITY}) {
        refused([&](auto& o) { o.temperature = value; }, "must be positive and finite");
    }
    for (float value : {0.0f, -0.1f, 1.1f, NAN}) {
        refused([&](auto& o) { o.epsilon = value; }, "epsilon is ");
        refused([&](auto& o) { o.alpha = value; }, "alpha is ");
    }
}

}  // namespace
}  // namespace hydra::test
