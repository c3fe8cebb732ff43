// Encoders on CUDA devices: opens a plug-in (models/cuda_plugin.h) and puts its replicas behind the batcher's
// interface.
//
// berthad links no CUDA: where a library, the driver or a device is missing, opening fails with one line that says
// which. Thread-safety: CudaEngine is immutable; NewEncoder may be called by many threads. Encoders as
// batcher/encoder.h says.
#ifndef BERTHA_MODELS_CUDA_ENGINE_H_
#define BERTHA_MODELS_CUDA_ENGINE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "batcher/encoder.h"
#include "models/cuda_plugin.h"

namespace bertha::models {

inline constexpr char kFusedCudaLibrary[] = "libbertha_cuda.so";
inline constexpr char kTorchCudaLibrary[] = "libbertha_torch_cuda.so";

/// True for the status of an encoder whose process cannot use its device any more: end the process.
bool IsDeviceLost(const absl::Status& status);

/// Devices that a setting names: "cpu" none, "cuda" all, "cuda:0" or "cuda:0,2" those. INVALID_ARGUMENT for others.
struct DeviceChoice {
  bool cuda = false;
  std::vector<int> indices = {};  ///< empty: all
};
absl::StatusOr<DeviceChoice> ParseDevice(absl::string_view device);

/// A device that a model is on. Thread-safe.
class CudaDeviceInUse {
 public:
  /// `plugin` stays open.
  CudaDeviceInUse(int index, CudaPlugin* plugin) : index_(index), plugin_(plugin) {}

  int index() const { return index_; }
  /// Asks the driver. IsDeviceLost once the device is.
  absl::StatusOr<CudaMemory> ReadMemory() const;

 private:
  int index_;
  CudaPlugin* plugin_;
};

class CudaEngine {
 public:
  /// Opens `library`: beside this program if it is there, else where the loader looks; a path is taken as it is.
  /// FAILED_PRECONDITION if it cannot be, is of another build, or finds no usable device. It stays open.
  static absl::StatusOr<CudaEngine> Open(const std::string& library);

  const std::vector<CudaDevice>& devices() const { return devices_; }

  /// A model on `options.device`; `description` says what it is but for device and dtype, which are filled in.
  /// FAILED_PRECONDITION if the plug-in or the device cannot have it, RESOURCE_EXHAUSTED if there is no memory for it.
  class Model {
   public:
    absl::StatusOr<std::unique_ptr<batcher::Encoder>> NewReplica() const;
    size_t weight_bytes() const { return model_->weight_bytes(); }

   private:
    friend class CudaEngine;
    std::shared_ptr<CudaModel> model_;
    batcher::EncoderDescription description_;
  };
  absl::StatusOr<Model> NewModel(const CudaModelSource& source, const CudaModelOptions& options,
                                 batcher::EncoderDescription description) const;

  /// One of devices() that a model is on.
  CudaDeviceInUse DeviceInUse(int index) const { return {index, plugin_}; }

 private:
  CudaPlugin* plugin_ = nullptr;
  std::vector<CudaDevice> devices_;
};

/// What an encoder of `weights` is, for NewModel.
batcher::EncoderDescription DescribeFused(const EncoderWeights& weights);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_CUDA_ENGINE_H_
