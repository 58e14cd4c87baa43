// Trees of all shapes, as tests know them.
#pragma once

#include "fixture.h"

namespace hydra::test {

struct Shape {
    std::vector<int32_t> parents{-1}, ranks{0}, depths{0};

    int nodes() const { return static_cast<int>(parents.size()); }
    int levels() const { return depths.back(); }

    void add(int32_t parent, int32_t rank) {
        parents.push_back(parent);
        ranks.push_back(rank);
        depths.push_back(depths[parent] + 1);
    }

    // The nodes from the root to `node`.
    std::vector<int32_t> path(int32_t node) const {
        std::vector<int32_t> nodes;
        for (; node >= 0; node = parents[node]) nodes.push_back(node);
        std::reverse(nodes.begin(), nodes.end());
        return nodes;
    }

    int children(int32_t node) const { return static_cast<int>(std::count(parents.begin(), parents.end(), node)); }

    // The nodes of a depth that have children, in order.
    std::vector<int32_t> inner_nodes(int depth) const {
        std::vector<int32_t> found;
        for (int32_t i = 0; i < nodes(); ++i) {
            if (depths[i] == depth && children(i) > 0) found.push_back(i);
        }
        return found;
    }
};

// `nodes` nodes, each hung below a random node of the last depth or the one before, with ranks below `top`.
inline Shape random_shape(Random& random, int nodes, int top = 6) {
    Shape shape;
    while (shape.nodes() < nodes) {
        const int depth = shape.levels();
        std::vector<int32_t> candidates;
        for (int32_t i = 0; i < shape.nodes(); ++i) {
            // A child of the last depth opens a new one, which closes the depths before.
            if (shape.depths[i] >= depth - 1 && shape.children(i) < top) candidates.push_back(i);
        }
        const int32_t parent = candidates[random.below(static_cast<int>(candidates.size()))];
        int32_t rank = random.below(top);
        for (int32_t i = 1; i < shape.nodes();) {
            const bool taken = shape.parents[i] == parent && shape.ranks[i] == rank;
            rank = taken ? (rank + 1) % top : rank;
            i = taken ? 1 : i + 1;
        }
        shape.add(parent, rank);
    }
    return shape;
}

inline hydra_status set_tree(hydra_tree* tree, int32_t sequence, const Shape& shape) {
    return hydra_tree_set(tree, sequence, shape.parents.data(), shape.ranks.data(), shape.nodes());
}

// The same tree for all sequences.
inline Tree tree(hydra_batch* batch, const Shape& shape) {
    hydra_tree* out = nullptr;
    must(hydra_tree_create(batch, &out));
    Tree owned(out);
    must(set_tree(out, -1, shape));
    return owned;
}

// Makes the rows of the pass the nodes of the tree with these tokens, as a draft of any kind would leave them.
inline void expand(const Pass& pass, hydra_tree* tree, const std::vector<int32_t>& tokens) {
    hydra_program* out = nullptr;
    must(hydra_program_create(pass.backend, nullptr, &out));
    const Program program(out);
    must(record(program, hydra_expand{tree, nullptr, pass.rows}));
    must(hydra_program_run(program));
    set_tokens(pass.rows, tokens);
}

}  // namespace hydra::test
