// The whole engine against the reference, on small encoders.
#include "tests/cuda/device_array.h"
#include "tests/cuda/replica_support.h"

namespace bertha::cuda {
namespace {

using models::CudaOutcome;

const std::vector<std::string> kKinds = {"bert", "roberta", "distilbert", "albert", "xlnet", "tokens", "vectors"};

/// Two layers and a head round about a dozen times, by half an epsilon each, numbers about as large as the outputs;
/// errors have either sign.
float Tolerance(Dtype dtype, const std::vector<float>& outputs) {
  float largest = 0;
  for (const float x : outputs) largest = std::max(largest, std::fabs(x));
  return dtype == Dtype::kFp32 ? 1e-5f * std::max(largest, 1.f) : 4 * Epsilon(dtype) * largest;
}

TEST_CASE("Every family, in every numeric type, answers as the reference") {
  for (const std::string& kind : kKinds) {
    const models::EncoderWeights weights = MakeEncoder(kind, {});
    const SmallBatch batch(weights, {1, 20, 70, 3});
    const std::vector<float> expected = Expected(weights, batch);
    for (const Dtype dtype : kDtypes) {
      CAPTURE(kind, NameOf(dtype));
      CHECK(Difference(RunBatch(*MakeReplica(weights, dtype), batch), expected) < Tolerance(dtype, expected));
    }
  }
}

TEST_CASE("Sizes that no tensor core likes, with biases and without") {
  const models::EncoderShape shape = {.hidden = 36, .heads = 3, .head_size = 10, .intermediate = 50};
  for (const std::string& kind : kKinds) {
    CAPTURE(kind);
    models::EncoderWeights weights = MakeEncoder(kind, shape);
    const SmallBatch batch(weights, {5, 1, 17});
    CHECK(Difference(RunBatch(*MakeReplica(weights, Dtype::kFp32), batch), Expected(weights, batch)) < 1e-4f);
    for (models::LayerWeights& layer : weights.layers) {
      for (auto* linear : {&layer.query, &layer.value, &layer.output, &layer.up, &layer.down}) linear->bias = {};
    }
    CHECK(Difference(RunBatch(*MakeReplica(weights, Dtype::kFp32), batch), Expected(weights, batch)) < 1e-4f);
  }
}

TEST_CASE("A head's last step may be wide") {
  models::EncoderWeights weights = MakeEncoder("bert", {});
  const std::vector<float> numbers = RandomNumbers(100 * 65, Dtype::kFp32, 3, 0.2f);
  weights.head.steps.back() = {{{numbers.data(), 100, 64, 64}, std::span(numbers).last(100)},
                               models::Activation::kRelu};
  const SmallBatch batch(weights, {5, 12});
  CHECK(Difference(RunBatch(*MakeReplica(weights, Dtype::kFp32), batch), Expected(weights, batch)) < 1e-4f);
}

TEST_CASE("From the second batch of a size on a graph runs, and answers other batches of that size too") {
  for (const char* kind : {"bert", "xlnet", "tokens"}) {
    CAPTURE(kind);
    const models::EncoderWeights weights = MakeEncoder(kind, {});
    const auto replica = MakeReplica(weights, Dtype::kFp32);
    const auto& fused = dynamic_cast<const FusedReplica&>(*replica);
    const SmallBatch one(weights, {30, 10, 5}), other(weights, {1, 1, 1, 1, 1, 1, 41}, 2);  // 45 and 47 tokens
    CHECK(Difference(RunBatch(*replica, one), Expected(weights, one)) < 1e-4f);
    CHECK(fused.graphs() == 0);
    CHECK(Difference(RunBatch(*replica, one), Expected(weights, one)) < 1e-4f);
    CHECK(fused.graphs() == 1);
    CHECK(Difference(RunBatch(*replica, other), Expected(weights, other)) < 1e-4f);
    CHECK(Difference(RunBatch(*replica, one), Expected(weights, one)) < 1e-4f);
    CHECK(fused.graphs() == 1);
  }
}

TEST_CASE("Two slots hold two batches, and a slot that is staged again forgets the first") {
  const models::EncoderWeights weights = MakeEncoder("bert", {});
  const auto replica = MakeReplica(weights, Dtype::kFp32);
  const SmallBatch a(weights, {7, 9}), b(weights, {3}, 2), c(weights, {40, 1, 2}, 3);
  auto stage = [&](const SmallBatch& batch, int slot) {
    RequireOk(replica->Stage({batch.ids, batch.type_ids, batch.cu_seqlens}, slot));
  };
  auto run = [&](int slot) {
    std::vector<float> values;
    RequireOk(replica->Run(slot, values));
    return values;
  };
  stage(a, 0);
  stage(b, 1);
  CHECK(Difference(run(0), Expected(weights, a)) < 1e-4f);
  stage(c, 0);
  CHECK(Difference(run(1), Expected(weights, b)) < 1e-4f);
  stage(a, 1);
  stage(b, 1);
  CHECK(Difference(run(0), Expected(weights, c)) < 1e-4f);
  CHECK(Difference(run(1), Expected(weights, b)) < 1e-4f);
}

TEST_CASE("A batch larger than the memory made for it runs in parts") {
  for (const char* kind : {"bert", "tokens"}) {
    CAPTURE(kind);
    const models::EncoderWeights weights = MakeEncoder(kind, {.max_length = 32});
    const auto replica = MakeReplica(weights, Dtype::kFp32, {.max_tokens = 40, .tune = false});
    CHECK(replica->max_tokens() == 48);
    const SmallBatch batch(weights, {32, 30, 1, 20, 20, 31, 2, 2});
    for (int i = 0; i < 3; ++i) CHECK(Difference(RunBatch(*replica, batch), Expected(weights, batch)) < 1e-4f);
  }
}

TEST_CASE("A text's answer does not depend on its neighbours") {
  const models::EncoderWeights weights = MakeEncoder("bert", {});
  const auto replica = MakeReplica(weights, Dtype::kBf16);
  const SmallBatch all(weights, {20, 70, 3});
  const std::vector<float> together = RunBatch(*replica, all);
  for (size_t i = 0; i < 3; ++i) {
    SmallBatch alone = all;
    alone.ids.assign(all.ids.begin() + all.cu_seqlens[i], all.ids.begin() + all.cu_seqlens[i + 1]);
    alone.type_ids.assign(all.type_ids.begin() + all.cu_seqlens[i], all.type_ids.begin() + all.cu_seqlens[i + 1]);
    alone.cu_seqlens = {0, static_cast<int32_t>(alone.ids.size())};
    const auto row = together.begin() + static_cast<ptrdiff_t>(3 * i);
    CHECK(Difference(RunBatch(*replica, alone), {row, row + 3}) < 1e-2f);
  }
}

TEST_CASE("Warming up leaves a replica that answers") {
  const models::EncoderWeights weights = MakeEncoder("xlnet", {.layers = 1, .max_length = 20});
  const auto replica = MakeReplica(weights, Dtype::kFp32, {.max_tokens = 48, .tune = true});
  const SmallBatch batch(weights, {20, 4});
  CHECK(Difference(RunBatch(*replica, batch), Expected(weights, batch)) < 1e-4f);
}

TEST_CASE("An empty batch has no rows") {
  const models::EncoderWeights weights = MakeEncoder("bert", {.layers = 1});
  CHECK(RunBatch(*MakeReplica(weights, Dtype::kFp32), SmallBatch(weights, {})).empty());
}

TEST_CASE("A batch that cannot be is refused, and the next one served") {
  const models::EncoderWeights weights = MakeEncoder("bert", {.layers = 1});
  const auto replica = MakeReplica(weights, Dtype::kFp32);
  SmallBatch batch(weights, {5, 6});
  batch.ids[7] = 97;
  const CudaOutcome outcome = replica->Stage({batch.ids, batch.type_ids, batch.cu_seqlens}, 0);
  CHECK(outcome.code == CudaOutcome::Code::kInvalid);
  CHECK(outcome.message == "sequence 1: token id 97, the vocabulary has 97");
  batch.ids[7] = 96;
  CHECK(Difference(RunBatch(*replica, batch), Expected(weights, batch)) < 1e-4f);
}

TEST_CASE("The GELU by tanh is taken where the options allow, and is close") {
  const models::EncoderWeights weights = MakeEncoder("bert", {});
  const SmallBatch batch(weights, {9});
  const auto exact = RunBatch(*MakeReplica(weights, Dtype::kFp16), batch);
  const auto tanh = RunBatch(*MakeReplica(weights, Dtype::kFp16, {.tune = false, .tanh_for_erf = true}), batch);
  CHECK(Difference(exact, tanh) > 0);
  CHECK(Difference(exact, tanh) < Tolerance(Dtype::kFp16, exact));
}

TEST_CASE("Weights that do not fit together are refused with one line") {
  struct {
    std::string message;
    void (*spoil)(models::EncoderWeights&);
  } const cases[] = {
      {"layer 1: up is [64, 128], expected [128, 64]",
       [](auto& w) { std::swap(w.layers[1].up.weight.rows, w.layers[1].up.weight.columns); }},
      {"layer 0: value's bias has 3 numbers, expected 64",
       [](auto& w) { w.layers[0].value.bias = w.layers[0].value.bias.first(3); }},
      {"layer 0: output norm's gain has 0 numbers, expected 64", [](auto& w) { w.layers[0].output_norm.gain = {}; }},
      {"heads of 1024 numbers, at most 256 are supported", [](auto& w) { w.head_size = 1024; }},
      {"a layer is missing", [](auto& w) { w.order.push_back(2); }},
      {"there are no layers", [](auto& w) { w.order.clear(); }},
      {"there are fewer positions than the longest sequence needs", [](auto& w) { w.embedding.first_position = 3; }},
      {"step 1 of the head is [3, 64], expected [3, 7]",
       [](auto& w) {
         w.head.steps[0].linear.weight.rows = 7;
         w.head.steps[0].linear.bias = {};
       }},
      {"a weight is not finite, or too large for this numeric type",
       [](auto& w) { const_cast<float*>(w.layers[1].down.weight.data)[5] = NAN; }},
      {"a weight is not finite, or too large for this numeric type",
       [](auto& w) { const_cast<float*>(w.embedding.words.data)[5] = 1e5f; }},
  };
  for (const auto& c : cases) {
    models::EncoderWeights weights = MakeEncoder("bert", {});
    c.spoil(weights);
    std::shared_ptr<const FusedModelState> state;
    const CudaOutcome outcome = MakeState(weights, Dtype::kFp16, {.tune = false}, state);
    CHECK(outcome.code == CudaOutcome::Code::kInvalid);
    CHECK(outcome.message == c.message);
  }
}

#ifndef BERTHA_CUDA_EMULATED
TEST_CASE("Encoders of real sizes answer as the reference") {
  const models::EncoderShape base = {.hidden = 768,
                                     .heads = 12,
                                     .head_size = 64,
                                     .intermediate = 3072,
                                     .layers = 2,
                                     .vocabulary = 1000,
                                     .max_length = 512};
  for (const std::string& kind : kKinds) {
    const models::EncoderWeights weights = MakeEncoder(kind, base);
    const SmallBatch batch(weights, {128, 1, 37});
    const std::vector<float> expected = Expected(weights, batch);
    for (const Dtype dtype : kDtypes) {
      const auto replica = MakeReplica(weights, dtype, {.max_tokens = 512});
      for (int i = 0; i < 3; ++i) {
        CAPTURE(kind, NameOf(dtype), i);
        CHECK(Difference(RunBatch(*replica, batch), expected) < Tolerance(dtype, expected));
      }
    }
  }
}
#endif

}  // namespace
}  // namespace bertha::cuda
