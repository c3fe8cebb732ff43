// The fused engine against the formula of encoder_weights.h, for every numeric type and instruction set.
#include "models/fused_engine.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "models/kernels/cpu/instruction_set.h"
#include "tests/catch.h"
#include "tests/models/random_encoder.h"
#include "tests/models/reference_encoder.h"

namespace bertha::models {
namespace {

const std::vector<EncoderShape>& Shapes() {
  static const std::vector<EncoderShape> shapes = {
      {.name = "BERT"},
      {.name = "RoBERTa", .types = 0, .skips_an_id = true},
      {.name = "ALBERT", .embedding_width = 24, .shares_layers = true, .activation = Activation::kGeluTanh},
      {.name = "XLNet", .is_relative = true, .rows = HeadRows::kLast},
      {.name = "XLNet, all rows", .is_relative = true, .rows = HeadRows::kAll, .labels = 2},
      {.name = "tokens", .rows = HeadRows::kAll, .labels = 9},
      {.name = "vectors", .rows = HeadRows::kAll, .labels = 0},
      {.name = "wide embeddings", .embedding_width = 200, .activation = Activation::kRelu},
      // No multiple of any tile, nor of the elements that an instruction takes together.
      {.name = "odd sizes", .hidden = 45, .heads = 3, .head_size = 15, .intermediate = 77, .embedding_width = 45},
      {.name = "odd relative",
       .hidden = 54,
       .heads = 3,
       .head_size = 18,
       .intermediate = 70,
       .embedding_width = 54,
       .is_relative = true,
       .rows = HeadRows::kLast},
      {.name = "heads wider than hidden",
       .hidden = 40,
       .heads = 2,
       .head_size = 50,
       .intermediate = 33,
       .embedding_width = 40,
       .activation = Activation::kTanh},
      {.name = "one head, one layer",
       .hidden = 16,
       .heads = 1,
       .head_size = 16,
       .intermediate = 8,
       .layers = 1,
       .embedding_width = 16},
  };
  return shapes;
}

std::vector<size_t> Lengths(const EncoderShape& shape) { return {1, 2, 17, shape.max_length, 33, 1, 64, 5, 30}; }

batcher::EncoderOutput Answer(batcher::Encoder& encoder, const batcher::PackedBatch& batch) {
  batcher::EncoderOutput output;
  REQUIRE(encoder.Stage(batch, 0) == absl::OkStatus());
  REQUIRE(encoder.Run(0, output) == absl::OkStatus());
  return output;
}

std::unique_ptr<batcher::Encoder> NewEncoder(const EncoderShape& shape, Dtype dtype, int threads = 1) {
  const FusedModel model = FusedModel::Make(RandomEncoder(shape), dtype, threads);
  return model.NewReplica(threads);
}

/// All instruction sets that this processor has, one after the other.
template <class Body>
void ForEachInstructionSet(Body body) {
  for (const char* level : {"baseline", "avx2", "avx512", "avx512_bf16", "amx"}) {
    REQUIRE(LimitInstructionSet(level) == absl::OkStatus());
    CAPTURE(level, InstructionSetName());
    body();
  }
}

struct Difference {
  double largest = 0, mean = 0, range = 0;
};

Difference Compare(const batcher::EncoderOutput& found, const batcher::EncoderOutput& expected) {
  REQUIRE(found.rows == expected.rows);
  REQUIRE(found.width == expected.width);
  REQUIRE(found.values.size() == expected.values.size());
  Difference difference;
  for (size_t i = 0; i < found.values.size(); ++i) {
    const double apart = std::abs(double{found.values[i]} - expected.values[i]);
    REQUIRE(std::isfinite(apart));
    difference.largest = std::max(difference.largest, apart);
    difference.mean += apart / static_cast<double>(found.values.size());
  }
  const auto [least, most] = std::ranges::minmax(expected.values);
  difference.range = most - least;
  return difference;
}

TEST_CASE("EveryTypeOnEveryInstructionSetFollowsTheFormula") {
  for (const EncoderShape& shape : Shapes()) {
    CAPTURE(shape.name);
    const RandomTexts texts(Lengths(shape), shape);
    const batcher::EncoderOutput expected = ReferenceOutputs(RandomEncoder(shape), texts.batch());
    ForEachInstructionSet([&] {
      const Difference fp32 = Compare(Answer(*NewEncoder(shape, Dtype::kFp32), texts.batch()), expected);
      CHECK(fp32.largest <= 1e-5);
      const Difference bf16 = Compare(Answer(*NewEncoder(shape, Dtype::kBf16), texts.batch()), expected);
      CHECK(bf16.mean <= 0.005 * bf16.range);
      CHECK(bf16.largest <= 0.05 * bf16.range);
      const Difference int8 = Compare(Answer(*NewEncoder(shape, Dtype::kInt8), texts.batch()), expected);
      CHECK(int8.mean <= 0.02 * int8.range);
      CHECK(int8.largest <= 0.15 * int8.range);
      // They round, or something else was computed.
      CHECK(bf16.mean > fp32.mean);
      CHECK(int8.mean > bf16.mean);
    });
  }
}

TEST_CASE("ATextsAnswerDependsNeitherOnItsNeighboursNorOnTheThreads") {
  for (const EncoderShape& shape : Shapes()) {
    CAPTURE(shape.name);
    RandomTexts texts(Lengths(shape), shape);
    ForEachInstructionSet([&] {
      for (const Dtype dtype : {Dtype::kFp32, Dtype::kBf16, Dtype::kInt8}) {
        CAPTURE(DtypeName(dtype));
        const auto one = NewEncoder(shape, dtype), three = NewEncoder(shape, dtype, 3);
        const batcher::EncoderOutput together = Answer(*one, texts.batch());
        CHECK(Answer(*three, texts.batch()).values == together.values);
        size_t at = 0;
        for (size_t i = 0; i + 1 < texts.cu_seqlens.size(); ++i) {
          CAPTURE(i);
          const batcher::EncoderOutput alone = Answer(*one, texts.alone(i));
          CHECK(std::equal(alone.values.begin(), alone.values.end(),
                           together.values.begin() + static_cast<ptrdiff_t>(at)));
          at += alone.values.size();
        }
        CHECK(at == together.values.size());
      }
    });
  }
}

TEST_CASE("BatchesOfAnySizeFollowEachOtherInEitherSlot") {
  const EncoderShape shape = Shapes()[0];
  const auto encoder = NewEncoder(shape, Dtype::kBf16, 2);
  const RandomTexts small({3, 1}, shape, 5), large(std::vector<size_t>(70, 40), shape, 6);
  const auto expected_small = Answer(*NewEncoder(shape, Dtype::kBf16), small.batch());
  const auto expected_large = Answer(*NewEncoder(shape, Dtype::kBf16), large.batch());
  for (int round = 0; round < 3; ++round) {
    REQUIRE(encoder->Stage(small.batch(), 1) == absl::OkStatus());
    REQUIRE(encoder->Stage(large.batch(), 0) == absl::OkStatus());
    batcher::EncoderOutput output;
    REQUIRE(encoder->Run(1, output) == absl::OkStatus());
    CHECK(output.values == expected_small.values);
    REQUIRE(encoder->Run(0, output) == absl::OkStatus());
    CHECK(output.values == expected_large.values);
  }
}

TEST_CASE("AnEmptyBatchHasNoRows") {
  const auto encoder = NewEncoder(Shapes()[0], Dtype::kFp32);
  const std::vector<int32_t> none, starts = {0};
  CHECK(Answer(*encoder, {none, none, starts}).rows == 0);
}

TEST_CASE("WhatTheModelCannotTakeIsRefusedAndTheEncoderStaysUsable") {
  const EncoderShape shape = Shapes()[0];
  const auto encoder = NewEncoder(shape, Dtype::kInt8);
  const RandomTexts good({4}, shape);
  const auto expected = Answer(*encoder, good.batch());
  struct Case {
    std::vector<int32_t> ids, type_ids;
    std::string message;
  };
  const std::vector<Case> cases = {
      {{1, 97}, {0, 0}, "token id 97 is not in the vocabulary of 97"},
      {{1, -1}, {0, 0}, "token id -1 is not in the vocabulary of 97"},
      {{1, 2}, {0, 2}, "type id 2 is not below 2"},
      {{1, 2}, {-1, 0}, "type id -1 is not below 2"},
      {std::vector<int32_t>(97, 1), std::vector<int32_t>(97, 0), "sequence 0 has 97 tokens, at most 96 are possible"},
  };
  for (const Case& c : cases) {
    const std::vector<int32_t> starts = {0, static_cast<int32_t>(c.ids.size())};
    const absl::Status staged = encoder->Stage({c.ids, c.type_ids, starts}, 0);
    CHECK(staged == absl::InvalidArgumentError(c.message));
    batcher::EncoderOutput output;
    CHECK(encoder->Run(0, output) == staged);
    CHECK(Answer(*encoder, good.batch()).values == expected.values);
  }
}

TEST_CASE("TheDescriptionSaysWhatRuns") {
  const EncoderShape tokens = {.rows = HeadRows::kAll, .labels = 9};
  const batcher::EncoderDescription description = NewEncoder(tokens, Dtype::kBf16)->Describe();
  CHECK(description.engine == "fused");
  CHECK(description.device == "cpu");
  CHECK(description.dtype == "bf16");
  CHECK(description.max_sequence_length == 96);
  CHECK(description.output_width == 9);
  CHECK(description.row_per_token);
  CHECK_FALSE(description.pads);
}

TEST_CASE("SmallerTypesTakeLessMemory") {
  const EncoderWeights weights =
      RandomEncoder({.hidden = 256, .heads = 4, .head_size = 64, .intermediate = 1024, .embedding_width = 256});
  const size_t fp32 = FusedModel::Make(weights, Dtype::kFp32).weight_bytes();
  const size_t bf16 = FusedModel::Make(weights, Dtype::kBf16).weight_bytes();
  const size_t int8 = FusedModel::Make(weights, Dtype::kInt8).weight_bytes();
  CHECK(static_cast<double>(bf16) < 0.6 * static_cast<double>(fp32));
  CHECK(static_cast<double>(int8) < 0.35 * static_cast<double>(fp32));
}

TEST_CASE("AnUnknownInstructionSetIsRefused") {
  CHECK(LimitInstructionSet("sse5") ==
        absl::InvalidArgumentError("\"sse5\" is none of baseline, avx2, avx512, avx512_bf16, amx"));
}

}  // namespace
}  // namespace bertha::models
