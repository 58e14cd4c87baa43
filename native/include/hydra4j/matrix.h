/* Weight matrices [rows][columns], output rows by input columns, packed for the backend's product kernels.
 *
 * A matrix has any hydra_type that the backend has a kernel for (hydra_backend_has_kernel): all of them but R8 on
 * every backend, R8 on the CPU alone. Its memory layout is the backend's own. Products with a quantised
 * matrix round each activation row to 8 bits in blocks of 32 columns (hydra_program_qkv and hydra_program_project to 16
 * where one block of the row is much larger than the others) and accumulate whole numbers exactly within a block; with
 * R8 each activation row is rounded to 65025 steps of one scale (16 bits), and whole numbers are accumulated exactly
 * along the row; with the other types everything is float32. The order of additions of one output never depends on what
 * is computed beside it. */
#ifndef HYDRA4J_MATRIX_H
#define HYDRA4J_MATRIX_H

#include "hydra4j/buffer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hydra_matrix hydra_matrix;

/* Creates a matrix of zeros, 1 <= rows, columns <= 2^24; columns of Q5_0 and Q5_1 are a multiple of 32, those of
 * Q4_K, Q5_K and Q6_K of 256, those of R8 at most 65536. */
HYDRA_API hydra_status hydra_matrix_create(hydra_backend* backend, hydra_type type, int64_t rows, int64_t columns,
                                           hydra_matrix** out);
HYDRA_API void hydra_matrix_destroy(hydra_matrix* matrix);

/* 0, which is HYDRA_F32, and 0 rows, columns and bytes where matrix is null. */
HYDRA_API hydra_type hydra_matrix_type(const hydra_matrix* matrix);
HYDRA_API int64_t hydra_matrix_rows(const hydra_matrix* matrix);
HYDRA_API int64_t hydra_matrix_columns(const hydra_matrix* matrix);

/* Bytes that a product reads, padding included. */
HYDRA_API int64_t hydra_matrix_bytes(const hydra_matrix* matrix);

/* Writes `count` rows given in row-major order in source_type (any hydra_type whose block divides the columns; a type
 * other than the matrix's is converted, which nothing is to Q5_0, Q5_1, Q4_K, Q5_K and Q6_K; the same one is taken over
 * bit by bit). Source row i becomes row first_row + i, or target_rows[i], each another, where target_rows is not null.
 * source_bytes must be exactly what count rows need. */
HYDRA_API hydra_status hydra_matrix_write(hydra_matrix* matrix, int64_t first_row, int64_t count,
                                          const int32_t* target_rows, hydra_type source_type, const void* source,
                                          int64_t source_bytes);

/* Fills the matrix with pseudo-random weights, uniform between -scale and scale, 0 <= scale <= 2^15. A value depends on
 * seed, row and column alone, on every backend alike. F32, F16, BF16: 2^24 steps, rounded to it. Block types: one scale
 * in all blocks, rounded to f16; Q8_0 quants -127 to 127, Q4_0 -7 to 7, Q5_0 -15 to 15, Q6_K -31 to 31, above a minimum
 * of -scale Q4_1 and Q4_K 0 to 15, Q5_1 and Q5_K 0 to 31. R8: -127 to 127, its scale not rounded. On the device. */
HYDRA_API hydra_status hydra_matrix_fill(hydra_matrix* matrix, int64_t seed, float scale);

/* Reads one row as float32: columns values. */
HYDRA_API hydra_status hydra_matrix_read(const hydra_matrix* matrix, int64_t row, float* values);

/* A new matrix of the given rows of another one, bit by bit: row i is row ids[i] of the source. */
HYDRA_API hydra_status hydra_matrix_gather(const hydra_matrix* source, const int32_t* ids, int64_t count,
                                           hydra_matrix** out);

#ifdef __cplusplus
}
#endif
#endif
