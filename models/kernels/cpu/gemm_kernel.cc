#include "models/kernels/cpu/gemm_kernel.h"

#include <atomic>

#include "models/kernels/cpu/instruction_set.h"

namespace bertha::models {
namespace {

std::atomic<const GemmKernel*> amx_bf16 = nullptr, amx_int8 = nullptr;

}  // namespace

void SetAmxKernels(const GemmKernel& bf16, const GemmKernel& int8) {
  amx_bf16 = &bf16;
  amx_int8 = &int8;
}

const GemmKernel& GemmKernelFor(Dtype dtype) {
  if (AvailableInstructions().amx) {
    const GemmKernel* const amx = dtype == Dtype::kBf16   ? amx_bf16.load()
                                  : dtype == Dtype::kInt8 ? amx_int8.load()
                                                          : nullptr;
    if (amx != nullptr) return *amx;
  }
#ifdef __x86_64__
  if (dtype == Dtype::kBf16 && AvailableInstructions().avx512_bf16) return internal::kAvx512Bf16;
  if (dtype == Dtype::kInt8 && AvailableInstructions().avx512_vnni) return internal::kAvx512Vnni;
#endif
  return internal::PortableKernel(dtype);
}

const GemmKernel& AttentionKernelFor(Dtype dtype) {
#ifdef __x86_64__
  // Not AMX's: its kernels are made for one depth each, and here the depth is the length of the text.
  if (dtype != Dtype::kFp32 && AvailableInstructions().avx512_bf16) return internal::kAvx512Bf16;
#endif
  // Without such an instruction bf16 is only a smaller way to keep weights, and there are none here.
  return internal::PortableKernel(Dtype::kFp32);
}

}  // namespace bertha::models
