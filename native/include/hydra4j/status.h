/* Status codes and the error chain.
 *
 * Every call that can fail returns a hydra_status. On failure the calling thread keeps a message with its chain of
 * causes, one per line, outermost first; it stays until the next failing call of that thread. No call prints, exits or
 * aborts, and no C++ exception crosses this interface. Output parameters are written only on success. */
#ifndef HYDRA4J_STATUS_H
#define HYDRA4J_STATUS_H

#include <stdint.h>

#define HYDRA_API __attribute__((visibility("default")))

/* Changes whenever a declaration in these headers does; Java refuses a library of another number. */
#define HYDRA_ABI_VERSION 10

#ifdef __cplusplus
extern "C" {
#endif

typedef enum hydra_status {
    HYDRA_OK = 0,
    HYDRA_INVALID_ARGUMENT = 1, /* an argument is null, out of range, or does not fit another one */
    HYDRA_OUT_OF_MEMORY = 2,    /* the system refused memory; nothing is kept */
    HYDRA_UNAVAILABLE = 3,      /* the backend or instruction set cannot run here */
    HYDRA_IO = 4,               /* a file could not be opened or mapped */
    HYDRA_INTERNAL = 5          /* a fault of this library */
} hydra_status;

/* Element and weight types; the numbers are GGUF's, but for R8, which no file has. A block type holds `block` values of
 * one row in `bytes` bytes. */
typedef enum hydra_type {
    HYDRA_F32 = 0,
    HYDRA_F16 = 1,
    HYDRA_Q4_0 = 2,  /* 32 values, 18 bytes: f16 scale d, 16 bytes of nibbles; value = d * (q - 8) */
    HYDRA_Q4_1 = 3,  /* 32 values, 20 bytes: f16 scale d, f16 minimum m, nibbles; value = d * q + m */
    HYDRA_Q5_0 = 6,  /* 32 values, 22 bytes: f16 scale d, the fifth bits, nibbles; value = d * (q - 16) */
    HYDRA_Q5_1 = 7,  /* 32 values, 24 bytes: f16 scale d, f16 minimum m, the fifth bits, nibbles; value = d * q + m */
    HYDRA_Q8_0 = 8,  /* 32 values, 34 bytes: f16 scale d, 32 signed bytes; value = d * q */
    HYDRA_Q4_K = 12, /* 256 values, 144 bytes: f16 d and m, 12 bytes of 6-bit scales s and minimums n of 32 values each,
                        nibbles; value = d * s * q - m * n */
    HYDRA_Q5_K = 13, /* 256 values, 176 bytes: as Q4_K, before the nibbles 32 bytes of fifth bits */
    HYDRA_Q6_K = 14, /* 256 values, 210 bytes: nibbles, bit pairs, 8-bit scales s of 16, f16 d; d * s * (q - 32) */
    HYDRA_BF16 = 30,
    HYDRA_R8 = 256 /* a whole row: f32 scale d, a signed byte for each value; value = d * q */
} hydra_type;

/* HYDRA_ABI_VERSION of the library that was loaded. */
HYDRA_API int32_t hydra_abi_version(void);

/* The last failure of this thread with its causes, one per line; "" if there was none. Valid until the next failure. */
HYDRA_API const char* hydra_error_message(void);

#ifdef __cplusplus
}
#endif
#endif
