// What is behind hydra_matrix.
#pragma once

#include <memory>

#include "cpu/kernels.h"
#include "hydra4j/matrix.h"

struct hydra_matrix {
    hydra_backend* backend;
    hydra::PackedMatrix packed;
    std::shared_ptr<uint8_t> memory;  // packed.data
};

namespace hydra {

// values[columns] of a row, 0 <= row < rows.
void read_row(const PackedMatrix& matrix, int64_t row, float* values);

}  // namespace hydra
