// Passes of more rows than a block, a wave of products or one of attention computes give the bits of short ones, and
// rows of several sequences those of each sequence alone.
#include <functional>

#include "fixture.h"

namespace hydra::cuda::test {
namespace {

constexpr float EPSILON = 1e-5f;

// Calls run(first, count) for all rows at once, then for `each` rows at a time: the results, of equally many values a
// row, must be the same.
void expect_same_in_short_passes(int rows, int each, const std::function<Floats(int, int)>& run) {
    const Floats together = run(0, rows);
    const auto columns = static_cast<int64_t>(together.size()) / rows;
    for (int first = 0; first < rows; first += each) {
        const int count = std::min(each, rows - first);
        const Floats expected(together.begin() + first * columns, together.begin() + (first + count) * columns);
        EXPECT_TRUE(same_bits(run(first, count), expected)) << "rows from " << first << " on";
    }
}

// A pass of so many rows with room for a few more.
Pass pass_of(int rows) {
    const int max_rows = rows <= HYDRA_MAX_NODES ? HYDRA_MAX_NODES : rows + 19;
    Pass pass(std::make_shared<Batch>(std::vector<int>{0}, Pass::PAGES), max_rows);
    pass.chain(rows);
    return pass;
}

Floats rows_of(const Floats& values, int64_t columns, int first, int count) {
    return Floats(values.begin() + first * columns, values.begin() + (first + count) * columns);
}

TEST(LongPass, GivesTheProductsOfShortOnes) {
    Random random(1);
    int i = 0;
    for (hydra_type type : ALL_TYPES) {
        const int rows = 257 + 16 * (i++ % 3), inputs = whole_columns(type, 64), outputs = 33;
        SCOPED_TRACE(testing::Message() << "type " << type << ", " << rows << " rows");
        const Floats values = random.normal(rows * inputs), residuals = random.normal(rows * outputs);
        const Matrix weight(type, outputs, inputs, random), other(type, outputs, inputs, random),
            mixed(type == HYDRA_F32 ? HYDRA_BF16 : HYDRA_F32, outputs, inputs, random),
            square(type, inputs, inputs, random);
        const Memory<float> bias(random.normal(inputs)), norm(random.normal(inputs));
        expect_same_in_short_passes(rows, 60, [&](int first, int count) {
            const Pass pass = pass_of(count);
            const Memory<uint8_t> work = workspace(inputs, inputs, pass.max_rows);
            const auto x = padded_rows(rows_of(values, inputs, first, count), inputs, pass.max_rows);
            const auto residual = padded_rows(rows_of(residuals, outputs, first, count), outputs, pass.max_rows);
            const auto multiplied = poisoned(outputs, pass.max_rows), gated = poisoned(outputs, pass.max_rows),
                       mixed_gated = poisoned(outputs, pass.max_rows), drafted = poisoned(outputs, 2 * pass.max_rows);
            run(api().linear, Linear{pass.view(), x, weight.view, bias, residual, residual, work});
            run(api().linear, Linear{pass.view(), x, weight.view, bias, nullptr, multiplied, work});
            run(api().gate_up, GateUp{pass.view(), x, norm, EPSILON, weight.view, other.view, HYDRA_SILU, gated, work});
            run(api().gate_up,
                GateUp{pass.view(), x, norm, EPSILON, weight.view, mixed.view, HYDRA_GELU, mixed_gated, work});
            run(api().block, Block{pass.view(), x, weight.view, bias, other.view, nullptr, 1, drafted, work});
            run(api().block, Block{pass.view(), x, square.view, bias, {}, nullptr, 0, x, work});
            EXPECT_TRUE(untouched_behind(residual, count * outputs));
            EXPECT_TRUE(untouched_behind(multiplied, count * outputs));
            EXPECT_TRUE(untouched_behind(gated, count * outputs));
            EXPECT_TRUE(untouched_behind(mixed_gated, count * outputs));
            EXPECT_TRUE(untouched_behind(drafted, 2 * count * outputs));
            EXPECT_TRUE(untouched_behind(x, count * inputs));
            Floats found;
            const Floats block = drafted.read(2 * count * outputs);
            for (int r = 0; r < count; ++r) {
                for (const auto* part : {&residual, &multiplied, &gated, &mixed_gated}) {
                    append(found, row_of(part->read(count * outputs), r, outputs));
                }
                append(found, row_of(block, count + r, outputs));
                append(found, row_of(x.read(count * inputs), r, inputs));
            }
            return found;
        });
    }
}

TEST(LongPass, GivesTheProductsOfShortOnesWithALargeMatrix) {
    Random random(2);
    constexpr int ROWS = 130, INPUTS = 4128, OUTPUTS = 1033;
    const Matrix weight(HYDRA_BF16, OUTPUTS, INPUTS, random);
    const Floats values = random.normal(ROWS * INPUTS);
    const auto project = [&](int first, int count) {
        const Pass pass = pass_of(count);
        const Memory<uint8_t> work = workspace(OUTPUTS, INPUTS, pass.max_rows);
        const auto x = padded_rows(rows_of(values, INPUTS, first, count), INPUTS, pass.max_rows);
        const auto residual = padded_rows(Floats(static_cast<size_t>(count * OUTPUTS)), OUTPUTS, pass.max_rows);
        run(api().linear, Linear{pass.view(), x, weight.view, nullptr, residual, residual, work});
        EXPECT_TRUE(untouched_behind(residual, count * OUTPUTS));
        return residual.read(count * OUTPUTS);
    };
    const Floats together = project(0, ROWS);
    for (int row : {0, 64, 129}) EXPECT_TRUE(same_bits(project(row, 1), row_of(together, row, OUTPUTS))) << row;
}

TEST(LongPass, GivesTheNormsAndEmbeddingsOfShortOnes) {
    Random random(3);
    constexpr int ROWS = 300, COLUMNS = 40;
    const Floats values = random.normal(ROWS * COLUMNS);
    const Memory<float> norm(random.normal(COLUMNS));
    const Matrix embedding(HYDRA_F16, ROWS, COLUMNS, random);
    expect_same_in_short_passes(ROWS, 64, [&](int first, int count) {
        Pass pass = pass_of(count);
        for (int r = 0; r < count; ++r) pass.tokens[r] = (first + r) * 7 % ROWS;
        pass.upload();
        const auto x = padded_rows(rows_of(values, COLUMNS, first, count), COLUMNS, pass.max_rows);
        const auto normed = poisoned(COLUMNS, pass.max_rows), embedded = poisoned(COLUMNS, pass.max_rows);
        run(api().norm, Norm{pass.view(), x, norm, EPSILON, COLUMNS, normed, nullptr});
        run(api().embed, Embed{pass.view(), embedding.view, embedded, 0});
        EXPECT_TRUE(untouched_behind(normed, count * COLUMNS));
        EXPECT_TRUE(untouched_behind(embedded, count * COLUMNS));
        Floats found;
        for (int r = 0; r < count; ++r) {
            append(found, row_of(normed.read(count * COLUMNS), r, COLUMNS));
            append(found, row_of(embedded.read(count * COLUMNS), r, COLUMNS));
        }
        return found;
    });
}

TEST(LongPass, FindsTheBestEntriesOfShortOnes) {
    Random random(4);
    constexpr int ROWS = 150, HIDDEN = 32, VOCABULARY = 70, K = 3;
    const Matrix weight(HYDRA_Q8_0, VOCABULARY, HIDDEN, random);
    const Floats values = random.normal(ROWS * HIDDEN);
    const auto head = [&](const Pass& pass, const Floats& rows, int results, bool selected_rows_only) {
        const auto x = padded_rows(rows, HIDDEN, pass.max_rows), logits = poisoned(VOCABULARY, pass.max_rows);
        const Memory<uint8_t> work = workspace(VOCABULARY, HIDDEN, pass.max_rows);
        const Memory<int32_t> ids(pass.max_rows * K);
        const Memory<float> best(pass.max_rows * K);
        run(api().lm_head, LmHead{pass.view(), selected_rows_only, x, weight.view, nullptr, nullptr,
                                  TopView{K, ids, best, pass.max_rows}, logits, 0, 0, work});
        EXPECT_TRUE(untouched_behind(logits, results * VOCABULARY));
        EXPECT_EQ(ids.read()[results * K], 0);
        Floats found;
        for (int r = 0; r < results; ++r) {
            append(found, row_of(logits.read(results * VOCABULARY), r, VOCABULARY));
            append(found, row_of(best.read(results * K), r, K));
            for (int32_t id : row_of(ids.read(results * K), r, K)) found.push_back(static_cast<float>(id));
        }
        return found;
    };
    expect_same_in_short_passes(ROWS, 50, [&](int first, int count) {
        return head(pass_of(count), rows_of(values, HIDDEN, first, count), count, false);
    });
    // The last rows of 70 sequences, which have theirs in another order than the batch.
    constexpr int SEQUENCES = 70, COLUMNS = VOCABULARY + 2 * K;
    Pass pass(std::make_shared<Batch>(std::vector<int>(SEQUENCES + 3), 4), ROWS + 9);
    std::vector<std::pair<int, int>> chains;
    for (int i = 0; i < SEQUENCES; ++i) chains.emplace_back(SEQUENCES + 1 - i, 1 + i % 3);
    pass.chains(chains);
    ASSERT_LE(pass.count(), ROWS);
    const Floats last = head(pass, values, SEQUENCES, true), all = head(pass_of(ROWS), values, ROWS, false);
    for (int i = 0, row = -1; i < SEQUENCES; ++i) {
        row += chains[i].second;
        EXPECT_TRUE(same_bits(row_of(last, i, COLUMNS), row_of(all, row, COLUMNS))) << i;
    }
}

// A part of a sequence's rows: `count` of them from the `first` on.
struct Chunk {
    int sequence, first, count;
};

TEST(LongPass, StoresTheKeysAndValuesOfShortOnes) {
    Random random(5);
    constexpr int HIDDEN = 64, HEADS = 2, SIZE = 16, WIDTH = HEADS * SIZE, POSITIONS = 256;
    const std::vector<int> lengths{29, 0, 40};
    const int rows[] = {70, 190, 3};
    const Floats values = random.normal((70 + 190 + 3) * HIDDEN), norm_values = random.normal(HIDDEN);
    const Matrix query(HYDRA_Q4_0, WIDTH, HIDDEN, random), key(HYDRA_BF16, SIZE, HIDDEN, random),
        value(HYDRA_Q4_0, SIZE, HIDDEN, random);
    const Memory<float> norm(norm_values), rope(random.normal(POSITIONS * SIZE));
    // Queries of all chunks, of which each pass has some, and what lies in all slots then.
    const auto run_passes = [&](hydra_type type, const std::vector<std::vector<Chunk>>& passes) {
        const auto batch = std::make_shared<Batch>(lengths, 8);
        const Kv kv(type, 1, 1, SIZE, 3 * 8);
        std::vector<std::vector<Floats>> queries{std::vector<Floats>(70), std::vector<Floats>(190),
                                                 std::vector<Floats>(3)};
        const int begins[] = {0, 70, 260};
        for (const std::vector<Chunk>& chunks : passes) {
            std::vector<std::pair<int, int>> chains;
            Floats inputs;
            int count = 0;
            for (const Chunk& chunk : chunks) {
                batch->result(chunk.sequence).length = lengths[chunk.sequence] + chunk.first;
                chains.emplace_back(chunk.sequence, chunk.count);
                append(inputs, rows_of(values, HIDDEN, begins[chunk.sequence] + chunk.first, chunk.count));
                count += chunk.count;
            }
            Pass pass(batch, std::max(count, HYDRA_MAX_NODES));
            pass.chains(chains);
            const auto x = padded_rows(inputs, HIDDEN, pass.max_rows), out = poisoned(WIDTH, pass.max_rows);
            const Memory<uint8_t> work = workspace(WIDTH, HIDDEN, pass.max_rows);
            run_together(Qkv{pass.view(), x, norm, EPSILON, query.view, key.view, value.view, nullptr, nullptr, nullptr,
                             out, nullptr, nullptr, work},
                         AppendKv{pass.view(), out, nullptr, nullptr, WIDTH / SIZE, nullptr, nullptr, 0, rope, kv.view,
                                  0, work});
            EXPECT_TRUE(untouched_behind(out, count * WIDTH));
            const Floats found = out.read(count * WIDTH);
            int row = 0;
            for (const Chunk& chunk : chunks) {
                for (int r = 0; r < chunk.count; ++r) {
                    queries[chunk.sequence][chunk.first + r] = row_of(found, row++, WIDTH);
                }
            }
        }
        Floats all;
        for (int s = 0; s < 3; ++s) {
            for (const Floats& row : queries[s]) append(all, row);
            for (int slot = 0; slot < 8 * HYDRA_PAGE_POSITIONS; ++slot) append(all, kv.slot(Pass(batch), slot, s));
        }
        return all;
    };
    std::vector<std::vector<Chunk>> short_passes;
    for (int s = 0; s < 3; ++s) {
        for (int first = 0; first < rows[s]; first += 60) {
            short_passes.push_back({{s, first, std::min(60, rows[s] - first)}});
        }
    }
    for (hydra_type type : {HYDRA_F32, HYDRA_F16}) {
        const Floats together = run_passes(type, {{{2, 0, 3}, {0, 0, 70}, {1, 0, 190}}});
        EXPECT_TRUE(same_bits(run_passes(type, short_passes), together));
        // A slot that has a row, and those beside.
        const auto slot = [&](int i) {
            return row_of(Floats(together.begin() + 70 * WIDTH, together.end()), i, 2 * SIZE);
        };
        EXPECT_TRUE(std::isnan(slot(28)[0]));
        EXPECT_FALSE(std::isnan(slot(29)[0]));
        EXPECT_FALSE(std::isnan(slot(98)[0]));
        EXPECT_TRUE(std::isnan(slot(99)[0]));
    }
}

TEST(LongPass, OfADraftLevelHasNoSlots) {
    Random random(6);
    Pass pass(std::make_shared<Batch>(std::vector<int>{3}, 4));
    pass.on_host().set_count(5);
    pass.upload();
    const Matrix embedding(HYDRA_F32, 8, 8, random);
    const Kv kv(HYDRA_F32, 1, 1, 8, 4);
    const auto x = padded_rows(random.normal(5 * 8), 8), out = poisoned(8), normed = poisoned(8);
    const Memory<float> norm(random.normal(8)), rope(Floats(64 * 8));
    const Memory<uint8_t> work = attention_workspace(1, 8, 128), product_work = workspace(8, 8);
    run(api().embed, Embed{pass.view(), embedding.view, out, 0});
    const Qkv qkv{pass.view(), x,   norm, EPSILON, embedding.view, embedding.view, embedding.view, nullptr, nullptr,
                  nullptr,     out, out,  out,     product_work};
    const AppendKv append{pass.view(), out, out, out, 1, nullptr, nullptr, 0, rope, kv.view, 0, work};
    run(api().qkv, qkv);
    run(api().append_kv, append);
    run_together(qkv, append);
    run(api().attention, Attention{pass.view(), x, 1, kv.view, 0, out, 0, 0, 0, work});
    EXPECT_TRUE(untouched_behind(out, 0));
    run(api().norm, Norm{pass.view(), x, norm, EPSILON, 8, normed, nullptr});
    EXPECT_FALSE(std::isnan(normed.read()[5 * 8 - 1]));
}

}  // namespace
}  // namespace hydra::cuda::test
