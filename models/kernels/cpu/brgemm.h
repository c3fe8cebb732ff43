// Tiles by oneDNN's micro-kernel, as LibTorch exports it (at::native::cpublas::brgemm): the way to AMX.
//
// It generates code for each number of rows, of columns and depth when it first meets them. Free of Torch for those
// that include it. Thread-safety: as GemmKernel; each thread has a context of its own.
#ifndef BERTHA_MODELS_KERNELS_CPU_BRGEMM_H_
#define BERTHA_MODELS_KERNELS_CPU_BRGEMM_H_

#include "models/kernels/cpu/gemm_kernel.h"

namespace bertha::models {

/// bf16 needs AVX512_BF16, 8-bit integers AVX512_VNNI; both use AMX where the processor has it.
extern const GemmKernel kBrgemmBf16;
extern const GemmKernel kBrgemmInt8;

}  // namespace bertha::models

#endif  // BERTHA_MODELS_KERNELS_CPU_BRGEMM_H_
