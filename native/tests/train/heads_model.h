// Draft heads with their training step, composed of the library's operations: what the golden test and the benchmark
// train.
#pragma once

#include <map>
#include <numeric>
#include <string>
#include <utility>

#include "training.h"

namespace hydra::test {

struct HeadsShape {
    int64_t hidden, vocabulary, heads, blocks;
    bool own_lm_heads;  // with bias; otherwise all heads use the base's, which is not trained
    // The prefix layer; kv_heads 0: none.
    int64_t query_heads, kv_heads, head_size, feed_forward;
    float epsilon, theta;
};

// Texts one after another: starts [texts + 1], and of their rows the base's hidden states and the tokens.
struct HeadsBatch {
    std::vector<int64_t> starts;
    Floats states;
    Ids tokens;

    int64_t rows() const { return starts.back(); }
};

struct Objective {
    float data_scale, teacher_scale;
};

class HeadsModel {
  public:
    HeadsModel(Lab& lab, const HeadsShape& shape, const Floats& embedding, const Floats& base_head)
        : lab_(lab), shape_(shape), embedding_(lab.floats(embedding)), base_head_(lab.floats(base_head)) {
        const int64_t h = shape.hidden, queries = shape.query_heads * shape.head_size;
        const int64_t keys = shape.kv_heads * shape.head_size, f = shape.feed_forward;
        if (shape.kv_heads > 0) {
            declare({{"norm1", h}, {"q", queries * h}, {"k", keys * h}, {"v", keys * h}, {"o", h * queries}});
            declare({{"norm2", h}, {"gate", f * h}, {"up", f * h}, {"down", h * f}, {"norm", h}});
        }
        for (int64_t i = 0; i < shape.heads; ++i) {
            const std::string head = std::to_string(i) + ".";
            const int64_t width = (i + 2) * h;
            declare({{head + "a", h * width}, {head + "a_bias", h}, {head + "r", h * width}, {head + "r_bias", h}});
            for (int64_t b = 1; b < shape.blocks; ++b) {
                const std::string block = head + std::to_string(b);
                declare({{block, h * h}, {block + "_bias", h}});
            }
            if (shape.own_lm_heads)
                declare({{head + "lm", shape.vocabulary * h}, {head + "lm_bias", shape.vocabulary}});
        }
        for (Flat* flat : {&parameters_, &gradients_, &first_, &second_}) {
            flat->all = lab.zeros(count_);
            for (const auto& [name, place] : places_) {
                hydra_train_buffer* view = nullptr;
                must(hydra_train_buffer_view(flat->all, place.first, place.second, &view));
                flat->views[name] = Buffer(view);
            }
        }
        for (int64_t i = 0; i < shape.head_size / 2; ++i) {
            frequencies_.push_back(
                static_cast<float>(std::pow(static_cast<double>(shape.theta),
                                            -2.0 * static_cast<double>(i) / static_cast<double>(shape.head_size))));
        }
    }

    // Names and elements, in the order in which they lie one after another.
    const std::vector<std::pair<std::string, int64_t>>& names() const { return names_; }
    int64_t count() const { return count_; }
    hydra_train_buffer* parameters() const { return parameters_.all; }
    hydra_train_buffer* gradients() const { return gradients_.all; }
    hydra_train_buffer* parameter(const std::string& name) const { return parameters_.views.at(name).get(); }

    // Forward and backward of a batch, whose gradients are added. Returns the loss.
    double accumulate(const HeadsBatch& batch, const Objective& objective) {
        prepare(batch);
        hydra_train_device* device = lab_.device();
        const int64_t h = shape_.hidden, rows = batch.rows();
        const bool prefix = shape_.kv_heads > 0;
        hydra_train_buffer* state = prefix ? prefix_forward(batch) : get("states", 0);
        std::vector<std::vector<hydra_train_block>> blocks;
        std::vector<hydra_train_loss_head> heads;
        for (int64_t i = 0; i < shape_.heads; ++i) {
            blocks.push_back(head_forward(i, state, rows));
            const std::string head = std::to_string(i) + ".";
            hydra_train_loss_head of{};
            of.rows = blocks.back()[0].rows;
            of.states = blocks.back().back().y;
            of.weight = shape_.own_lm_heads ? parameter(head + "lm") : base_head_;
            of.bias = shape_.own_lm_heads ? parameter(head + "lm_bias") : nullptr;
            of.targets = get(head + "targets", 0);
            of.teacher_rows = objective.teacher_scale == 0 ? nullptr : get(head + "teacher", 0);
            of.data_scale = objective.data_scale;
            of.teacher_scale = objective.teacher_scale;
            of.g_states = get("g_y", rows * h, static_cast<size_t>(i));
            of.g_weight = shape_.own_lm_heads ? gradient(head + "lm") : nullptr;
            of.g_bias = shape_.own_lm_heads ? gradient(head + "lm_bias") : nullptr;
            heads.push_back(of);
        }
        hydra_train_loss loss{};
        loss.hidden = h;
        loss.vocabulary = shape_.vocabulary;
        if (objective.teacher_scale != 0) {
            loss.teacher_hidden = h;
            loss.teacher_rows = rows;
            loss.teacher_states = get("states", 0);
            loss.teacher_weight = base_head_;
        }
        std::vector<double> sums(heads.size() * HYDRA_TRAIN_SUMS);
        must(hydra_train_loss_compute(device, &loss, heads.data(), static_cast<int32_t>(heads.size()), sums.data()));
        hydra_train_buffer* g_state = get("g_state", rows * h);
        if (prefix) must(hydra_train_fill(device, rows * h, 0, g_state));
        double total = 0;
        for (int64_t i = 0; i < shape_.heads; ++i) {
            const auto at = static_cast<size_t>(i);
            head_backward(i, blocks[at], heads[at].g_states, prefix ? g_state : nullptr, rows);
            total += objective.data_scale * sums[at * HYDRA_TRAIN_SUMS + HYDRA_TRAIN_SUM_DATA_LOSS] +
                     objective.teacher_scale * sums[at * HYDRA_TRAIN_SUMS + HYDRA_TRAIN_SUM_TEACHER_LOSS];
        }
        if (prefix) prefix_backward(batch, g_state);
        return total;
    }

    // A step of AdamW with the gradients cut to a norm; returns what that was.
    double update(int64_t step, double rate, double clip) {
        hydra_train_adamw of{};
        of.count = count_;
        of.parameters = parameters_.all;
        of.gradients = gradients_.all;
        of.first = first_.all;
        of.second = second_.all;
        of.step = step;
        of.rate = rate;
        of.beta1 = 0.9;
        of.beta2 = 0.95;
        of.epsilon = 1e-8;
        of.decay = 0.1;
        double squares = 0;
        must(hydra_train_square_sum(lab_.device(), count_, gradients_.all, &squares));
        of.gradient_scale = std::min(1.0, clip / std::sqrt(squares));
        must(hydra_train_adamw_step(lab_.device(), &of));
        must(hydra_train_fill(lab_.device(), count_, 0, gradients_.all));
        return std::sqrt(squares);
    }

  private:
    struct Flat {
        hydra_train_buffer* all = nullptr;
        std::map<std::string, Buffer> views;
    };

    void declare(const std::vector<std::pair<std::string, int64_t>>& parameters) {
        for (const auto& [name, count] : parameters) {
            names_.emplace_back(name, count);
            places_[name] = {count_, count};
            count_ += count;
        }
    }

    hydra_train_buffer* gradient(const std::string& name) const { return gradients_.views.at(name).get(); }

    // Memory of a name that stays from batch to batch.
    hydra_train_buffer* get(const std::string& name, int64_t count, size_t index = 0) {
        hydra_train_buffer*& buffer = memory_[{name, index}];
        if (buffer == nullptr || hydra_train_buffer_count(buffer) < count) buffer = lab_.zeros(count);
        return buffer;
    }

    void put(const std::string& name, const Ids& ids) {
        hydra_train_buffer*& buffer = memory_[{name, 0}];
        if (buffer == nullptr || hydra_train_buffer_count(buffer) < static_cast<int64_t>(ids.size())) {
            buffer = lab_.ids(ids);
        } else {
            must(hydra_train_upload(buffer, 0, ids.data(), static_cast<int64_t>(ids.size())));
        }
    }

    // Head i guesses at row p the token of row p + 2 + i of the same text, given those of rows p + 1 to p + 1 + i.
    void prepare(const HeadsBatch& batch) {
        must(hydra_train_upload(get("states", batch.rows() * shape_.hidden), 0, batch.states.data(),
                                batch.rows() * shape_.hidden));
        rows_of_.clear();
        for (int64_t i = 0; i < shape_.heads; ++i) {
            const std::string head = std::to_string(i) + ".";
            Ids rows, teacher, targets;
            std::vector<Ids> given(static_cast<size_t>(i + 1));
            for (size_t s = 0; s + 1 < batch.starts.size(); ++s) {
                for (int64_t p = batch.starts[s]; p + 2 + i < batch.starts[s + 1]; ++p) {
                    rows.push_back(static_cast<int32_t>(p));
                    teacher.push_back(static_cast<int32_t>(p + 1 + i));
                    targets.push_back(batch.tokens[static_cast<size_t>(p + 2 + i)]);
                    for (int64_t j = 0; j <= i; ++j) {
                        given[static_cast<size_t>(j)].push_back(batch.tokens[static_cast<size_t>(p + 1 + j)]);
                    }
                }
            }
            rows_of_.push_back(static_cast<int64_t>(rows.size()));
            put(head + "rows", rows);
            put(head + "teacher", teacher);
            put(head + "targets", targets);
            for (int64_t j = 0; j <= i; ++j) put(head + "given" + std::to_string(j), given[static_cast<size_t>(j)]);
        }
    }

    std::vector<hydra_train_block> head_forward(int64_t i, const hydra_train_buffer* state, int64_t all_rows) {
        hydra_train_device* device = lab_.device();
        const std::string head = std::to_string(i) + ".";
        const int64_t h = shape_.hidden, rows = rows_of_[static_cast<size_t>(i)], width = (i + 2) * h;
        hydra_train_buffer* z = get(head + "z", all_rows * width);
        must(hydra_train_gather(device, rows, h, state, all_rows, get(head + "rows", 0), z, width, 0));
        for (int64_t j = 0; j <= i; ++j) {
            must(hydra_train_gather(device, rows, h, embedding_, shape_.vocabulary,
                                    get(head + "given" + std::to_string(j), 0), z, width, (j + 1) * h));
        }
        std::vector<hydra_train_block> blocks;
        for (int64_t b = 0; b < shape_.blocks; ++b) {
            hydra_train_block of{};
            const std::string name = head + (b == 0 ? "a" : std::to_string(b));
            of.rows = rows;
            of.inputs = b == 0 ? width : h;
            of.outputs = h;
            of.x = b == 0 ? z : blocks.back().y;
            of.weight = parameter(name);
            of.bias = parameter(name + "_bias");
            of.skip = b == 0 ? parameter(head + "r") : nullptr;
            of.skip_bias = b == 0 ? parameter(head + "r_bias") : nullptr;
            of.a = get(head + "pre", all_rows * h, static_cast<size_t>(b));
            of.y = get(head + "y", all_rows * h, static_cast<size_t>(b));
            must(hydra_train_block_forward(device, &of));
            blocks.push_back(of);
        }
        return blocks;
    }

    // g_state, unless null, is added to.
    void head_backward(int64_t i, std::vector<hydra_train_block>& blocks, hydra_train_buffer* g_y,
                       hydra_train_buffer* g_state, int64_t all_rows) {
        const std::string head = std::to_string(i) + ".";
        const int64_t h = shape_.hidden;
        for (int64_t b = shape_.blocks - 1; b >= 0; --b) {
            hydra_train_block& of = blocks[static_cast<size_t>(b)];
            const std::string name = head + (b == 0 ? "a" : std::to_string(b));
            of.gy = g_y;
            of.g_a = of.a;
            of.g_columns = h;
            of.g_x = b > 0 ? g_y : g_state == nullptr ? nullptr : get("g_z", all_rows * h);
            of.g_weight = gradient(name);
            of.g_bias = gradient(name + "_bias");
            of.g_skip = b == 0 ? gradient(head + "r") : nullptr;
            of.g_skip_bias = b == 0 ? gradient(head + "r_bias") : nullptr;
            must(hydra_train_block_backward(lab_.device(), &of));
        }
        if (g_state == nullptr) return;
        must(hydra_train_scatter_add(lab_.device(), blocks[0].rows, h, get("g_z", 0), h, 0, get(head + "rows", 0),
                                     g_state, all_rows));
    }

    struct Layer {
        int64_t inputs, outputs;
        const char *name, *x, *y;
    };

    void linear(int64_t rows, const Layer& of, bool add) {
        must(hydra_train_linear_forward(lab_.device(), rows, of.inputs, of.outputs, get(of.x, 0), parameter(of.name),
                                        nullptr, add, get(of.y, rows * of.outputs)));
    }

    // Of buffers whose gradients have the prefix "g_".
    void linear_backward(int64_t rows, const Layer& of, const char* g_y, bool add) {
        must(hydra_train_linear_backward(lab_.device(), rows, of.inputs, of.outputs, get(of.x, 0), parameter(of.name),
                                         get(g_y, 0), add, of.inputs, get(std::string("g_") + of.x, rows * of.inputs),
                                         gradient(of.name), nullptr));
    }

    Layer layer(const char* name) const {
        const int64_t h = shape_.hidden, queries = shape_.query_heads * shape_.head_size;
        const int64_t keys = shape_.kv_heads * shape_.head_size, f = shape_.feed_forward;
        for (const Layer& of : {Layer{h, queries, "q", "x1", "queries"}, Layer{h, keys, "k", "x1", "keys"},
                                Layer{h, keys, "v", "x1", "values"}, Layer{queries, h, "o", "attended", "residual1"},
                                Layer{h, f, "gate", "x2", "gates"}, Layer{h, f, "up", "x2", "ups"},
                                Layer{f, h, "down", "inner", "residual2"}}) {
            if (std::string(of.name) == name) return of;
        }
        throw std::runtime_error(name);
    }

    void copy(int64_t rows, const char* from, const char* to) {
        const int64_t h = shape_.hidden;
        must(hydra_train_copy_columns(lab_.device(), rows, h, get(from, 0), h, 0, get(to, rows * h), h, 0));
    }

    void norm(int64_t rows, const char* weight, const char* x, const char* y) {
        const std::string inverse = std::string(weight) + ".inverse";
        must(hydra_train_rms_norm_forward(lab_.device(), rows, shape_.hidden, shape_.epsilon, get(x, 0),
                                          parameter(weight), get(y, rows * shape_.hidden), get(inverse, rows)));
    }

    void norm_backward(int64_t rows, const char* weight, const char* x, const hydra_train_buffer* g_y, bool add,
                       hydra_train_buffer* g_x) {
        must(hydra_train_rms_norm_backward(lab_.device(), rows, shape_.hidden, get(x, 0), parameter(weight),
                                           get(std::string(weight) + ".inverse", 0), g_y, add, g_x, gradient(weight)));
    }

    void rope(const HeadsBatch& batch, int64_t heads, bool inverse, const char* x) {
        must(hydra_train_rope(lab_.device(), static_cast<int64_t>(batch.starts.size()) - 1, batch.starts.data(), heads,
                              shape_.head_size, frequencies_.data(), inverse, get(x, 0)));
    }

    hydra_train_attention attention(const HeadsBatch& batch) {
        const int64_t rows = batch.rows(), queries = rows * shape_.query_heads * shape_.head_size;
        hydra_train_attention of{};
        of.sequences = static_cast<int64_t>(batch.starts.size()) - 1;
        of.starts = batch.starts.data();
        of.heads = shape_.query_heads;
        of.kv_heads = shape_.kv_heads;
        of.head_size = shape_.head_size;
        of.q = get("queries", 0);
        of.k = get("keys", 0);
        of.v = get("values", 0);
        of.y = get("attended", queries);
        of.log_sum = get("log_sum", rows * shape_.query_heads);
        return of;
    }

    hydra_train_buffer* prefix_forward(const HeadsBatch& batch) {
        const int64_t rows = batch.rows();
        norm(rows, "norm1", "states", "x1");
        for (const char* name : {"q", "k", "v"}) linear(rows, layer(name), false);
        rope(batch, shape_.query_heads, false, "queries");
        rope(batch, shape_.kv_heads, false, "keys");
        const hydra_train_attention of = attention(batch);
        must(hydra_train_attention_forward(lab_.device(), &of));
        copy(rows, "states", "residual1");
        linear(rows, layer("o"), true);
        norm(rows, "norm2", "residual1", "x2");
        linear(rows, layer("gate"), false);
        linear(rows, layer("up"), false);
        const int64_t inner = rows * shape_.feed_forward;
        must(hydra_train_swiglu_forward(lab_.device(), inner, get("gates", 0), get("ups", 0), get("inner", inner)));
        copy(rows, "residual1", "residual2");
        linear(rows, layer("down"), true);
        norm(rows, "norm", "residual2", "state");
        return get("state", 0);
    }

    void prefix_backward(const HeadsBatch& batch, hydra_train_buffer* g) {
        const int64_t rows = batch.rows(), inner = rows * shape_.feed_forward;
        const int64_t queries = rows * shape_.query_heads * shape_.head_size;
        const int64_t keys = rows * shape_.kv_heads * shape_.head_size;
        norm_backward(rows, "norm", "residual2", g, false, g);
        linear_backward(rows, layer("down"), "g_state", false);
        hydra_train_buffer* g_inner = get("g_inner", 0);
        must(hydra_train_swiglu_backward(lab_.device(), inner, get("gates", 0), get("ups", 0), g_inner, g_inner,
                                         get("g_ups", inner)));
        linear_backward(rows, layer("gate"), "g_inner", false);
        linear_backward(rows, layer("up"), "g_ups", true);
        norm_backward(rows, "norm2", "residual1", get("g_x2", 0), true, g);
        linear_backward(rows, layer("o"), "g_state", false);
        hydra_train_attention of = attention(batch);
        of.gy = get("g_attended", 0);
        of.g_q = get("g_queries", queries);
        of.g_k = get("g_keys", keys);
        of.g_v = get("g_values", keys);
        must(hydra_train_attention_backward(lab_.device(), &of));
        rope(batch, shape_.query_heads, true, "g_queries");
        rope(batch, shape_.kv_heads, true, "g_keys");
        linear_backward(rows, layer("q"), "g_queries", false);
        linear_backward(rows, layer("k"), "g_keys", true);
        linear_backward(rows, layer("v"), "g_values", true);
        norm_backward(rows, "norm1", "states", get("g_x1", 0), false, nullptr);
    }

    Lab& lab_;
    const HeadsShape shape_;
    hydra_train_buffer *embedding_, *base_head_;
    std::vector<std::pair<std::string, int64_t>> names_;
    std::map<std::string, std::pair<int64_t, int64_t>> places_;
    int64_t count_ = 0;
    Flat parameters_, gradients_, first_, second_;
    std::vector<float> frequencies_;
    std::vector<int64_t> rows_of_;
    std::map<std::pair<std::string, size_t>, hydra_train_buffer*> memory_;
};

}  // namespace hydra::test
