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

// `values` followed by NaN up to max_rows rows: what lies after the rows of a pass must not matter.
inline Memory<float> padded_rows(Floats values, int64_t columns, int max_rows = HYDRA_MAX_NODES) {
    values.resize(static_cast<size_t>(max_rows * columns), NAN);
    return Memory<float>(values);
}

// NaN, for results.
inline Memory<float> poisoned(int64_t columns, int max_rows = HYDRA_MAX_NODES) {
    return padded_rows({}, columns, max_rows);
}

// Whether everything after the first `count` floats is still NaN.
inline bool untouched_behind(const Memory<float>& memory, int64_t count) {
    const Floats all = memory.read();
    return std::all_of(all.begin() + count, all.end(), [](float value) { return std::isnan(value); });
}

inline Memory<uint8_t> all_ones(int64_t bytes) {
    return Memory<uint8_t>(std::vector<uint8_t>(static_cast<size_t>(bytes), 0xff));
}

// Full of NaN, but for the zeros that it begins with.
inline Memory<uint8_t> workspace_of(int64_t bytes) {
    std::vector<uint8_t> values(static_cast<size_t>(bytes), 0xff);
    std::fill_n(values.begin(), WORKSPACE_ZEROS, uint8_t{0});
    return Memory<uint8_t>(values);
}

// Workspace for products with matrices of so many rows and columns.
inline Memory<uint8_t> workspace(int64_t rows, int64_t columns, int max_rows = HYDRA_MAX_NODES) {
    const hydra_limits limits{max_rows, rows, columns, 1, 8, 1};
    return workspace_of(api().workspace_parts(device(), &limits).bytes());
}

// The same for attention.
inline Memory<uint8_t> attention_workspace(int heads, int head_size, int positions, int max_rows = HYDRA_MAX_NODES) {
    const hydra_limits limits{max_rows, 1, 1, heads, head_size, positions};
    return workspace_of(api().workspace_parts(device(), &limits).bytes());
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

// The products of queries, keys and values, and appending them, in one launch.
inline void run_together(const Qkv& qkv, const AppendKv& append) {
    const StreamOwner owner;
    must(api().qkv_and_append(owner.stream, &qkv, &append));
    must(api().stream_wait(owner.stream));
}

constexpr hydra_type ALL_TYPES[] = {HYDRA_F32,  HYDRA_F16,  HYDRA_BF16, HYDRA_Q8_0, HYDRA_Q4_0, HYDRA_Q4_1,
                                    HYDRA_Q5_0, HYDRA_Q5_1, HYDRA_Q4_K, HYDRA_Q5_K, HYDRA_Q6_K};

inline bool is_blocked(hydra_type type) { return type != HYDRA_F32 && type != HYDRA_F16 && type != HYDRA_BF16; }

inline bool has_super_blocks(hydra_type type) { return type == HYDRA_Q4_K || type == HYDRA_Q5_K || type == HYDRA_Q6_K; }

// So many columns, or as many more as a matrix of the type must have.
inline int whole_columns(hydra_type type, int columns) {
    const int block = has_super_blocks(type) ? 256 : type == HYDRA_Q5_0 || type == HYDRA_Q5_1 ? 32 : 1;
    return (columns + block - 1) / block * block;
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
        case HYDRA_Q5_0:
            return blocks * 22;
        case HYDRA_Q5_1:
            return blocks * 24;
        case HYDRA_Q4_K:
            return columns / 256 * 144;
        case HYDRA_Q5_K:
            return columns / 256 * 176;
        case HYDRA_Q6_K:
            return columns / 256 * 210;
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
    const auto put_scale = [&](float size) { put(bytes, float_to_half(random.normal(1, size)[0])); };
    const auto put_bytes = [&](int count) {
        for (int i = 0; i < count; ++i) bytes.push_back(static_cast<uint8_t>(random.below(256)));
    };
    if (has_super_blocks(type)) {
        for (int64_t super_block = 0; super_block < columns / 256; ++super_block) {
            if (type == HYDRA_Q6_K) {
                put_bytes(208);
                put_scale(0.0007f);
                continue;
            }
            put_scale(type == HYDRA_Q4_K ? 0.006f : 0.003f);
            put_scale(0.03f);
            put_bytes(type == HYDRA_Q4_K ? 140 : 172);
        }
        return bytes;
    }
    const bool five = type == HYDRA_Q5_0 || type == HYDRA_Q5_1;
    for (int64_t block = 0; block < (columns + 31) / 32; ++block) {
        put_scale(type == HYDRA_Q8_0 ? 0.015f : five ? 0.1f : 0.2f);
        if (type == HYDRA_Q4_1 || type == HYDRA_Q5_1) put_scale(1.0f);
        put_bytes(type == HYDRA_Q8_0 ? 32 : five ? 20 : 16);
    }
    return bytes;
}

// Value i of a Q4_K or Q5_K super-block: f16 d and m, 12 bytes with eight scales and eight minimums of 6 bits, fifth
// bits of Q5_K, nibbles.
inline float k_value(hydra_type type, const uint8_t* bytes, int i) {
    const int block = i / 32, low = block % 4;
    const uint8_t* packed = bytes + 4;
    int scale = packed[low] & 63, minimum = packed[low + 4] & 63;
    if (block >= 4) {
        scale = (packed[low + 8] & 15) + (packed[low] >> 6) * 16;
        minimum = (packed[low + 8] >> 4) + (packed[low + 4] >> 6) * 16;
    }
    const uint8_t* nibbles = bytes + (type == HYDRA_Q5_K ? 48 : 16);
    const int both = nibbles[block / 2 * 32 + i % 32];
    int quant = block % 2 == 0 ? both % 16 : both / 16;
    if (type == HYDRA_Q5_K) quant += 16 * (bytes[16 + i % 32] >> block & 1);
    const float d = half_to_float(half_at(bytes)), m = half_to_float(half_at(bytes + 2));
    return d * static_cast<float>(scale) * static_cast<float>(quant) - m * static_cast<float>(minimum);
}

// Value i of a Q6_K super-block: nibbles, pairs of bits, 16 scales, f16 d.
inline float six_bit_value(const uint8_t* bytes, int i) {
    const int half = i / 128, quarter = i % 128 / 32, place = i % 32;
    const int both = bytes[half * 64 + quarter % 2 * 32 + place], low = quarter < 2 ? both % 16 : both / 16;
    const int high = bytes[128 + half * 32 + place] >> 2 * quarter & 3;
    const int scale = static_cast<int8_t>(bytes[192 + i / 16]);
    return half_to_float(half_at(bytes + 208)) * static_cast<float>(scale) * static_cast<float>(low + 16 * high - 32);
}

// What the bytes of a row mean.
inline Floats decoded_row(hydra_type type, int64_t columns, const uint8_t* bytes) {
    Floats values;
    for (int64_t c = 0; c < columns; ++c) {
        const int64_t block = c / 32, place = c % 32;
        const uint8_t* at = bytes + block * row_bytes(type, 32);
        const auto nibble = [&](const uint8_t* quants) { return quants[place % 16] >> place / 16 * 4 & 15; };
        float value = 0;
        const uint8_t* super_block = bytes + c / 256 * row_bytes(type, 256);
        if (type == HYDRA_Q4_K || type == HYDRA_Q5_K) value = k_value(type, super_block, static_cast<int>(c % 256));
        if (type == HYDRA_Q6_K) value = six_bit_value(super_block, static_cast<int>(c % 256));
        const auto fifth = [&](const uint8_t* bits) { return 16 * (bits[place / 8] >> place % 8 & 1); };
        if (type == HYDRA_Q5_0) {
            value = half_to_float(half_at(at)) * static_cast<float>(nibble(at + 6) + fifth(at + 2) - 16);
        }
        if (type == HYDRA_Q5_1) {
            value = half_to_float(half_at(at)) * static_cast<float>(nibble(at + 8) + fifth(at + 4)) +
                    half_to_float(half_at(at + 2));
        }
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

// Sequences with pages in mixed order, of which each has page_count, no multiple of 7.
struct Batch {
    std::vector<SequenceState> states;
    int64_t generation = 5;
    int max_pages;
    std::vector<int32_t> table;  // [sequences][max_pages]
    Memory<SequenceState> states_memory;
    Memory<int64_t> generation_memory{1};
    Memory<int32_t> pages;

    Batch(const std::vector<int>& lengths, int page_count)
        : states(lengths.size()), max_pages(page_count), states_memory(sequences()) {
        for (int s = 0; s < sequences(); ++s) {
            for (int i = 0; i < page_count; ++i) table.push_back((i * 7 + 3) % page_count * sequences() + s);
            states[s].result.length = lengths[s];
            states[s].page_count = page_count;
        }
        pages = Memory<int32_t>(table);
        upload();
    }

    int sequences() const { return static_cast<int>(states.size()); }
    hydra_step_result& result(int sequence) { return states[sequence].result; }
    int32_t page_of(int sequence, int slot) const { return table[sequence * max_pages + slot / HYDRA_PAGE_POSITIONS]; }

    void upload() {
        states_memory.write(states);
        generation_memory.write({generation});
    }
    void download() { states = states_memory.read(); }
};

// The rows of a pass over a batch, on the host until upload() and after download().
struct Pass {
    static constexpr int PAGES = 90;
    std::shared_ptr<Batch> batch;
    int max_rows;
    std::vector<RowsState> state;
    std::vector<Segment> segments;
    std::vector<int32_t> last_rows, tokens, positions, segment_of;
    std::vector<uint64_t> ancestors;

    // Over a batch of one sequence.
    explicit Pass(int length = 0, int page_count = PAGES)
        : Pass(std::make_shared<Batch>(std::vector<int>{length}, page_count)) {}
    explicit Pass(std::shared_ptr<Batch> its_batch, int most_rows = HYDRA_MAX_NODES)
        : batch(std::move(its_batch)),
          max_rows(most_rows),
          state(1),
          segments(std::min(most_rows, batch->sequences() + most_rows / HYDRA_MAX_NODES)),
          last_rows(batch->sequences()),
          tokens(most_rows),
          positions(most_rows),
          segment_of(most_rows),
          ancestors(most_rows),
          state_memory_(state),
          segments_memory_(segments),
          last_rows_memory_(last_rows),
          tokens_memory_(tokens),
          positions_memory_(positions),
          segment_of_memory_(segment_of),
          ancestors_memory_(ancestors) {
        state[0].position_limit = 1 << 20;
        chain(0);
    }

    hydra_step_result& result(int sequence = 0) { return batch->result(sequence); }
    int count() const { return state[0].count; }

    RowsView view() const {
        return {state_memory_,
                segments_memory_,
                last_rows_memory_,
                tokens_memory_,
                positions_memory_,
                segment_of_memory_,
                ancestors_memory_,
                batch->generation_memory,
                batch->states_memory,
                batch->pages,
                batch->sequences(),
                batch->max_pages,
                max_rows,
                max_rows};
    }
    // The same of what is on the host.
    RowsView on_host() {
        RowsView host = view();
        host.state = state.data();
        host.segments = segments.data();
        host.last_rows = last_rows.data();
        host.tokens = tokens.data();
        host.positions = positions.data();
        host.segment_of = segment_of.data();
        host.ancestors = ancestors.data();
        host.generation = &batch->generation;
        host.batch = batch->states.data();
        host.pages = batch->table.data();
        return host;
    }

    // Chains of so many rows after the verified positions of the sequences, in this order.
    void chains(const std::vector<std::pair<int, int>>& sequences_and_counts) {
        const RowsView host = on_host();
        host.set_count(0);
        for (const auto& [sequence, count] : sequences_and_counts) host.add(sequence, result(sequence).length, count);
        for (int s = 0; s < host.state->segments; ++s) {
            for (int i = 0; i < segments[s].count; ++i) host.set_chain_row(s, i);
        }
        upload();
    }
    // The same of the first sequence, or no rows.
    void chain(int count) {
        if (count > 0) return chains({{0, count}});
        on_host().set_count(0);
        upload();
    }
    void upload() {
        batch->upload();
        state_memory_.write(state);
        segments_memory_.write(segments);
        last_rows_memory_.write(last_rows);
        tokens_memory_.write(tokens);
        positions_memory_.write(positions);
        segment_of_memory_.write(segment_of);
        ancestors_memory_.write(ancestors);
    }
    void download() {
        batch->download();
        state = state_memory_.read();
        segments = segments_memory_.read();
        last_rows = last_rows_memory_.read();
        tokens = tokens_memory_.read();
        positions = positions_memory_.read();
        segment_of = segment_of_memory_.read();
        ancestors = ancestors_memory_.read();
    }

  private:
    Memory<RowsState> state_memory_;
    Memory<Segment> segments_memory_;
    Memory<int32_t> last_rows_memory_, tokens_memory_, positions_memory_, segment_of_memory_;
    Memory<uint64_t> ancestors_memory_;
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

    // The nodes of a depth that have children, in order.
    std::vector<int32_t> inner_nodes(int depth) const {
        std::vector<int32_t> found;
        for (int32_t i = 0; i < nodes(); ++i) {
            if (depths[i] == depth && std::count(parents.begin(), parents.end(), i) > 0) found.push_back(i);
        }
        return found;
    }

    TreeData data() const {
        TreeData tree{};
        tree.nodes = nodes();
        tree.levels = levels();
        tree.grows = -1;
        std::fill_n(tree.row_of, HYDRA_MAX_NODES, int8_t{-1});
        for (int i = 0; i < nodes(); ++i) {
            tree.parents[i] = static_cast<int8_t>(parents[i]);
            tree.ranks[i] = static_cast<int8_t>(ranks[i]);
            tree.depths[i] = static_cast<int8_t>(depths[i]);
            for (int32_t node : path(i)) tree.ancestors[i] |= uint64_t{1} << node;
        }
        int8_t inner = 0;
        for (int depth = 0; depth < HYDRA_MAX_NODES; ++depth) {
            tree.begins[depth] = inner;
            for (int32_t node : inner_nodes(depth)) {
                tree.row_of[node] = static_cast<int8_t>(inner - tree.begins[depth]);
                tree.inner[inner++] = static_cast<int8_t>(node);
            }
        }
        tree.begins[HYDRA_MAX_NODES] = inner;
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

// Makes the rows of the pass the nodes of a tree after the verified positions of these sequences.
inline void expand_shape(Pass& pass, const Shape& shape, const std::vector<int>& sequences = {0}) {
    const TreeData tree = shape.data();
    const RowsView host = pass.on_host();
    host.set_count(0);
    for (int sequence : sequences) {
        const int segment = host.state->segments, first = pass.result(sequence).length;
        host.add_tree(sequence, first, shape.nodes());
        for (int i = 0; i < shape.nodes(); ++i) host.set_row(segment, i, first + shape.depths[i], tree.ancestors[i]);
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
          memory(all_ones(pages * api().kv_page_bytes(type, layers, kv_heads, head_size))) {
        view.data = memory;
    }

    int64_t width() const { return int64_t{2} * view.layers * view.kv_heads * view.head_size; }

    // [layers][kv_heads][2][head_size] of a slot of a sequence.
    Floats slot(const Pass& pass, int slot, int sequence = 0) const {
        Floats values(static_cast<size_t>(width()));
        must(api().kv_read(device(), &view, pass.batch->page_of(sequence, slot), slot % HYDRA_PAGE_POSITIONS,
                           values.data()));
        return values;
    }
    void fill(const Pass& pass, int slot, const Floats& values, int sequence = 0) const {
        must(api().kv_write(device(), &view, pass.batch->page_of(sequence, slot), slot % HYDRA_PAGE_POSITIONS,
                            values.data()));
    }
};

}  // namespace hydra::cuda::test
