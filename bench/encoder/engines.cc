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
#include "models/model.h"
#include "models/package_contents.h"
#include "models/torchscript_engine.h"
#include "server/cores.h"

namespace bertha::bench {
namespace {

constexpr std::array<absl::string_view, 3> kEngines = {"torchscript", "fused", "auto"};
constexpr std::array<absl::string_view, 4> kDtypes = {"fp32", "bf16", "int8", "auto"};

models::EngineChoice KindOf(const EngineChoice& choice) {
  if (choice.engine == "auto") return models::EngineChoice::kAuto;
  return choice.engine == "fused" ? models::EngineChoice::kFused : models::EngineChoice::kTorchScript;
}

/// An error if what was loaded is not what was asked for.
absl::Status CheckChoice(const EngineChoice& wanted, const EngineChoice& made,
                         const std::vector<std::string>& refused) {
  if (wanted.engine == "auto" || wanted.dtype == "auto" || wanted.dtype == made.dtype) return absl::OkStatus();
  if (wanted.engine == "fused") return absl::FailedPreconditionError(absl::StrJoin(refused, "; "));
  return absl::InvalidArgumentError(
      absl::StrCat("TorchScript runs this package in ", made.dtype, ", not in ", wanted.dtype));
}

}  // namespace

std::optional<Architecture> ReadArchitecture(const std::string& directory) {
  const absl::StatusOr<models::PackageContents> contents = models::ReadPackage(directory);
  if (!contents.ok()) return std::nullopt;
  auto file = contents->files.OpenFile(models::kModuleFile);
  if (!file.ok()) return std::nullopt;
  const auto module = models::TorchScriptModule::Load(*std::move(file), contents->manifest);
  if (!module.ok()) return std::nullopt;
  const auto weights = models::BuildEncoder(module->LiftWeights(), contents->manifest);
  if (!weights.ok()) return std::nullopt;
  return ArchitectureOf(*weights);
}

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

absl::StatusOr<Engine> LoadEngine(const std::string& directory, const EngineChoice& choice) {
  const auto blame = [&](const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat(NameOf(choice), ": ", status.message()));
  };
  if (choice.device != "cpu") {
    return blame(absl::UnimplementedError(absl::StrCat("this build knows no device \"", choice.device, "\"")));
  }
  malloc_trim(0);  // what an engine before this one freed is not to hide what this one takes
  const double before = ResidentBytes();
  const auto begin = std::chrono::steady_clock::now();
  auto model = models::LoadModel(directory, {.engine = KindOf(choice),
                                             .dtype = choice.dtype,
                                             .replicas = 1,
                                             .threads = choice.threads,
                                             .max_threads = server::AvailableCores()});
  if (!model.ok()) return blame(model.status());
  Engine engine;
  engine.load_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  engine.resident_bytes = ResidentBytes() - before;
  engine.choice = choice;
  engine.choice.threads = model->threads;
  engine.choice.engine = model->replicas[0]->Describe().engine;
  engine.choice.dtype = model->replicas[0]->Describe().dtype;
  if (absl::Status status = CheckChoice(choice, engine.choice, model->refused); !status.ok()) return blame(status);
  engine.manifest = std::move(model->manifest);
  engine.tokenizer = std::move(model->tokenizer);
  engine.encoder = std::move(model->replicas[0]);
  engine.weight_bytes = model->weight_bytes;
  return engine;
}

double ResidentBytes() {
  double total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

}  // namespace bertha::bench
