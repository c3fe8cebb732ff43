#include "models/kernels/cpu/gemm_kernel.h"

#include "models/kernels/cpu/instruction_set.h"

namespace bertha::models {
const GemmKernel& GemmKernelFor(Dtype dtype) {
#ifdef __x86_64__
  if (dtype == Dtype::kBf16 && AvailableInstructions().avx512_bf16) return internal::kAvx512Bf16;
  if (dtype == Dtype::kInt8 && AvailableInstructions().avx512_vnni) return internal::kAvx512Vnni;
#endif
  return internal::PortableKernel(dtype);
}

const GemmKernel& AttentionKernelFor(Dtype dtype) {
  // Without such an instruction bf16 is only a smaller way to keep weights, and there are none here.
  const GemmKernel& bf16 = GemmKernelFor(Dtype::kBf16);
  return dtype != Dtype::kFp32 && bf16.activations == Element::kBf16 ? bf16 : GemmKernelFor(Dtype::kFp32);
}

}  // namespace bertha::models
