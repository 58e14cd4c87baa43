// What the processor can run of the instruction sets that kernels are compiled for.
#pragma once

namespace hydra {

bool has_avx2();    // AVX2, FMA, F16C and BMI2
bool has_avx512();  // and AVX-512 F, BW, VL and DQ, with VNNI

}  // namespace hydra
