// The CUDA devices of this machine. Thread-safety: free functions.
#ifndef BERTHA_MODELS_CUDA_DEVICE_LIST_H_
#define BERTHA_MODELS_CUDA_DEVICE_LIST_H_

#include <vector>

#include "models/cuda_plugin.h"

namespace bertha::cuda {

/// kUnavailable, with what is missing, if there is none.
models::CudaOutcome ListDevices(std::vector<models::CudaDevice>& devices);

/// Makes `device` the calling thread's. kUnavailable if there is no such device or it is too old.
models::CudaOutcome UseDevice(int device);

/// Of a device that is in use. Makes it the calling thread's.
models::CudaOutcome ReadMemory(int device, models::CudaMemory& memory);

}  // namespace bertha::cuda

#endif  // BERTHA_MODELS_CUDA_DEVICE_LIST_H_
