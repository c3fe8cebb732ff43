// What an encoder makes of texts, and of modules that fail.
#include <ATen/Parallel.h>
#include <torch/csrc/jit/frontend/sugared_value.h>
#include <torch/script.h>

#include <thread>

#include "models/torchscript_engine.h"
#include "tests/catch.h"
#include "tests/models/torchscript_support.h"

namespace bertha::models {
namespace {

using batcher::Encoder;
using batcher::EncoderOutput;

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

}  // namespace
}  // namespace bertha::models
