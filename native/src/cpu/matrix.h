// Weight matrices of the CPU backend.
#pragma once

#include <memory>

#include "cpu/kernels.h"
#include "program/matrix.h"

namespace hydra {

struct CpuMatrix : hydra_matrix {
    CpuMatrix(hydra_backend* owner, hydra_type its_type, int64_t its_rows, int64_t its_columns);

    int64_t bytes() const override { return packed.tiles * packed.tile_bytes; }
    void write(int64_t first_row, int64_t count, const int32_t* target_rows, const uint8_t* source) override;
    void fill(const RandomWeights& weights) override;
    void read(int64_t row, float* values) const override;
    void gather(const hydra_matrix& source, const int32_t* ids) override;

    PackedMatrix packed;
    std::shared_ptr<uint8_t> memory;  // packed.data
};

inline const PackedMatrix& packed_of(const hydra_matrix* matrix) {
    return static_cast<const CpuMatrix*>(matrix)->packed;
}

// values[columns] of a row, 0 <= row < rows.
void read_row(const PackedMatrix& matrix, int64_t row, float* values);

}  // namespace hydra
