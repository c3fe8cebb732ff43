#include "models/self_check.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "absl/strings/str_cat.h"

namespace bertha::models {
namespace {

/// Probes that run together in the second pass: enough for rows of many lengths beside each other.
constexpr size_t kBatch = 16;

/// "probe 3" or "probes 0 to 15".
std::string NameProbes(std::span<const size_t> which) {
  return which.size() == 1 ? absl::StrCat("probe ", which[0])
                           : absl::StrCat("probes ", which.front(), " to ", which.back());
}

absl::Status CheckShape(const batcher::EncoderOutput& output, size_t rows, size_t width) {
  if (output.rows == rows && output.width == width && output.values.size() >= rows * width) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("the engine returned [", output.rows, ", ", output.width, "], expected [", rows, ", ", width, "]"));
}

/// Numbers that compete with each other: every `stride`-th of a probe's, from `first`.
struct Group {
  std::span<const float> values;
  size_t first, stride, count;
  float operator[](size_t i) const { return values[first + i * stride]; }
};

size_t Best(const Group& group) {
  size_t best = 0;
  for (size_t i = 1; i < group.count; ++i) {
    if (group[i] > group[best]) best = i;
  }
  return best;
}

std::vector<double> Softmax(const Group& group) {
  std::vector<double> result(group.count);
  const double largest = group[Best(group)];
  double sum = 0;
  for (size_t i = 0; i < group.count; ++i) sum += result[i] = std::exp(group[i] - largest);
  for (double& value : result) value /= sum;
  return result;
}

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

class Comparison {
 public:
  Comparison(const Manifest& manifest, float tolerance) : manifest_(manifest) { report_.tolerance = tolerance; }

  /// FAILED_PRECONDITION without saying which probe.
  absl::Status Add(std::span<const float> golden, std::span<const float> found) {
    for (size_t i = 0; i < golden.size(); ++i) {
      const float difference = std::abs(found[i] - golden[i]);
      if (std::isnan(difference)) return absl::FailedPreconditionError("the logits are NaN");
      report_.max_abs_diff = std::max(report_.max_abs_diff, difference);
      sum_ += difference;
    }
    numbers_ += golden.size();
    // What is wrong as a number needs no further reason.
    return report_.max_abs_diff > report_.tolerance ? absl::OkStatus() : AddDecisions(golden, found);
  }

  ProbeReport Report(size_t count) {
    report_.count = count;
    report_.mean_abs_diff = numbers_ == 0 ? 0 : static_cast<float>(sum_ / static_cast<double>(numbers_));
    report_.mean_probability_diff =
        probabilities_ == 0 ? 0 : static_cast<float>(probability_sum_ / static_cast<double>(probabilities_));
    return report_;
  }
  float max_abs_diff() const { return report_.max_abs_diff; }

 private:
  absl::Status AddDecisions(std::span<const float> golden, std::span<const float> found) {
    const size_t width = manifest_.output_width(), rows = golden.size() / width;
    switch (manifest_.task) {
      case Task::kEmbeddings:
        return absl::OkStatus();
      case Task::kQuestionAnswering:  // the tokens compete, for the start and for the end
        for (size_t column = 0; column < width; ++column) {
          const absl::Status status = AddChoice({golden, column, width, rows}, {found, column, width, rows});
          if (!status.ok()) return status;
        }
        return absl::OkStatus();
      case Task::kSequenceClassification:
        if (manifest_.problem_type == ProblemType::kRegression) return absl::OkStatus();
        if (manifest_.problem_type == ProblemType::kMultiLabel) return AddYesOrNo(golden, found);
        [[fallthrough]];
      case Task::kTokenClassification:
        for (size_t row = 0; row < rows; ++row) {
          const absl::Status status = AddChoice({golden, row * width, 1, width}, {found, row * width, 1, width});
          if (!status.ok()) return status;
        }
    }
    return absl::OkStatus();
  }

  absl::Status AddChoice(const Group& golden, const Group& found) {
    const std::vector<double> expected = Softmax(golden), got = Softmax(found);
    for (size_t i = 0; i < golden.count; ++i) AddProbability(std::abs(expected[i] - got[i]));
    const size_t chosen = Best(golden), other = Best(found);
    return AddDecision(chosen == other, golden[chosen] - golden[other]);
  }

  absl::Status AddYesOrNo(std::span<const float> golden, std::span<const float> found) {
    for (size_t i = 0; i < golden.size(); ++i) {
      AddProbability(std::abs(Sigmoid(golden[i]) - Sigmoid(found[i])));
      const absl::Status status = AddDecision((golden[i] > 0) == (found[i] > 0), std::abs(golden[i]));
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  void AddProbability(double difference) {
    report_.max_probability_diff = std::max(report_.max_probability_diff, static_cast<float>(difference));
    probability_sum_ += difference;
    ++probabilities_;
  }

  absl::Status AddDecision(bool is_same, float margin) {
    ++report_.decisions;
    if (is_same) return absl::OkStatus();
    ++report_.flips;
    if (margin <= report_.tolerance) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat("another decision than the exporter's, which had a margin of ", margin));
  }

  const Manifest& manifest_;
  ProbeReport report_;
  double sum_ = 0, probability_sum_ = 0;
  size_t numbers_ = 0, probabilities_ = 0;
};

/// Runs probes as one batch.
absl::Status AddBatch(batcher::Encoder& encoder, const std::vector<Probe>& probes, std::span<const size_t> which,
                      Comparison& comparison) {
  size_t tokens = 0, numbers = 0;
  for (const size_t i : which) {
    tokens += probes[i].ids.size();
    numbers += probes[i].logits.size();
  }
  const size_t rows = encoder.Describe().row_per_token ? tokens : which.size();
  batcher::EncoderOutput output;
  absl::Status status = RunProbes(encoder, probes, which, output);
  if (status.ok()) status = CheckShape(output, rows, numbers / rows);
  if (!status.ok()) return absl::Status(status.code(), absl::StrCat(NameProbes(which), ": ", status.message()));
  std::span<const float> values = output.values;
  for (const size_t i : which) {
    const size_t size = probes[i].logits.size();
    status = comparison.Add(probes[i].logits, values.first(size));
    if (!status.ok()) return absl::Status(status.code(), absl::StrCat("probe ", i, ": ", status.message()));
    values = values.subspan(size);
  }
  return absl::OkStatus();
}

float Range(const std::vector<Probe>& probes) {
  float least = probes[0].logits[0], largest = least;
  for (const Probe& probe : probes) {
    for (const float logit : probe.logits) {
      least = std::min(least, logit);
      largest = std::max(largest, logit);
    }
  }
  return largest - least;
}

std::vector<size_t> ByLength(const std::vector<Probe>& probes) {
  std::vector<size_t> order(probes.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](size_t i) { return probes[i].ids.size(); });
  return order;
}

/// The shortest probes that have at most `tokens` together, in their order.
std::vector<size_t> Shortest(const std::vector<Probe>& probes, size_t tokens) {
  std::vector<size_t> order = ByLength(probes);
  size_t count = 0;
  while (count < order.size() && probes[order[count]].ids.size() <= tokens) {
    tokens -= probes[order[count]].ids.size();
    ++count;
  }
  order.resize(count);
  std::ranges::sort(order);
  return order;
}

/// Probes that have at most `tokens` together, in their order: as many short ones as half of that is enough for, and
/// the longest that the rest is.
std::vector<size_t> ShortAndLong(const std::vector<Probe>& probes, size_t tokens) {
  std::vector<size_t> chosen = Shortest(probes, tokens);
  if (chosen.size() == probes.size()) return chosen;
  chosen = Shortest(probes, tokens / 2);
  for (const size_t i : chosen) tokens -= probes[i].ids.size();
  const std::vector<size_t> order = ByLength(probes);
  for (size_t rank = order.size(); rank-- > chosen.size();) {
    const size_t i = order[rank];
    if (probes[i].ids.size() > tokens) continue;
    tokens -= probes[i].ids.size();
    chosen.push_back(i);
  }
  if (chosen.empty()) chosen.push_back(order[0]);
  std::ranges::sort(chosen);
  return chosen;
}

}  // namespace

Tolerance ToleranceOf(absl::string_view dtype) {
  if (dtype == "bf16" || dtype == "fp16") return {.absolute = kFp32Tolerance, .of_range = 0.05f};
  if (dtype == "int8") return {.absolute = kFp32Tolerance, .of_range = 0.1f};
  return {.absolute = kFp32Tolerance};
}

absl::StatusOr<ProbeReport> CheckEncoder(batcher::Encoder& encoder, const std::vector<Probe>& probes,
                                         const Manifest& manifest, const Tolerance& tolerance,
                                         const CheckEffort& effort) {
  const float limit = std::max(tolerance.absolute, tolerance.of_range * Range(probes));
  Comparison comparison(manifest, limit);
  auto run = [&](std::span<const size_t> which) {
    if (absl::Status status = AddBatch(encoder, probes, which, comparison); !status.ok()) return status;
    if (comparison.max_abs_diff() <= limit) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat("the logits of ", NameProbes(which),
                                                      " differ from the exporter's by ", comparison.max_abs_diff(),
                                                      ", more than ", limit));
  };
  for (const size_t i : Shortest(probes, effort.alone_tokens)) {
    if (absl::Status status = run(std::span(&i, 1)); !status.ok()) return status;
  }
  const std::vector<size_t> chosen = ShortAndLong(probes, effort.batch_tokens);
  for (size_t begin = 0; begin < chosen.size(); begin += kBatch) {
    const size_t size = std::min(kBatch, chosen.size() - begin);
    if (absl::Status status = run(std::span(chosen).subspan(begin, size)); !status.ok()) return status;
  }
  return comparison.Report(chosen.size());
}

}  // namespace bertha::models
