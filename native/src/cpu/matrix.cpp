// Weight matrices: packing rows into tiles and taking them out again.
#include "cpu/matrix.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "cpu/weight_memory.h"
#include "program/convert.h"
#include "program/error.h"

using hydra::guarded;

namespace hydra {

namespace {

constexpr int64_t MAX_EXTENT = int64_t{1} << 24;

int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

// Where the parts of a block type lie within a tile, and in a row of GGUF's: scale, minimum (Q4_1 only), quants in
// groups of 4 bytes.
struct BlockLayout {
    explicit BlockLayout(const PackedMatrix& matrix)
        : blocks(matrix.padded_columns / BLOCK_COLUMNS),
          halves(matrix.type == HYDRA_Q4_1 ? 2 : 1),
          groups(matrix.type == HYDRA_Q8_0 ? 8 : 4),
          half_bytes(round_up(blocks * TILE_ROWS * 2, 64)),
          row_block_bytes(halves * 2 + groups * 4) {}

    // Calls part(offset in the tile of lane 0, stride of lanes, offset in the row, bytes) for every piece of the first
    // `present` blocks of a row.
    template <class Part>
    void each_part(int64_t present, Part&& part) const {
        for (int64_t b = 0; b < present; ++b) {
            const int64_t row = b * row_block_bytes;
            for (int h = 0; h < halves; ++h) part(h * half_bytes + b * TILE_ROWS * 2, 2, row + h * 2);
            const int64_t tile = halves * half_bytes + b * groups * TILE_ROWS * 4;
            for (int g = 0; g < groups; ++g) part(tile + g * TILE_ROWS * 4, 4, row + halves * 2 + g * 4);
        }
    }

    int64_t tile_bytes() const { return halves * half_bytes + blocks * groups * TILE_ROWS * 4; }

    int64_t blocks;
    int halves, groups;
    int64_t half_bytes, row_block_bytes;
};

// Calls part(offset in the tile of lane 0, bytes of a lane's piece, offset in the row) for every piece of a row of
// `columns` columns.
template <class Part>
void each_part(const PackedMatrix& matrix, int64_t columns, Part&& part) {
    if (is_quantised(matrix.type)) return BlockLayout(matrix).each_part(columns / BLOCK_COLUMNS, part);
    const int size = facts_of(matrix.type).bytes;
    if (matrix.type != HYDRA_BF16) {
        for (int64_t c = 0; c < columns; ++c) part(c * TILE_ROWS * size, size, c * size);
        return;
    }
    for (int64_t c = 0; c < columns / 2; ++c) part(c * TILE_ROWS * 4, 4, c * 4);
}

// Copies a piece of 2 or 4 bytes; bytes of Q8_0 are signed in GGUF and unsigned in a tile.
void copy_part(uint8_t* target, const uint8_t* source, int bytes, uint32_t flip) {
    if (bytes == 2) {
        std::memcpy(target, source, 2);
        return;
    }
    uint32_t part;
    std::memcpy(&part, source, 4);
    part ^= flip;
    std::memcpy(target, &part, 4);
}

uint32_t flip_of(hydra_type type) { return type == HYDRA_Q8_0 ? 0x80808080 : 0; }

// Takes over a row in GGUF's layout, `columns` of it: padded_columns, or fewer where the rest stays as it is.
void pack_row(const PackedMatrix& matrix, int64_t row, int64_t columns, const uint8_t* source) {
    uint8_t* tile = matrix.data + row / TILE_ROWS * matrix.tile_bytes;
    const int64_t lane = row % TILE_ROWS;
    each_part(matrix, columns, [&, flip = flip_of(matrix.type)](int64_t offset, int bytes, int64_t at) {
        copy_part(tile + offset + lane * bytes, source + at, bytes, flip);
    });
}

// The row in GGUF's layout, padding included.
void unpack_row(const PackedMatrix& matrix, int64_t row, uint8_t* target) {
    const uint8_t* tile = matrix.data + row / TILE_ROWS * matrix.tile_bytes;
    const int64_t lane = row % TILE_ROWS;
    each_part(matrix, matrix.padded_columns, [&, flip = flip_of(matrix.type)](int64_t offset, int bytes, int64_t at) {
        copy_part(target + at, tile + offset + lane * bytes, bytes, flip);
    });
}

int64_t packed_row_bytes(const PackedMatrix& matrix) { return bytes_of(matrix.type, 1, matrix.padded_columns); }

hydra_matrix* create(hydra_backend* backend, hydra_type type, int64_t rows, int64_t columns) {
    PackedMatrix packed{};
    packed.type = type;
    packed.rows = rows;
    packed.columns = columns;
    packed.padded_columns = round_up(columns, BLOCK_COLUMNS);
    packed.tiles = round_up(rows, TILE_ROWS) / TILE_ROWS;
    packed.tile_bytes = is_quantised(type) ? BlockLayout(packed).tile_bytes()
                                           : packed.padded_columns * TILE_ROWS * facts_of(type).bytes;
    auto matrix = std::make_unique<hydra_matrix>();
    matrix->backend = backend;
    matrix->memory = allocate_weights(packed.tiles * packed.tile_bytes);
    packed.data = matrix->memory.get();
    if (type == HYDRA_Q8_0 || type == HYDRA_Q4_0) {
        // The quants of zero, not of the lowest value.
        const int64_t scale_bytes = BlockLayout(packed).half_bytes;
        for (int64_t t = 0; t < packed.tiles; ++t) {
            std::memset(packed.data + t * packed.tile_bytes + scale_bytes, type == HYDRA_Q8_0 ? 0x80 : 0x88,
                        static_cast<size_t>(packed.tile_bytes - scale_bytes));
        }
    }
    matrix->packed = packed;
    return matrix.release();
}

void require_target_rows(const PackedMatrix& matrix, int64_t first_row, int64_t count, const int32_t* target_rows) {
    if (target_rows == nullptr) {
        HYDRA_REQUIRE(first_row >= 0 && first_row <= matrix.rows && count <= matrix.rows - first_row,
                      "first_row %lld and count %lld leave the matrix of %lld rows", static_cast<long long>(first_row),
                      static_cast<long long>(count), static_cast<long long>(matrix.rows));
        return;
    }
    for (int64_t i = 0; i < count; ++i) {
        HYDRA_REQUIRE(target_rows[i] >= 0 && target_rows[i] < matrix.rows,
                      "target_rows[%lld] is %d, the matrix has %lld rows", static_cast<long long>(i), target_rows[i],
                      static_cast<long long>(matrix.rows));
    }
}

}  // namespace

void read_row(const PackedMatrix& matrix, int64_t row, float* values) {
    thread_local std::vector<uint8_t> bytes;
    thread_local std::vector<float> padded;
    bytes.resize(static_cast<size_t>(packed_row_bytes(matrix)));
    unpack_row(matrix, row, bytes.data());
    if (matrix.padded_columns == matrix.columns) return dequantise(matrix.type, bytes.data(), matrix.columns, values);
    padded.resize(static_cast<size_t>(matrix.padded_columns));
    dequantise(matrix.type, bytes.data(), matrix.padded_columns, padded.data());
    std::copy_n(padded.data(), matrix.columns, values);
}

}  // namespace hydra

hydra_status hydra_matrix_create(hydra_backend* backend, hydra_type type, int64_t rows, int64_t columns,
                                 hydra_matrix** out) {
    return guarded("hydra_matrix_create", [&] {
        HYDRA_REQUIRE(backend != nullptr && out != nullptr, "backend or out is null");
        HYDRA_REQUIRE(hydra::product_index(type) >= 0, "type is %s, must be F32, F16, BF16, Q8_0, Q4_0 or Q4_1",
                      hydra::facts_of(type).name);
        HYDRA_REQUIRE(rows >= 1 && rows <= hydra::MAX_EXTENT, "rows is %lld, must be 1 to 2^24",
                      static_cast<long long>(rows));
        HYDRA_REQUIRE(columns >= 1 && columns <= hydra::MAX_EXTENT, "columns is %lld, must be 1 to 2^24",
                      static_cast<long long>(columns));
        *out = hydra::create(backend, type, rows, columns);
    });
}

void hydra_matrix_destroy(hydra_matrix* matrix) { delete matrix; }

hydra_type hydra_matrix_type(const hydra_matrix* matrix) { return matrix->packed.type; }

int64_t hydra_matrix_rows(const hydra_matrix* matrix) { return matrix->packed.rows; }

int64_t hydra_matrix_columns(const hydra_matrix* matrix) { return matrix->packed.columns; }

int64_t hydra_matrix_bytes(const hydra_matrix* matrix) { return matrix->packed.tiles * matrix->packed.tile_bytes; }

hydra_status hydra_matrix_write(hydra_matrix* matrix, int64_t first_row, int64_t count, const int32_t* target_rows,
                                hydra_type source_type, const void* source, int64_t source_bytes) {
    return guarded("hydra_matrix_write", [&] {
        HYDRA_REQUIRE(matrix != nullptr && source != nullptr, "matrix or source is null");
        HYDRA_REQUIRE(count >= 0, "count is %lld, must not be negative", static_cast<long long>(count));
        const hydra::PackedMatrix& packed = matrix->packed;
        const int64_t needed = hydra::bytes_of(source_type, count, packed.columns);
        HYDRA_REQUIRE(source_bytes == needed, "source_bytes is %lld, %lld rows of %lld %s values need %lld",
                      static_cast<long long>(source_bytes), static_cast<long long>(count),
                      static_cast<long long>(packed.columns), hydra::facts_of(source_type).name,
                      static_cast<long long>(needed));
        hydra::require_target_rows(packed, first_row, count, target_rows);

        const auto* bytes = static_cast<const uint8_t*>(source);
        const int64_t row_bytes = hydra::bytes_of(source_type, 1, packed.columns);
        const bool whole = source_type == packed.type && (source_type != HYDRA_BF16 || packed.columns % 2 == 0);
        std::vector<float> values(whole ? 0 : static_cast<size_t>(packed.padded_columns));
        std::vector<uint8_t> converted(whole ? 0 : static_cast<size_t>(hydra::packed_row_bytes(packed)));
        for (int64_t i = 0; i < count; ++i, bytes += row_bytes) {
            const int64_t row = target_rows == nullptr ? first_row + i : target_rows[i];
            if (whole) {
                hydra::pack_row(packed, row, packed.columns, bytes);
                continue;
            }
            if (source_type == packed.type) {
                std::memcpy(converted.data(), bytes, static_cast<size_t>(row_bytes));
            } else {
                hydra::dequantise(source_type, bytes, packed.columns, values.data());
                hydra::quantise(packed.type, values.data(), packed.padded_columns, converted.data());
            }
            hydra::pack_row(packed, row, packed.padded_columns, converted.data());
        }
    });
}

hydra_status hydra_matrix_read(const hydra_matrix* matrix, int64_t row, float* values) {
    return guarded("hydra_matrix_read", [&] {
        HYDRA_REQUIRE(matrix != nullptr && values != nullptr, "matrix or values is null");
        HYDRA_REQUIRE(row >= 0 && row < matrix->packed.rows, "row is %lld, the matrix has %lld rows",
                      static_cast<long long>(row), static_cast<long long>(matrix->packed.rows));
        hydra::read_row(matrix->packed, row, values);
    });
}

hydra_status hydra_matrix_gather(const hydra_matrix* source, const int32_t* ids, int64_t count, hydra_matrix** out) {
    return guarded("hydra_matrix_gather", [&] {
        HYDRA_REQUIRE(source != nullptr && ids != nullptr && out != nullptr, "source, ids or out is null");
        HYDRA_REQUIRE(count >= 1 && count <= hydra::MAX_EXTENT, "count is %lld, must be 1 to 2^24",
                      static_cast<long long>(count));
        const hydra::PackedMatrix& from = source->packed;
        for (int64_t i = 0; i < count; ++i) {
            HYDRA_REQUIRE(ids[i] >= 0 && ids[i] < from.rows, "ids[%lld] is %d, the matrix has %lld rows",
                          static_cast<long long>(i), ids[i], static_cast<long long>(from.rows));
        }
        std::unique_ptr<hydra_matrix> matrix(hydra::create(source->backend, from.type, count, from.columns));
        std::vector<uint8_t> row(static_cast<size_t>(hydra::packed_row_bytes(from)));
        for (int64_t i = 0; i < count; ++i) {
            hydra::unpack_row(from, ids[i], row.data());
            hydra::pack_row(matrix->packed, i, from.padded_columns, row.data());
        }
        *out = matrix.release();
    });
}
