// Products that split columns over the blocks of a cluster, with stages that bulk copies fill, have the bits of those
// whose blocks meet in global memory and whose threads copy.
#include "fixture.h"
#include "program/random.h"

namespace hydra::cuda::test {
namespace {

// Runs what it is given on the device as one of compute capability 8.0, without clusters and bulk copies, where it is
// emulated; a real one remains what it is.
template <class Run>
Floats on_older_device(Run&& run) {
    setenv("HYDRA4J_EMULATION_CAPABILITY", "8.0", 1);
    static Device* opened = [] {
        Device* out = nullptr;
        must(api().open(0, &out));
        return out;
    }();
    Floats found = run(opened);
    unsetenv("HYDRA4J_EMULATION_CAPABILITY");
    return found;
}

struct Case {
    hydra_type type;
    std::vector<int> outputs;  // of up to three matrices side by side
    int columns, rows, max_rows;
};

// Queries, keys and values where there are three matrices, otherwise a product that adds to a residual.
struct Data {
    const Case& c;
    std::vector<Memory<uint8_t>> memories;
    MatrixView weights[3]{};
    Floats x, residual;

    explicit Data(const Case& made)
        : c(made), x(Random(1).normal(c.rows * c.columns)), residual(Random(2).normal(c.rows * c.outputs[0])) {
        for (size_t i = 0; i < c.outputs.size(); ++i) {
            memories.emplace_back(api().matrix_bytes(c.type, c.outputs[i], c.columns));
            weights[i] = {c.type, c.outputs[i], c.columns, memories[i]};
            const RandomWeights values{7 + i, 1 / std::sqrt(static_cast<float>(c.columns)), 0x2400, 0x2400};
            must(api().matrix_fill(device(), &weights[i], &values));
        }
    }

    Floats run_on(Device* on, int rows, int64_t* workspace_bytes) const {
        Pass pass(std::make_shared<Batch>(std::vector<int>{0}, Pass::PAGES), c.max_rows);
        pass.chain(rows);
        const hydra_limits limits{c.max_rows, c.outputs[0], c.columns, 1, 8, 1};
        *workspace_bytes = api().workspace_parts(on, &limits).products;
        const Memory<uint8_t> work = workspace_of(*workspace_bytes);
        const auto in = padded_rows(Floats(x.begin(), x.begin() + rows * c.columns), c.columns, c.max_rows);
        std::vector<Memory<float>> out;
        for (int outputs : c.outputs) out.push_back(poisoned(outputs, c.max_rows));
        Stream* stream = nullptr;
        must(api().stream_create(on, &stream));
        hydra_status status = HYDRA_OK;
        if (c.outputs.size() == 3) {
            const Memory<float> norm(Random(3).normal(c.columns));
            const Qkv qkv{pass.view(), in,      norm,    1e-5f,  weights[0], weights[1], weights[2],
                          nullptr,     nullptr, nullptr, out[0], out[1],     out[2],     work};
            status = api().qkv(stream, &qkv);
            if (status == HYDRA_OK) status = api().stream_wait(stream);
        } else {
            const auto added =
                padded_rows(Floats(residual.begin(), residual.begin() + rows * c.outputs[0]), c.outputs[0], c.max_rows);
            const Linear linear{pass.view(), in, weights[0], nullptr, added, out[0], work};
            status = api().linear(stream, &linear);
            if (status == HYDRA_OK) status = api().stream_wait(stream);
        }
        api().stream_destroy(stream);
        must(status);
        Floats found;
        for (size_t i = 0; i < out.size(); ++i) {
            EXPECT_TRUE(untouched_behind(out[i], rows * c.outputs[i]));
            append(found, out[i].read(rows * c.outputs[i]));
        }
        return found;
    }
};

// Clusters of eight blocks with two or three rows of tiles, of which blocks have the end of one and the beginning of
// the next; of four and of two blocks with one row.
TEST(Cluster, GivesTheBitsOfBlocksThatMeetInGlobalMemory) {
    for (const Case& c : {Case{HYDRA_BF16, {8219}, 1024, 9, 64},
                          {HYDRA_Q8_0, {4100, 2049, 2050}, 1024, 2, 8},
                          {HYDRA_F32, {4100}, 1056, 1, 16},
                          {HYDRA_Q4_K, {8219}, 512, 3, 32}}) {
        SCOPED_TRACE(testing::Message() << "type " << c.type << ", " << c.outputs.size() << " matrices");
        const Data data(c);
        int64_t with_clusters = 0, without = 0;
        const Floats found = data.run_on(device(), c.rows, &with_clusters);
        const Floats expected = on_older_device([&](Device* older) { return data.run_on(older, c.rows, &without); });
        EXPECT_TRUE(same_bits(found, expected));
        EXPECT_LE(with_clusters, without);
        if (std::strstr(getenv("HYDRA4J_CUDA_LIBRARY"), "emulated") != nullptr) {
            EXPECT_EQ(without - with_clusters, int64_t{256} * 2 * 64 * 128 * 4) << "the workspace of sums";
        }
    }
}

}  // namespace
}  // namespace hydra::cuda::test
