// What is a module, what it says of itself, and its weights.
#include <torch/script.h>

#include "models/torchscript_engine.h"
#include "models/torchscript_weights.h"
#include "tests/catch.h"
#include "tests/models/torchscript_support.h"

namespace bertha::models {
namespace {

TEST_CASE("WhatIsNoUsableModuleIsRefused") {
  struct Case {
    const char* source;
    bool type_ids;
    std::string message;
  };
  const std::vector<Case> cases = {
      {"def classify(self, ids, mask): return ids", false, "the module has no forward()"},
      {"def forward(self, ids): return ids", false, "forward() takes 1 inputs, bertha.json names 2"},
      {"def forward(self, ids, mask): return ids", true, "forward() takes 2 inputs, bertha.json names 3"},
      {"def forward(self, ids, mask, types): return types", false, "forward() needs 3 inputs, bertha.json names 2"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.source);
    CHECK(Load(c.source, ManifestOf(1, c.type_ids)).status() == absl::InvalidArgumentError(c.message));
  }
}

TEST_CASE("InputsBeyondTheManifestsMayHaveDefaults") {
  auto encoder = Compile("def forward(self, ids, mask, scale: float = 2.0): return ids[:, 0:1] * scale", ManifestOf(1));
  CHECK(Answer(*encoder, {{21}}) == Rows{{42}});
}

TEST_CASE("AFileThatIsNoTorchScriptIsRefusedInOneLine") {
  TempDir dir;
  WriteFile(dir / "empty.pt", "");
  WriteFile(dir / "text.pt", "not a zip archive");
  torch::jit::Module module("m");
  module.define(kEcho);
  module.save(dir / "model.pt");
  const std::string whole = FileContent(dir / "model.pt");
  WriteFile(dir / "cut.pt", whole.substr(0, whole.size() / 2));
  for (const char* name : {"empty.pt", "text.pt", "cut.pt"}) {
    CAPTURE(name);
    const absl::Status status = LoadFile(dir, name, ManifestOf(4)).status();
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    const std::string message(status.message());
    CHECK_THAT(message, Catch::StartsWith("cannot be loaded as TorchScript: "));
    CHECK(message.size() > sizeof("cannot be loaded as TorchScript: "));
    CHECK_THAT(message, !Catch::Contains("\n"));
    CHECK_THAT(message, !Catch::Contains("frame #"));
  }
}

// LibTorch would take the number of a memo entry for the size of a table: gigabytes.
TEST_CASE("AFlippedBitInAPickleIsFoundBeforeLibTorchReadsIt") {
  TempDir dir;
  torch::jit::Module module("m");
  module.define(kEcho);
  module.save(dir / "model.pt");
  const std::string whole = FileContent(dir / "model.pt");
  const size_t pickle = whole.find("c__torch__\nm\n");
  REQUIRE(pickle != std::string::npos);
  for (const size_t at : {pickle, pickle + 8}) {
    std::string flipped = whole;
    flipped[at] ^= 1;
    WriteFile(dir / "model.pt", flipped);
    const absl::Status status = LoadFile(dir, "model.pt", ManifestOf(4)).status();
    CHECK(status.code() == absl::StatusCode::kDataLoss);
    CHECK_THAT(std::string(status.message()),
               Catch::StartsWith("the archive is damaged: ") && Catch::EndsWith("/data.pkl does not match its CRC-32"));
  }
}

TEST_CASE("TheDescriptionSaysWhatTheModuleIs") {
  const std::vector<std::pair<c10::ScalarType, std::string>> cases = {
      {torch::kFloat32, "fp32"}, {torch::kBFloat16, "bf16"}, {torch::kHalf, "fp16"}};
  for (const auto& [type, name] : cases) {
    torch::jit::Module module("m");
    module.register_parameter("weight", torch::full({1, 2}, 2, type), false);
    module.define("def forward(self, ids, mask): return ids[:, 0:1] * self.weight\n");
    absl::StatusOr<TorchScriptModule> loaded = Load(module, ManifestOf(2));
    REQUIRE(loaded.ok());
    CHECK(loaded->weight_bytes() == 2 * c10::elementSize(type));
    auto encoder = loaded->NewReplica(1);
    const batcher::EncoderDescription& description = encoder->Describe();
    CHECK(description.dtype == name);
    CHECK(description.engine == "torchscript");
    CHECK(description.device == "cpu");
    CHECK(description.max_sequence_length == 100);
    CHECK(description.output_width == 2);
    CHECK(description.pads);
    CHECK(Answer(*encoder, {{3}, {4}}) == Rows{{6, 6}, {8, 8}});
  }
}

/// A module with weights of many kinds, which forward() need not read.
torch::jit::Module WithWeights() {
  torch::jit::Module inner("inner");
  inner.register_parameter("weight", torch::arange(6.0f).view({2, 3}), false);
  inner.register_parameter("turned", torch::arange(6.0f).view({2, 3}).t(), false);
  inner.register_parameter("half", torch::full({2}, 0.5f, torch::kHalf), false);
  inner.register_parameter("bfloat", torch::full({1, 2}, -1.5f, torch::kBFloat16), false);
  inner.register_buffer("wide", torch::full({}, 0.25f, torch::kDouble));
  inner.register_buffer("places", torch::arange(4));
  torch::jit::Module module("m");
  module.register_module("layer", inner);
  module.register_parameter("bias", torch::ones({2}), true);
  module.define("def forward(self, ids, mask): return self.layer.weight[:1] + ids[:, :1]\n");
  return module;
}

std::vector<float> Values(const NamedWeight& weight) {
  size_t size = 1;
  for (const size_t n : weight.shape) size *= n;
  return {weight.data.get(), weight.data.get() + size};
}

TEST_CASE("WeightsAreLiftedByNameAsFp32") {
  NamedWeights weights;
  {
    const absl::StatusOr<TorchScriptModule> module = Load(WithWeights(), ManifestOf(3));
    REQUIRE(module.ok());
    weights = module->LiftWeights();
  }  // the module is gone
  REQUIRE(weights.size() == 7);
  using Shape = std::vector<size_t>;
  CHECK(weights["layer.weight"].shape == Shape{2, 3});
  CHECK(Values(weights["layer.weight"]) == std::vector<float>{0, 1, 2, 3, 4, 5});
  CHECK(weights["layer.turned"].shape == Shape{3, 2});
  CHECK(Values(weights["layer.turned"]) == std::vector<float>{0, 3, 1, 4, 2, 5});
  CHECK(Values(weights["layer.half"]) == std::vector<float>{0.5, 0.5});
  CHECK(weights["layer.bfloat"].shape == Shape{1, 2});
  CHECK(Values(weights["layer.bfloat"]) == std::vector<float>{-1.5, -1.5});
  CHECK(weights["layer.wide"].shape.empty());
  CHECK(Values(weights["layer.wide"]) == std::vector<float>{0.25});
  CHECK(weights["layer.places"].shape == Shape{4});
  CHECK_FALSE(weights["layer.places"].data);
  CHECK(Values(weights["bias"]) == std::vector<float>{1, 1});
}

TEST_CASE("LiftedFp32WeightsAreTheModulesOwnMemory") {
  const at::Tensor tensor = torch::ones({4});
  torch::jit::Module module("m");
  module.register_parameter("weight", tensor, false);
  const auto owners = tensor.storage().use_count();
  NamedWeights weights = LiftWeights(module);
  CHECK(weights["weight"].data.get() == tensor.data_ptr<float>());
  CHECK(tensor.storage().use_count() > owners);
  weights.clear();
  CHECK(tensor.storage().use_count() == owners);
}

TEST_CASE("AFrozenModuleAndItsLiftedWeightsShareTheirMemory") {
  torch::jit::Module module("m");
  module.register_parameter("table", torch::ones({8, 4}), false);
  module.define("def forward(self, ids, mask): return torch.embedding(self.table, ids[:, 0])\n");
  absl::StatusOr<TorchScriptModule> loaded = Load(module, ManifestOf(4));
  REQUIRE(loaded.ok());
  REQUIRE(loaded->Freeze() == absl::OkStatus());
  auto encoder = loaded->NewReplica(1);
  CHECK(Answer(*encoder, {{3}}) == Rows{{1, 1, 1, 1}});
  // The frozen module computes with what is lifted.
  const NamedWeights weights = loaded->LiftWeights();
  const_cast<float*>(weights.at("table").data.get())[3 * 4] = 7;
  CHECK(Answer(*encoder, {{3}}) == Rows{{7, 1, 1, 1}});
}

}  // namespace
}  // namespace bertha::models
