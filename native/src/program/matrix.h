// Definition of hydra_matrix.
#pragma once

#include "hydra4j/matrix.h"

namespace hydra {
struct RandomWeights;
}

struct hydra_matrix {
    hydra_backend* backend;
    hydra_type type;
    int64_t rows, columns;

    virtual ~hydra_matrix() = default;
    virtual int64_t bytes() const = 0;
    // Source row i, in the matrix's own type and GGUF's layout, becomes row first_row + i, or target_rows[i]. Where the
    // columns are not a multiple of the type's block, each row ends with a whole block, padded with zeros.
    virtual void write(int64_t first_row, int64_t count, const int32_t* target_rows, const uint8_t* source) = 0;
    virtual void fill(const hydra::RandomWeights& weights) = 0;
    virtual void read(int64_t row, float* values) const = 0;
    // This matrix's row i becomes source's row ids[i]; type and columns are the same.
    virtual void gather(const hydra_matrix& source, const int32_t* ids) = 0;

  protected:
    hydra_matrix(hydra_backend* owner, hydra_type its_type, int64_t its_rows, int64_t its_columns)
        : backend(owner), type(its_type), rows(its_rows), columns(its_columns) {}
};

namespace hydra {

constexpr int64_t MAX_EXTENT = int64_t{1} << 24;
constexpr int64_t MAX_R8_COLUMNS = int64_t{1} << 16;  // sums of so many products of two bytes fit 32 bits

// Columns of a row as hydra_matrix::write takes it.
int64_t block_columns(hydra_type type, int64_t columns);

}  // namespace hydra
