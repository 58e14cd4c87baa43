// Time of products with 1 to 64 activation rows, every weight of a model-sized set read once per pass, beside plain
// reading of the same bytes; and how many products of two bytes the processor adds up in a second, which with the rate
// of reading is the limit of all of them.
//
// Usage: product_benchmark [ISA|all] [TYPE|all] [THREADS, 0: one and two] [PASSES]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "cpu/backend.h"
#include "cpu/matrix.h"
#include "cpu/team.h"
#include "program/convert.h"
#include "vector_rate.h"

namespace hydra {
namespace {

struct Shape {
    int64_t rows, columns;
};

// The shapes of a model's layers, repeated until all matrices have that many bytes, the language-model head once.
struct Model {
    const char* name;
    int64_t bytes;
    std::vector<Shape> layers;
    Shape head;
};

const Model MODELS[] = {
    {"19M shapes", 20'000'000, {{1024, 384}, {384, 1024}}, {8192, 384}},
    {"135M shapes", 100'000'000, {{1536, 576}, {576, 1536}}, {49152, 576}},
};
constexpr hydra_type TYPES[] = {HYDRA_Q8_0, HYDRA_Q4_0, HYDRA_Q4_1, HYDRA_Q5_0, HYDRA_Q5_1, HYDRA_Q4_K,
                                HYDRA_Q5_K, HYDRA_Q6_K, HYDRA_R8,   HYDRA_BF16, HYDRA_F16,  HYDRA_F32};
constexpr int ROWS[] = {1, 2, 4, 8, 16, 32, 64};
constexpr int MAX_ROWS = 64;

void must(hydra_status status) {
    if (status == HYDRA_OK) return;
    std::fprintf(stderr, "%s\n", hydra_error_message());
    std::exit(1);
}

struct Weights {
    std::vector<hydra_matrix*> matrices;
    int64_t bytes = 0;

    Weights(hydra_backend* backend, hydra_type type, const Model& model) {
        add(backend, type, model.head);
        for (size_t i = 0; bytes < model.bytes; ++i) add(backend, type, model.layers[i % model.layers.size()]);
    }
    ~Weights() {
        for (hydra_matrix* matrix : matrices) hydra_matrix_destroy(matrix);
    }

    void add(hydra_backend* backend, hydra_type type, const Shape& shape) {
        hydra_matrix* matrix = nullptr;
        // Super-blocks are of 256 columns.
        const int64_t block = facts_of(type).block, columns = (shape.columns + block - 1) / block * block;
        must(hydra_matrix_create(backend, type, shape.rows, columns, &matrix));
        must(hydra_matrix_fill(matrix, 1, 1));
        matrices.push_back(matrix);
        bytes += hydra_matrix_bytes(matrix);
    }
};

struct Inputs {
    Aligned<ValueBlock> values;
    Aligned<QuantisedBlock> quantised;
    Aligned<PlaneBlock> planes;
    Aligned<TileBlock> tiles;
    Aligned<SignedBlock> signed_blocks;
    Aligned<SignedPlaneBlock> signed_planes;
    Activations activations{};

    Inputs(const Kernels& kernels, hydra_type type, int64_t columns) {
        const int64_t blocks = (columns + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS;
        values = allocate<ValueBlock>(MAX_ROWS / ROW_GROUP * blocks);
        quantised = allocate<QuantisedBlock>(MAX_ROWS / ROW_GROUP * blocks);
        planes = allocate<PlaneBlock>(MAX_ROWS / PLANE_GROUP * plane_blocks(columns));
        tiles = allocate<TileBlock>(MAX_ROWS / TILE_GROUP * blocks);
        signed_blocks = allocate<SignedBlock>(MAX_ROWS / ROW_GROUP * blocks);
        signed_planes = allocate<SignedPlaneBlock>(MAX_ROWS / PLANE_GROUP * plane_blocks(columns));
        activations = {blocks * BLOCK_COLUMNS, values.get(),       quantised.get(), planes.get(), tiles.get(),
                       signed_blocks.get(),    signed_planes.get()};
        std::vector<float> x(static_cast<size_t>(columns));
        for (int r = 0; r < MAX_ROWS; ++r) {
            for (int64_t c = 0; c < columns; ++c) x[c] = static_cast<float>((c * 7 + r * 3) % 101 - 50);
            kernels.prepare(x.data(), nullptr, 1, columns, form_of(type), activations, r);
        }
    }
};

struct Bench {
    CpuBackend& backend;
    const Weights& weights;
    std::vector<Inputs> inputs;
    std::vector<Aligned<float>> outputs;
    int rows = 0;  // 0: only reads

    Bench(CpuBackend& opened, const Weights& set) : backend(opened), weights(set) {
        for (const hydra_matrix* matrix : set.matrices) {
            inputs.emplace_back(*opened.kernels, packed_of(matrix).type, packed_of(matrix).columns);
        }
        for (int t = 0; t < opened.team.threads(); ++t) {
            outputs.push_back(allocate<float>(MAX_TILES * MAX_ROWS * TILE_ROWS));
        }
    }

    void pass(int thread) {
        for (size_t m = 0; m < weights.matrices.size(); ++m) {
            const PackedMatrix& matrix = packed_of(weights.matrices[m]);
            const int threads = backend.team.threads();
            const int64_t begin = matrix.tiles * thread / threads, end = matrix.tiles * (thread + 1) / threads;
            if (rows == 0) {
                volatile uint64_t sum =
                    backend.kernels->read(matrix.data + begin * matrix.tile_bytes, (end - begin) * matrix.tile_bytes);
                (void)sum;
            } else {
                const int64_t group = tiles_per_product(rows);
                for (int64_t tile = begin; tile < end; tile += group) {
                    const int tiles = static_cast<int>(std::min(group, end - tile));
                    backend.kernels->product[product_index(matrix.type)](
                        matrix, tile, tiles, inputs[m].activations, rows, outputs[static_cast<size_t>(thread)].get());
                }
            }
            backend.team.barrier(thread);
        }
    }

    double seconds(int activation_rows) {
        rows = activation_rows;
        const auto begin = std::chrono::steady_clock::now();
        backend.team.run([](void* self, int thread) { static_cast<Bench*>(self)->pass(thread); }, this);
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    }
};

void measure(const char* isa, hydra_type type, int threads, int passes) {
    hydra_backend* backend = nullptr;
    must(hydra_backend_open_cpu(threads, isa, &backend));
    for (const Model& model : MODELS) {
        const Weights weights(backend, type, model);
        Bench bench(static_cast<CpuBackend&>(*backend), weights);
        // Interleaved and the least of each, since other work on the machine only ever adds time.
        double read = 1e9, product[std::size(ROWS)];
        std::fill(std::begin(product), std::end(product), 1e9);
        for (int p = 0; p < passes; ++p) {
            read = std::min(read, bench.seconds(0));
            for (size_t i = 0; i < std::size(ROWS); ++i) {
                if (ROWS[i] > 1 && p > 2 && p * ROWS[i] > passes * 8) continue;
                for (int repeat = 0; repeat < 3; ++repeat) product[i] = std::min(product[i], bench.seconds(ROWS[i]));
            }
            read = std::min(read, bench.seconds(0));
        }
        const double gigabytes = static_cast<double>(weights.bytes) * 1e-9;
        std::printf("%-8s %-5s %d thread%s %-12s %5.1f MB  read %5.1f GB/s  1 row %5.1f GB/s %3.0f %%  rows", isa,
                    facts_of(type).name, threads, threads == 1 ? " " : "s", model.name, gigabytes * 1e3,
                    gigabytes / read, gigabytes / product[0], 100 * read / product[0]);
        for (size_t i = 0; i < std::size(ROWS); ++i) std::printf("  %d: %.2f", ROWS[i], product[i] / product[0]);
        std::printf("\n");
        std::fflush(stdout);
    }
    hydra_backend_close(backend);
}

}  // namespace
}  // namespace hydra

int main(int count, char** arguments) {
    const std::string isa = count > 1 ? arguments[1] : "all", type = count > 2 ? arguments[2] : "all";
    const int threads = count > 3 ? std::atoi(arguments[3]) : 0, passes = count > 4 ? std::atoi(arguments[4]) : 30;
    for (const char* name : {"avx512", "avx2"}) {
        for (int team : {1, 2}) {
            if (hydra::find_kernels(name) == nullptr || (threads != 0 && threads != team)) continue;
            const hydra::test::VectorUnit& unit = *hydra::test::vector_unit(name);
            std::printf("%.0f G products of two bytes a second by %s, %d thread%s\n",
                        hydra::test::dot_rate(unit, hydra::test::vector_rate(unit, team)) * 1e-9, name, team,
                        team == 1 ? "" : "s");
        }
    }
    for (const char* name : {"amx", "avx512", "avx2", "portable"}) {
        if (hydra::find_kernels(name) == nullptr) continue;
        if (isa == "all" ? std::string(name) == "portable" : isa != name) continue;
        for (hydra_type each : hydra::TYPES) {
            if (type != "all" && type != hydra::facts_of(each).name) continue;
            for (int team : {1, 2}) {
                if (threads == 0 || threads == team) hydra::measure(name, each, team, passes);
            }
        }
    }
    return 0;
}
