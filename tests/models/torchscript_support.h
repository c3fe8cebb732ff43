// TorchScript modules written down in a test, and what they answer.
#ifndef BERTHA_TESTS_MODELS_TORCHSCRIPT_SUPPORT_H_
#define BERTHA_TESTS_MODELS_TORCHSCRIPT_SUPPORT_H_

#include <torch/script.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/torchscript_engine.h"
#include "tests/catch.h"
#include "tests/models/support.h"

namespace bertha::models {

/// One row for each text: sum of its ids, first and last id of the padded row, length of the text.
inline constexpr char kEcho[] = R"(
def forward(self, ids, mask):
    return torch.stack([(ids * mask).sum(1), ids[:, 0], ids[:, -1], mask.sum(1)], 1) * 1.0
)";

inline Manifest ManifestOf(size_t labels, bool type_ids = false, const Padding& padding = {}) {
  Manifest manifest;
  for (size_t i = 0; i < labels; ++i) manifest.labels.push_back(std::to_string(i));
  manifest.max_length = 100;
  manifest.takes_type_ids = type_ids;
  manifest.padding = padding;
  return manifest;
}

inline absl::StatusOr<TorchScriptModule> LoadFile(const TempDir& dir, const std::string& name,
                                                  const Manifest& manifest) {
  const absl::StatusOr<Package> package = Package::Open(dir.path());
  REQUIRE(package.ok());
  auto file = package->OpenFile(name);
  REQUIRE(file.ok());
  return TorchScriptModule::Load(*std::move(file), manifest);
}

inline absl::StatusOr<TorchScriptModule> Load(torch::jit::Module module, const Manifest& manifest) {
  TempDir dir;
  module.save(dir / "model.pt");
  return LoadFile(dir, "model.pt", manifest);
}

inline absl::StatusOr<TorchScriptModule> Load(const std::string& source, const Manifest& manifest) {
  torch::jit::Module module("m");
  module.define(source + "\n");
  return Load(module, manifest);
}

/// An encoder of a module that must load.
inline std::unique_ptr<batcher::Encoder> Compile(const std::string& source, const Manifest& manifest, int threads = 1) {
  absl::StatusOr<TorchScriptModule> module = Load(source, manifest);
  INFO(module.status().ToString());
  REQUIRE(module.ok());
  return module->NewReplica(threads);  // keeps the module alive
}

/// Texts as token ids; type ids are the ids' last digits.
struct Texts {
  batcher::PackedBatch batch() const { return {ids, type_ids, cu_seqlens}; }
  std::vector<int32_t> ids, type_ids, cu_seqlens = {0};
};

inline Texts Pack(const std::vector<std::vector<int32_t>>& rows) {
  Texts texts;
  for (const auto& row : rows) {
    for (const int32_t id : row) {
      texts.ids.push_back(id);
      texts.type_ids.push_back(id % 10);
    }
    texts.cu_seqlens.push_back(static_cast<int32_t>(texts.ids.size()));
  }
  return texts;
}

using Rows = std::vector<std::vector<float>>;

inline absl::Status RunSlot(batcher::Encoder& encoder, int slot, Rows& rows) {
  batcher::EncoderOutput output{7, 7, {1, 2, 3}};  // what another batch left behind
  absl::Status status = encoder.Run(slot, output);
  rows.clear();
  if (!status.ok()) return status;
  for (size_t i = 0; i < output.rows; ++i) rows.emplace_back(output.row(i).begin(), output.row(i).end());
  return status;
}

inline Rows Answer(batcher::Encoder& encoder, const std::vector<std::vector<int32_t>>& texts, int slot = 0) {
  REQUIRE(encoder.Stage(Pack(texts).batch(), slot).ok());
  Rows rows;
  const absl::Status status = RunSlot(encoder, slot, rows);
  INFO(status.ToString());
  REQUIRE(status.ok());
  return rows;
}

inline absl::Status Failure(batcher::Encoder& encoder, const std::vector<std::vector<int32_t>>& texts) {
  REQUIRE(encoder.Stage(Pack(texts).batch(), 0).ok());
  Rows rows;
  return RunSlot(encoder, 0, rows);
}

}  // namespace bertha::models

#endif  // BERTHA_TESTS_MODELS_TORCHSCRIPT_SUPPORT_H_
