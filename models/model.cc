#include "models/model.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "models/checksums.h"
#include "models/torchscript_engine.h"

namespace bertha::models {
namespace {

constexpr size_t kMaxManifestBytes = 1 << 20;
constexpr size_t kMaxTokenizerBytes = 64 << 20;
constexpr size_t kMaxProbesBytes = 64 << 20;

absl::Status Blame(absl::string_view file, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(file, ": ", status.message()));
}

absl::Status LoadTokenizer(const std::string& dir, Model& model) {
  absl::StatusOr<std::string> text = ReadFile(absl::StrCat(dir, "/tokenizer.json"), kMaxTokenizerBytes);
  if (!text.ok()) return text.status();
  auto tokenizer = tokenizer::Tokenizer::FromJson(*text);
  if (!tokenizer.ok()) return Blame("tokenizer.json", tokenizer.status());
  model.tokenizer = *std::move(tokenizer);
  return absl::OkStatus();
}

absl::Status LoadManifest(const std::string& dir, Model& model) {
  absl::StatusOr<std::string> text = ReadFile(absl::StrCat(dir, "/bertha.json"), kMaxManifestBytes);
  if (!text.ok()) return text.status();
  absl::StatusOr<Manifest> manifest = ParseManifest(*text);
  if (!manifest.ok()) return Blame("bertha.json", manifest.status());
  model.manifest = *std::move(manifest);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Probe>> LoadProbes(const std::string& dir, const Model& model) {
  absl::StatusOr<std::string> text = ReadFile(absl::StrCat(dir, "/probes.json"), kMaxProbesBytes);
  if (!text.ok()) return text.status();
  absl::StatusOr<std::vector<Probe>> probes = ParseProbes(*text, model.manifest);
  if (!probes.ok()) return Blame("probes.json", probes.status());
  if (absl::Status status = CheckTokenizer(*model.tokenizer, model.manifest, *probes); !status.ok()) {
    return Blame("tokenizer.json", status);
  }
  return probes;
}

}  // namespace

absl::StatusOr<Model> LoadModel(const std::string& dir, const EngineOptions& options) {
  Model model;
  if (absl::Status status = VerifySums(dir); !status.ok()) return status;
  if (absl::Status status = LoadManifest(dir, model); !status.ok()) return status;
  if (absl::Status status = LoadTokenizer(dir, model); !status.ok()) return status;
  absl::StatusOr<std::vector<Probe>> probes = LoadProbes(dir, model);
  if (!probes.ok()) return probes.status();
  absl::StatusOr<TorchScriptReplicas> engine = LoadTorchScript(absl::StrCat(dir, "/model.pt"), model.manifest, options);
  if (!engine.ok()) return Blame("model.pt", engine.status());
  model.replicas = std::move(engine->replicas);
  model.weight_bytes = engine->weight_bytes;
  absl::StatusOr<ProbeReport> report = CheckEncoder(*model.replicas.front(), *probes, kFp32Tolerance);
  if (!report.ok()) return Blame("model.pt", report.status());
  model.probes = *report;
  return model;
}

}  // namespace bertha::models
