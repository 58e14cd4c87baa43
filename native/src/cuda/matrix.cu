// Weight matrices: bytes, writing rows as a file has them or at random, reading one, gathering some. Not on any path
// that is timed.
#include <algorithm>

#include "cuda/runtime.cuh"
#include "cuda/weights.cuh"
#include "program/random.h"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 256;
constexpr int64_t STAGED_BYTES = int64_t{64} << 20;  // of source rows at a time

// Bytes of `blocks` blocks of columns in a file's layout: of super-blocks of the whole ones among them.
__host__ __device__ int64_t source_bytes(hydra_type type, int64_t blocks) {
    switch (type) {
        case HYDRA_F32:
            return blocks * BLOCK_COLUMNS * 4;
        case HYDRA_F16:
        case HYDRA_BF16:
            return blocks * BLOCK_COLUMNS * 2;
        case HYDRA_Q8_0:
            return blocks * 34;
        case HYDRA_Q4_0:
            return blocks * 18;
        case HYDRA_Q5_0:
            return blocks * 22;
        case HYDRA_Q5_1:
            return blocks * 24;
        case HYDRA_Q4_K:
            return blocks / SUPER_BLOCKS * 144;
        case HYDRA_Q5_K:
            return blocks / SUPER_BLOCKS * 176;
        case HYDRA_Q6_K:
            return blocks / SUPER_BLOCKS * 210;
        default:
            return blocks * 20;
    }
}

// Bytes of a row: whole blocks of a block type, no more than its columns of the others.
int64_t source_row_bytes(hydra_type type, int64_t columns) {
    const bool plain = scale_bytes(type) == 0;
    return plain ? columns * source_bytes(type, 1) / BLOCK_COLUMNS : source_bytes(type, blocks_of(columns));
}

__device__ uint16_t half_at(const uint8_t* bytes) { return static_cast<uint16_t>(bytes[0] | bytes[1] << 8); }

// Quants of a block; quant(column) is that of a column.
template <class Quant>
__device__ void write_quants(const RowBlock& target, hydra_type type, Quant&& quant) {
    for (int thread = 0; thread < 4; ++thread) {
        uint32_t word = 0, upper = 0;
        for (int column = 0; column < BLOCK_COLUMNS; ++column) {
            if (thread_of(column) != thread) continue;
            word |= (quant(column) & 15) << quant_shift(slot_of(column));
            upper |= quant(column) >> 4 << upper_shift(type, slot_of(column));
        }
        const int lane = target.group * 4 + thread;
        *reinterpret_cast<uint32_t*>(target.block + value_offset(type, lane, target.half, 0)) = word;
        for (int byte = 0; byte < upper_bytes(type); ++byte) {
            target.block[upper_offset(type, lane, target.half) + byte] = static_cast<uint8_t>(upper >> byte * 8);
        }
    }
}

// 6-bit scale and minimum of block i of a file's super-block, a byte each: of the first four blocks they lie whole, the
// others' upper two bits in the first eight bytes.
__device__ uint16_t unpack_scales(const uint8_t* packed, int i) {
    const int scale = i < 4 ? packed[i] & 63 : (packed[i + 4] & 15) | packed[i - 4] >> 6 << 4;
    const int minimum = i < 4 ? packed[i + 4] & 63 : packed[i + 4] >> 4 | packed[i] >> 6 << 4;
    return static_cast<uint16_t>(scale | minimum << 8);
}

// Block i of a file's super-block: f16 scale of scales, of minimums, 12 bytes of these, of Q5_K 32 bytes of fifth bits,
// 128 bytes of quants. Blocks 2j and 2j + 1 have the low and the high halves of bytes 32j to 32j + 31, block i bit i of
// the fifth ones.
__device__ void write_part_of_super_block(const RowBlock& target, hydra_type type, const uint8_t* source, int i) {
    if (i == 0) {
        target.super_scale[0] = half_at(source);
        target.super_scale[2] = half_at(source + 2);
    }
    target.scale[0] = unpack_scales(source + 4, i);
    const uint8_t* fifth = type == HYDRA_Q5_K ? source + 16 : nullptr;
    const uint8_t* quants = source + (type == HYDRA_Q5_K ? 48 : 16) + i / 2 * BLOCK_COLUMNS;
    write_quants(target, type, [=](int column) -> uint32_t {
        const int above = fifth != nullptr ? (fifth[column] >> i & 1) << 4 : 0;
        return (quants[column] >> i % 2 * 4 & 15) | above;
    });
}

// Block i of Q6_K's super-block: 128 bytes of lower halves, 64 bytes of pairs of bits, 16 scales, f16 scale. Of each
// four blocks the first two have the low, the others the high halves of 32 bytes each, and block j bits 2j and 2j + 1
// of 32 bytes.
__device__ void write_part_of_six_bits(const RowBlock& target, const uint8_t* source, int i) {
    if (i == 0) target.super_scale[0] = half_at(source + 208);
    target.scale[0] = half_at(source + 192 + 2 * i);
    const int four = i / 4, place = i % 4;
    const uint8_t *quants = source + four * 64 + place % 2 * 32, *pairs = source + 128 + four * 32;
    write_quants(target, HYDRA_Q6_K, [=](int column) -> uint32_t {
        return (quants[column] >> place / 2 * 4 & 15) | (pairs[column] >> 2 * place & 3) << 4;
    });
}

// Takes over one block of a row; `source` is that block in a file's layout (or the super-block that it belongs to), of
// a float type without what lies after the columns.
__device__ void write_block(const MatrixView& matrix, int64_t row, int64_t block, const uint8_t* source) {
    const RowBlock target = row_block(matrix, row, block);
    const hydra_type type = matrix.type;
    if (type == HYDRA_F32 || type == HYDRA_F16 || type == HYDRA_BF16) {
        const int size = value_bytes(type);
        for (int place = 0; place < BLOCK_COLUMNS; ++place) {
            if (block * BLOCK_COLUMNS + place >= matrix.columns) return;
            const int lane = target.group * 4 + thread_of(place);
            uint8_t* value = target.block + value_offset(type, lane, target.half, slot_of(place));
            for (int i = 0; i < size; ++i) value[i] = source[place * size + i];
        }
        return;
    }
    const auto part = static_cast<int>(block % SUPER_BLOCKS);
    if (type == HYDRA_Q6_K) return write_part_of_six_bits(target, source, part);
    if (super_scale_bytes(type) > 0) return write_part_of_super_block(target, type, source, part);
    target.scale[0] = half_at(source);
    if (has_minimum(type)) target.scale[2] = half_at(source + 2);
    source += has_minimum(type) ? 4 : 2;
    if (type == HYDRA_Q8_0) {
        for (int place = 0; place < BLOCK_COLUMNS; ++place) {
            const int lane = target.group * 4 + thread_of(place);
            target.block[value_offset(type, lane, target.half, slot_of(place))] = source[place];
        }
        return;
    }
    const bool five = quant_bits(type) == 5;
    const uint8_t *fifth = source, *quants = source + (five ? 4 : 0);
    write_quants(target, type, [=](int column) -> uint32_t {
        const int above = five ? (fifth[column / 8] >> column % 8 & 1) << 4 : 0;
        return (quants[column % 16] >> column / 16 * 4 & 15) | above;
    });
}

// One block a row of source. target_rows: null, or [count]: where the rows go.
__global__ void __launch_bounds__(THREADS, 1)
    matrix_write_kernel(MatrixView matrix, int64_t first_row, const int32_t* target_rows, const uint8_t* source,
                        int64_t row_bytes) {
    begin_in_turn();
    const int64_t i = blockIdx.x, row = target_rows != nullptr ? target_rows[i] : first_row + i;
    for (int64_t block = threadIdx.x; block < blocks_of(matrix.columns); block += THREADS) {
        write_block(matrix, row, block, source + i * row_bytes + source_bytes(matrix.type, block));
    }
}

// One block a row.
__global__ void __launch_bounds__(THREADS, 1) matrix_fill_kernel(MatrixView matrix, RandomWeights weights) {
    begin_in_turn();
    const int64_t row = blockIdx.x;
    for (int64_t block = threadIdx.x; block < blocks_of(matrix.columns); block += THREADS) {
        uint8_t bytes[RANDOM_BYTES];
        random_block(weights, matrix.type, matrix.columns, row, block, bytes);
        write_block(matrix, row, block, bytes);
    }
}

__global__ void __launch_bounds__(THREADS, 1) matrix_read_kernel(MatrixView matrix, int64_t row, float* values) {
    begin_in_turn();
    const int64_t column = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (column < matrix.columns) values[column] = weight_at(matrix, row, column);
}

__device__ void copy_block(const RowBlock& to, const RowBlock& from, hydra_type type) {
    const int values = quant_bits(type) > 0 ? 1 : BLOCK_SLOTS;  // of a lane: slots, or the word of all
    for (int i = 0; i < 4 * values; ++i) {
        const int thread = i / values, slot = i % values;
        const uint8_t* old_value = from.block + value_offset(type, from.group * 4 + thread, from.half, slot);
        uint8_t* new_value = to.block + value_offset(type, to.group * 4 + thread, to.half, slot);
        for (int byte = 0; byte < value_bytes(type); ++byte) new_value[byte] = old_value[byte];
    }
    for (int i = 0; i < 4 * upper_bytes(type); ++i) {
        const int thread = i % 4, byte = i / 4;
        to.block[upper_offset(type, to.group * 4 + thread, to.half) + byte] =
            from.block[upper_offset(type, from.group * 4 + thread, from.half) + byte];
    }
    if (scale_bytes(type) > 0) to.scale[0] = from.scale[0];
    if (has_minimum(type) && super_scale_bytes(type) == 0) to.scale[2] = from.scale[2];
}

// One block a row of target.
__global__ void __launch_bounds__(THREADS, 1)
    matrix_gather_kernel(MatrixView target, MatrixView source, const int32_t* ids) {
    begin_in_turn();
    const int64_t row = blockIdx.x;
    for (int64_t block = threadIdx.x; block < blocks_of(target.columns); block += THREADS) {
        const RowBlock to = row_block(target, row, block), from = row_block(source, ids[row], block);
        copy_block(to, from, source.type);
        if (super_scale_bytes(source.type) > 0 && block % SUPER_BLOCKS == 0) {
            to.super_scale[0] = from.super_scale[0];
            if (has_minimum(source.type)) to.super_scale[2] = from.super_scale[2];
        }
    }
}

// Device memory and a stream for the length of one call.
struct Temporary {
    Device* device;
    void* memory = nullptr;
    Stream* stream = nullptr;

    hydra_status make(int64_t bytes) {
        const hydra_status status = allocate(device, bytes, &memory);
        return status == HYDRA_OK ? stream_create(device, &stream) : status;
    }
    ~Temporary() {
        if (stream != nullptr) stream_destroy(stream);
        if (memory != nullptr) release(device, memory);
    }
};

int64_t round_up(int64_t bytes) { return (bytes + 255) / 256 * 256; }

}  // namespace

int64_t matrix_bytes(hydra_type type, int64_t rows, int64_t columns) {
    const int64_t blocks = tiles_of(rows) * blocks_of(columns);
    return blocks * (block_bytes(type) + scale_bytes(type)) + blocks / SUPER_BLOCKS * super_scale_bytes(type);
}

hydra_status matrix_write(Device* device, const MatrixView* matrix, int64_t first_row, int64_t count,
                          const int32_t* target_rows, const void* source) {
    const int64_t row_bytes = source_row_bytes(matrix->type, matrix->columns);
    const int64_t chunk = std::clamp<int64_t>(STAGED_BYTES / row_bytes, 1, std::max<int64_t>(count, 1));
    const int64_t rows_at = round_up(chunk * row_bytes);  // where target_rows lie after the source rows
    Temporary temporary{device};
    hydra_status status = temporary.make(rows_at + chunk * 4);
    auto* staged = static_cast<uint8_t*>(temporary.memory);
    auto* staged_rows = reinterpret_cast<int32_t*>(staged + rows_at);
    for (int64_t begin = 0; begin < count && status == HYDRA_OK; begin += chunk) {
        const int64_t rows = std::min(chunk, count - begin);
        status = copy_in(device, staged, static_cast<const uint8_t*>(source) + begin * row_bytes, rows * row_bytes);
        if (status == HYDRA_OK && target_rows != nullptr) {
            status = copy_in(device, staged_rows, target_rows + begin, rows * 4);
        }
        if (status != HYDRA_OK) break;
        status =
            launch(temporary.stream, "matrix_write_kernel", matrix_write_kernel, static_cast<unsigned>(rows), THREADS,
                   0, *matrix, first_row + begin, target_rows != nullptr ? staged_rows : nullptr, staged, row_bytes);
        if (status == HYDRA_OK) status = stream_wait(temporary.stream);
    }
    return status;
}

hydra_status matrix_fill(Device* device, const MatrixView* matrix, const RandomWeights* weights) {
    Stream* stream = nullptr;
    hydra_status status = stream_create(device, &stream);
    if (status != HYDRA_OK) return status;
    status = launch(stream, "matrix_fill_kernel", matrix_fill_kernel, static_cast<unsigned>(matrix->rows), THREADS, 0,
                    *matrix, *weights);
    if (status == HYDRA_OK) status = stream_wait(stream);
    stream_destroy(stream);
    return status;
}

hydra_status matrix_read(Device* device, const MatrixView* matrix, int64_t row, float* values) {
    const int64_t bytes = matrix->columns * 4;
    Temporary temporary{device};
    hydra_status status = temporary.make(bytes);
    if (status != HYDRA_OK) return status;
    const auto grid = static_cast<unsigned>((matrix->columns + THREADS - 1) / THREADS);
    status = launch(temporary.stream, "matrix_read_kernel", matrix_read_kernel, grid, THREADS, 0, *matrix, row,
                    static_cast<float*>(temporary.memory));
    if (status == HYDRA_OK) status = stream_wait(temporary.stream);
    return status == HYDRA_OK ? copy_out(device, values, temporary.memory, bytes) : status;
}

hydra_status matrix_gather(Device* device, const MatrixView* target, const MatrixView* source, const int32_t* ids) {
    Temporary temporary{device};
    hydra_status status = temporary.make(target->rows * 4);
    if (status == HYDRA_OK) status = copy_in(device, temporary.memory, ids, target->rows * 4);
    if (status != HYDRA_OK) return status;
    status = launch(temporary.stream, "matrix_gather_kernel", matrix_gather_kernel, static_cast<unsigned>(target->rows),
                    THREADS, 0, *target, *source, static_cast<const int32_t*>(temporary.memory));
    return status == HYDRA_OK ? stream_wait(temporary.stream) : status;
}

}  // namespace hydra::cuda
