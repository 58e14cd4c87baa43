// Layers that one cooperative kernel does as a list of tasks have the bits of those whose operations are launched one
// by one.
#include "fixture.h"
#include "program/random.h"
#include "program/rope.h"

namespace hydra::cuda::test {
namespace {

constexpr float EPSILON = 1e-5f;
constexpr int VOCABULARY = 40, PAGES = Pass::PAGES;

struct Kind {
    hydra_type type;
    int heads, kv_heads, hidden, inner, layers;
    hydra_type odd = HYDRA_F32;  // of the down projection of layer 1, where it is not F32

    int queries() const { return heads * 64; }
    int widest() const { return std::max({queries(), hidden, inner}); }
    int keys() const { return kv_heads * 64; }
};

// Layers of random weights.
struct Model {
    struct Weight {
        Memory<uint8_t> memory;
        MatrixView view;

        Weight(hydra_type type, int64_t rows, int64_t columns, uint64_t seed)
            : memory(api().matrix_bytes(type, rows, columns)), view{type, rows, columns, memory} {
            const RandomWeights values{seed, 1 / std::sqrt(static_cast<float>(columns)), 0x2400, 0x2400};
            must(api().matrix_fill(device(), &view, &values));
        }
    };
    struct Layer {
        Weight query, key, value, output, gate, up, down;
        Memory<float> attention_norm, feed_forward_norm, query_bias;
    };

    const Kind kind;
    Weight embedding;
    std::vector<Layer> layers;
    Memory<float> rope;

    explicit Model(const Kind& made) : kind(made), embedding(made.type, VOCABULARY, made.hidden, 1) {
        Random random(3);
        uint64_t seed = 2;
        const auto weight = [&](int rows, int columns, hydra_type type) { return Weight(type, rows, columns, seed++); };
        for (int i = 0; i < kind.layers; ++i) {
            const hydra_type down = i == 1 && kind.odd != HYDRA_F32 ? kind.odd : kind.type;
            layers.push_back({weight(kind.queries(), kind.hidden, kind.type),
                              weight(kind.keys(), kind.hidden, kind.type), weight(kind.keys(), kind.hidden, kind.type),
                              weight(kind.hidden, kind.queries(), kind.type),
                              weight(kind.inner, kind.hidden, kind.type), weight(kind.inner, kind.hidden, kind.type),
                              weight(kind.hidden, kind.inner, down), Memory<float>(random.normal(kind.hidden)),
                              Memory<float>(random.normal(kind.hidden)), Memory<float>(random.normal(kind.queries()))});
        }
        rope = Memory<float>(random.normal(PAGES * HYDRA_PAGE_POSITIONS * 64));
    }
};

// What a pass leaves, and the kernels of its graph.
struct Found {
    Floats values;
    int32_t kernels = 0;
};

// A pass over a cache that holds as many random positions as its sequences have verified.
struct LayerPass {
    const Model& model;
    Pass& pass;
    Kv kv;
    Memory<float> x, queries, keys, values, attended, gated;
    Memory<uint8_t> work, handed[2];

    LayerPass(const Model& of, Pass& over)
        : model(of),
          pass(over),
          kv(HYDRA_F16, of.kind.layers, of.kind.kv_heads, 64, PAGES * over.batch->sequences()),
          x(poisoned(of.kind.hidden, over.max_rows)),
          queries(poisoned(of.kind.queries(), over.max_rows)),
          keys(poisoned(of.kind.keys(), over.max_rows)),
          values(poisoned(of.kind.keys(), over.max_rows)),
          attended(poisoned(of.kind.queries(), over.max_rows)),
          gated(poisoned(of.kind.inner, over.max_rows)),
          work(workspace_of(bytes())),
          handed{all_ones(handover_bytes()), all_ones(handover_bytes())} {
        for (int s = 0; s < pass.batch->sequences(); ++s) {
            Random random(static_cast<uint32_t>(s + 11));
            for (int slot = 0; slot < pass.result(s).length; ++slot) {
                kv.fill(pass, slot, random.normal(static_cast<int>(kv.width())), s);
            }
        }
    }

    // One by one.
    Found launch() {
        StreamOwner owner;
        Found found;
        record(owner.stream);
        must(api().stream_wait(owner.stream));
        collect(found);
        return found;
    }

    // As a graph, which must find the counters of its lists at zero whenever it begins.
    Found launch_graph(Device* on) {
        Stream* stream = nullptr;
        must(api().stream_create(on, &stream));
        Graph* graph = nullptr;
        Found found;
        int32_t copies = 0;
        must(api().capture_begin(stream));
        record(stream);
        must(api().capture_end(stream, &graph, &found.kernels, &copies));
        for (int i = 0; i < 2; ++i) {
            must(api().graph_launch(graph, stream));
            must(api().stream_wait(stream));
        }
        api().graph_destroy(graph);
        api().stream_destroy(stream);
        collect(found);
        return found;
    }

  private:
    int64_t bytes() const {
        const int widest = model.kind.widest();
        const hydra_limits limits{pass.max_rows,    2 * widest, widest,
                                  model.kind.heads, 64,         PAGES * HYDRA_PAGE_POSITIONS};
        return api().workspace_parts(device(), &limits).bytes();
    }
    int64_t handover_bytes() const { return api().handover_bytes(pass.max_rows, model.kind.widest()); }

    void record(Stream* stream) const {
        const Kind& kind = model.kind;
        const RowsView rows = pass.view();
        Handover handovers[2];
        int next = 0;
        const Handover* given = nullptr;
        // What the next operation, with weights of this type, finds.
        const auto leave = [&](hydra_type type, const float* norm) {
            handovers[next] = {handed[next], type, norm};
            return &handovers[next];
        };
        const auto left = [&] {
            given = &handovers[next];
            next = 1 - next;
        };
        const Embed embed{
            rows, model.embedding.view, x, 0, work, nullptr, leave(kind.type, model.layers[0].attention_norm)};
        must(api().embed(stream, &embed));
        left();
        for (int i = 0; i < kind.layers; ++i) {
            const Model::Layer& layer = model.layers[static_cast<size_t>(i)];
            const Qkv qkv{rows,
                          x,
                          layer.attention_norm,
                          EPSILON,
                          layer.query.view,
                          layer.key.view,
                          layer.value.view,
                          layer.query_bias,
                          nullptr,
                          nullptr,
                          queries,
                          keys,
                          values,
                          work,
                          given};
            const AppendKv append{rows,    queries, keys,       values,  kind.heads, nullptr,
                                  nullptr, 0,       model.rope, kv.view, i,          work};
            must(api().qkv_and_append(stream, &qkv, &append));
            const Attention attention{rows, queries, kind.heads, kv.view, i,       attended,
                                      0,    0,       0,          work,    nullptr, leave(kind.type, nullptr)};
            must(api().attention(stream, &attention));
            left();
            const Linear output{rows,    attended, layer.output.view,
                                nullptr, x,        x,
                                work,    given,    leave(kind.type, layer.feed_forward_norm)};
            must(api().linear(stream, &output));
            left();
            const GateUp gate_up{rows,
                                 x,
                                 layer.feed_forward_norm,
                                 EPSILON,
                                 layer.gate.view,
                                 layer.up.view,
                                 HYDRA_SILU,
                                 gated,
                                 work,
                                 given,
                                 leave(layer.down.view.type, nullptr)};
            must(api().gate_up(stream, &gate_up));
            left();
            const bool is_last = i + 1 == kind.layers;
            const float* norm = is_last ? nullptr : model.layers[static_cast<size_t>(i) + 1].attention_norm.get();
            const Linear down{
                rows, gated, layer.down.view, nullptr, x, x, work, given, is_last ? nullptr : leave(kind.type, norm)};
            must(api().linear(stream, &down));
            left();
        }
    }

    void collect(Found& found) const {
        const int rows = pass.count();
        append(found.values, x.read(rows * model.kind.hidden));
        append(found.values, attended.read(rows * model.kind.queries()));
        append(found.values, gated.read(rows * model.kind.inner));
        for (int s = 0; s < pass.batch->sequences(); ++s) {
            for (int i = 0; i < rows; ++i) append(found.values, kv.slot(pass, pass.result(s).length + i, s));
        }
        EXPECT_EQ(work.read(WORKSPACE_ZEROS), std::vector<uint8_t>(WORKSPACE_ZEROS));
        EXPECT_TRUE(untouched_behind(x, rows * model.kind.hidden));
    }
};

// A device that gives a list of tasks twice so many blocks, where it is emulated; a real one remains what it is.
struct DeviceOf {
    Device* device = nullptr;

    explicit DeviceOf(const char* multiprocessors) {
        setenv("HYDRA4J_EMULATION_MULTIPROCESSORS", multiprocessors, 1);
        must(api().open(0, &device));
    }
    ~DeviceOf() {
        unsetenv("HYDRA4J_EMULATION_MULTIPROCESSORS");
        api().close(device);
    }
    DeviceOf(const DeviceOf&) = delete;
    DeviceOf& operator=(const DeviceOf&) = delete;
};

// kernels: of the graph; of few or many vectors.
void expect_same_bits(const Kind& kind, Pass& pass, const char* multiprocessors, int32_t kernels) {
    SCOPED_TRACE(testing::Message() << "type " << kind.type << ", " << kind.heads << "/" << kind.kv_heads << " heads, "
                                    << pass.count() << " rows, " << multiprocessors << " multiprocessors");
    for (int i = 0; i < pass.max_rows; ++i) pass.tokens[static_cast<size_t>(i)] = i * 7 % VOCABULARY;
    pass.upload();
    const Model model(kind);
    const Found expected = LayerPass(model, pass).launch();
    const DeviceOf few(multiprocessors);
    const Found found = LayerPass(model, pass).launch_graph(few.device);
    EXPECT_TRUE(same_bits(found.values, expected.values));
    EXPECT_TRUE(
        std::none_of(found.values.begin(), found.values.begin() + kind.hidden, [](float f) { return std::isnan(f); }));
    EXPECT_EQ(found.kernels, kernels);
}

constexpr int EMBEDDING = 1, LIST = 1;

TEST(Tasks, HaveTheBitsOfLaunchesForEveryType) {
    for (const hydra_type type : {HYDRA_F16, HYDRA_BF16, HYDRA_Q8_0, HYDRA_Q4_0, HYDRA_Q4_1}) {
        Pass one(std::make_shared<Batch>(std::vector<int>{70}, PAGES), 1);
        one.chain(1);
        expect_same_bits({type, 3, 1, 160, 352, 2}, one, "2", EMBEDDING + LIST);
    }
}

// Less blocks than rows of tiles and units of attention, and more.
TEST(Tasks, HaveTheBitsOfLaunchesForAnyNumberOfBlocks) {
    Random random(5);
    for (const char* multiprocessors : {"1", "3", "8"}) {
        Pass tree(std::make_shared<Batch>(std::vector<int>{90}, PAGES), 16);
        expand_shape(tree, random_shape(random, 13));
        expect_same_bits({HYDRA_Q8_0, 2, 2, 96, 224, 2}, tree, multiprocessors, EMBEDDING + LIST);
        Pass one(std::make_shared<Batch>(std::vector<int>{300}, PAGES), 1);
        one.chain(1);
        expect_same_bits({HYDRA_BF16, 3, 1, 96, 224, 1}, one, multiprocessors, EMBEDDING + LIST);
    }
}

// Many vectors, whose parts are merged by a task of their own, of one sequence and of several.
TEST(Tasks, HaveTheBitsOfLaunchesForManyRows) {
    Random random(6);
    Pass tree(std::make_shared<Batch>(std::vector<int>{280}, PAGES), 32);
    expand_shape(tree, random_shape(random, 29));
    expect_same_bits({HYDRA_Q4_1, 3, 1, 96, 160, 1}, tree, "2", EMBEDDING + LIST);
    Pass batch(std::make_shared<Batch>(std::vector<int>{5, 130, 64}, PAGES), 8);
    expand_shape(batch, random_shape(random, 2), {0, 1, 2});
    expect_same_bits({HYDRA_F16, 6, 2, 96, 160, 2}, batch, "2", EMBEDDING + LIST);
    Pass nothing(std::make_shared<Batch>(std::vector<int>{5}, PAGES), 8);
    nothing.chain(0);
    const Model model({HYDRA_F16, 3, 1, 96, 160, 1});
    const DeviceOf two("2");
    EXPECT_EQ(LayerPass(model, nothing).launch_graph(two.device).kernels, EMBEDDING + LIST);
}

// Kernels of 32 and 64 rows, in which rows of tiles are two tiles wide, and single matrices and pairs have parts of
// different numbers of rows.
TEST(Tasks, HaveTheBitsOfLaunchesForUpTo64Rows) {
    Random random(7);
    int rows = 33;
    for (const hydra_type type : {HYDRA_F16, HYDRA_BF16, HYDRA_Q8_0, HYDRA_Q4_0, HYDRA_Q4_1}) {
        Pass tree(std::make_shared<Batch>(std::vector<int>{140}, PAGES), 64);
        expand_shape(tree, random_shape(random, rows));
        expect_same_bits({type, 3, 1, 96, 160, 1}, tree, "3", EMBEDDING + LIST);
        rows = type == HYDRA_F16 ? 64 : rows - 7;
    }
    for (const int count : {17, 32}) {
        Pass chain(std::make_shared<Batch>(std::vector<int>{10}, PAGES), 32);
        chain.chain(count);
        expect_same_bits({count == 17 ? HYDRA_F16 : HYDRA_Q8_0, 2, 2, 96, 224, 1}, chain, "16", EMBEDDING + LIST);
    }
    Pass batch(std::make_shared<Batch>(std::vector<int>{5, 130, 64, 0}, PAGES), 64);
    expand_shape(batch, random_shape(random, 11), {0, 1, 2, 3});
    expect_same_bits({HYDRA_BF16, 3, 1, 64, 224, 2}, batch, "7", EMBEDDING + LIST);
    // Few of many rows.
    Pass few(std::make_shared<Batch>(std::vector<int>{70}, PAGES), 64);
    few.chain(2);
    expect_same_bits({HYDRA_BF16, 2, 1, 96, 160, 2}, few, "16", EMBEDDING + LIST);
}

// A product of another type ends a list and begins none.
TEST(Tasks, LeaveOutWhatTheyDoNotKnow) {
    Pass one(std::make_shared<Batch>(std::vector<int>{40}, PAGES), 1);
    one.chain(1);
    // 9 tasks, the product, a layer; 4 tasks before a product are too few for a list.
    expect_same_bits({HYDRA_Q8_0, 2, 1, 96, 256, 3, HYDRA_Q6_K}, one, "2", EMBEDDING + LIST + 1 + LIST);
    expect_same_bits({HYDRA_Q8_0, 2, 1, 96, 256, 2, HYDRA_Q6_K}, one, "2", EMBEDDING + LIST + 1);
    // Rows for which the time is that of the arithmetic.
    Pass many(std::make_shared<Batch>(std::vector<int>{40}, PAGES), 65);
    many.chain(3);
    expect_same_bits({HYDRA_Q8_0, 2, 1, 96, 256, 1}, many, "2", EMBEDDING + 6);
}

}  // namespace
}  // namespace hydra::cuda::test
