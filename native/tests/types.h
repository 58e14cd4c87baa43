// Rows of every weight type, as bytes.
#pragma once

#include "fixture.h"
#include "program/convert.h"
#include "program/half.h"

namespace hydra::test {

using Bytes = std::vector<uint8_t>;

// What a matrix can have on every backend, and what every type is converted to.
constexpr hydra_type KERNEL_TYPES[] = {HYDRA_F32, HYDRA_F16, HYDRA_BF16, HYDRA_Q8_0, HYDRA_Q4_0, HYDRA_Q4_1};
constexpr hydra_type ALL_TYPES[] = {HYDRA_F32,  HYDRA_F16,  HYDRA_BF16, HYDRA_Q8_0, HYDRA_Q4_0, HYDRA_Q4_1,
                                    HYDRA_Q5_0, HYDRA_Q5_1, HYDRA_Q4_K, HYDRA_Q5_K, HYDRA_Q6_K};

// What a matrix of this backend can have.
inline std::vector<hydra_type> matrix_types(const hydra_backend* backend) {
    std::vector<hydra_type> types;
    for (hydra_type type : ALL_TYPES) {
        if (hydra_backend_has_kernel(backend, type) == 1) types.push_back(type);
    }
    return types;
}

// For tests of what does not depend on the type: what is computed as it is, in blocks, and on the CPU in planes.
inline std::vector<hydra_type> types_of_each_form() {
    if (cuda_library() != nullptr) return {HYDRA_F32, HYDRA_Q8_0};
    return {HYDRA_F32, HYDRA_Q8_0, HYDRA_R8};
}

// So many columns, or as many more as a matrix of the type must have.
inline int64_t whole_columns(hydra_type type, int64_t columns) {
    const TypeFacts& facts = facts_of(type);
    return facts.quantisable ? columns : (columns + facts.block - 1) / facts.block * facts.block;
}

inline Bytes bytes_of(const Floats& values) {
    Bytes bytes(values.size() * sizeof(float));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
}

inline Floats floats_of(const Bytes& bytes) {
    Floats values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
}

inline Bytes converted(hydra_type from, const Bytes& source, hydra_type to, int64_t values) {
    Bytes target(static_cast<size_t>(hydra::bytes_of(to, 1, values)));
    must(hydra_convert(from, source.data(), static_cast<int64_t>(source.size()), to, target.data(),
                       static_cast<int64_t>(target.size()), values));
    return target;
}

// Sets the f16 scale, and where the type has one the minimum, of each block to half(0) and half(1).
template <class Half>
void set_scales(hydra_type type, Bytes& blocks, Half&& half) {
    const int64_t at = type == HYDRA_Q6_K ? 208 : 0;
    const bool pair = type == HYDRA_Q4_1 || type == HYDRA_Q5_1 || type == HYDRA_Q4_K || type == HYDRA_Q5_K;
    for (size_t block = 0; block < blocks.size(); block += static_cast<size_t>(facts_of(type).bytes)) {
        for (int h = 0; h < (pair ? 2 : 1); ++h) {
            const uint16_t value = half(h);
            std::memcpy(&blocks[block + at + 2 * h], &value, sizeof value);
        }
    }
}

// Rows of arbitrary quants with scales (and minimums) of ordinary size.
inline Bytes random_rows(hydra_type type, int64_t rows, int64_t columns, Random& random) {
    const TypeFacts& facts = facts_of(type);
    Bytes bytes(static_cast<size_t>(hydra::bytes_of(type, rows, columns)));
    if (facts.block == 1) {
        const Floats values = random.normal(rows * columns);
        return type == HYDRA_F32 ? bytes_of(values) : converted(HYDRA_F32, bytes_of(values), type, rows * columns);
    }
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.below(256));
    set_scales(type, bytes, [&](int) { return float_to_half(random.normal(1, 0.01f)[0]); });
    return bytes;
}

// A matrix of these, for types that nothing is converted to.
inline Matrix matrix_of(hydra_backend* backend, hydra_type type, int64_t rows, int64_t columns, Random& random) {
    hydra_matrix* created = nullptr;
    must(hydra_matrix_create(backend, type, rows, columns, &created));
    Matrix matrix(created);
    const Bytes source = random_rows(type, rows, columns, random);
    must(hydra_matrix_write(matrix, 0, rows, nullptr, type, source.data(), static_cast<int64_t>(source.size())));
    return matrix;
}

}  // namespace hydra::test
