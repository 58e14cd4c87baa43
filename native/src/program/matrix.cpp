// Weight matrices: arguments, and conversion to the matrix's own type.
#include "program/matrix.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "program/backend.h"
#include "program/convert.h"
#include "program/error.h"
#include "program/random.h"

using hydra::guarded;

namespace hydra {

int64_t block_columns(hydra_type type, int64_t columns) {
    const int64_t block = facts_of(type).block;
    return (columns + block - 1) / block * block;
}

namespace {

// Bytes that are converted at a time: few enough for the cache, enough to be worth a transfer.
constexpr int64_t BATCH_BYTES = int64_t{1} << 20;

void require_target_rows(const hydra_matrix& matrix, int64_t first_row, int64_t count, const int32_t* target_rows) {
    if (target_rows == nullptr) {
        HYDRA_REQUIRE(first_row >= 0 && first_row <= matrix.rows && count <= matrix.rows - first_row,
                      "first_row %lld and count %lld leave the matrix of %lld rows", static_cast<long long>(first_row),
                      static_cast<long long>(count), static_cast<long long>(matrix.rows));
        return;
    }
    std::vector<bool> given(static_cast<size_t>(matrix.rows));
    for (int64_t i = 0; i < count; ++i) {
        HYDRA_REQUIRE(target_rows[i] >= 0 && target_rows[i] < matrix.rows,
                      "target_rows[%lld] is %d, the matrix has %lld rows", static_cast<long long>(i), target_rows[i],
                      static_cast<long long>(matrix.rows));
        HYDRA_REQUIRE(!given[target_rows[i]], "target_rows[%lld] is %d, which one before it is, too",
                      static_cast<long long>(i), target_rows[i]);
        given[target_rows[i]] = true;
    }
}

// Rows of another type, a batch at a time.
void write_converted(hydra_matrix& matrix, int64_t first_row, int64_t count, const int32_t* target_rows,
                     hydra_type source_type, const uint8_t* source) {
    const int64_t padded = block_columns(matrix.type, matrix.columns);
    const int64_t row_bytes = bytes_of(source_type, 1, matrix.columns), own_bytes = bytes_of(matrix.type, 1, padded);
    const int64_t batch = std::clamp<int64_t>(BATCH_BYTES / own_bytes, 1, std::max<int64_t>(count, 1));
    std::vector<float> values(static_cast<size_t>(padded));
    std::vector<uint8_t> converted(static_cast<size_t>(batch * own_bytes));
    for (int64_t i = 0; i < count; i += batch) {
        const int64_t rows = std::min(batch, count - i);
        for (int64_t r = 0; r < rows; ++r) {
            dequantise(source_type, source + (i + r) * row_bytes, matrix.columns, values.data());
            quantise(matrix.type, values.data(), padded, converted.data() + r * own_bytes);
        }
        matrix.write(first_row + i, rows, target_rows == nullptr ? nullptr : target_rows + i, converted.data());
    }
}

}  // namespace

}  // namespace hydra

hydra_status hydra_matrix_create(hydra_backend* backend, hydra_type type, int64_t rows, int64_t columns,
                                 hydra_matrix** out) {
    return guarded("hydra_matrix_create", [&] {
        HYDRA_REQUIRE(backend != nullptr && out != nullptr, "backend or out is null");
        const hydra::TypeFacts& facts = hydra::facts_of(type);
        HYDRA_REQUIRE(backend->has_kernel(type),
                      "type is %s, for which the %s backend has no kernel: take F32, F16, BF16, Q8_0, Q4_0 or Q4_1",
                      facts.name, backend->kind());
        HYDRA_REQUIRE(rows >= 1 && rows <= hydra::MAX_EXTENT, "rows is %lld, must be 1 to 2^24",
                      static_cast<long long>(rows));
        HYDRA_REQUIRE(columns >= 1 && columns <= hydra::MAX_EXTENT, "columns is %lld, must be 1 to 2^24",
                      static_cast<long long>(columns));
        HYDRA_REQUIRE(type != HYDRA_R8 || columns <= hydra::MAX_R8_COLUMNS,
                      "columns is %lld, an R8 matrix has at most 65536: take Q8_0", static_cast<long long>(columns));
        // The others' rows are padded as they are converted.
        HYDRA_REQUIRE(facts.quantisable || columns % facts.block == 0,
                      "columns is %lld, must be a multiple of the %d of a %s block", static_cast<long long>(columns),
                      facts.block, facts.name);
        backend->require_own_process();
        *out = backend->matrix(type, rows, columns).release();
    });
}

void hydra_matrix_destroy(hydra_matrix* matrix) { delete matrix; }

hydra_type hydra_matrix_type(const hydra_matrix* matrix) { return matrix == nullptr ? HYDRA_F32 : matrix->type; }

int64_t hydra_matrix_rows(const hydra_matrix* matrix) { return matrix == nullptr ? 0 : matrix->rows; }

int64_t hydra_matrix_columns(const hydra_matrix* matrix) { return matrix == nullptr ? 0 : matrix->columns; }

int64_t hydra_matrix_bytes(const hydra_matrix* matrix) { return matrix == nullptr ? 0 : matrix->bytes(); }

hydra_status hydra_matrix_write(hydra_matrix* matrix, int64_t first_row, int64_t count, const int32_t* target_rows,
                                hydra_type source_type, const void* source, int64_t source_bytes) {
    return guarded("hydra_matrix_write", [&] {
        HYDRA_REQUIRE(matrix != nullptr && source != nullptr, "matrix or source is null");
        HYDRA_REQUIRE(count >= 0, "count is %lld, must not be negative", static_cast<long long>(count));
        const int64_t needed = hydra::bytes_of(source_type, count, matrix->columns);
        HYDRA_REQUIRE(source_bytes == needed, "source_bytes is %lld, %lld rows of %lld %s values need %lld",
                      static_cast<long long>(source_bytes), static_cast<long long>(count),
                      static_cast<long long>(matrix->columns), hydra::facts_of(source_type).name,
                      static_cast<long long>(needed));
        HYDRA_REQUIRE(source_type == matrix->type || hydra::facts_of(matrix->type).quantisable,
                      "source_type is %s, rows of a %s matrix must be of its own type",
                      hydra::facts_of(source_type).name, hydra::facts_of(matrix->type).name);
        hydra::require_target_rows(*matrix, first_row, count, target_rows);
        const auto* bytes = static_cast<const uint8_t*>(source);
        if (source_type == matrix->type) {
            matrix->write(first_row, count, target_rows, bytes);
        } else {
            hydra::write_converted(*matrix, first_row, count, target_rows, source_type, bytes);
        }
    });
}

hydra_status hydra_matrix_fill(hydra_matrix* matrix, int64_t seed, float scale) {
    return guarded("hydra_matrix_fill", [&] {
        HYDRA_REQUIRE(matrix != nullptr, "matrix is null");
        HYDRA_REQUIRE(scale >= 0 && scale <= hydra::MAX_RANDOM_SCALE, "scale is %g, must be 0 to 2^15",
                      static_cast<double>(scale));
        matrix->backend->require_own_process();
        matrix->fill(hydra::random_weights(matrix->type, static_cast<uint64_t>(seed), scale));
    });
}

hydra_status hydra_matrix_read(const hydra_matrix* matrix, int64_t row, float* values) {
    return guarded("hydra_matrix_read", [&] {
        HYDRA_REQUIRE(matrix != nullptr && values != nullptr, "matrix or values is null");
        HYDRA_REQUIRE(row >= 0 && row < matrix->rows, "row is %lld, the matrix has %lld rows",
                      static_cast<long long>(row), static_cast<long long>(matrix->rows));
        matrix->read(row, values);
    });
}

hydra_status hydra_matrix_gather(const hydra_matrix* source, const int32_t* ids, int64_t count, hydra_matrix** out) {
    return guarded("hydra_matrix_gather", [&] {
        HYDRA_REQUIRE(source != nullptr && ids != nullptr && out != nullptr, "source, ids or out is null");
        HYDRA_REQUIRE(count >= 1 && count <= hydra::MAX_EXTENT, "count is %lld, must be 1 to 2^24",
                      static_cast<long long>(count));
        for (int64_t i = 0; i < count; ++i) {
            HYDRA_REQUIRE(ids[i] >= 0 && ids[i] < source->rows, "ids[%lld] is %d, the matrix has %lld rows",
                          static_cast<long long>(i), ids[i], static_cast<long long>(source->rows));
        }
        source->backend->require_own_process();
        std::unique_ptr<hydra_matrix> matrix = source->backend->matrix(source->type, count, source->columns);
        matrix->gather(*source, ids);
        *out = matrix.release();
    });
}
