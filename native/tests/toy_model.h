// A small random model of two layers with biases everywhere, recorded as a real one is.
#pragma once

#include "kv.h"
#include "trees.h"

namespace hydra::test {

struct ToyShape {
    int heads = 4, kv_heads = 2, head_size = 24;
    hydra_type kv = HYDRA_F32;

    int queries() const { return heads * head_size; }
    int keys() const { return kv_heads * head_size; }
};

struct ToyModel {
    static constexpr int HIDDEN = 96, INNER = 168, VOCABULARY = 150;
    static constexpr int LAYERS = 2, POSITIONS = PAGES * HYDRA_PAGE_POSITIONS;
    static constexpr float EPSILON = 1e-5f;

    struct Layer {
        Matrix query, key, value, output, gate, up, down;
        Buffer attention_norm, feed_forward_norm, query_bias, key_bias, value_bias;
    };

    hydra_backend* backend;
    ToyShape shape;
    Rope rope;
    Matrix embedding, head;
    Buffer final_norm;
    Layer layers[LAYERS];

    ToyModel(hydra_backend* opened, hydra_type type, uint32_t seed = 1, const ToyShape& made = {})
        : backend(opened), shape(made), rope(test::rope(opened, made.head_size, POSITIONS)) {
        Random random(seed);
        const auto weight = [&](int rows, int columns) {
            const float deviation = 1.5f / std::sqrt(static_cast<float>(columns));
            return matrix(opened, type, rows, columns, random.normal(rows * columns, deviation));
        };
        const auto vector = [&](int count) { return floats(opened, random.normal(count)); };
        embedding = weight(VOCABULARY, HIDDEN);
        head = weight(VOCABULARY, HIDDEN);
        final_norm = vector(HIDDEN);
        for (Layer& layer : layers) {
            layer.query = weight(shape.queries(), HIDDEN);
            layer.key = weight(shape.keys(), HIDDEN);
            layer.value = weight(shape.keys(), HIDDEN);
            layer.output = weight(HIDDEN, shape.queries());
            layer.gate = weight(INNER, HIDDEN);
            layer.up = weight(INNER, HIDDEN);
            layer.down = weight(HIDDEN, INNER);
            layer.attention_norm = vector(HIDDEN);
            layer.feed_forward_norm = vector(HIDDEN);
            layer.query_bias = vector(shape.queries());
            layer.key_bias = vector(shape.keys());
            layer.value_bias = vector(shape.keys());
        }
    }
};

// A sequence of the model with its memory and the base model's forward pass.
struct ToySession {
    const ToyModel& model;
    Pass pass;
    Pool kv;
    Buffer x, queries, attended, gated, hidden, logits;
    Top best;
    Tree nodes;
    Program prefill, step;  // rows in a chain + advance; the nodes of the tree + accept

    explicit ToySession(const ToyModel& made)
        : model(made),
          pass(made.backend),
          kv(pool(made.backend, ToyModel::LAYERS, made.shape.kv_heads, made.shape.head_size, PAGES, made.shape.kv)),
          x(poisoned(made.backend, ToyModel::HIDDEN)),
          queries(poisoned(made.backend, made.shape.queries())),
          attended(poisoned(made.backend, made.shape.queries())),
          gated(poisoned(made.backend, ToyModel::INNER)),
          hidden(poisoned(made.backend, ToyModel::HIDDEN)),
          logits(poisoned(made.backend, ToyModel::VOCABULARY)),
          best(top(made.backend, 3)),
          nodes(tree(made.backend, Shape{})) {
        pass.sequence->change().result.root = -1;
        hydra_program* out = nullptr;
        must(hydra_program_create(made.backend, nullptr, &out));
        prefill = Program(out);
        record(prefill, true);
        must(hydra_program_advance(prefill, pass.rows, best, nullptr, nullptr, nullptr));
        must(hydra_program_create(made.backend, nullptr, &out));
        step = Program(out);
        record(step, false);
        must(hydra_program_accept(step, nodes, pass.rows, best, kv, nullptr, nullptr, nullptr, 0));
    }

    void record(hydra_program* program, bool last_row_only) {
        const hydra_rows* rows = pass.rows;
        must(hydra_program_embed(program, rows, model.embedding, x));
        for (int i = 0; i < ToyModel::LAYERS; ++i) {
            const ToyModel::Layer& layer = model.layers[i];
            must(hydra_program_qkv(program, rows, x, layer.attention_norm, ToyModel::EPSILON, layer.query, layer.key,
                                   layer.value, layer.query_bias, layer.key_bias, layer.value_bias, model.rope, kv, i,
                                   queries));
            must(hydra_program_attention(program, rows, queries, model.shape.heads, kv, i, attended));
            must(hydra_program_project(program, rows, attended, layer.output, nullptr, x));
            must(hydra_program_gate_up(program, rows, x, layer.feed_forward_norm, ToyModel::EPSILON, layer.gate,
                                       layer.up, gated));
            must(hydra_program_project(program, rows, gated, layer.down, nullptr, x));
        }
        must(hydra_program_norm(program, rows, x, model.final_norm, ToyModel::EPSILON, hidden));
        must(hydra_program_lm_head(program, rows, last_row_only, hidden, model.head, nullptr, nullptr, best, logits));
    }

    const hydra_step_result& result() const { return *hydra_sequence_result(pass.sequence); }

    // All tokens as verified positions, in chunks of `chunk`.
    void feed(const std::vector<int32_t>& tokens, int chunk) {
        for (size_t i = 0; i < tokens.size(); i += chunk) {
            const size_t end = std::min(tokens.size(), i + chunk);
            pass.chain(std::vector<int32_t>(tokens.begin() + i, tokens.begin() + end));
            must(hydra_program_run(prefill));
        }
    }

    // One step over a tree whose nodes have these tokens; node 0 keeps the root.
    void verify(const Shape& shape, std::vector<int32_t> tokens) {
        must(hydra_tree_set(nodes, shape.parents.data(), shape.ranks.data(), shape.nodes()));
        tokens[0] = result().root;
        plant(pass, nodes, tokens);
        must(hydra_program_run(step));
    }

    // What a row of the last pass left everywhere.
    Floats row(int index) const {
        Floats all = row_of(contents(x, (index + 1) * ToyModel::HIDDEN), index, ToyModel::HIDDEN);
        append(all, row_of(contents(attended, (index + 1) * model.shape.queries()), index, model.shape.queries()));
        append(all, row_of(contents(gated, (index + 1) * ToyModel::INNER), index, ToyModel::INNER));
        return all;
    }
    Floats logits_of(int index) const {
        return row_of(contents(logits, (index + 1) * ToyModel::VOCABULARY), index, ToyModel::VOCABULARY);
    }

    // Keys and values of all verified positions.
    Floats cache() const {
        Floats all;
        for (int slot = 0; slot < result().length; ++slot) append(all, KvSlot{kv, pass.sequence}.all(slot));
        return all;
    }
};

}  // namespace hydra::test
