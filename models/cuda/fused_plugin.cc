// libbertha_cuda.so: the fused engine behind models/cuda_plugin.h.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include "models/cuda/device_list.h"
#include "models/cuda/fused_replica.h"
#include "models/cuda_plugin.h"

namespace bertha::cuda {
namespace {

using models::CudaDtype;
using models::CudaModelOptions;
using models::CudaModelSource;
using models::CudaOutcome;
using Code = CudaOutcome::Code;

Dtype DtypeOf(CudaDtype dtype) {
  if (dtype == CudaDtype::kFp32) return Dtype::kFp32;
  return dtype == CudaDtype::kFp16 ? Dtype::kFp16 : Dtype::kBf16;
}

/// Memory that the host does not have is an exception, and none may leave the library.
template <class Call>
CudaOutcome WithoutExceptions(Call call) {
  try {
    return call();
  } catch (const std::exception& error) {
    return {Code::kInternal, std::string("the CUDA plug-in: ") + error.what()};
  }
}

class FusedModel final : public models::CudaModel {
 public:
  explicit FusedModel(std::shared_ptr<const FusedModelState> state) : state_(std::move(state)) {}

  CudaOutcome NewReplica(std::unique_ptr<models::CudaReplica>& replica) override {
    return WithoutExceptions([&] { return FusedReplica::Create(state_, replica); });
  }
  size_t weight_bytes() const override { return state_->weights.bytes(); }
  const char* dtype() const override {
    if (state_->weights.dtype == Dtype::kFp32) return "fp32";
    return state_->weights.dtype == Dtype::kFp16 ? "fp16" : "bf16";
  }

 private:
  const std::shared_ptr<const FusedModelState> state_;
};

CudaOutcome Make(const CudaModelSource& source, const CudaModelOptions& options,
                 std::unique_ptr<models::CudaModel>& model) {
  if (!source.weights) return {Code::kInvalid, "the fused engine needs an encoder's weights"};
  if (CudaOutcome outcome = UseDevice(options.device); !outcome.ok()) return outcome;
  auto state = std::make_shared<FusedModelState>();
  state->options = options;
  if (const cudaError_t error = Supports(DtypeOf(options.dtype)); error != cudaSuccess) {
    CudaOutcome outcome = Outcome(error, "no kernels of this numeric type for this device");
    outcome.code = Code::kUnavailable;
    return outcome;
  }
  CudaOutcome outcome = Matmul::Create(options.tune, state->matmul);
  if (outcome.ok()) outcome = LoadWeights(*source.weights, DtypeOf(options.dtype), *state->matmul, state->weights);
  if (outcome.ok()) model = std::make_unique<FusedModel>(std::move(state));
  return outcome;
}

class FusedPlugin final : public models::CudaPlugin {
 public:
  CudaOutcome ListDevices(std::vector<models::CudaDevice>& devices) override {
    return WithoutExceptions([&] { return cuda::ListDevices(devices); });
  }
  CudaOutcome NewModel(const CudaModelSource& source, const CudaModelOptions& options,
                       std::unique_ptr<models::CudaModel>& model) override {
    return WithoutExceptions([&] { return Make(source, options, model); });
  }
  CudaOutcome ReadMemory(int device, models::CudaMemory& memory) override {
    return WithoutExceptions([&] { return cuda::ReadMemory(device, memory); });
  }
};

FusedPlugin plugin;

}  // namespace
}  // namespace bertha::cuda

extern "C" __attribute__((visibility("default"))) bertha::models::CudaPluginEntry bertha_cuda_plugin;
bertha::models::CudaPluginEntry bertha_cuda_plugin = {.plugin = &bertha::cuda::plugin};
