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
#include "models/model.h"
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

absl::StatusOr<Engine> LoadFused(const std::string&, const EngineChoice& choice) {
  return absl::UnimplementedError(absl::StrCat("this build has no fused engine for ", choice.device));
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
