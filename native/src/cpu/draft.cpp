// The draft's side of the tree: planting it, gathering the inputs of a level's head, handing out a level's tokens.
#include <cstring>

#include "cpu/embedding.h"
#include "cpu/product.h"
#include "hydra4j/program.h"

namespace hydra {

namespace {

struct Plant : Operation {
    const hydra_tree* tree;
    hydra_rows* rows;

    void check() const override {
        const hydra_step_result& state = rows->sequence->result;
        HYDRA_REQUIRE(state.root >= 0, "the sequence has no root token: no prefill has ended");
        HYDRA_REQUIRE(state.root < rows->token_limit, "the root token %d is outside the vocabulary of %lld", state.root,
                      static_cast<long long>(rows->token_limit));
        rows->require_room(state.length, tree->nodes, tree->levels);
    }

    void run(const Worker& worker) override {
        if (worker.thread != 0) return;
        // Where an operation before this one has moved the length since check() and no room is left, no node is
        // planted.
        const int32_t first = rows->sequence->result.length;
        const bool fits = rows->has_pages(first, tree->nodes) && rows->has_positions(first, tree->levels);
        rows->set_chain(first, fits ? tree->nodes : 0);
        rows->given = false;
        for (int i = 0; i < rows->count; ++i) {
            rows->positions[i] = rows->first + tree->depths[i];
            rows->ancestors[i] = tree->ancestors[i];
        }
        rows->tokens[0] = rows->sequence->result.root;
    }
};

struct DraftInputs : Operation {
    const hydra_tree* tree;
    int level;
    const hydra_rows* nodes;
    const hydra_rows* hidden_rows;
    const float* hidden;
    int64_t width;
    const hydra_matrix* embedding;  // null: heads that are not grounded
    hydra_rows* level_rows;
    float* out;

    void run(const Worker& worker) override {
        const int inputs = embedding != nullptr ? tree->level_rows[level] : tree->levels > level ? 1 : 0;
        const int states = hidden_rows->active(), count = states > 0 ? inputs : 0;
        if (worker.thread == 0) {
            level_rows->count = count;
            level_rows->generation = level_rows->sequence->generation;
        }
        const int64_t stride = embedding != nullptr ? (level + 2) * width : width;
        for (int64_t r = worker.begin(count); r < worker.end(count); ++r) {
            float* row = out + r * stride;
            std::memcpy(row, hidden + (states - 1) * width, sizeof(float) * width);
            if (embedding == nullptr) continue;
            int node = tree->level_nodes[level][r];
            for (int depth = level; depth >= 0; --depth, node = tree->parents[node]) {
                read_token(*embedding, nodes->tokens[node], row + (depth + 1) * width);
            }
        }
    }
};

struct DraftLevels : Operation {
    const hydra_tree* tree;
    hydra_rows* rows;

    void run(const Worker& worker) override {
        if (worker.thread != 0) return;
        rows->count = tree->levels;
        rows->generation = rows->sequence->generation;
    }
};

struct DraftTokens : Operation {
    const hydra_tree* tree;
    int level;
    const hydra_top* top;
    int row;
    hydra_rows* nodes;

    void check() const override {
        HYDRA_REQUIRE(tree->level_top[level] <= top->k, "depth %d of the tree needs %d candidates, the draft keeps %d",
                      level + 1, tree->level_top[level], top->k);
    }

    void run(const Worker& worker) override {
        if (worker.thread != 0) return;
        for (int i = 1; i < tree->nodes; ++i) {
            if (tree->depths[i] != level + 1) continue;
            const int from = row >= 0 ? row : tree->row_of[tree->parents[i]];
            nodes->tokens[i] = top->ids[from * top->k + tree->ranks[i]];
        }
    }
};

}  // namespace

}  // namespace hydra

hydra_status hydra_program_plant(hydra_program* program, const hydra_tree* tree, hydra_rows* rows) {
    return hydra::guarded("hydra_program_plant", [&] {
        HYDRA_REQUIRE(program && tree && rows, "an argument is null");
        program->record<hydra::Plant>(0, 0);
        auto& op = static_cast<hydra::Plant&>(*program->operations.back());
        op.tree = tree;
        op.rows = rows;
    });
}

hydra_status hydra_program_draft_inputs(hydra_program* program, const hydra_tree* tree, int32_t level,
                                        const hydra_rows* nodes, const hydra_rows* hidden_rows,
                                        const hydra_buffer* hidden, const hydra_matrix* embedding,
                                        hydra_rows* level_rows, hydra_buffer* out) {
    return hydra::guarded("hydra_program_draft_inputs", [&] {
        HYDRA_REQUIRE(program && tree && nodes && hidden_rows && hidden && level_rows && out, "an argument is null");
        HYDRA_REQUIRE(level >= 0 && level < HYDRA_MAX_ROWS, "level is %d, must be from 0 to %d", level,
                      HYDRA_MAX_ROWS - 1);
        HYDRA_REQUIRE(level_rows != nodes && level_rows != hidden_rows,
                      "level_rows must be neither nodes nor hidden_rows");
        HYDRA_REQUIRE(hidden != out, "out must not be hidden");
        const int64_t width = embedding ? embedding->packed.columns : hidden->bytes / 4 / HYDRA_MAX_ROWS;
        hydra::require_floats(hidden, HYDRA_MAX_ROWS, width, "hidden");
        hydra::require_floats(out, HYDRA_MAX_ROWS, embedding ? (level + 2) * width : width, "out");
        if (embedding) nodes->token_limit = std::min(nodes->token_limit, embedding->packed.rows);
        program->record<hydra::DraftInputs>(0, 0);
        auto& op = static_cast<hydra::DraftInputs&>(*program->operations.back());
        op.tree = tree;
        op.level = level;
        op.nodes = nodes;
        op.hidden_rows = hidden_rows;
        op.hidden = hidden->floats();
        op.width = width;
        op.embedding = embedding;
        op.level_rows = level_rows;
        op.out = out->floats();
    });
}

hydra_status hydra_program_draft_levels(hydra_program* program, const hydra_tree* tree, hydra_rows* rows) {
    return hydra::guarded("hydra_program_draft_levels", [&] {
        HYDRA_REQUIRE(program && tree && rows, "an argument is null");
        program->record<hydra::DraftLevels>(0, 0);
        auto& op = static_cast<hydra::DraftLevels&>(*program->operations.back());
        op.tree = tree;
        op.rows = rows;
    });
}

hydra_status hydra_program_draft_tokens(hydra_program* program, const hydra_tree* tree, int32_t level,
                                        const hydra_top* top, int32_t row, hydra_rows* nodes) {
    return hydra::guarded("hydra_program_draft_tokens", [&] {
        HYDRA_REQUIRE(program && tree && top && nodes, "an argument is null");
        HYDRA_REQUIRE(level >= 0 && level < HYDRA_MAX_ROWS - 1, "level is %d, must be from 0 to %d", level,
                      HYDRA_MAX_ROWS - 2);
        HYDRA_REQUIRE(row >= -1 && row < HYDRA_MAX_ROWS, "row is %d, must be from -1 to %d", row, HYDRA_MAX_ROWS - 1);
        program->record<hydra::DraftTokens>(0, 0);
        auto& op = static_cast<hydra::DraftTokens&>(*program->operations.back());
        op.tree = tree;
        op.level = level;
        op.top = top;
        op.row = row;
        op.nodes = nodes;
    });
}
