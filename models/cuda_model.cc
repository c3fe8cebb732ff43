#include "models/cuda_model.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/families/families.h"
#include "models/torchscript_engine.h"

namespace bertha::models {
namespace {

struct NamedDtype {
  const char* name;
  CudaDtype dtype;
};
constexpr NamedDtype kDtypes[] = {{"bf16", CudaDtype::kBf16}, {"fp16", CudaDtype::kFp16}, {"fp32", CudaDtype::kFp32}};

/// fp16 rounds less than bf16 does, and where it overflows the check sees it.
Tolerance ToleranceOnCuda(absl::string_view dtype) { return ToleranceOf(dtype == "fp16" ? "bf16" : dtype); }

/// The devices that are asked for. FAILED_PRECONDITION if there is no such one.
absl::StatusOr<std::vector<int>> ChosenDevices(const CudaEngine& engine, const DeviceChoice& choice) {
  std::vector<int> chosen = choice.indices;
  if (chosen.empty()) {
    for (const CudaDevice& device : engine.devices()) chosen.push_back(device.index);
  }
  for (const int index : chosen) {
    if (static_cast<size_t>(index) >= engine.devices().size()) {
      return absl::FailedPreconditionError(
          absl::StrCat("device cuda:", index, ": there are ", engine.devices().size(), " CUDA devices"));
    }
  }
  return chosen;
}

/// `source` on every device; the first replica answers the probes.
absl::StatusOr<CudaReplicas> MakeChecked(const CudaEngine& engine, const DeviceChoice& choice,
                                         const CudaModelSource& source, CudaModelOptions cuda_options,
                                         const batcher::EncoderDescription& description,
                                         const PackageContents& contents, const EngineOptions& options) {
  const absl::StatusOr<std::vector<int>> devices = ChosenDevices(engine, choice);
  if (!devices.ok()) return devices.status();
  CudaReplicas made;
  std::vector<CudaEngine::Model> models;
  for (size_t i = 0; i < (options.replicas > 0 ? options.replicas : devices->size()); ++i) {
    if (i < devices->size()) {
      cuda_options.device = (*devices)[i];
      absl::StatusOr<CudaEngine::Model> model = engine.NewModel(source, cuda_options, description);
      if (!model.ok()) return model.status();
      models.push_back(*std::move(model));
      made.devices.push_back(engine.DeviceInUse(cuda_options.device));
    }
    absl::StatusOr<std::unique_ptr<batcher::Encoder>> replica = models[i % models.size()].NewReplica();
    if (!replica.ok()) return replica.status();
    made.replicas.push_back(*std::move(replica));
    if (i > 0) continue;
    made.weight_bytes = models[0].weight_bytes();
    absl::StatusOr<ProbeReport> report = CheckEncoder(*made.replicas[0], contents.probes, contents.manifest,
                                                      ToleranceOnCuda(made.replicas[0]->Describe().dtype));
    if (!report.ok()) return report.status();
    made.report = *report;
  }
  return made;
}

absl::StatusOr<CudaReplicas> MakeFused(const PackageContents& contents, std::shared_ptr<const PackageFile> file,
                                       const DeviceChoice& choice, const EngineOptions& options,
                                       std::vector<std::string>& refused) {
  const absl::StatusOr<CudaEngine> engine = CudaEngine::Open(kFusedCudaLibrary);
  if (!engine.ok()) return engine.status();
  const absl::StatusOr<TorchScriptModule> module = TorchScriptModule::Load(std::move(file), contents.manifest);
  if (!module.ok()) return Blame(kModuleFile, module.status());
  const absl::StatusOr<EncoderWeights> weights = BuildEncoder(module->LiftWeights(), contents.manifest);
  if (!weights.ok()) return weights.status();
  CudaModelOptions cuda_options;
  if (options.batch_tokens) cuda_options.max_tokens = options.batch_tokens;
  if (options.dtype == "int8") refused.push_back("int8: not on CUDA");
  absl::Status last = absl::OkStatus();
  for (const NamedDtype& candidate : kDtypes) {
    // As on the CPU: a type that does not pass gives way to the next, more exact one.
    if (options.dtype == "fp32" && candidate.dtype != CudaDtype::kFp32) continue;
    cuda_options.dtype = candidate.dtype;
    absl::StatusOr<CudaReplicas> made =
        MakeChecked(*engine, choice, {.weights = &*weights}, cuda_options, DescribeFused(*weights), contents, options);
    if (made.ok() || IsDeviceLost(made.status())) return made;
    last = made.status();
    refused.push_back(absl::StrCat(candidate.name, ": ", last.message()));
  }
  return last;
}

absl::StatusOr<CudaReplicas> MakeTorchScript(const PackageContents& contents, const PackageFile& file,
                                             const DeviceChoice& choice, const EngineOptions& options) {
  const absl::StatusOr<CudaEngine> engine = CudaEngine::Open(kTorchCudaLibrary);
  if (!engine.ok()) return engine.status();
  std::vector<std::byte> bytes(file.size());
  if (file.ReadAt(0, bytes.data(), bytes.size()) != bytes.size()) {
    return Blame(kModuleFile, absl::DataLossError("cannot be read whole"));
  }
  if (absl::Status status = file.CheckUnchanged(); !status.ok()) return status;
  const Manifest& manifest = contents.manifest;
  const CudaModule module = {.file = bytes,
                             .takes_type_ids = manifest.takes_type_ids,
                             .padding_id = manifest.padding.id,
                             .padding_type_id = manifest.padding.type_id,
                             .pads_left = manifest.padding.left,
                             .row_per_token = manifest.row_per_token(),
                             .output_width = manifest.output_width(),
                             .max_length = manifest.max_length};
  const batcher::EncoderDescription description = {.engine = "torchscript",
                                                   .max_sequence_length = manifest.max_length,
                                                   .output_width = manifest.output_width(),
                                                   .row_per_token = manifest.row_per_token(),
                                                   .pads = true};
  return MakeChecked(*engine, choice, {.module = &module}, {}, description, contents, options);
}

}  // namespace

absl::StatusOr<CudaReplicas> MakeCudaReplicas(const PackageContents& contents, const EngineOptions& options,
                                              std::vector<std::string>& refused) {
  const absl::StatusOr<DeviceChoice> choice = ParseDevice(options.device);
  if (!choice.ok()) return choice.status();
  absl::StatusOr<std::shared_ptr<const PackageFile>> file = contents.files.OpenFile(kModuleFile);
  if (!file.ok()) return file.status();
  if (options.engine != EngineChoice::kTorchScript) {
    absl::StatusOr<CudaReplicas> fused = MakeFused(contents, *file, *choice, options, refused);
    if (fused.ok() || options.engine == EngineChoice::kFused || IsDeviceLost(fused.status())) return fused;
    if (refused.empty()) refused.push_back(absl::StrCat("fused: ", fused.status().message()));
  }
  absl::StatusOr<CudaReplicas> made = MakeTorchScript(contents, **file, *choice, options);
  if (made.ok() || refused.empty()) return made;
  return absl::Status(made.status().code(),
                      absl::StrCat(absl::StrJoin(refused, "; "), "; torchscript: ", made.status().message()));
}

}  // namespace bertha::models
