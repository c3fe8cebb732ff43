// How well a classifier's answers agree with labels. Pure.
//
// A text that got no answer is a wrong answer: it stays in every denominator, as a prediction that is no label. With
// every text answered, the figures are those of scikit-learn's accuracy_score, f1_score(average="macro"),
// matthews_corrcoef and precision_recall_fscore_support with zero_division=0.
#ifndef BERTHA_BENCH_EVAL_METRICS_H_
#define BERTHA_BENCH_EVAL_METRICS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"

namespace bertha::eval {

struct Judgement {
  size_t truth = 0;  ///< index of the right label
  /// Index of the label that scored best; unset: no answer.
  std::optional<size_t> answer;
  double confidence = 0;  ///< its score, in [0, 1]
};

struct LabelScores {
  std::string label;
  double precision = 0, recall = 0, f1 = 0;
  size_t support = 0;   ///< texts that have this label
  size_t answered = 0;  ///< texts that were given it
};

/// Answers of about the same confidence.
struct CalibrationBin {
  double low = 0, high = 0;  ///< (low, high]; the first takes 0 too
  size_t count = 0;
  double confidence = 0, accuracy = 0;  ///< means; 0 if there is no answer
};

inline constexpr size_t kCalibrationBins = 15;

struct Metrics {
  size_t texts = 0, right = 0, failed = 0;
  double accuracy = 0;
  /// Wilson's interval for the accuracy, 95%.
  double accuracy_low = 0, accuracy_high = 0;
  /// Mean F1 of the labels that some text has or was given.
  double macro_f1 = 0;
  /// Matthews' correlation for several classes: Gorodkin, "Comparing two K-category assignments by a K-category
  /// correlation coefficient", 2004. 1: perfect; 0: no better than chance.
  double mcc = 0;
  /// Expected calibration error of the best label: Guo et al., "On Calibration of Modern Neural Networks", 2017; over
  /// what was answered. Unset if nothing was.
  std::optional<double> ece;
  std::vector<LabelScores> labels;
  /// [truth][answer]; a last column counts what got none.
  std::vector<std::vector<size_t>> confusion;
  std::vector<CalibrationBin> bins;
};

/// `labels`: all that occur in the judgements.
Metrics Measure(const std::vector<std::string>& labels, absl::Span<const Judgement> judgements);

}  // namespace bertha::eval

#endif  // BERTHA_BENCH_EVAL_METRICS_H_
