#include "drafting.h"

namespace hydra::test {
namespace {

// What the draft of a batch whose trees all differ leaves is what each sequence's own leaves.
TEST(Draft, TreesOfAllShapesAreThoseOfSequencesAlone) {
    constexpr int K = 7;
    Random random(13);
    const int sizes[] = {1, 7, 64, 2, 17, 40}, sequences = 6;
    for (int round = 0; round < 2; ++round) {
        const Backend backend = open_backend(round + 2);
        Pass together(backend, std::vector<int>(sequences, 40), sequences * HYDRA_MAX_NODES);
        const Tree trees = tree(together.batch, Shape{});
        const Rows level_rows = rows(together.batch, sequences * HYDRA_MAX_NODES);
        const Matrix embedding = matrix(backend, HYDRA_F32, VOCABULARY, WIDTH, random.normal(VOCABULARY * WIDTH));
        const Floats state_values = random.normal(sequences * WIDTH);
        const Buffer states = floats(backend, state_values);
        std::vector<Shape> shapes;
        std::vector<int32_t> tokens;
        int deepest = 0, guessing = 0;
        for (int s = 0; s < sequences; ++s) {
            shapes.push_back(random_shape(random, sizes[(s + round) % sequences]));
            must(set_tree(trees, s, shapes[s]));
            const std::vector<int32_t> own = random_tokens(random, shapes[s].nodes());
            tokens.insert(tokens.end(), own.begin(), own.end());
            deepest = std::max(deepest, shapes[s].levels());
            guessing += shapes[s].levels() > 0;
        }
        expand(together, trees, tokens);
        const auto run = [&](const auto& operation) {
            hydra_program* created = nullptr;
            must(hydra_program_create(backend, nullptr, &created));
            const Program program(created);
            must(record(program, operation));
            must(hydra_program_run(program));
        };
        run(hydra_draft_levels{trees, together.rows, level_rows});
        EXPECT_EQ(hydra_rows_count(level_rows), deepest * guessing);
        for (int level : {0, 1, 3, deepest - 1}) {
            const int64_t stride = (level + 2) * WIDTH;
            const Buffer out = poisoned(backend, stride, sequences * HYDRA_MAX_NODES);
            const Buffer plain = poisoned(backend, WIDTH, sequences * HYDRA_MAX_NODES);
            const Tables tables(backend, random, sequences, level);
            const Buffer block = poisoned(backend, Tables::N, sequences * HYDRA_MAX_NODES);
            run(hydra_draft_inputs{trees, level, together.rows, states, WIDTH, nullptr, level_rows, plain});
            EXPECT_EQ(hydra_rows_count(level_rows), guessing);
            run(hydra_table_block{trees, level, together.rows, tables.parts, Tables::COLUMNS, Tables::FIRST,
                                  tables.tables, VOCABULARY, Tables::N, level_rows, block});
            run(hydra_draft_inputs{trees, level, together.rows, states, WIDTH, embedding, level_rows, out});
            const int count = hydra_rows_count(level_rows);
            const std::vector<int32_t> ids = random_tokens(random, sequences * HYDRA_MAX_NODES * K);
            const Top candidates = top(backend, K, sequences * HYDRA_MAX_NODES);
            set_ids(candidates, ids);
            const Floats found = contents(out, count * stride), blocks = contents(block, count * Tables::N);
            const Floats singles = contents(plain, guessing * WIDTH);
            int row = 0, begin = 0, guess = 0;
            std::vector<int32_t> of_parents = tokens, of_groups = tokens;
            for (int s = 0; s < sequences; begin += shapes[s++].nodes()) {
                const std::vector<int32_t> inner = shapes[s].inner_nodes(level);
                const std::vector<int32_t> own(tokens.begin() + begin, tokens.begin() + begin + shapes[s].nodes());
                // The same sequence in a batch of its own.
                Pass alone(backend, 40);
                const Tree its_tree = tree(alone.batch, shapes[s]);
                expand(alone, its_tree, own);
                const Rows its_rows = rows(alone.batch);
                const Buffer its_states = floats(backend, row_of(state_values, s, WIDTH));
                const Buffer its_out = poisoned(backend, stride), its_block = poisoned(backend, Tables::N);
                const Buffer its_parts =
                    floats(backend, row_of(tables.part_values, std::min(guess, guessing - 1), Tables::COLUMNS));
                run(hydra_draft_inputs{its_tree, level, alone.rows, its_states, WIDTH, embedding, its_rows, its_out});
                ASSERT_EQ(hydra_rows_count(its_rows), static_cast<int32_t>(inner.size()));
                run(hydra_table_block{its_tree, level, alone.rows, its_parts, Tables::COLUMNS, Tables::FIRST,
                                      tables.tables, VOCABULARY, Tables::N, its_rows, its_block});
                for (int r = 0; r < static_cast<int>(inner.size()); ++r) {
                    EXPECT_TRUE(same_bits(row_of(found, row + r, stride),
                                          row_of(contents(its_out, (r + 1) * stride), r, stride)));
                    EXPECT_TRUE(same_bits(row_of(blocks, row + r, Tables::N),
                                          row_of(contents(its_block, (r + 1) * Tables::N), r, Tables::N)));
                }
                for (int i = 1; i < shapes[s].nodes(); ++i) {
                    if (shapes[s].depths[i] != level + 1) continue;
                    const auto parent = std::find(inner.begin(), inner.end(), shapes[s].parents[i]) - inner.begin();
                    of_parents[begin + i] = ids[(row + parent) * K + shapes[s].ranks[i]];
                    of_groups[begin + i] = ids[(level * guessing + guess) * K + shapes[s].ranks[i]];
                }
                row += static_cast<int>(inner.size());
                if (shapes[s].levels() == 0) continue;
                EXPECT_TRUE(same_bits(row_of(singles, guess++, WIDTH), row_of(state_values, s, WIDTH)));
            }
            EXPECT_EQ(row, count);
            const int all = static_cast<int>(tokens.size());
            if (level < 4) {
                run(hydra_draft_tokens{trees, level, candidates, level, together.rows});
                const int32_t* now = hydra_rows_tokens(together.rows);
                EXPECT_EQ(std::vector<int32_t>(now, now + all), of_groups) << level;
            }
            set_tokens(together.rows, tokens);
            run(hydra_draft_tokens{trees, level, candidates, -1, together.rows});
            const int32_t* now = hydra_rows_tokens(together.rows);
            EXPECT_EQ(std::vector<int32_t>(now, now + all), of_parents) << level;
            tokens = of_parents;
        }
    }
}

}  // namespace
}  // namespace hydra::test
