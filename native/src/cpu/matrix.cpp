// Weight matrices: packing rows into tiles and taking them out again.
#include "cpu/matrix.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "cpu/backend.h"
#include "program/convert.h"
#include "program/random.h"

namespace hydra {

namespace {

int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

// Bytes of Q8_0 and R8 are signed in rows and unsigned in tiles.
uint32_t flip_of(hydra_type type) { return type == HYDRA_Q8_0 || type == HYDRA_R8 ? 0x80808080 : 0; }

// Where the parts of a block type lie within a tile, and in a row of GGUF's: scale, minimum (Q4_1 only), quants in
// groups of 4 bytes.
struct BlockLayout {
    explicit BlockLayout(const PackedMatrix& matrix)
        : blocks(matrix.padded_columns / BLOCK_COLUMNS),
          halves(matrix.type == HYDRA_Q4_1 ? 2 : 1),
          groups(matrix.type == HYDRA_Q8_0 ? 8 : 4),
          half_bytes(round_up(blocks * TILE_ROWS * 2, 64)),
          row_block_bytes(halves * 2 + groups * 4),
          flip(flip_of(matrix.type)) {}

    // For blocks first ... last - 1 of a row; see each_part below.
    template <class Part>
    void each_part(int64_t first, int64_t last, Part&& part) const {
        for (int64_t b = first; b < last; ++b) {
            const int64_t row = (b - first) * row_block_bytes;
            for (int h = 0; h < halves; ++h) part(h * half_bytes + b * TILE_ROWS * 2, 2, row + h * 2, 0);
            const int64_t tile = halves * half_bytes + b * groups * TILE_ROWS * 4;
            for (int g = 0; g < groups; ++g) part(tile + g * TILE_ROWS * 4, 4, row + halves * 2 + g * 4, flip);
        }
    }

    int64_t tile_bytes() const { return halves * half_bytes + blocks * groups * TILE_ROWS * 4; }

    int64_t blocks;
    int halves, groups;
    int64_t half_bytes, row_block_bytes;
    uint32_t flip;
};

bool has_blocks(hydra_type type) { return form_of(type) == Form::BLOCKS; }

constexpr int64_t SCALE_BYTES = TILE_ROWS * sizeof(float);  // in front of a tile of R8

// Columns whose values lie together in a tile.
int64_t columns_together(hydra_type type) { return type == HYDRA_BF16 ? 2 : type == HYDRA_R8 ? 4 : 1; }

// Calls part(offset in the tile of lane 0, bytes of a lane's piece, offset in the row from column `first` on, bits that
// differ between both) for every piece of columns first ... last - 1 of a row, and for its scale; first is a multiple
// of BLOCK_COLUMNS, last one of the columns that lie together.
template <class Part>
void each_part(const PackedMatrix& matrix, int64_t first, int64_t last, Part&& part) {
    if (has_blocks(matrix.type)) {
        return BlockLayout(matrix).each_part(first / BLOCK_COLUMNS, last / BLOCK_COLUMNS, part);
    }
    if (matrix.type == HYDRA_R8) {
        part(0, 4, 0, 0);
        for (int64_t c = first; c < last; c += 4) {
            part(SCALE_BYTES + c * TILE_ROWS, 4, 4 + c - first, flip_of(HYDRA_R8));
        }
        return;
    }
    const int64_t together = columns_together(matrix.type);
    const auto size = static_cast<int>(facts_of(matrix.type).bytes * together);
    for (int64_t c = first / together; c < last / together; ++c) {
        part(c * TILE_ROWS * size, size, (c - first / together) * size, 0);
    }
}

// Copies a piece of 2 or 4 bytes, of 4 with `flip`.
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

// Takes over a row in GGUF's layout, `columns` of it: padded_columns, or fewer where the rest stays as it is.
void pack_row(const PackedMatrix& matrix, int64_t row, int64_t columns, const uint8_t* source) {
    uint8_t* tile = matrix.data + row / TILE_ROWS * matrix.tile_bytes;
    const int64_t lane = row % TILE_ROWS;
    each_part(matrix, 0, columns, [&](int64_t offset, int bytes, int64_t at, uint32_t flip) {
        copy_part(tile + offset + lane * bytes, source + at, bytes, flip);
    });
}

// Columns first ... last - 1 of the row in GGUF's layout, both multiples of BLOCK_COLUMNS.
void unpack_row(const PackedMatrix& matrix, int64_t row, int64_t first, int64_t last, uint8_t* target) {
    const uint8_t* tile = matrix.data + row / TILE_ROWS * matrix.tile_bytes;
    const int64_t lane = row % TILE_ROWS;
    each_part(matrix, first, last, [&](int64_t offset, int bytes, int64_t at, uint32_t flip) {
        copy_part(target + at, tile + offset + lane * bytes, bytes, flip);
    });
}

int64_t packed_row_bytes(const PackedMatrix& matrix) { return bytes_of(matrix.type, 1, matrix.padded_columns); }

}  // namespace

CpuMatrix::CpuMatrix(hydra_backend* owner, hydra_type its_type, int64_t its_rows, int64_t its_columns)
    : hydra_matrix(owner, its_type, its_rows, its_columns), packed{} {
    packed.type = type;
    packed.rows = rows;
    packed.columns = columns;
    packed.padded_columns = round_up(columns, type == HYDRA_R8 ? PLANE_COLUMNS : BLOCK_COLUMNS);
    packed.tiles = round_up(rows, TILE_ROWS) / TILE_ROWS;
    packed.tile_bytes =
        has_blocks(type) ? BlockLayout(packed).tile_bytes() : packed.padded_columns * TILE_ROWS * facts_of(type).bytes;
    if (type == HYDRA_R8) packed.tile_bytes += SCALE_BYTES;
    memory = static_cast<CpuBackend*>(owner)->weights.allocate(packed.tiles * packed.tile_bytes);
    packed.data = memory.get();
    if (type == HYDRA_Q8_0 || type == HYDRA_Q4_0 || type == HYDRA_R8) {
        // The quants of zero, not of the lowest value.
        const int64_t scale_bytes = type == HYDRA_R8 ? SCALE_BYTES : BlockLayout(packed).half_bytes;
        for (int64_t t = 0; t < packed.tiles; ++t) {
            std::memset(packed.data + t * packed.tile_bytes + scale_bytes, type == HYDRA_Q4_0 ? 0x88 : 0x80,
                        static_cast<size_t>(packed.tile_bytes - scale_bytes));
        }
    }
}

void CpuMatrix::write(int64_t first_row, int64_t count, const int32_t* target_rows, const uint8_t* source) {
    // Columns that lie together with some beyond the row need these to be there.
    const int64_t given = block_columns(type, columns), present = round_up(given, columns_together(type));
    const int64_t row_bytes = bytes_of(type, 1, given);
    std::vector<uint8_t> padded(present != given ? static_cast<size_t>(bytes_of(type, 1, present)) : 0);
    for (int64_t i = 0; i < count; ++i, source += row_bytes) {
        const uint8_t* row = source;
        if (present != given)
            row = static_cast<const uint8_t*>(std::memcpy(padded.data(), source, static_cast<size_t>(row_bytes)));
        pack_row(packed, target_rows == nullptr ? first_row + i : target_rows[i], present, row);
    }
}

void CpuMatrix::fill(const RandomWeights& weights) {
    Team& team = static_cast<CpuBackend*>(backend)->team;
    const int64_t before = facts_of(type).row_bytes, row_bytes = packed_row_bytes(packed);
    const int64_t block_bytes = bytes_of(type, 1, BLOCK_COLUMNS) - before;
    const float row_scale = random_row_scale(weights);
    std::vector<uint8_t> rows_of_threads(static_cast<size_t>(row_bytes * team.threads()));
    auto fill_tiles = [&](int thread) {
        uint8_t* bytes = rows_of_threads.data() + thread * row_bytes;
        for (int64_t tile = thread; tile < packed.tiles; tile += team.threads()) {
            for (int64_t row = tile * TILE_ROWS; row < std::min(rows, (tile + 1) * TILE_ROWS); ++row) {
                if (type == HYDRA_R8) std::memcpy(bytes, &row_scale, sizeof row_scale);
                for (int64_t b = 0; b < packed.padded_columns / BLOCK_COLUMNS; ++b) {
                    random_block(weights, type, columns, row, b, bytes + before + b * block_bytes);
                }
                pack_row(packed, row, packed.padded_columns, bytes);
            }
        }
    };
    std::lock_guard<std::mutex> lock(backend->mutex);
    team.run([](void* task, int thread) { (*static_cast<decltype(fill_tiles)*>(task))(thread); }, &fill_tiles);
}

void CpuMatrix::read(int64_t row, float* values) const { read_row(packed, row, values); }

void CpuMatrix::gather(const hydra_matrix& source, const int32_t* ids) {
    const PackedMatrix& from = packed_of(&source);
    std::vector<uint8_t> row(static_cast<size_t>(packed_row_bytes(from)));
    for (int64_t i = 0; i < rows; ++i) {
        unpack_row(from, ids[i], 0, from.padded_columns, row.data());
        pack_row(packed, i, from.padded_columns, row.data());
    }
}

void read_row(const PackedMatrix& matrix, int64_t row, float* values) {
    // A part at a time, on the stack: threads of the team read embeddings, and allocate nothing.
    constexpr int64_t PART = 8 * BLOCK_COLUMNS;
    uint8_t bytes[PART * sizeof(float)];
    float part[PART];
    for (int64_t first = 0; first < matrix.columns; first += PART) {
        const int64_t present = std::min(PART, matrix.columns - first);
        const int64_t padded = std::min(PART, matrix.padded_columns - first);
        unpack_row(matrix, row, first, first + padded, bytes);
        dequantise(matrix.type, bytes, padded, part);
        std::copy_n(part, present, values + first);
    }
}

}  // namespace hydra
