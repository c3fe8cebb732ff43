// A package's network on CUDA devices: the fused engine where it can, else TorchScript there; checked like any other.
//
// Thread-safety: free functions.
#ifndef BERTHA_MODELS_CUDA_MODEL_H_
#define BERTHA_MODELS_CUDA_MODEL_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "batcher/encoder.h"
#include "models/cuda_engine.h"
#include "models/model.h"
#include "models/package_contents.h"
#include "models/self_check.h"

namespace bertha::models {

struct CudaReplicas {
  /// [EngineOptions::replicas], the devices in turn: at least as many as devices are needed for all of them to work.
  std::vector<std::unique_ptr<batcher::Encoder>> replicas;
  /// Those that have one.
  std::vector<CudaDeviceInUse> devices;
  /// On each device.
  size_t weight_bytes = 0;
  ProbeReport report;
};

/// For an EngineOptions::device other than "cpu". `refused` gets a line for each engine and numeric type that was tried
/// in vain. FAILED_PRECONDITION if a library, the driver or a device is missing; RESOURCE_EXHAUSTED if a device has no
/// memory for it; INVALID_ARGUMENT for a device that is none.
absl::StatusOr<CudaReplicas> MakeCudaReplicas(const PackageContents& contents, const EngineOptions& options,
                                              std::vector<std::string>& refused);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_CUDA_MODEL_H_
