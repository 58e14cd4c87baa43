// Weight matrices: packing rows into tiles and taking them out again.
#include "cpu/matrix.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "cpu/backend.h"
#include "cpu/tile_order.h"
#include "program/convert.h"
#include "program/random.h"

namespace hydra {

namespace {

int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

// Bytes of Q8_0 and R8 are signed in rows and unsigned in tiles.
uint32_t flip_of(hydra_type type) { return type == HYDRA_Q8_0 || type == HYDRA_R8 ? 0x80808080 : 0; }

// Where the parts of a block type lie within a tile, and in a row in the order of tiles (cpu/tile_order.h).
struct BlockLayout {
    explicit BlockLayout(const PackedMatrix& matrix)
        : unit(tile_unit(matrix.type)),
          units(matrix.padded_columns / BLOCK_COLUMNS / unit.blocks),
          half_bytes(round_up(units * TILE_ROWS * 2, 64)),
          flip(flip_of(matrix.type)) {}

    // For columns first ... last - 1 of a row; see each_part below.
    template <class Part>
    void each_part(int64_t first, int64_t last, Part&& part) const {
        const int unit_columns = unit.blocks * BLOCK_COLUMNS, words = unit.blocks * unit.words;
        for (int64_t u = first / unit_columns; u < last / unit_columns; ++u) {
            int64_t row = (u - first / unit_columns) * unit.bytes();
            for (int h = 0; h < unit.halves; ++h, row += 2) part(h * half_bytes + u * TILE_ROWS * 2, 2, row, 0);
            int64_t tile = unit.halves * half_bytes + u * unit_bytes();
            for (int s = 0; s < unit.scale_bytes; ++s, tile += TILE_ROWS, ++row) part(tile, 1, row, 0);
            for (int w = 0; w < words; ++w, tile += TILE_ROWS * 4, row += 4) part(tile, 4, row, flip);
        }
    }

    // Of a unit without its halves.
    int64_t unit_bytes() const { return TILE_ROWS * (unit.scale_bytes + unit.blocks * unit.words * 4); }
    int64_t tile_bytes() const { return unit.halves * half_bytes + units * unit_bytes(); }

    TileUnit unit;
    int64_t units, half_bytes;
    uint32_t flip;
};

bool has_blocks(hydra_type type) { return in_blocks(form_of(type)); }

constexpr int64_t SCALE_BYTES = TILE_ROWS * sizeof(float);  // in front of a tile of R8
constexpr int64_t SHARED_BYTES = int64_t{1} << 20;          // rows of which all threads pack a part

// Columns whose values lie together in a tile.
int64_t columns_together(hydra_type type) { return type == HYDRA_BF16 ? 2 : type == HYDRA_R8 ? 4 : 1; }

// Calls part(offset in the tile of lane 0, bytes of a lane's piece, offset in the row from column `first` on, bits that
// differ between both) for every piece of columns first ... last - 1 of a row, and for its scale; first is a multiple
// of BLOCK_COLUMNS, last one of the columns that lie together, and both of a type's super-blocks.
template <class Part>
void each_part(const PackedMatrix& matrix, int64_t first, int64_t last, Part&& part) {
    if (has_blocks(matrix.type)) return BlockLayout(matrix).each_part(first, last, part);
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

// Copies a piece of 1, 2 or 4 bytes, of 4 with `flip`.
void copy_part(uint8_t* target, const uint8_t* source, int bytes, uint32_t flip) {
    if (bytes == 1) {
        *target = *source;
        return;
    }
    if (bytes == 2) {
        std::memcpy(target, source, 2);
        return;
    }
    uint32_t part;
    std::memcpy(&part, source, 4);
    part ^= flip;
    std::memcpy(target, &part, 4);
}

// Takes over a row in the order of tiles, `columns` of it: padded_columns, or fewer where the rest stays as it is.
void pack_row(const PackedMatrix& matrix, int64_t row, int64_t columns, const uint8_t* source) {
    uint8_t* tile = matrix.data + row / TILE_ROWS * matrix.tile_bytes;
    const int64_t lane = row % TILE_ROWS;
    each_part(matrix, 0, columns, [&](int64_t offset, int bytes, int64_t at, uint32_t flip) {
        copy_part(tile + offset + lane * bytes, source + at, bytes, flip);
    });
}

// Columns first ... last - 1 of the row in the order of tiles, both multiples of BLOCK_COLUMNS and of super-blocks.
void unpack_row(const PackedMatrix& matrix, int64_t row, int64_t first, int64_t last, uint8_t* target) {
    const uint8_t* tile = matrix.data + row / TILE_ROWS * matrix.tile_bytes;
    const int64_t lane = row % TILE_ROWS;
    each_part(matrix, first, last, [&](int64_t offset, int bytes, int64_t at, uint32_t flip) {
        copy_part(target + at, tile + offset + lane * bytes, bytes, flip);
    });
}

// Of a row in the order of tiles.
int64_t packed_row_bytes(const PackedMatrix& matrix) {
    if (!has_tile_order(matrix.type)) return bytes_of(matrix.type, 1, matrix.padded_columns);
    const TileUnit unit = tile_unit(matrix.type);
    return matrix.padded_columns / BLOCK_COLUMNS / unit.blocks * unit.bytes();
}

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
    const bool reordered = has_tile_order(type);
    const int64_t own_bytes = reordered || present != given ? packed_row_bytes(packed) : 0;
    Team& team = static_cast<CpuBackend*>(backend)->team;
    const int threads = count * row_bytes < SHARED_BYTES ? 1 : team.threads();
    std::vector<uint8_t> rows_of_threads(static_cast<size_t>(own_bytes * threads));
    // A tile belongs to one thread.
    auto pack = [&](int thread) {
        uint8_t* own = rows_of_threads.data() + thread * own_bytes;
        for (int64_t i = 0; i < count; ++i) {
            const int64_t row = target_rows == nullptr ? first_row + i : target_rows[i];
            if (row / TILE_ROWS % threads != thread) continue;
            const uint8_t* bytes = source + i * row_bytes;
            if (reordered) {
                to_tile_order(type, bytes, given, own);
            } else if (own_bytes > 0) {
                std::memcpy(own, bytes, static_cast<size_t>(row_bytes));
            }
            pack_row(packed, row, present, own_bytes > 0 ? own : bytes);
        }
    };
    if (threads == 1) return pack(0);
    backend->require_own_process();
    std::lock_guard<std::mutex> lock(backend->mutex);
    team.run(threads, pack);
}

void CpuMatrix::fill(const RandomWeights& weights) {
    Team& team = static_cast<CpuBackend*>(backend)->team;
    const int64_t before = facts_of(type).row_bytes, row_bytes = bytes_of(type, 1, packed.padded_columns);
    const int64_t unit_columns = std::max(facts_of(type).block, BLOCK_COLUMNS),
                  unit_blocks = unit_columns / BLOCK_COLUMNS;
    const int64_t unit_bytes = bytes_of(type, 1, unit_columns) - before;
    const int64_t own_bytes = row_bytes + (has_tile_order(type) ? packed_row_bytes(packed) : 0);
    const float row_scale = random_row_scale(weights);
    std::vector<uint8_t> rows_of_threads(static_cast<size_t>(own_bytes * team.threads()));
    auto fill_tiles = [&](int thread) {
        uint8_t *bytes = rows_of_threads.data() + thread * own_bytes, *ordered = bytes + row_bytes;
        for (int64_t tile = thread; tile < packed.tiles; tile += team.threads()) {
            for (int64_t row = tile * TILE_ROWS; row < std::min(rows, (tile + 1) * TILE_ROWS); ++row) {
                if (type == HYDRA_R8) std::memcpy(bytes, &row_scale, sizeof row_scale);
                for (int64_t u = 0; u < packed.padded_columns / unit_columns; ++u) {
                    random_block(weights, type, columns, row, u * unit_blocks, bytes + before + u * unit_bytes);
                }
                if (has_tile_order(type)) to_tile_order(type, bytes, packed.padded_columns, ordered);
                pack_row(packed, row, packed.padded_columns, has_tile_order(type) ? ordered : bytes);
            }
        }
    };
    std::lock_guard<std::mutex> lock(backend->mutex);
    team.run(team.threads(), fill_tiles);
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
    // A part at a time, a super-block or as much, on the stack: threads of the team read embeddings, and allocate
    // nothing.
    constexpr int64_t PART = 8 * BLOCK_COLUMNS;
    uint8_t bytes[PART * sizeof(float)];
    float part[PART];
    for (int64_t first = 0; first < matrix.columns; first += PART) {
        const int64_t present = std::min(PART, matrix.columns - first);
        const int64_t padded = std::min(PART, matrix.padded_columns - first);
        unpack_row(matrix, row, first, first + padded, bytes);
        if (has_tile_order(matrix.type)) {
            dequantise_tile_order(matrix.type, bytes, padded, part);
        } else {
            dequantise(matrix.type, bytes, padded, part);
        }
        std::copy_n(part, present, values + first);
    }
}

}  // namespace hydra
