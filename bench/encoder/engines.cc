#include "bench/encoder/engines.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "models/families/families.h"
#include "models/fused_engine.h"
#include "models/model.h"
#include "models/package_contents.h"
#include "models/torchscript_engine.h"
#include "server/cores.h"

namespace bertha::bench {
namespace {

constexpr std::array<absl::string_view, 2> kEngines = {"torchscript", "fused"};
constexpr std::array<absl::string_view, 4> kDtypes = {"fp32", "bf16", "int8", "auto"};

absl::StatusOr<Engine> LoadTorchScript(const std::string& directory, const EngineChoice& choice) {
  if (choice.device != "cpu") {
    return absl::UnimplementedError(
        absl::StrCat("this build runs TorchScript on the CPU only, not on ", choice.device));
  }
  auto model =
      models::LoadModel(directory, {.replicas = 1, .threads = choice.threads, .max_threads = server::AvailableCores()});
  if (!model.ok()) return model.status();
  Engine engine;
  engine.choice = choice;
  engine.choice.threads = model->threads;
  engine.choice.dtype = model->replicas[0]->Describe().dtype;
  if (choice.dtype != "auto" && choice.dtype != engine.choice.dtype) {
    return absl::InvalidArgumentError(
        absl::StrCat("TorchScript runs this package in ", engine.choice.dtype, ", not in ", choice.dtype));
  }
  engine.manifest = std::move(model->manifest);
  engine.tokenizer = std::move(model->tokenizer);
  engine.encoder = std::move(model->replicas[0]);
  engine.weight_bytes = model->weight_bytes;
  return engine;
}

/// The numeric type of this name.
std::optional<models::Dtype> DtypeOf(absl::string_view name) {
  for (const models::Dtype dtype : {models::Dtype::kFp32, models::Dtype::kBf16, models::Dtype::kInt8}) {
    if (name == models::DtypeName(dtype)) return dtype;
  }
  return std::nullopt;
}

struct Network {
  models::PackageContents contents;
  models::EncoderWeights weights;
};

absl::StatusOr<Network> ReadNetwork(const std::string& directory) {
  absl::StatusOr<models::PackageContents> contents = models::ReadPackage(directory);
  if (!contents.ok()) return contents.status();
  auto file = contents->files.OpenFile(models::kModuleFile);
  if (!file.ok()) return file.status();
  auto module = models::TorchScriptModule::Load(*std::move(file), contents->manifest);
  if (!module.ok()) return models::Blame(models::kModuleFile, module.status());
  auto weights = models::BuildEncoder(module->LiftWeights(), contents->manifest);
  if (!weights.ok()) return models::Blame(models::kModuleFile, weights.status());
  return Network{*std::move(contents), *std::move(weights)};
}

absl::StatusOr<Engine> LoadFused(const std::string& directory, const EngineChoice& choice) {
  if (choice.device != "cpu") {
    return absl::UnimplementedError(absl::StrCat("this build has no fused engine for ", choice.device));
  }
  const std::optional<models::Dtype> dtype = DtypeOf(choice.dtype);
  if (!dtype) return absl::UnimplementedError("say which numeric type: fp32, bf16 or int8");
  absl::StatusOr<Network> network = ReadNetwork(directory);
  if (!network.ok()) return network.status();
  const absl::StatusOr<models::FusedModel> model = models::FusedModel::Make(network->weights, *dtype);
  if (!model.ok()) return model.status();
  Engine engine;
  engine.choice = choice;
  if (choice.threads == 0) engine.choice.threads = server::AvailableCores();
  engine.encoder = model->NewReplica(engine.choice.threads);
  engine.weight_bytes = model->weight_bytes();
  engine.manifest = std::move(network->contents.manifest);
  engine.tokenizer = std::move(network->contents.tokenizer);
  return engine;
}

}  // namespace

std::string NameOf(const EngineChoice& choice) { return absl::StrCat(choice.engine, ":", choice.dtype); }

absl::StatusOr<EngineChoice> ParseEngine(absl::string_view text, EngineChoice rest) {
  const std::vector<std::string> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
  rest.engine = parts[0];
  if (parts.size() == 2) rest.dtype = parts[1];
  if (std::ranges::find(kEngines, rest.engine) == kEngines.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no engine \"", rest.engine, "\": choose of ", absl::StrJoin(kEngines, ", ")));
  }
  if (std::ranges::find(kDtypes, rest.dtype) == kDtypes.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no numeric type \"", rest.dtype, "\": choose of ", absl::StrJoin(kDtypes, ", ")));
  }
  return rest;
}

std::optional<Architecture> ReadArchitecture(const std::string& directory) {
  const absl::StatusOr<Network> network = ReadNetwork(directory);
  if (!network.ok()) return std::nullopt;
  return ArchitectureOf(network->weights);
}

absl::StatusOr<Engine> LoadEngine(const std::string& directory, const EngineChoice& choice) {
  malloc_trim(0);  // what an engine before this one freed is not to hide what this one takes
  const double before = ResidentBytes();
  const auto begin = std::chrono::steady_clock::now();
  absl::StatusOr<Engine> engine =
      choice.engine == "fused" ? LoadFused(directory, choice) : LoadTorchScript(directory, choice);
  if (!engine.ok()) {
    return absl::Status(engine.status().code(), absl::StrCat(NameOf(choice), ": ", engine.status().message()));
  }
  engine->load_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  engine->resident_bytes = ResidentBytes() - before;
  return engine;
}

double ResidentBytes() {
  double total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

}  // namespace bertha::bench
