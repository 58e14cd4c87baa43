// A small random model of two layers with biases everywhere, recorded as a real one is.
#pragma once

#include "kv.h"
#include "trees.h"

namespace hydra::test {

struct ToyShape {
    int heads = 4, kv_heads = 2, head_size = 24;
    hydra_type kv = HYDRA_F32;
    int inner = 168;

    int queries() const { return heads * head_size; }
    int keys() const { return kv_heads * head_size; }
};

struct ToyModel {
    static constexpr int HIDDEN = 96, VOCABULARY = 150;
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
            layer.gate = weight(shape.inner, HIDDEN);
            layer.up = weight(shape.inner, HIDDEN);
            layer.down = weight(HIDDEN, shape.inner);
            layer.attention_norm = vector(HIDDEN);
            layer.feed_forward_norm = vector(HIDDEN);
            layer.query_bias = vector(shape.queries());
            layer.key_bias = vector(shape.keys());
            layer.value_bias = vector(shape.keys());
        }
    }
};

// Sequences of the model with their memory and the base model's forward pass.
struct ToySession {
    const ToyModel& model;
    int sequences, max_rows;
    Pass pass;
    Pool kv;
    Buffer x, queries, keys, values, attended, gated, hidden, logits;
    Top best;
    Tree nodes;
    Program prefill, step;  // rows in chains + advance; the nodes of the tree + accept

    explicit ToySession(const ToyModel& made, int batch = 1, int rows = ROWS)
        : model(made),
          sequences(batch),
          max_rows(rows),
          pass(made.backend, std::vector<int>(static_cast<size_t>(batch)), rows),
          kv(pool(made.backend, ToyModel::LAYERS, made.shape.kv_heads, made.shape.head_size, PAGES * batch,
                  made.shape.kv)),
          x(poisoned(made.backend, ToyModel::HIDDEN, rows)),
          queries(poisoned(made.backend, made.shape.queries(), rows)),
          keys(poisoned(made.backend, made.shape.keys(), rows)),
          values(poisoned(made.backend, made.shape.keys(), rows)),
          attended(poisoned(made.backend, made.shape.queries(), rows)),
          gated(poisoned(made.backend, model.shape.inner, rows)),
          hidden(poisoned(made.backend, ToyModel::HIDDEN, rows)),
          logits(poisoned(made.backend, ToyModel::VOCABULARY, rows)),
          best(top(made.backend, 3, rows)),
          nodes(tree(pass.batch, Shape{})) {
        for (int s = 0; s < batch; ++s) pass.batch->change(s).result.root = -1;
        hydra_program* out = nullptr;
        must(hydra_program_create(made.backend, nullptr, &out));
        prefill = Program(out);
        record_forward(prefill, true);
        must(record_end(pass, prefill, {nullptr, pass.rows, best, nullptr, nullptr, 0, nullptr, nullptr, 0}));
        must(hydra_program_create(made.backend, nullptr, &out));
        step = Program(out);
        record_forward(step, true);
        must(record_end(pass, step, {nodes, pass.rows, best, kv, nullptr, 0, nullptr, nullptr, 0}));
    }

    void record_forward(hydra_program* program, bool selected_rows_only) {
        const hydra_rows* rows = pass.rows;
        must(record(program, hydra_embed{rows, model.embedding, x, 0}));
        for (int i = 0; i < ToyModel::LAYERS; ++i) {
            const ToyModel::Layer& layer = model.layers[i];
            must(record(program,
                        hydra_qkv{rows, x, layer.attention_norm, ToyModel::EPSILON, layer.query, layer.key, layer.value,
                                  layer.query_bias, layer.key_bias, layer.value_bias, queries, keys, values}));
            must(record(program, hydra_append_kv{rows, queries, keys, values, model.shape.heads, nullptr, nullptr, 0,
                                                 model.rope, kv, i}));
            must(record(program, hydra_attention{rows, queries, model.shape.heads, kv, i, attended, 0, 0, 0}));
            must(record(program, hydra_linear{rows, attended, layer.output, nullptr, x, x}));
            must(record(program, hydra_gate_up{rows, x, layer.feed_forward_norm, ToyModel::EPSILON, layer.gate,
                                               layer.up, HYDRA_SILU, gated}));
            must(record(program, hydra_linear{rows, gated, layer.down, nullptr, x, x}));
        }
        must(record(program,
                    hydra_norm{rows, x, model.final_norm, ToyModel::EPSILON, ToyModel::HIDDEN, hidden, nullptr}));
        must(record(program,
                    hydra_lm_head{rows, selected_rows_only, hidden, model.head, nullptr, nullptr, best, logits, 0, 0}));
    }

    const hydra_step_result& result(int sequence = 0) const { return pass.result(sequence); }

    // All tokens of sequence 0 as verified positions, in chunks of `chunk`.
    void feed(const std::vector<int32_t>& tokens, int chunk) { feed_all({tokens}, chunk); }

    // The same for all sequences, of each a chunk in a pass while it has tokens.
    void feed_all(const std::vector<std::vector<int32_t>>& tokens, int chunk) {
        for (size_t begin = 0;; begin += chunk) {
            std::vector<std::vector<int32_t>> parts;
            bool more = false;
            for (const std::vector<int32_t>& all : tokens) {
                const auto from = all.begin() + std::min(begin, all.size());
                parts.emplace_back(from, all.begin() + std::min(begin + chunk, all.size()));
                more = more || !parts.back().empty();
            }
            if (!more) return;
            pass.chains(parts);
            must(hydra_program_run(prefill));
        }
    }

    // One step of sequence 0 over a tree whose nodes have these tokens; node 0 keeps the root.
    void verify(const Shape& shape, const std::vector<int32_t>& tokens) { verify_all(shape, {tokens}); }

    // The same for all sequences that have a root.
    void verify_all(const Shape& shape, const std::vector<std::vector<int32_t>>& tokens) {
        must(set_tree(nodes, -1, shape));
        std::vector<int32_t> all;
        for (int s = 0; s < sequences; ++s) {
            if (result(s).root < 0) continue;
            all.push_back(result(s).root);
            all.insert(all.end(), tokens[s].begin() + 1, tokens[s].end());
        }
        expand(pass, nodes, all);
        must(hydra_program_run(step));
    }

    // What a row of the last pass left everywhere.
    Floats row(int index) const {
        Floats all = row_of(contents(x, (index + 1) * ToyModel::HIDDEN), index, ToyModel::HIDDEN);
        append(all, row_of(contents(attended, (index + 1) * model.shape.queries()), index, model.shape.queries()));
        append(all, row_of(contents(gated, (index + 1) * model.shape.inner), index, model.shape.inner));
        return all;
    }
    Floats logits_of(int index) const {
        return row_of(contents(logits, (index + 1) * ToyModel::VOCABULARY), index, ToyModel::VOCABULARY);
    }

    // Keys and values of all verified positions.
    Floats cache(int sequence = 0) const {
        Floats all;
        for (int slot = 0; slot < result(sequence).length; ++slot) {
            append(all, KvSlot{kv, pass.batch, sequence}.all(slot));
        }
        return all;
    }
};

}  // namespace hydra::test
