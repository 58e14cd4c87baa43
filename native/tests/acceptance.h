// A verified tree, as judge and commit find it.
#pragma once

#include "kv.h"
#include "trees.h"

namespace hydra::test {

constexpr int WIDTH = 20, LENGTH = 29;

// All paths one by one: the longest whose tokens the base would have chosen, the first among equals.
inline std::vector<int32_t> longest_path(const Shape& shape, const int32_t* tokens, const int32_t* answers) {
    std::vector<int32_t> found{0};
    for (int node = 1; node < shape.nodes(); ++node) {
        const std::vector<int32_t> path = shape.path(node);
        bool right = true;
        for (size_t i = 1; i < path.size(); ++i) right = right && tokens[path[i]] == answers[path[i - 1]];
        if (right && path.size() > found.size()) found = path;
    }
    return found;
}

// An expanded tree of few different tokens, the base's answers, a filled cache and hidden states.
struct Step {
    Shape shape;
    std::vector<int32_t> tokens, answers;
    Pass pass;
    Tree expanded;
    Top best;
    Pool kv;
    KvSlot slots;
    std::vector<Floats> cache;
    Floats hidden_values;
    Buffer hidden, uncommitted;
    Rows uncommitted_rows;

    Step(hydra_backend* backend, Random& random, const Shape& made, int kinds)
        : shape(made),
          pass(backend, LENGTH),
          expanded(tree(pass.batch, made)),
          best(top(backend, 2)),
          kv(pool(backend, 2, 2, 24, PAGES)),
          slots{kv, pass.batch},
          hidden_values(random.normal(made.nodes() * WIDTH)),
          hidden(padded_rows(backend, hidden_values, WIDTH)),
          uncommitted(poisoned(backend, WIDTH)),
          uncommitted_rows(rows(pass.batch)) {
        std::vector<int32_t> entries;
        for (int i = 0; i < shape.nodes(); ++i) {
            tokens.push_back(random.below(kinds));
            answers.push_back(random.below(kinds));
            entries.push_back(answers[i]);
            entries.push_back(-9);
        }
        set_ids(best, entries);
        expand(pass, expanded, tokens);
        for (int slot = 0; slot < LENGTH + shape.nodes(); ++slot) {
            cache.push_back(random.normal(slots.width()));
            slots.fill(slot, cache[slot]);
        }
    }

    void run(bool append = false) {
        must(record_end(pass, pass.program,
                        {expanded, pass.rows, best, kv, hidden, WIDTH, uncommitted_rows, uncommitted, append}));
        pass.run();
    }

    std::vector<int32_t> longest() const { return longest_path(shape, tokens.data(), answers.data()); }
};

}  // namespace hydra::test
