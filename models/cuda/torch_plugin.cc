// libbertha_torch_cuda.so: TorchScript modules on CUDA behind models/cuda_plugin.h. As on the CPU: a batch is padded to
// its longest sequence and the module runs as it was traced, in its own numeric type.
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <caffe2/serialize/read_adapter_interface.h>
#include <cuda_runtime_api.h>
#include <torch/csrc/jit/passes/tensorexpr_fuser.h>
#include <torch/script.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

#include "models/cuda/device_list.h"
#include "models/cuda/module_device.h"
#include "models/cuda/run_in_parts.h"
#include "models/cuda_plugin.h"
#include "models/kernels/cuda/outcome.h"

namespace bertha::cuda {
namespace {

using models::CudaBatch;
using models::CudaModelOptions;
using models::CudaModelSource;
using models::CudaModule;
using models::CudaOutcome;
using Code = CudaOutcome::Code;

/// The first line of what Torch says, without its C++ stack.
std::string Reason(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  std::string text = torch_error ? torch_error->what_without_backtrace() : error.what();
  if (const size_t reason = text.rfind("RuntimeError: "); reason != std::string::npos) text.erase(0, reason);
  return text.substr(0, text.find('\n'));
}

/// Calls Torch; what it throws becomes an outcome. An error that CUDA keeps is told from one of this call by asking.
template <class Call>
CudaOutcome WithoutExceptions(Call call) {
  std::string reason;
  try {
    return call();
  } catch (const c10::OutOfMemoryError& error) {
    return {Code::kOutOfMemory, Reason(error)};
  } catch (const std::exception& error) {
    reason = Reason(error);
  }
  CudaOutcome outcome = Outcome(cudaDeviceSynchronize(), "running the module");
  if (outcome.code != Code::kDeviceLost) outcome = {Code::kInternal, reason};
  return outcome;
}

class BytesReader final : public caffe2::serialize::ReadAdapterInterface {
 public:
  explicit BytesReader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  size_t size() const override { return bytes_.size(); }
  size_t read(uint64_t at, void* to, size_t count, const char*) const override {
    if (at > bytes_.size()) return 0;
    count = std::min<size_t>(count, bytes_.size() - at);
    memcpy(to, bytes_.data() + at, count);
    return count;
  }

 private:
  const std::span<const std::byte> bytes_;
};

struct ModelState {
  torch::jit::Module module;
  CudaModule description;  ///< without the file
  c10::DeviceIndex device = 0;
  const char* dtype = "fp32";
  size_t weight_bytes = 0;
};

class TorchReplica final : public models::CudaReplica {
 public:
  explicit TorchReplica(std::shared_ptr<const ModelState> model)
      : model_(std::move(model)), stream_(c10::cuda::getStreamFromPool(false, model_->device)) {}

  CudaOutcome Stage(const CudaBatch& batch, int slot) override {
    return WithoutExceptions([&] { return Pad(batch, slots_[slot]); });
  }

  CudaOutcome Run(int index, std::vector<float>& values) override {
    const Slot& slot = slots_[index];
    values.clear();
    auto part = [&](size_t first, size_t count) {
      const size_t before = values.size();
      CudaOutcome outcome = WithoutExceptions([&] { return Forward(slot, first, count, values); });
      if (outcome.code == Code::kOutOfMemory) {
        values.resize(before);
        c10::cuda::CUDACachingAllocator::emptyCache();
      }
      return outcome;
    };
    CudaOutcome outcome = slot.lengths.empty() ? CudaOutcome() : RunInParts(0, slot.lengths.size(), part);
    if (!outcome.ok()) values.clear();
    return outcome;
  }

  size_t device_bytes() const override { return 0; }  // Torch's allocator has them
  size_t max_tokens() const override { return 0; }

 private:
  /// [inputs, rows, length] in pinned memory: ids, mask and, if the module takes them, types.
  struct Slot {
    at::Tensor inputs;
    std::vector<int64_t> lengths;
  };

  CudaOutcome Pad(const CudaBatch& batch, Slot& slot) {
    const CudaModule& module = model_->description;
    slot.lengths.clear();
    for (size_t i = 0; i < batch.size(); ++i) slot.lengths.push_back(batch.cu_seqlens[i + 1] - batch.cu_seqlens[i]);
    if (slot.lengths.empty()) return {};
    const auto rows = static_cast<int64_t>(slot.lengths.size());
    const int64_t length = *std::ranges::max_element(slot.lengths);
    slot.inputs = torch::empty({module.takes_type_ids ? 3 : 2, rows, length},
                               at::TensorOptions(torch::kInt64).pinned_memory(true));
    int64_t *const ids = slot.inputs.data_ptr<int64_t>(), *const mask = ids + rows * length,
                   *const types = mask + rows * length;
    std::fill_n(ids, rows * length, module.padding_id);
    std::fill_n(mask, rows * length, 0);
    if (module.takes_type_ids) std::fill_n(types, rows * length, module.padding_type_id);
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t count = slot.lengths[static_cast<size_t>(i)], begin = batch.cu_seqlens[static_cast<size_t>(i)];
      const int64_t at = i * length + (module.pads_left ? length - count : 0);
      std::copy_n(batch.ids.begin() + begin, count, ids + at);
      std::fill_n(mask + at, count, 1);
      if (module.takes_type_ids) std::copy_n(batch.type_ids.begin() + begin, count, types + at);
    }
    return {};
  }

  /// Appends the outputs of rows [first, first + count).
  CudaOutcome Forward(const Slot& slot, size_t first, size_t count, std::vector<float>& values) {
    const CudaModule& module = model_->description;
    const c10::cuda::CUDAGuard device(model_->device);
    const c10::cuda::CUDAStreamGuard stream(stream_);
    c10::InferenceMode inference;
    const at::Tensor inputs = slot.inputs.narrow(1, static_cast<int64_t>(first), static_cast<int64_t>(count))
                                  .to(c10::Device(torch::kCUDA, model_->device), /*non_blocking=*/true);
    std::vector<c10::IValue> arguments;
    for (const at::Tensor& input : inputs.unbind(0)) arguments.push_back(input);
    torch::jit::Module program = model_->module;
    c10::IValue result = program.forward(std::move(arguments));
    if (result.isTuple() && !result.toTupleRef().elements().empty()) result = result.toTupleRef().elements()[0];
    if (!result.isTensor()) return {Code::kInternal, "forward() returned no tensor"};
    const at::Tensor output = result.toTensor().to(torch::kFloat32).to(torch::kCPU).contiguous();
    const auto width = static_cast<int64_t>(module.output_width), rows = static_cast<int64_t>(count);
    const int64_t length = slot.inputs.size(2);
    const auto expected = module.row_per_token ? std::vector<int64_t>{rows, length, width} : std::vector{rows, width};
    if (output.sizes() != at::IntArrayRef(expected)) return {Code::kInternal, "forward() returned another shape"};
    const float* from = output.data_ptr<float>();
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t tokens = module.row_per_token ? slot.lengths[first + static_cast<size_t>(i)] : 1;
      const int64_t row = module.row_per_token ? length : 1, pad = module.pads_left ? row - tokens : 0;
      const float* begin = from + (i * row + pad) * width;
      values.insert(values.end(), begin, begin + tokens * width);
    }
    return {};
  }

  const std::shared_ptr<const ModelState> model_;
  const c10::cuda::CUDAStream stream_;
  Slot slots_[kSlots];
};

class TorchModel final : public models::CudaModel {
 public:
  explicit TorchModel(std::shared_ptr<const ModelState> state) : state_(std::move(state)) {}
  CudaOutcome NewReplica(std::unique_ptr<models::CudaReplica>& replica) override {
    return WithoutExceptions([&]() -> CudaOutcome {
      replica = std::make_unique<TorchReplica>(state_);
      return {};
    });
  }
  size_t weight_bytes() const override { return state_->weight_bytes; }
  const char* dtype() const override { return state_->dtype; }

 private:
  const std::shared_ptr<const ModelState> state_;
};

CudaOutcome Make(const CudaModelSource& source, const CudaModelOptions& options,
                 std::unique_ptr<models::CudaModel>& model) {
  if (!source.module) return {Code::kInvalid, "TorchScript needs a module"};
  if (CudaOutcome outcome = UseDevice(options.device); !outcome.ok()) return outcome;
  // It would compile kernels anew for each shape of batch.
  torch::jit::setTensorExprFuserEnabled(false);
  auto state = std::make_shared<ModelState>();
  state->description = *source.module;
  state->description.file = {};
  state->device = static_cast<c10::DeviceIndex>(options.device);
  torch::jit::Module module = torch::jit::load(std::make_shared<BytesReader>(source.module->file), torch::kCPU);
  module.eval();
  MoveModule(module, "cuda:" + std::to_string(options.device));
  for (const at::Tensor& tensor : module.parameters()) {
    state->weight_bytes += tensor.nbytes();
    if (tensor.scalar_type() == torch::kBFloat16) state->dtype = "bf16";
    if (tensor.scalar_type() == torch::kHalf) state->dtype = "fp16";
  }
  state->module = torch::jit::freeze(module);
  model = std::make_unique<TorchModel>(std::move(state));
  return {};
}

class TorchPlugin final : public models::CudaPlugin {
 public:
  CudaOutcome ListDevices(std::vector<models::CudaDevice>& devices) override { return cuda::ListDevices(devices); }
  CudaOutcome NewModel(const CudaModelSource& source, const CudaModelOptions& options,
                       std::unique_ptr<models::CudaModel>& model) override {
    return WithoutExceptions([&] { return Make(source, options, model); });
  }
  CudaOutcome ReadMemory(int device, models::CudaMemory& memory) override { return cuda::ReadMemory(device, memory); }
};

TorchPlugin plugin;

}  // namespace
}  // namespace bertha::cuda

extern "C" __attribute__((visibility("default"))) bertha::models::CudaPluginEntry bertha_cuda_plugin;
bertha::models::CudaPluginEntry bertha_cuda_plugin = {.plugin = &bertha::cuda::plugin};
