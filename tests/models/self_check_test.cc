// Which answers pass as the exporter's.
#include "models/self_check.h"

#include <array>

#include <functional>

#include "tests/catch.h"

namespace bertha::models {
namespace {

/// Gives each probe's golden numbers, found by its first id, with `error` applied.
class RecallingEncoder final : public batcher::Encoder {
 public:
  RecallingEncoder(const std::vector<Probe>& probes, const Manifest& manifest) : probes_(probes) {
    description_.row_per_token = manifest.row_per_token();
    description_.output_width = manifest.output_width();
  }
  const batcher::EncoderDescription& Describe() const override { return description_; }
  absl::Status Stage(const batcher::PackedBatch& batch, int) override {
    staged_.clear();
    for (size_t i = 0; i < batch.size(); ++i) {
      staged_.push_back(static_cast<size_t>(batch.ids[static_cast<size_t>(batch.cu_seqlens[i])]));
    }
    sizes.push_back(batch.size());
    return absl::OkStatus();
  }
  absl::Status Run(int, batcher::EncoderOutput& output) override {
    output.values.clear();
    for (const size_t i : staged_) {
      std::vector<float> logits = probes_[i].logits;
      if (error) error(i, logits);
      output.values.insert(output.values.end(), logits.begin(), logits.end());
    }
    output.width = description_.output_width;
    output.rows = output.values.size() / output.width;
    return absl::OkStatus();
  }

  std::function<void(size_t probe, std::vector<float>& logits)> error;
  std::vector<size_t> sizes;

 private:
  const std::vector<Probe> probes_;
  batcher::EncoderDescription description_;
  std::vector<size_t> staged_;
};

/// One row of logits for each probe, or one for each token.
std::vector<Probe> Probes(const std::vector<std::vector<float>>& logits, size_t tokens = 1) {
  std::vector<Probe> probes;
  for (size_t i = 0; i < logits.size(); ++i) {
    Probe& probe = probes.emplace_back();
    probe.ids.assign(tokens, static_cast<int32_t>(i));
    probe.type_ids.assign(tokens, 0);
    probe.logits = logits[i];
  }
  return probes;
}

Manifest SequenceManifest(ProblemType type, size_t labels) {
  Manifest manifest;
  manifest.problem_type = type;
  manifest.labels.assign(labels, "label");
  return manifest;
}

absl::StatusOr<ProbeReport> Check(RecallingEncoder& encoder, const std::vector<Probe>& probes, const Manifest& manifest,
                                  float tolerance) {
  return CheckEncoder(encoder, probes, manifest, {.absolute = tolerance}, {.alone_tokens = 0});
}

TEST_CASE("ADecisionMayDifferOnlyWhereItWasClose") {
  const Manifest manifest = SequenceManifest(ProblemType::kSingleLabel, 3);
  const std::vector<Probe> probes = Probes({{0, 1, 5}, {2, 2.3f, -1}});
  RecallingEncoder encoder(probes, manifest);
  encoder.error = [](size_t probe, std::vector<float>& logits) {
    if (probe == 1) logits[0] += 0.4f;
  };
  const auto report = Check(encoder, probes, manifest, 0.5f);
  REQUIRE(report.status() == absl::OkStatus());
  CHECK(report->decisions == 2);
  CHECK(report->flips == 1);
  CHECK(report->max_abs_diff == Approx(0.4f));
  CHECK(report->mean_abs_diff == Approx(0.4f / 6));
  CHECK(report->max_probability_diff > 0.05f);
  CHECK(report->max_probability_diff < 0.12f);
  CHECK(report->tolerance == 0.5f);

  // Each number within the tolerance, but together they turn a margin that is larger than it.
  encoder.error = [](size_t probe, std::vector<float>& logits) {
    if (probe != 1) return;
    logits[0] += 0.2f;
    logits[1] -= 0.2f;
  };
  CHECK(Check(encoder, probes, manifest, 0.25f).status() ==
        absl::FailedPreconditionError("probe 1: another decision than the exporter's, which had a margin of 0.3"));
  CHECK(Check(encoder, probes, manifest, 0.1f).status() ==
        absl::FailedPreconditionError("the logits of probes 0 to 1 differ from the exporter's by 0.2, more than 0.1"));
}

TEST_CASE("EachOfSeveralLabelsIsADecision") {
  const Manifest manifest = SequenceManifest(ProblemType::kMultiLabel, 2);
  const std::vector<Probe> probes = Probes({{3, -0.1f}, {-4, 0.6f}});
  RecallingEncoder encoder(probes, manifest);
  encoder.error = [](size_t, std::vector<float>& logits) { logits[1] += 0.2f; };
  const auto report = Check(encoder, probes, manifest, 0.3f);
  REQUIRE(report.status() == absl::OkStatus());
  CHECK(report->decisions == 4);
  CHECK(report->flips == 1);
  CHECK(report->max_probability_diff == Approx(0.0499).margin(1e-3));
}

TEST_CASE("TheTokensOfAnAnswerCompete") {
  Manifest manifest;
  manifest.task = Task::kQuestionAnswering;
  // [tokens, 2]: the start is token 2, the end token 1, by 0.1.
  const std::vector<Probe> probes = Probes({{0, 1, 0, 5, 9, 4.9f}}, 3);
  RecallingEncoder encoder(probes, manifest);
  encoder.error = [](size_t, std::vector<float>& logits) { logits[5] += 0.2f; };
  const auto report = Check(encoder, probes, manifest, 0.25f);
  REQUIRE(report.status() == absl::OkStatus());
  CHECK(report->decisions == 2);
  CHECK(report->flips == 1);
}

TEST_CASE("EachTokensLabelIsADecision") {
  Manifest manifest;
  manifest.task = Task::kTokenClassification;
  manifest.labels = {"O", "B"};
  const std::vector<Probe> probes = Probes({{1, 0, 0, 2, 3, 2.9f}}, 3);
  RecallingEncoder encoder(probes, manifest);
  encoder.error = [](size_t, std::vector<float>& logits) { logits[5] += 0.2f; };
  const auto report = Check(encoder, probes, manifest, 0.25f);
  REQUIRE(report.status() == absl::OkStatus());
  CHECK(report->decisions == 3);
  CHECK(report->flips == 1);
}

TEST_CASE("VectorsAndRegressionsHaveNoDecisions") {
  Manifest vectors;
  vectors.task = Task::kEmbeddings;
  vectors.dimension = 2;
  for (const Manifest& manifest : {vectors, SequenceManifest(ProblemType::kRegression, 2)}) {
    const std::vector<Probe> probes = Probes({{1, 2}});
    RecallingEncoder encoder(probes, manifest);
    encoder.error = [](size_t, std::vector<float>& logits) { std::swap(logits[0], logits[1]); };
    const auto report = Check(encoder, probes, manifest, 2);
    REQUIRE(report.status() == absl::OkStatus());
    CHECK(report->decisions == 0);
    CHECK(report->max_probability_diff == 0);
    CHECK(Check(encoder, probes, manifest, 0.5f).status().code() == absl::StatusCode::kFailedPrecondition);
  }
}

TEST_CASE("ATypeThatRoundsIsMeasuredByTheModelsRange") {
  const Manifest manifest = SequenceManifest(ProblemType::kSingleLabel, 2);
  const std::vector<Probe> probes = Probes({{-10, 10}, {4, 0}});
  RecallingEncoder encoder(probes, manifest);
  auto passes = [&](absl::string_view dtype, float error) {
    encoder.error = [error](size_t, std::vector<float>& logits) { logits[0] += error; };
    return CheckEncoder(encoder, probes, manifest, ToleranceOf(dtype)).ok();
  };
  CHECK(passes("fp32", 0.00009f));
  CHECK_FALSE(passes("fp32", 0.0002f));
  CHECK(passes("bf16", 0.9f));
  CHECK_FALSE(passes("bf16", 1.1f));
  CHECK(passes("int8", 1.9f));
  CHECK_FALSE(passes("int8", 2.1f));
}

std::vector<Probe> ProbesOf(std::array<size_t, 4> lengths) {
  std::vector<Probe> probes = Probes({{1, 2}, {3, 4}, {5, 6}, {7, 8}});
  for (size_t i = 0; i < 4; ++i) {
    probes[i].ids.assign(lengths[i], static_cast<int32_t>(i));
    probes[i].type_ids.assign(lengths[i], 0);
  }
  return probes;
}

TEST_CASE("OnlyTheShortestProbesRunAloneIfTokensAreFew") {
  const Manifest manifest = SequenceManifest(ProblemType::kSingleLabel, 2);
  const std::vector<Probe> probes = ProbesOf({5, 2, 90, 3});
  RecallingEncoder encoder(probes, manifest);
  auto batches = [&](size_t tokens) {
    encoder.sizes.clear();
    const auto report = CheckEncoder(encoder, probes, manifest, {.absolute = 1}, {.alone_tokens = tokens});
    REQUIRE(report.status() == absl::OkStatus());
    CHECK(report->count == 4);
    return encoder.sizes;
  };
  CHECK(batches(0) == std::vector<size_t>{4});
  CHECK(batches(5) == std::vector<size_t>{1, 1, 4});
  CHECK(batches(99) == std::vector<size_t>{1, 1, 1, 4});
  CHECK(batches(100) == std::vector<size_t>{1, 1, 1, 1, 4});
}

TEST_CASE("ShortProbesAndTheLongestThatFitsRunInBatchesIfTokensAreFew") {
  const Manifest manifest = SequenceManifest(ProblemType::kSingleLabel, 2);
  const std::vector<Probe> probes = ProbesOf({50, 20, 90, 30});
  // Which ones: an encoder that is wrong about one of them is found out only if that runs.
  auto runs = [&](size_t tokens) {
    std::vector<size_t> found;
    for (size_t wrong = 0; wrong < 4; ++wrong) {
      RecallingEncoder encoder(probes, manifest);
      encoder.error = [wrong](size_t probe, std::vector<float>& logits) { logits[0] += probe == wrong ? 5 : 0; };
      const CheckEffort effort = {.alone_tokens = 0, .batch_tokens = tokens};
      const auto report = CheckEncoder(encoder, probes, manifest, {.absolute = 1}, effort);
      if (!report.ok()) found.push_back(wrong);
    }
    return found;
  };
  CHECK(runs(190) == std::vector<size_t>{0, 1, 2, 3});
  CHECK(runs(150) == std::vector<size_t>{1, 2, 3});
  CHECK(runs(100) == std::vector<size_t>{0, 1, 3});
  CHECK(runs(69) == std::vector<size_t>{1, 3});
  CHECK(runs(3) == std::vector<size_t>{1});  // never none
}

}  // namespace
}  // namespace bertha::models
