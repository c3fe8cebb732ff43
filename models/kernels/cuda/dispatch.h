// From a numeric type that is known at run time to one that the compiler knows.
#ifndef BERTHA_MODELS_KERNELS_CUDA_DISPATCH_H_
#define BERTHA_MODELS_KERNELS_CUDA_DISPATCH_H_

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "models/kernels/cuda/kernels.h"

namespace bertha::cuda {

/// call(T()) with the type that `dtype` names.
template <class Call>
auto WithDtype(Dtype dtype, Call call) {
  switch (dtype) {
    case Dtype::kFp16:
      return call(__half());
    case Dtype::kBf16:
      return call(__nv_bfloat16());
    case Dtype::kFp32:
      break;
  }
  return call(float());
}

}  // namespace bertha::cuda

#endif  // BERTHA_MODELS_KERNELS_CUDA_DISPATCH_H_
