// Trees that grow: what both backends make of the nodes that are to be kept.
#pragma once

#include <cmath>

#include "program/state.h"

namespace hydra {

// Makes a tree the root and the chain below it that the host guesses.
HYDRA_HOST_DEVICE void begin_growth(TreeData& tree, const Growth& growth, Grown& grown) {
    const int32_t most = growth.guesses + 1 < growth.nodes ? growth.guesses + 1 : growth.nodes;
    int32_t nodes = 0;
    float score = 0;
    do {
        const int32_t i = nodes++;
        tree.parents[i] = static_cast<int8_t>(i - 1);
        tree.ranks[i] = 0;
        tree.depths[i] = static_cast<int8_t>(i);
        tree.ancestors[i] = first_rows(i + 1);
        grown.tokens[i] = i > 0 ? growth.chain[i - 1] : -1;
        grown.chances[i] = i > 0 ? growth.chances[i - 1] : 0;
        grown.scores[i] = score;
        score += nodes < most ? logf(growth.chances[i]) : 0;
    } while (nodes < most && score >= growth.least);
    tree.nodes = nodes;
    tree.levels = nodes - 1;
    tree.grows = growth.levels;
    // Children of the root alone are drafted first.
    tree.row_of[0] = 0;
    tree.inner[0] = 0;
    tree.begins[0] = 0;
    for (int32_t depth = 1; depth <= HYDRA_MAX_NODES; ++depth) tree.begins[depth] = growth.levels > 0;
}

// A node that a tree could have: one of its own, or a new child of one.
struct Candidate {
    int32_t token;
    float score, chance;
    int8_t node, parent, depth;  // node -1: a new one
};

// Whether a candidate is better than another one, which comes after it where they are equally likely. Nothing is better
// than its parent, so that the best of all are a tree.
HYDRA_HOST_DEVICE bool is_better(const Candidate& one, const Candidate& other, bool comes_before) {
    if (one.score != other.score) return one.score > other.score;
    if (one.depth != other.depth) return one.depth < other.depth;
    return comes_before;
}

// The chain's node below a level, among a tree's first `count` nodes, where no other has been proposed yet; -1: none.
HYDRA_HOST_DEVICE int32_t guess_below(const TreeData& tree, int32_t count, int32_t level) {
    for (int32_t i = 1; i < count; ++i) {
        if (tree.depths[i] == level + 1) return i;
    }
    return -1;
}

// The candidates that a tree and a level's proposals offer.
struct Proposals {
    const TreeData& tree;
    const Grown& grown;
    const int32_t* tokens;  // the nodes'
    int32_t count;          // of nodes
    int32_t level, open;    // nodes of that depth whose children were proposed
    const int32_t* ids;     // [rows of open nodes][k]
    const float* values;    //
    int32_t k;
    int32_t stride;    // from one open node's row to the next: k, or 0 where they share one
    int32_t position;  // of the root; there are none beyond the limit
    int32_t limit;
    float least;    // worse ones are not there
    int32_t guess;  // guess_below the level

    // As many as there are, at most.
    HYDRA_HOST_DEVICE int32_t candidates() const { return count + open * k; }

    // How likely the chain's node is right where its parent is, with what the proposals say of its token.
    HYDRA_HOST_DEVICE float second_opinion() const {
        const float chance = grown.chances[guess];
        const int32_t parent = tree.parents[guess];
        for (int32_t i = 0; i < open; ++i) {
            if (tree.inner[i] != parent) continue;
            for (int32_t r = 0; r < k; ++r) {
                if (ids[i * stride + r] == tokens[guess]) {
                    return chance + (1 - chance) * expf(values[i * stride + r]);
                }
            }
        }
        return chance;
    }

    // Candidate i; opinion: second_opinion(), where there is a guess. A score of minus infinity: there is none.
    HYDRA_HOST_DEVICE Candidate candidate(int32_t i, float opinion) const {
        if (i < count) {
            Candidate own{tokens[i],       grown.scores[i], grown.chances[i], static_cast<int8_t>(i),
                          tree.parents[i], tree.depths[i]};
            // What is known now of the guess holds for all of the chain below it.
            if (guess >= 0 && i >= guess && grown.chances[i] > 0 && own.depth > level) {
                own.score += logf(opinion) - logf(grown.chances[guess]);
            }
            if (own.score < least) own.score = -INFINITY;
            return own;
        }
        const int32_t row = (i - count) / k, rank = (i - count) % k, parent = tree.inner[row];
        const int32_t token = ids[row * stride + rank];
        const float value = values[row * stride + rank];
        const bool is_guessed_about = guess >= 0 && tree.parents[guess] == parent;
        const bool is_none = !(value <= 0) || value < -1e30f || token < 0 || position + level + 1 >= limit ||
                             (is_guessed_about && token == tokens[guess]);
        const float share = is_guessed_about ? logf(1 - grown.chances[guess]) : 0;
        const float score = grown.scores[parent] + value + share;
        return {token,
                is_none || score < least ? -INFINITY : score,
                0,
                -1,
                static_cast<int8_t>(parent),
                static_cast<int8_t>(level + 1)};
    }
};

HYDRA_HOST_DEVICE void put(Sprouts& sprouts, int32_t i, const Candidate& candidate) {
    sprouts.tokens[i] = candidate.token;
    sprouts.scores[i] = candidate.score;
    sprouts.chances[i] = candidate.chance;
    sprouts.nodes[i] = candidate.node;
    sprouts.parents[i] = candidate.parent;
    sprouts.depths[i] = candidate.depth;
}

// Where node i of `sprouts` stands among its first `count` ones in order of depth.
HYDRA_HOST_DEVICE int32_t place_of(const Sprouts& sprouts, int32_t count, int32_t i) {
    int32_t place = 0;
    for (int32_t j = 0; j < count; ++j) {
        const int32_t by = sprouts.depths[j] - sprouts.depths[i];
        place += by < 0 || (by == 0 && j < i);
    }
    return place;
}

// Makes a tree the first `count` of the sprouts. Lanes share the work: each calls this, and sync() holds until all
// have.
template <class Sync>
HYDRA_HOST_DEVICE void build(TreeData& tree, Grown& grown, const Sprouts& sprouts, int32_t count, const Growth& growth,
                             int32_t level, int32_t lane, int32_t lanes, Sync&& sync) {
    for (int32_t i = lane; i < count; i += lanes) {
        const int32_t place = place_of(sprouts, count, i);
        int32_t parent = -1;
        for (int32_t j = 0; j < count && i > 0; ++j) {
            if (sprouts.nodes[j] == sprouts.parents[i]) parent = place_of(sprouts, count, j);
        }
        tree.parents[place] = static_cast<int8_t>(parent);
        tree.ranks[place] = 0;
        tree.depths[place] = sprouts.depths[i];
        tree.row_of[place] = -1;
        grown.tokens[place] = sprouts.tokens[i];
        grown.scores[place] = sprouts.scores[i];
        grown.chances[place] = sprouts.chances[i];
    }
    // The best nodes of the next depth, but the last of a full tree, whose children would be worse than all.
    const int32_t next = level + 1, most = count == growth.nodes ? count - 1 : count;
    int32_t open = 0;
    for (int32_t i = 0; i < most && next < growth.levels; ++i) {
        if (sprouts.depths[i] != next || open == growth.width) continue;
        if (open % lanes == lane) {
            const int32_t place = place_of(sprouts, count, i);
            tree.inner[open] = static_cast<int8_t>(place);
        }
        ++open;
    }
    for (int32_t depth = lane; depth <= HYDRA_MAX_NODES; depth += lanes) {
        tree.begins[depth] = static_cast<int8_t>(depth <= next ? 0 : open);
    }
    sync();
    for (int32_t i = lane; i < open; i += lanes) tree.row_of[tree.inner[i]] = static_cast<int8_t>(i);
    for (int32_t i = lane; i < count; i += lanes) {
        uint64_t seen = 0;
        for (int32_t node = i; node >= 0; node = tree.parents[node]) seen |= uint64_t{1} << node;
        tree.ancestors[i] = seen;
    }
    if (lane == 0) {
        tree.nodes = count;
        tree.levels = 0;
        for (int32_t i = 0; i < count; ++i) {
            if (sprouts.depths[i] > tree.levels) tree.levels = sprouts.depths[i];
        }
    }
    sync();
}

}  // namespace hydra
