// Expanded trees, and what their draft starts from.
#pragma once

#include "trees.h"

namespace hydra::test {

constexpr int WIDTH = 24, VOCABULARY = 100;

inline std::vector<int32_t> random_tokens(Random& random, int count) {
    std::vector<int32_t> tokens;
    for (int i = 0; i < count; ++i) tokens.push_back(random.below(VOCABULARY));
    return tokens;
}

// Expanded trees with tokens, a hidden state for each sequence, and an embedding. The sequence before the last has no
// root where there are more than two.
struct Draft {
    Shape shape;
    int sequences;
    std::vector<int32_t> tokens;
    std::vector<int> expanded_sequences;
    Pass pass;
    Tree expanded;
    Rows level_rows;
    Matrix embedding;
    Floats embedding_values, state_values;
    Buffer states;

    Draft(hydra_backend* opened, const Shape& made, Random& random, int batch = 1)
        : shape(made),
          sequences(batch),
          pass(opened, std::vector<int>(static_cast<size_t>(batch), 40), batch * made.nodes()) {
        if (batch > 2) must(hydra_batch_rewind(pass.batch, batch - 2, 40, -1));
        for (int s = 0; s < batch; ++s) {
            if (pass.result(s).root >= 0) expanded_sequences.push_back(s);
        }
        tokens = random_tokens(random, static_cast<int>(expanded_sequences.size()) * made.nodes());
        expanded = tree(pass.batch, shape);
        expand(pass, expanded, tokens);
        level_rows = rows(pass.batch, batch * made.nodes());
        embedding = matrix(opened, HYDRA_F32, VOCABULARY, WIDTH, random.normal(VOCABULARY * WIDTH));
        embedding_values = values_of(embedding);
        state_values = random.normal(batch * WIDTH);
        states = floats(opened, state_values);
    }

    // So many rows of each expanded sequence know it, and where tokens that are drafted at the level will stand.
    void expect_level_rows(int level, int of_each, int first = 0) const {
        level_rows->fetch();
        for (size_t i = 0; i < expanded_sequences.size() * static_cast<size_t>(of_each); ++i) {
            const size_t row = static_cast<size_t>(first) + i;
            EXPECT_EQ(level_rows->view.segment_of[row], expanded_sequences[i / of_each]) << row;
            EXPECT_EQ(level_rows->view.positions[row], level < shape.levels() ? 40 + level + 1 : -1) << row;
        }
    }

    void expect_inputs(int level, bool grounded) {
        const int64_t stride = grounded ? (level + 2) * WIDTH : WIDTH;
        const Buffer out = poisoned(pass.backend, stride, sequences * shape.nodes());
        hydra_program* created = nullptr;
        must(hydra_program_create(pass.backend, nullptr, &created));
        const Program program(created);
        hydra_matrix* embeddings = grounded ? static_cast<hydra_matrix*>(embedding) : nullptr;
        must(record(program,
                    hydra_draft_inputs{expanded, level, pass.rows, states, WIDTH, embeddings, level_rows, out}));
        must(hydra_program_run(program));
        Floats expected;
        std::vector<int32_t> inner = level <= shape.levels() ? shape.inner_nodes(level) : std::vector<int32_t>();
        if (!grounded && !inner.empty()) inner = {inner[0]};
        for (size_t order = 0; order < expanded_sequences.size(); ++order) {
            for (int32_t node : inner) {
                append(expected, row_of(state_values, expanded_sequences[order], WIDTH));
                if (!grounded) continue;
                for (int32_t ancestor : shape.path(node)) {
                    const int32_t token = tokens[order * shape.nodes() + ancestor];
                    const bool known = token >= 0 && token < VOCABULARY;
                    append(expected, known ? row_of(embedding_values, token, WIDTH) : Floats(WIDTH));
                }
            }
        }
        EXPECT_EQ(hydra_rows_count(level_rows), static_cast<int32_t>(inner.size() * expanded_sequences.size()));
        expect_level_rows(level, static_cast<int>(inner.size()));
        EXPECT_TRUE(same_bits(contents(out, static_cast<int64_t>(expected.size())), expected));
        EXPECT_TRUE(untouched_behind(out, static_cast<int64_t>(expected.size())));
    }
};

// The parts of a block of 32 columns, and its tables in halves.
struct Tables {
    static constexpr int N = 32, COLUMNS = 100, FIRST = 12;

    Floats part_values, entries;
    Buffer parts, tables;

    Tables(hydra_backend* backend, Random& random, int sequences, int level)
        : part_values(random.normal(sequences * COLUMNS)),
          entries(random.normal((level + 1) * VOCABULARY * 2 * N)),
          parts(floats(backend, part_values)) {
        std::vector<uint16_t> halves(entries.size());
        must(hydra_convert(HYDRA_F32, entries.data(), static_cast<int64_t>(entries.size() * 4), HYDRA_F16,
                           halves.data(), static_cast<int64_t>(halves.size() * 2),
                           static_cast<int64_t>(entries.size())));
        must(hydra_convert(HYDRA_F16, halves.data(), static_cast<int64_t>(halves.size() * 2), HYDRA_F32, entries.data(),
                           static_cast<int64_t>(entries.size() * 4), static_cast<int64_t>(entries.size())));
        tables = buffer(backend, halves.data(), static_cast<int64_t>(halves.size() * 2));
    }
};

}  // namespace hydra::test
