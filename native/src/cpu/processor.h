// What the processor can run of the instruction sets that kernels are compiled for.
#pragma once

namespace hydra {

bool has_avx2();    // AVX2, FMA, F16C and BMI2
bool has_avx512();  // and AVX-512 F, BW, VL and DQ, with VNNI
bool has_avx512_bf16();

// And tiles (Intel AMX) whose products are of bytes, or of bf16 numbers, if the system lets this process use them. The
// permission is the process's, for all of its threads from then on; the system refuses it where it does not know tiles,
// and where a thread has an alternate signal stack on which their state does not fit.
bool has_amx_int8();
bool has_amx_bf16();

}  // namespace hydra
