// CUDA's errors as outcomes.
#ifndef BERTHA_MODELS_KERNELS_CUDA_OUTCOME_H_
#define BERTHA_MODELS_KERNELS_CUDA_OUTCOME_H_

#include <cuda_runtime_api.h>

#include "models/cuda_plugin.h"

namespace bertha::cuda {

/// `error` of doing `what` ("copying the input"). An error after which the device answers everything with an error is
/// kDeviceLost; others are taken off CUDA's record, so that the next call does not see them.
models::CudaOutcome Outcome(cudaError_t error, const char* what);

}  // namespace bertha::cuda

#endif  // BERTHA_MODELS_KERNELS_CUDA_OUTCOME_H_
