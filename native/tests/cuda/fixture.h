// The table of the library under test, device memory that owns itself, and the short ways in which tests fill it.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "cuda/device.h"
#include "program/half.h"
#include "reference.h"

namespace hydra::cuda::test {

using hydra::test::append;
using hydra::test::Doubles;
using hydra::test::Floats;
using hydra::test::Random;
using hydra::test::relative_error;
using hydra::test::row_of;
using hydra::test::same_bits;

// The library that HYDRA4J_CUDA_LIBRARY names.
inline const DeviceApi& api() {
    static const DeviceApi* table = [] {
        const char* path = getenv("HYDRA4J_CUDA_LIBRARY");
        if (path == nullptr) throw std::runtime_error("HYDRA4J_CUDA_LIBRARY does not name a library");
        void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (library == nullptr) throw std::runtime_error(dlerror());
        auto* entry = reinterpret_cast<decltype(&hydra_cuda_device_api)>(dlsym(library, "hydra_cuda_device_api"));
        if (entry == nullptr) throw std::runtime_error("no hydra_cuda_device_api in the library");
        return entry();
    }();
    return *table;
}

// Fails the test with the library's message.
inline void must(hydra_status status) {
    if (status != HYDRA_OK) throw std::runtime_error(api().last_error());
}

inline Device* device() {
    static Device* opened = [] {
        Device* out = nullptr;
        must(api().open(0, &out));
        return out;
    }();
    return opened;
}

// Device memory for `count` values.
template <class T>
class Memory {
  public:
    Memory() = default;
    explicit Memory(const std::vector<T>& values) : Memory(static_cast<int64_t>(values.size())) { write(values); }
    explicit Memory(int64_t count) : count_(count) {
        void* out = nullptr;
        must(api().allocate(device(), std::max<int64_t>(count, 1) * static_cast<int64_t>(sizeof(T)), &out));
        memory_.reset(static_cast<T*>(out));
    }

    T* get() const { return memory_.get(); }
    operator T*() const { return memory_.get(); }

    void write(const std::vector<T>& values) {
        must(api().copy_in(device(), memory_.get(), values.data(), static_cast<int64_t>(values.size() * sizeof(T))));
    }
    // The first `count` values, or all.
    std::vector<T> read(int64_t count = -1) const {
        std::vector<T> values(static_cast<size_t>(count < 0 ? count_ : count));
        const auto bytes = static_cast<int64_t>(values.size() * sizeof(T));
        if (bytes > 0) must(api().copy_out(device(), values.data(), memory_.get(), bytes));
        return values;
    }

  private:
    struct Release {
        void operator()(T* memory) const { api().release(device(), memory); }
    };
    int64_t count_ = 0;
    std::unique_ptr<T, Release> memory_;
};

// `values` followed by NaN up to HYDRA_MAX_ROWS rows: what lies behind the rows of a pass must not matter.
inline Memory<float> padded_rows(Floats values, int64_t columns) {
    values.resize(static_cast<size_t>(HYDRA_MAX_ROWS * columns), NAN);
    return Memory<float>(values);
}

// NaN, for results.
inline Memory<float> poisoned(int64_t columns) { return padded_rows({}, columns); }

// Whether everything behind the first `count` floats is still NaN.
inline bool untouched_behind(const Memory<float>& memory, int64_t count) {
    const Floats all = memory.read();
    return std::all_of(all.begin() + count, all.end(), [](float value) { return std::isnan(value); });
}

// Workspace full of NaN.
inline Memory<uint8_t> workspace(int64_t rows, int64_t columns, int heads = 1, int head_size = 8, int positions = 1) {
    const int64_t bytes = api().workspace_bytes(rows, columns, heads, head_size, positions);
    return Memory<uint8_t>(std::vector<uint8_t>(static_cast<size_t>(bytes), 0xff));
}

struct StreamOwner {
    Stream* stream = nullptr;
    StreamOwner() { must(api().stream_create(device(), &stream)); }
    ~StreamOwner() { api().stream_destroy(stream); }
};

// Enqueues one operation and waits until it is done.
template <class Arguments>
void run(hydra_status (*operation)(Stream*, const Arguments*), const Arguments& arguments) {
    const StreamOwner owner;
    must(operation(owner.stream, &arguments));
    must(api().stream_wait(owner.stream));
}

constexpr hydra_type ALL_TYPES[] = {HYDRA_F32, HYDRA_F16, HYDRA_BF16, HYDRA_Q8_0, HYDRA_Q4_0, HYDRA_Q4_1, HYDRA_Q4_K};

inline bool is_blocked(hydra_type type) { return type != HYDRA_F32 && type != HYDRA_F16 && type != HYDRA_BF16; }

// So many columns, or as many more as a matrix of the type must have.
inline int whole_columns(hydra_type type, int columns) {
    return type == HYDRA_Q4_K ? (columns + 255) / 256 * 256 : columns;
}

// Bytes of a row in a file's layout.
inline int64_t row_bytes(hydra_type type, int64_t columns) {
    const int64_t blocks = (columns + 31) / 32;
    switch (type) {
        case HYDRA_F32:
            return columns * 4;
        case HYDRA_Q8_0:
            return blocks * 34;
        case HYDRA_Q4_0:
            return blocks * 18;
        case HYDRA_Q4_1:
            return blocks * 20;
        case HYDRA_Q4_K:
            return columns / 256 * 144;
        default:
            return columns * 2;
    }
}

inline uint16_t half_at(const uint8_t* bytes) { return static_cast<uint16_t>(bytes[0] | bytes[1] << 8); }

inline void put(std::vector<uint8_t>& bytes, uint16_t value) {
    bytes.push_back(static_cast<uint8_t>(value));
    bytes.push_back(static_cast<uint8_t>(value >> 8));
}

// One row of random values of about unit size, in a file's layout.
inline std::vector<uint8_t> random_row(hydra_type type, int64_t columns, Random& random) {
    std::vector<uint8_t> bytes;
    if (!is_blocked(type)) {
        for (float value : random.normal(columns)) {
            if (type == HYDRA_F32) {
                bytes.resize(bytes.size() + 4);
                std::memcpy(&bytes[bytes.size() - 4], &value, 4);
            } else {
                put(bytes, type == HYDRA_F16 ? float_to_half(value) : float_to_bfloat(value));
            }
        }
        return bytes;
    }
    if (type == HYDRA_Q4_K) {
        for (int64_t super_block = 0; super_block < columns / 256; ++super_block) {
            put(bytes, float_to_half(random.normal(1, 0.006f)[0]));
            put(bytes, float_to_half(random.normal(1, 0.03f)[0]));
            for (int i = 4; i < 144; ++i) bytes.push_back(static_cast<uint8_t>(random.below(256)));
        }
        return bytes;
    }
    const float size = type == HYDRA_Q8_0 ? 0.015f : 0.2f;
    for (int64_t block = 0; block < (columns + 31) / 32; ++block) {
        put(bytes, float_to_half(random.normal(1, size)[0]));
        if (type == HYDRA_Q4_1) put(bytes, float_to_half(random.normal(1, 1.0f)[0]));
        for (int i = 0; i < (type == HYDRA_Q8_0 ? 32 : 16); ++i) {
            bytes.push_back(static_cast<uint8_t>(random.below(256)));
        }
    }
    return bytes;
}

// Value i of a Q4_K super-block: f16 d and m, 12 bytes with eight scales and eight minimums of 6 bits, nibbles.
inline float q4_k_value(const uint8_t* bytes, int i) {
    const int block = i / 32, low = block % 4;
    const uint8_t* packed = bytes + 4;
    int scale = packed[low] & 63, minimum = packed[low + 4] & 63;
    if (block >= 4) {
        scale = (packed[low + 8] & 15) + (packed[low] >> 6) * 16;
        minimum = (packed[low + 8] >> 4) + (packed[low + 4] >> 6) * 16;
    }
    const int both = bytes[16 + block / 2 * 32 + i % 32], quant = block % 2 == 0 ? both % 16 : both / 16;
    const float d = half_to_float(half_at(bytes)), m = half_to_float(half_at(bytes + 2));
    return d * static_cast<float>(scale) * static_cast<float>(quant) - m * static_cast<float>(minimum);
}

// What the bytes of a row mean.
inline Floats decoded_row(hydra_type type, int64_t columns, const uint8_t* bytes) {
    Floats values;
    for (int64_t c = 0; c < columns; ++c) {
        const int64_t block = c / 32, place = c % 32;
        const uint8_t* at = bytes + block * (type == HYDRA_Q8_0 ? 34 : type == HYDRA_Q4_0 ? 18 : 20);
        const auto nibble = [&](const uint8_t* quants) { return quants[place % 16] >> place / 16 * 4 & 15; };
        float value = 0;
        if (type == HYDRA_Q4_K) value = q4_k_value(bytes + c / 256 * 144, static_cast<int>(c % 256));
        if (type == HYDRA_F32) std::memcpy(&value, bytes + c * 4, 4);
        if (type == HYDRA_F16) value = half_to_float(half_at(bytes + c * 2));
        if (type == HYDRA_BF16) value = bfloat_to_float(half_at(bytes + c * 2));
        if (type == HYDRA_Q8_0) value = half_to_float(half_at(at)) * static_cast<int8_t>(at[2 + place]);
        if (type == HYDRA_Q4_0) value = half_to_float(half_at(at)) * static_cast<float>(nibble(at + 2) - 8);
        if (type == HYDRA_Q4_1) {
            value = half_to_float(half_at(at)) * static_cast<float>(nibble(at + 4)) + half_to_float(half_at(at + 2));
        }
        values.push_back(value);
    }
    return values;
}

// A matrix of random values on the device, and what they are.
struct Matrix {
    MatrixView view{};
    Memory<uint8_t> memory;
    std::vector<uint8_t> source;  // in a file's layout
    Floats values;

    Matrix(hydra_type type, int64_t rows, int64_t columns)
        : view{type, rows, columns, nullptr}, memory(api().matrix_bytes(type, rows, columns)) {
        view.data = memory;
    }
    Matrix(hydra_type type, int64_t rows, int64_t columns, Random& random) : Matrix(type, rows, columns) {
        for (int64_t r = 0; r < rows; ++r) {
            const std::vector<uint8_t> row = random_row(type, columns, random);
            append(values, decoded_row(type, columns, row.data()));
            append(source, row);
        }
        must(api().matrix_write(device(), &view, 0, rows, nullptr, source.data()));
    }
};

// The rows of a pass over a sequence with pages in mixed order.
struct Pass {
    static constexpr int PAGES = 90;
    SequenceState state{};
    RowsState rows_state{};
    Memory<SequenceState> sequence{1};
    Memory<RowsState> rows{1};
    std::vector<int32_t> table;
    Memory<int32_t> pages;

    explicit Pass(int length = 0, int page_count = PAGES) {
        for (int i = 0; i < page_count; ++i) table.push_back((i * 7 + 3) % page_count);
        pages = Memory<int32_t>(table);
        state.result.length = length;
        state.result.root = 0;
        state.page_count = page_count;
        state.generation = 5;
        rows_state.position_limit = 1 << 20;
        chain(0);
    }

    RowsView view() const { return {rows, sequence, pages}; }

    // Rows first ... first + count - 1 behind the verified positions.
    void chain(int count) {
        rows_state.count = count;
        rows_state.first = state.result.length;
        rows_state.generation = state.generation;
        for (int i = 0; i < count; ++i) {
            rows_state.positions[i] = rows_state.first + i;
            rows_state.ancestors[i] = ~uint64_t{0} >> (63 - i);
        }
        upload();
    }
    void upload() {
        sequence.write({state});
        rows.write({rows_state});
    }
    void download() {
        state = sequence.read()[0];
        rows_state = rows.read()[0];
    }
};

// Trees as tests know them.
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

    TreeData data() const {
        TreeData tree{};
        tree.nodes = nodes();
        tree.levels = levels();
        std::fill_n(tree.row_of, HYDRA_MAX_ROWS, -1);
        for (int i = 0; i < nodes(); ++i) {
            tree.parents[i] = parents[i];
            tree.ranks[i] = ranks[i];
            tree.depths[i] = depths[i];
            for (int32_t node : path(i)) tree.ancestors[i] |= uint64_t{1} << node;
            if (i > 0) tree.level_top[depths[i] - 1] = std::max(tree.level_top[depths[i] - 1], ranks[i] + 1);
            if (std::count(parents.begin(), parents.end(), i) == 0) continue;
            tree.row_of[i] = tree.level_rows[depths[i]];
            tree.level_nodes[depths[i]][tree.level_rows[depths[i]]++] = i;
        }
        return tree;
    }
};

// `nodes` nodes, each a child of a random node of the last depth or the one before, its rank the number of its elder
// siblings or one more.
inline Shape random_shape(Random& random, int nodes) {
    Shape shape;
    while (shape.nodes() < nodes) {
        std::vector<int32_t> candidates;
        for (int32_t i = 0; i < shape.nodes(); ++i) {
            // A child of the last depth opens a new one, which closes the depths before.
            if (shape.depths[i] >= shape.levels() - 1) candidates.push_back(i);
        }
        const int32_t parent = candidates[random.below(static_cast<int>(candidates.size()))];
        int32_t rank = 0;
        for (int32_t i = 1; i < shape.nodes(); ++i) {
            if (shape.parents[i] == parent) rank = shape.ranks[i] + 1;
        }
        shape.add(parent, rank);
    }
    return shape;
}

// Makes the rows of the pass the nodes of a tree.
inline void plant_shape(Pass& pass, const Shape& shape) {
    const TreeData tree = shape.data();
    pass.chain(shape.nodes());
    for (int i = 0; i < shape.nodes(); ++i) {
        pass.rows_state.positions[i] = pass.rows_state.first + shape.depths[i];
        pass.rows_state.ancestors[i] = tree.ancestors[i];
    }
    pass.upload();
}

// What a cache of this type keeps of ordinary values.
inline Floats kept(hydra_type type, Floats values) {
    if (type == HYDRA_F32) return values;
    for (float& value : values) value = half_to_float(float_to_half(value));
    return values;
}

// A KV cache full of NaN.
struct Kv {
    KvView view{};
    Memory<uint8_t> memory;

    Kv(hydra_type type, int layers, int kv_heads, int head_size, int pages = Pass::PAGES)
        : view{type, layers, kv_heads, head_size, pages, nullptr},
          memory(std::vector<uint8_t>(
              static_cast<size_t>(pages * api().kv_page_bytes(type, layers, kv_heads, head_size)), 0xff)) {
        view.data = memory;
    }

    int64_t width() const { return int64_t{2} * view.layers * view.kv_heads * view.head_size; }

    // [layers][kv_heads][2][head_size] of a slot of the sequence.
    Floats slot(const Pass& pass, int slot) const {
        Floats values(static_cast<size_t>(width()));
        must(api().kv_read(device(), &view, pass.table[slot / HYDRA_PAGE_POSITIONS], slot % HYDRA_PAGE_POSITIONS,
                           values.data()));
        return values;
    }
    void fill(const Pass& pass, int slot, const Floats& values) const {
        must(api().kv_write(device(), &view, pass.table[slot / HYDRA_PAGE_POSITIONS], slot % HYDRA_PAGE_POSITIONS,
                            values.data()));
    }
};

}  // namespace hydra::cuda::test
