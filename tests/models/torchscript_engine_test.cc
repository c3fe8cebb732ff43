#include "models/torchscript_engine.h"

#include <ATen/Parallel.h>
#include <torch/csrc/jit/frontend/sugared_value.h>
#include <torch/script.h>

#include <thread>

#include "models/torchscript_weights.h"
#include "tests/catch.h"
#include "tests/models/support.h"

namespace bertha::models {
namespace {

using batcher::Encoder;
using batcher::EncoderOutput;

/// One row for each text: sum of its ids, first and last id of the padded row, length of the text.
constexpr char kEcho[] = R"(
def forward(self, ids, mask):
    return torch.stack([(ids * mask).sum(1), ids[:, 0], ids[:, -1], mask.sum(1)], 1) * 1.0
)";

Manifest ManifestOf(size_t labels, bool type_ids = false, const Padding& padding = {}) {
  Manifest manifest;
  for (size_t i = 0; i < labels; ++i) manifest.labels.push_back(std::to_string(i));
  manifest.max_length = 100;
  manifest.takes_type_ids = type_ids;
  manifest.padding = padding;
  return manifest;
}

absl::StatusOr<TorchScriptModule> LoadFile(const TempDir& dir, const std::string& name, const Manifest& manifest) {
  const absl::StatusOr<Package> package = Package::Open(dir.path());
  REQUIRE(package.ok());
  auto file = package->OpenFile(name);
  REQUIRE(file.ok());
  return TorchScriptModule::Load(*std::move(file), manifest);
}

absl::StatusOr<TorchScriptModule> Load(torch::jit::Module module, const Manifest& manifest) {
  TempDir dir;
  module.save(dir / "model.pt");
  return LoadFile(dir, "model.pt", manifest);
}

absl::StatusOr<TorchScriptModule> Load(const std::string& source, const Manifest& manifest) {
  torch::jit::Module module("m");
  module.define(source + "\n");
  return Load(module, manifest);
}

/// An encoder of a module that must load.
std::unique_ptr<Encoder> Compile(const std::string& source, const Manifest& manifest, int threads = 1) {
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

Texts Pack(const std::vector<std::vector<int32_t>>& rows) {
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

absl::Status RunSlot(Encoder& encoder, int slot, Rows& rows) {
  EncoderOutput output{7, 7, {1, 2, 3}};  // what another batch left behind
  absl::Status status = encoder.Run(slot, output);
  rows.clear();
  if (!status.ok()) return status;
  for (size_t i = 0; i < output.rows; ++i) rows.emplace_back(output.row(i).begin(), output.row(i).end());
  return status;
}

Rows Answer(Encoder& encoder, const std::vector<std::vector<int32_t>>& texts, int slot = 0) {
  REQUIRE(encoder.Stage(Pack(texts).batch(), slot).ok());
  Rows rows;
  const absl::Status status = RunSlot(encoder, slot, rows);
  INFO(status.ToString());
  REQUIRE(status.ok());
  return rows;
}

absl::Status Failure(Encoder& encoder, const std::vector<std::vector<int32_t>>& texts) {
  REQUIRE(encoder.Stage(Pack(texts).batch(), 0).ok());
  Rows rows;
  return RunSlot(encoder, 0, rows);
}

TEST_CASE("ShortRowsArePaddedOnTheSideOfTheManifest") {
  const std::vector<std::vector<int32_t>> texts = {{11, 12, 13, 14}, {21}, {31, 32, 33}};
  auto right = Compile(kEcho, ManifestOf(4, false, {.id = 9}));
  CHECK(Answer(*right, texts) == Rows{{50, 11, 14, 4}, {21, 21, 9, 1}, {96, 31, 9, 3}});
  auto left = Compile(kEcho, ManifestOf(4, false, {.id = 9, .left = true}));
  CHECK(Answer(*left, texts) == Rows{{50, 11, 14, 4}, {21, 9, 21, 1}, {96, 9, 33, 3}});
}

TEST_CASE("ARowIsPaddedToTheLongestOfItsOwnBatchOnly") {
  auto encoder =
      Compile("def forward(self, ids, mask): return (mask.sum(1, True) * 0 + ids.size(1)) * 1.0", ManifestOf(1));
  CHECK(Answer(*encoder, {{1}, {1, 2, 3, 4, 5}}) == Rows{{5}, {5}});
  CHECK(Answer(*encoder, {{1, 2}}) == Rows{{2}});
}

TEST_CASE("TypeIdsAreTheThirdInputAndPaddedWithTheirOwnValue") {
  auto encoder = Compile(R"(
def forward(self, ids, mask, types):
    return torch.stack([(types * mask).sum(1), types[:, 0], types[:, -1]], 1) * 1.0
)",
                         ManifestOf(3, true, {.id = 9, .type_id = 7}));
  CHECK(Answer(*encoder, {{11, 12, 13}, {24}}) == Rows{{6, 1, 3}, {4, 4, 7}});
}

TEST_CASE("AModuleWithoutTypeIdsNeedsNone") {
  auto encoder = Compile(kEcho, ManifestOf(4));
  Texts texts = Pack({{11, 12}, {21}});
  texts.type_ids.clear();
  REQUIRE(encoder->Stage(texts.batch(), 0).ok());
  Rows rows;
  REQUIRE(RunSlot(*encoder, 0, rows).ok());
  CHECK(rows == Rows{{23, 11, 12, 2}, {21, 21, 0, 1}});
}

TEST_CASE("LogitsMayBeTheFirstOfATupleAndOfAnyNumericType") {
  for (const char* source : {
           "def forward(self, ids, mask): return (ids[:, 0:1] * 1.0, 'rest')",
           "def forward(self, ids, mask): return (ids[:, 0:1] * 1.0,)",
           "def forward(self, ids, mask): return ids[:, 0:1]",
           "def forward(self, ids, mask): return (ids[:, 0:1] * 1.0).double()",
           "def forward(self, ids, mask): return ids.t()[0:1].t()",  // not contiguous
       }) {
    CAPTURE(source);
    CHECK(Answer(*Compile(source, ManifestOf(1)), {{3, 4}, {5}, {6}}) == Rows{{3}, {5}, {6}});
  }
}

TEST_CASE("SlotsKeepWhatWasStagedIntoThem") {
  auto encoder = Compile(kEcho, ManifestOf(4));
  const Texts a = Pack({{11, 12}}), b = Pack({{21}, {22, 23, 24}});
  REQUIRE(encoder->Stage(a.batch(), 0).ok());
  REQUIRE(encoder->Stage(b.batch(), 1).ok());
  const Rows of_a = {{23, 11, 12, 2}}, of_b = {{21, 21, 0, 1}, {69, 22, 24, 3}};
  Rows rows;
  for (const int slot : {0, 1, 1, 0}) {
    CAPTURE(slot);
    REQUIRE(RunSlot(*encoder, slot, rows).ok());
    CHECK(rows == (slot == 0 ? of_a : of_b));
  }
  CHECK(Answer(*encoder, {{31}}, 1) == Rows{{31, 31, 31, 1}});
  REQUIRE(RunSlot(*encoder, 0, rows).ok());
  CHECK(rows == of_a);
}

/// A row for each token: its id, its place in the padded row, the length of the text.
constexpr char kEchoTokens[] = R"(
def forward(self, ids, mask):
    places = torch.arange(ids.size(1)).expand_as(ids)
    return torch.stack([ids, places, mask.sum(1, True).expand_as(ids)], 2) * 1.0
)";

Manifest TokenManifest(size_t labels, const Padding& padding = {}) {
  Manifest manifest = ManifestOf(labels, false, padding);
  manifest.task = Task::kTokenClassification;
  return manifest;
}

TEST_CASE("ARowForEachTokenComesInPackedOrderWithoutThePadding") {
  const std::vector<std::vector<int32_t>> texts = {{11, 12}, {21, 22, 23, 24}, {31}};
  auto right = Compile(kEchoTokens, TokenManifest(3, {.id = 9}));
  CHECK(right->Describe().row_per_token);
  CHECK(right->Describe().output_width == 3);
  CHECK(Answer(*right, texts) ==
        Rows{{11, 0, 2}, {12, 1, 2}, {21, 0, 4}, {22, 1, 4}, {23, 2, 4}, {24, 3, 4}, {31, 0, 1}});
  auto left = Compile(kEchoTokens, TokenManifest(3, {.id = 9, .left = true}));
  CHECK(Answer(*left, texts) ==
        Rows{{11, 2, 2}, {12, 3, 2}, {21, 0, 4}, {22, 1, 4}, {23, 2, 4}, {24, 3, 4}, {31, 3, 1}});
  // What was staged into the other slot has rows of its own.
  REQUIRE(left->Stage(Pack({{1, 2, 3}}).batch(), 1).ok());
  CHECK(Answer(*left, {{5}, {6, 7}}, 0) == Rows{{5, 1, 1}, {6, 0, 2}, {7, 1, 2}});
  Rows rows;
  REQUIRE(RunSlot(*left, 1, rows).ok());
  CHECK(rows == Rows{{1, 0, 3}, {2, 1, 3}, {3, 2, 3}});
}

TEST_CASE("RowsOfTokensMayBeOfAnyNumericTypeAndOrderInMemory") {
  for (const char* source : {
           "def forward(self, ids, mask): return (torch.stack([ids, mask], 2) * 1.0).double()",
           "def forward(self, ids, mask): return (torch.stack([ids, mask], 2) * 1.0).half()",
           "def forward(self, ids, mask): return (torch.stack([ids, mask]).permute([1, 2, 0]), 'rest')",
       }) {
    CAPTURE(source);
    CHECK(Answer(*Compile(source, TokenManifest(2)), {{3}, {4, 5}}) == Rows{{3, 1}, {4, 1}, {5, 1}});
  }
}

TEST_CASE("RowsOfTokensOfTheWrongShapeAreAnErrorThatNamesBothShapes") {
  const std::vector<std::pair<const char*, std::string>> cases = {
      {"def forward(self, ids, mask): return ids * 1.0", "[2, 3]"},
      {"def forward(self, ids, mask): return torch.zeros([2, 2])", "[2, 2]"},
      {"def forward(self, ids, mask): return torch.zeros([2, 3, 3])", "[2, 3, 3]"},
      {"def forward(self, ids, mask): return torch.zeros([2, 4, 2])", "[2, 4, 2]"},
      {"def forward(self, ids, mask): return torch.zeros([3, 2, 2])", "[3, 2, 2]"},
      {"def forward(self, ids, mask): return torch.zeros([2, 3, 2, 1])", "[2, 3, 2, 1]"},
  };
  const std::vector<std::pair<Task, std::string>> tasks = {
      {Task::kTokenClassification, "for each token one logit for each label of bertha.json"},
      {Task::kQuestionAnswering, "for each token a start and an end logit"},
      {Task::kEmbeddings, "for each token a vector of the dimension in bertha.json"}};
  for (const auto& [task, meaning] : tasks) {
    Manifest manifest = TokenManifest(2);
    manifest.task = task;
    manifest.dimension = 2;
    for (const auto& [source, shape] : cases) {
      CAPTURE(source, meaning);
      auto encoder = Compile(source, manifest);
      CHECK(Failure(*encoder, {{1, 2, 3}, {3}}) ==
            absl::InternalError("forward() returned a tensor of shape " + shape + ", expected [2, 3, 2]: " + meaning));
    }
  }
}

TEST_CASE("OutputOfTheWrongShapeIsAnErrorThatNamesBothShapes") {
  struct Case {
    const char* source;
    std::string shape;
  };
  const std::vector<Case> cases = {
      {"def forward(self, ids, mask): return ids[:, 0:1] * 1.0", "[2, 1]"},
      {"def forward(self, ids, mask): return torch.zeros([2, 4])", "[2, 4]"},
      {"def forward(self, ids, mask): return torch.zeros([1, 3])", "[1, 3]"},
      {"def forward(self, ids, mask): return torch.zeros([6])", "[6]"},
      {"def forward(self, ids, mask): return torch.zeros([2, 3, 1])", "[2, 3, 1]"},
      {"def forward(self, ids, mask): return ids.sum() * 1.0", "[]"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.source);
    auto encoder = Compile(c.source, ManifestOf(3));
    const absl::Status status = Failure(*encoder, {{1, 2}, {3}});
    CHECK(status.code() == absl::StatusCode::kInternal);
    CHECK(status.message() == "forward() returned a tensor of shape " + c.shape +
                                  ", expected [2, 3]: one logit for each label of bertha.json");
  }
}

TEST_CASE("OutputThatIsNoTensorIsAnErrorThatNamesItsType") {
  const std::vector<std::pair<const char*, std::string>> cases = {
      {"def forward(self, ids, mask): return 1", "Int"},
      {"def forward(self, ids, mask): return ('logits', ids)", "String"},
      {"def forward(self, ids, mask): return {'logits': ids}", "GenericDict"},
  };
  for (const auto& [source, type] : cases) {
    auto encoder = Compile(source, ManifestOf(3));
    CHECK(Failure(*encoder, {{1}}) ==
          absl::InternalError("the forward pass failed: forward() returned " + type + ", expected a tensor"));
  }
}

TEST_CASE("AModuleThatThrowsGivesOneLineAndStaysUsable") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"assert False, 'no such token'", "AssertionError: no such token"},
      {"ids = ids[:, 999:].squeeze(0)[5]", "index 5 out of range"},
      {"ids = ids.view([-1, 1000])", "shape '[-1, 1000]' is invalid"},
      {"ids = [ids][3]", "list index out of range"},
  };
  for (const auto& [bad, reason] : cases) {
    auto encoder = Compile("def forward(self, ids, mask):\n    if int(ids[0, 0]) == 666:\n        " + bad +
                               "\n    return ids[:, 0:1] * 1.0\n",
                           ManifestOf(1));
    for (int round = 0; round < 4; ++round) {  // the interpreter optimizes after the first calls
      CAPTURE(bad, round);
      CHECK(Answer(*encoder, {{7}}) == Rows{{7}});
      const absl::Status status = Failure(*encoder, {{666}});
      CHECK(status.code() == absl::StatusCode::kInternal);
      const std::string message(status.message());
      CHECK_THAT(message, Catch::StartsWith("the forward pass failed: "));
      CHECK_THAT(message, Catch::Contains(reason));
      CHECK_THAT(message, !Catch::Contains("\n"));
      CHECK_THAT(message, !Catch::Contains("frame #"));
    }
  }
}

/// Knows what `ValueError` is: only Python's compiler does by itself, exported modules come from there.
struct ExceptionResolver final : torch::jit::Resolver {
  struct ValueError final : torch::jit::SugaredValue {
    std::string kind() const override { return "class"; }
    std::shared_ptr<SugaredValue> call(const torch::jit::SourceRange& at, torch::jit::GraphFunction& caller,
                                       at::ArrayRef<torch::jit::NamedValue> arguments,
                                       at::ArrayRef<torch::jit::NamedValue>, size_t) override {
      torch::jit::Graph& graph = *caller.graph();
      return std::make_shared<torch::jit::ExceptionMessageValue>(
          arguments[0].value(graph), torch::jit::insertConstant(graph, std::string("builtins.ValueError"), at));
    }
  };
  std::shared_ptr<torch::jit::SugaredValue> resolveValue(const std::string& name, torch::jit::GraphFunction& m,
                                                         const torch::jit::SourceRange& at) override {
    if (name == "ValueError") return std::make_shared<ValueError>();
    return torch::jit::nativeResolver()->resolveValue(name, m, at);
  }
};

TEST_CASE("AnExceptionThatTheModuleRaisesIsQuoted") {
  torch::jit::Module module("m");
  module.define(R"(
def forward(self, ids, mask):
    if int(ids[0, 0]) == 666:
        raise ValueError("no such token")
    return ids[:, 0:1] * 1.0
)",
                std::make_shared<ExceptionResolver>());
  absl::StatusOr<TorchScriptModule> loaded = Load(module, ManifestOf(1));
  REQUIRE(loaded.ok());
  auto encoder = loaded->NewReplica(1);
  CHECK(Failure(*encoder, {{666}}) ==
        absl::InternalError("the forward pass failed: builtins.ValueError: no such token"));
  CHECK(Answer(*encoder, {{7}}) == Rows{{7}});
}

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

TEST_CASE("ReplicasOutliveTheModuleAndAnswerSideBySide") {
  std::unique_ptr<Encoder> replicas[2];
  {
    absl::StatusOr<TorchScriptModule> module = Load(kEcho, ManifestOf(4));
    REQUIRE(module.ok());
    TorchScriptModule moved = *std::move(module);
    for (auto& replica : replicas) replica = moved.NewReplica(1);
  }
  int right[2] = {0, 0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        const int32_t id = 1000 * t + i + 1;
        const Texts texts = Pack({{id, id, id}, {id}});
        EncoderOutput output;
        if (!replicas[t]->Stage(texts.batch(), i % 2).ok() || !replicas[t]->Run(i % 2, output).ok()) continue;
        const auto x = static_cast<float>(id);
        right[t] += output.values == std::vector<float>{3 * x, x, x, 3, x, x, 0, 1};
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right[0] == 200);
  CHECK(right[1] == 200);
}

/// Runs `work` on a thread of its own, which Torch has not seen before.
template <class Work>
void OnFreshThread(Work work) {
  std::thread(work).join();
}

TEST_CASE("AForwardPassUsesTheThreadsOfItsReplica") {
  auto one = Compile(kEcho, ManifestOf(4), 1), three = Compile(kEcho, ManifestOf(4), 3);
  std::vector<int> used;
  OnFreshThread([&] {
    const Texts texts = Pack({{1}});
    EncoderOutput output;
    for (Encoder* encoder : {one.get(), three.get(), three.get(), one.get()}) {
      encoder->Stage(texts.batch(), 0).IgnoreError();
      encoder->Run(0, output).IgnoreError();
      used.push_back(at::get_num_threads());
    }
  });
  CHECK(used == std::vector<int>{1, 3, 3, 1});
}

// Torch keeps the last number that anybody set, and gives it to every thread at its first parallel operation.
TEST_CASE("AnotherThreadsReplicaDoesNotChangeTheThreadsOfThisOne") {
  auto one = Compile(kEcho, ManifestOf(4), 1), three = Compile(kEcho, ManifestOf(4), 3);
  auto run = [](Encoder& encoder) {
    const Texts texts = Pack({{1}});
    EncoderOutput output;
    encoder.Stage(texts.batch(), 0).IgnoreError();
    encoder.Run(0, output).IgnoreError();
  };
  int used = 0;
  OnFreshThread([&] {
    run(*one);  // too small for a parallel operation
    OnFreshThread([&] { run(*three); });
    run(*one);
    used = at::get_num_threads();
  });
  CHECK(used == 1);
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
