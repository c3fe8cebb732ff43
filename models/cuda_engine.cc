#include "models/cuda_engine.h"

#include <dlfcn.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace bertha::models {
namespace {

constexpr char kDeviceLost[] = "bertha/device-lost";

absl::Status ToStatus(const CudaOutcome& outcome) {
  using Code = CudaOutcome::Code;
  switch (outcome.code) {
    case Code::kOk:
      return absl::OkStatus();
    case Code::kInvalid:
    case Code::kUnavailable:
      return absl::FailedPreconditionError(outcome.message);
    case Code::kOutOfMemory:
      return absl::ResourceExhaustedError(outcome.message);
    case Code::kInternal:
      return absl::InternalError(outcome.message);
    case Code::kDeviceLost:
      break;
  }
  absl::Status status = absl::InternalError(absl::StrCat("the CUDA device is lost to this process: ", outcome.message));
  status.SetPayload(kDeviceLost, absl::Cord());
  return status;
}

/// A batch's failure is the engine's, whatever it is.
absl::Status BatchStatus(const CudaOutcome& outcome) {
  const absl::Status status = ToStatus(outcome);
  if (status.ok() || absl::IsInternal(status)) return status;
  return absl::InternalError(outcome.message);
}

class CudaEncoder final : public batcher::Encoder {
 public:
  CudaEncoder(std::shared_ptr<CudaModel> model, std::unique_ptr<CudaReplica> replica,
              batcher::EncoderDescription description)
      : model_(std::move(model)), replica_(std::move(replica)), description_(std::move(description)) {}

  const batcher::EncoderDescription& Describe() const override { return description_; }

  absl::Status Stage(const batcher::PackedBatch& batch, int slot) override {
    return BatchStatus(replica_->Stage({batch.ids, batch.type_ids, batch.cu_seqlens}, slot));
  }

  absl::Status Run(int slot, batcher::EncoderOutput& output) override {
    output.width = description_.output_width;
    const absl::Status status = BatchStatus(replica_->Run(slot, output.values));
    output.rows = status.ok() ? output.values.size() / output.width : 0;
    return status;
  }

 private:
  const std::shared_ptr<CudaModel> model_;
  const std::unique_ptr<CudaReplica> replica_;
  const batcher::EncoderDescription description_;
};

/// Where a library lies beside this program, or just its name.
std::string Beside(const std::string& library) {
  if (library.find('/') != std::string::npos) return library;
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::filesystem::path path = program.parent_path() / library;
  return !error && std::filesystem::exists(path, error) ? path.string() : library;
}

absl::Status CheckEntry(const CudaPluginEntry& entry, const std::string& library) {
  const CudaPluginEntry expected;
  if (entry.version != expected.version) {
    return absl::FailedPreconditionError(absl::StrCat("device cuda: ", library, " is a plug-in of version ",
                                                      entry.version, ", this program takes ", expected.version));
  }
  if (entry.weights_size != expected.weights_size || entry.options_size != expected.options_size ||
      absl::string_view(entry.build) != expected.build) {
    return absl::FailedPreconditionError(absl::StrCat("device cuda: ", library, " is of another build (", entry.build,
                                                      ") than this program (", expected.build, ")"));
  }
  return absl::OkStatus();
}

}  // namespace

bool IsDeviceLost(const absl::Status& status) { return status.GetPayload(kDeviceLost).has_value(); }

absl::StatusOr<DeviceChoice> ParseDevice(absl::string_view device) {
  const absl::Status error =
      absl::InvalidArgumentError(absl::StrCat("\"", device, "\": expected cpu, cuda, cuda:0 or cuda:0,1,..."));
  if (device == "cpu") return DeviceChoice{};
  if (!absl::ConsumePrefix(&device, "cuda")) return error;
  DeviceChoice choice = {.cuda = true};
  if (device.empty()) return choice;
  if (!absl::ConsumePrefix(&device, ":")) return error;
  for (const absl::string_view number : absl::StrSplit(device, ',')) {
    int index = -1;
    if (!absl::SimpleAtoi(number, &index) || index < 0) return error;
    choice.indices.push_back(index);
  }
  return choice;
}

absl::StatusOr<CudaMemory> CudaDeviceInUse::ReadMemory() const {
  CudaMemory memory;
  if (absl::Status status = ToStatus(plugin_->ReadMemory(index_, memory)); !status.ok()) return status;
  return memory;
}

absl::StatusOr<CudaEngine> CudaEngine::Open(const std::string& library) {
  const std::string path = Beside(library);
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char* reason = dlerror();
    return absl::FailedPreconditionError(
        absl::StrCat("device cuda: ", library, " cannot be opened: ", reason ? reason : "no reason given"));
  }
  const auto* entry = static_cast<const CudaPluginEntry*>(dlsym(handle, kCudaPluginSymbol));
  if (!entry) {
    return absl::FailedPreconditionError(absl::StrCat("device cuda: ", library, " is no plug-in of this program"));
  }
  if (absl::Status status = CheckEntry(*entry, library); !status.ok()) return status;
  CudaEngine engine;
  engine.plugin_ = entry->plugin;
  const CudaOutcome listed = engine.plugin_->ListDevices(engine.devices_);
  if (!listed.ok()) return absl::FailedPreconditionError(absl::StrCat("device cuda: ", listed.message));
  return engine;
}

absl::StatusOr<CudaEngine::Model> CudaEngine::NewModel(const CudaModelSource& source, const CudaModelOptions& options,
                                                       batcher::EncoderDescription description) const {
  std::unique_ptr<CudaModel> made;
  if (absl::Status status = ToStatus(plugin_->NewModel(source, options, made)); !status.ok()) return status;
  Model model;
  model.model_ = std::move(made);
  model.description_ = std::move(description);
  model.description_.device = absl::StrCat("cuda:", options.device);
  model.description_.dtype = model.model_->dtype();
  return model;
}

absl::StatusOr<std::unique_ptr<batcher::Encoder>> CudaEngine::Model::NewReplica() const {
  std::unique_ptr<CudaReplica> replica;
  if (absl::Status status = ToStatus(model_->NewReplica(replica)); !status.ok()) return status;
  return std::make_unique<CudaEncoder>(model_, std::move(replica), description_);
}

batcher::EncoderDescription DescribeFused(const EncoderWeights& weights) {
  return {.engine = "fused",
          .device = "cuda",
          .max_sequence_length = weights.max_length,
          .output_width = weights.output_width(),
          .row_per_token = weights.head.rows == HeadRows::kAll};
}

}  // namespace bertha::models
