#include "bench/eval/metrics.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

namespace bertha::eval {
namespace {

using Counts = std::vector<size_t>;

constexpr double k95Percent = 1.959963984540054;  // of the normal distribution, two-sided

double Ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

std::vector<Counts> Confusion(size_t labels, absl::Span<const Judgement> judgements) {
  std::vector<Counts> counts(labels, Counts(labels + 1));
  for (const Judgement& j : judgements) ++counts[j.truth][j.answer.value_or(labels)];
  return counts;
}

Counts RowSums(const std::vector<Counts>& confusion) {
  Counts sums;
  for (const Counts& row : confusion) {
    size_t sum = 0;
    for (const size_t count : row) sum += count;
    sums.push_back(sum);
  }
  return sums;
}

Counts ColumnSums(const std::vector<Counts>& confusion) {
  Counts sums(confusion.size() + 1);
  for (const Counts& row : confusion) {
    for (size_t i = 0; i < row.size(); ++i) sums[i] += row[i];
  }
  return sums;
}

std::vector<LabelScores> ScoreLabels(const std::vector<std::string>& names, const std::vector<Counts>& confusion) {
  const Counts support = RowSums(confusion), answered = ColumnSums(confusion);
  std::vector<LabelScores> scores;
  for (size_t i = 0; i < names.size(); ++i) {
    const auto right = static_cast<double>(confusion[i][i]);
    scores.push_back({.label = names[i],
                      .precision = Ratio(right, static_cast<double>(answered[i])),
                      .recall = Ratio(right, static_cast<double>(support[i])),
                      .f1 = Ratio(2 * right, static_cast<double>(support[i] + answered[i])),
                      .support = support[i],
                      .answered = answered[i]});
  }
  return scores;
}

double MacroF1(const std::vector<LabelScores>& labels) {
  double sum = 0;
  size_t used = 0;
  for (const LabelScores& label : labels) {
    if (label.support + label.answered == 0) continue;
    sum += label.f1;
    ++used;
  }
  return Ratio(sum, static_cast<double>(used));
}

double Correlation(const std::vector<Counts>& confusion, double texts, double right) {
  const Counts truths = RowSums(confusion), answers = ColumnSums(confusion);
  double both = 0, truth_squares = 0, answer_squares = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    const double truth = i < truths.size() ? static_cast<double>(truths[i]) : 0;
    const auto answer = static_cast<double>(answers[i]);
    both += truth * answer;
    truth_squares += truth * truth;
    answer_squares += answer * answer;
  }
  const double spread = std::sqrt(texts * texts - truth_squares) * std::sqrt(texts * texts - answer_squares);
  return Ratio(right * texts - both, spread);
}

/// "Probable inference, the law of succession, and statistical inference", Wilson, 1927.
std::pair<double, double> WilsonInterval(double right, double texts) {
  if (texts == 0) return {0, 0};
  const double z2 = k95Percent * k95Percent, share = right / texts;
  const double middle = (share + z2 / (2 * texts)) / (1 + z2 / texts);
  const double half = k95Percent / (1 + z2 / texts) * std::sqrt(share * (1 - share) / texts + z2 / (4 * texts * texts));
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

size_t BinOf(double confidence) {
  const double place = std::ceil(confidence * kCalibrationBins) - 1;
  return static_cast<size_t>(std::clamp(place, 0.0, kCalibrationBins - 1.0));
}

std::vector<CalibrationBin> Bins(absl::Span<const Judgement> judgements) {
  std::vector<CalibrationBin> bins(kCalibrationBins);
  for (const Judgement& j : judgements) {
    if (!j.answer) continue;
    CalibrationBin& bin = bins[BinOf(j.confidence)];
    ++bin.count;
    bin.confidence += j.confidence;
    bin.accuracy += *j.answer == j.truth ? 1 : 0;
  }
  for (size_t i = 0; i < bins.size(); ++i) {
    bins[i].low = static_cast<double>(i) / kCalibrationBins;
    bins[i].high = static_cast<double>(i + 1) / kCalibrationBins;
    bins[i].confidence = Ratio(bins[i].confidence, static_cast<double>(bins[i].count));
    bins[i].accuracy = Ratio(bins[i].accuracy, static_cast<double>(bins[i].count));
  }
  return bins;
}

std::optional<double> CalibrationError(const std::vector<CalibrationBin>& bins) {
  double error = 0, count = 0;
  for (const CalibrationBin& bin : bins) {
    error += static_cast<double>(bin.count) * std::abs(bin.accuracy - bin.confidence);
    count += static_cast<double>(bin.count);
  }
  if (count == 0) return std::nullopt;
  return error / count;
}

}  // namespace

Metrics Measure(const std::vector<std::string>& labels, absl::Span<const Judgement> judgements) {
  Metrics m;
  m.texts = judgements.size();
  m.confusion = Confusion(labels.size(), judgements);
  for (size_t i = 0; i < labels.size(); ++i) {
    m.right += m.confusion[i][i];
    m.failed += m.confusion[i].back();
  }
  const auto texts = static_cast<double>(m.texts), right = static_cast<double>(m.right);
  m.accuracy = Ratio(right, texts);
  std::tie(m.accuracy_low, m.accuracy_high) = WilsonInterval(right, texts);
  m.labels = ScoreLabels(labels, m.confusion);
  m.macro_f1 = MacroF1(m.labels);
  m.mcc = Correlation(m.confusion, texts, right);
  m.bins = Bins(judgements);
  m.ece = CalibrationError(m.bins);
  return m;
}

}  // namespace bertha::eval
