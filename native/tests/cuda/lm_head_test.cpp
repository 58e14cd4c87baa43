#include "fixture.h"

namespace hydra::cuda::test {
namespace {

using hydra::test::product;

struct Found {
    std::vector<int32_t> ids;
    Floats values, logits;
};

struct Head {
    Floats x;
    Matrix weight;
    Floats bias;
    std::vector<int32_t> ids;
    int k;

    Head(hydra_type type, int vocabulary, int hidden, int top, Random& random)
        : x(random.normal(HYDRA_MAX_NODES * hidden)), weight(type, vocabulary, hidden, random), k(top) {}

    Found run_rows(int from, int rows, bool last_row_only = false) const {
        const auto vocabulary = weight.view.rows, hidden = weight.view.columns;
        const int results = last_row_only ? 1 : rows;
        Pass pass;
        pass.chain(rows);
        const auto in = padded_rows(Floats(x.begin() + from * hidden, x.begin() + (from + rows) * hidden), hidden);
        const auto logits = poisoned(vocabulary);
        const Memory<float> biases(bias), best(HYDRA_MAX_NODES * k);
        const Memory<int32_t> names(ids), found(std::vector<int32_t>(HYDRA_MAX_NODES * k, -7));
        const Memory<uint8_t> work = workspace(vocabulary, hidden);
        const auto* given = ids.empty() ? nullptr : names.get();
        run(api().lm_head, LmHead{pass.view(), last_row_only, in, weight.view, bias.empty() ? nullptr : biases.get(),
                                  given, TopView{k, found, best, HYDRA_MAX_NODES}, logits, 0, 0, work});
        EXPECT_TRUE(untouched_behind(logits, results * vocabulary));
        const std::vector<int32_t> all = found.read();
        EXPECT_TRUE(std::all_of(all.begin() + results * k, all.end(), [](int32_t id) { return id == -7; }));
        // Without logits the entries are the same.
        run(api().lm_head, LmHead{pass.view(), last_row_only, in, weight.view, bias.empty() ? nullptr : biases.get(),
                                  given, TopView{k, found, best, HYDRA_MAX_NODES}, nullptr, 0, 0, work});
        EXPECT_EQ(found.read(), all);
        return {found.read(results * k), best.read(results * k), logits.read(results * vocabulary)};
    }
};

// The k best of a row of logits, equal ones by smaller index.
std::vector<int32_t> best_of(const Floats& logits, int k) {
    std::vector<int32_t> order(logits.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int32_t>(i);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
    order.resize(k);
    return order;
}

TEST(LmHead, FindsTheBestOfTheRightLogits) {
    Random random(1);
    int i = 0;
    for (hydra_type type : ALL_TYPES) {
        for (int rows : {1, 3, 17, i % 8 < 4 ? 64 : 33}) {
            const int tops[] = {1, 4, 10, 32}, vocabularies[] = {37, 160, 600};
            const int k = tops[(i + i / 4) % 4], vocabulary = vocabularies[i % 3];
            const int hidden = whole_columns(type, 32 * (1 + i % 4));
            ++i;
            SCOPED_TRACE(testing::Message()
                         << "type " << type << ", " << rows << " rows, " << k << " of " << vocabulary);
            Head head(type, vocabulary, hidden, k, random);
            if (i % 2 == 0) head.bias = random.normal(vocabulary);
            if (i % 3 == 0) {
                for (int id = 0; id < vocabulary; ++id) head.ids.push_back(id * 3 + 1);
            }
            const Found found = head.run_rows(0, rows);
            Doubles expected;
            for (int r = 0; r < rows; ++r) {
                const Floats x = row_of(head.x, r, hidden);
                append(expected, product(head.weight.values, Doubles(x.begin(), x.end()), head.bias));
            }
            EXPECT_LT(relative_error(found.logits, expected), type == HYDRA_F32 ? 3e-6 : 1e-5);
            for (int r = 0; r < rows; ++r) {
                const Floats logits = row_of(found.logits, r, vocabulary);
                const std::vector<int32_t> best = best_of(logits, k);
                for (int j = 0; j < k; ++j) {
                    EXPECT_EQ(found.ids[r * k + j], head.ids.empty() ? best[j] : head.ids[best[j]]);
                    EXPECT_EQ(found.values[r * k + j], logits[best[j]]);
                }
            }
            const Found alone = head.run_rows(rows - 1, 1), last = head.run_rows(0, rows, true);
            EXPECT_TRUE(same_bits(alone.logits, row_of(found.logits, rows - 1, vocabulary)));
            EXPECT_TRUE(same_bits(last.logits, alone.logits));
            EXPECT_EQ(last.ids, row_of(found.ids, rows - 1, k));
            EXPECT_TRUE(same_bits(last.values, row_of(found.values, rows - 1, k)));
        }
    }
}

TEST(LmHead, PutsEqualValuesInOrderOfTheirIndices) {
    Random random(2);
    for (int k : {1, 2, 32}) {
        Head head(HYDRA_F32, 700, 32, k, random);
        // Three different rows only, so that most values are equal.
        Floats rows;
        const Floats kinds = random.normal(3 * 32);
        for (int n = 0; n < 700; ++n) append(rows, row_of(kinds, n % 5 < 3 ? n % 5 : 0, 32));
        must(api().matrix_write(device(), &head.weight.view, 0, 700, nullptr, rows.data()));
        const Found found = head.run_rows(0, 9);
        for (int r = 0; r < 9; ++r) {
            EXPECT_EQ(row_of(found.ids, r, k), best_of(row_of(found.logits, r, 700), k));
        }
    }
}

TEST(LmHead, TakesAVocabularyOfMorePartsThanBlocks) {
    Random random(3);
    const Head head(HYDRA_Q4_0, 512 * 32 * 2 + 5, 32, 3, random);
    const Found found = head.run_rows(0, 2);
    for (int r = 0; r < 2; ++r) {
        EXPECT_EQ(row_of(found.ids, r, 3), best_of(row_of(found.logits, r, head.weight.view.rows), 3));
    }
}

TEST(LmHead, ComputesALargeOne) {
    Random random(4);
    const Head head(HYDRA_BF16, 4099, 1024, 5, random);
    const Found found = head.run_rows(0, 9);
    Doubles expected;
    for (int r = 0; r < 9; ++r) {
        const Floats x = row_of(head.x, r, 1024), logits = row_of(found.logits, r, 4099);
        append(expected, product(head.weight.values, Doubles(x.begin(), x.end())));
        EXPECT_EQ(row_of(found.ids, r, 5), best_of(logits, 5));
    }
    EXPECT_LT(relative_error(found.logits, expected), 1e-5);
    EXPECT_TRUE(same_bits(head.run_rows(8, 1).logits, row_of(found.logits, 8, 4099)));
}

}  // namespace
}  // namespace hydra::cuda::test
