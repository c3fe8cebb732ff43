#include "models/tasks/classification.h"

#include <algorithm>
#include <cmath>

namespace bertha::models {
namespace {

void Softmax(std::vector<Score>& scores) {
  float largest = scores.front().score;
  for (const Score& s : scores) largest = std::max(largest, s.score);
  double sum = 0;
  for (Score& s : scores) {
    s.score = std::exp(s.score - largest);  // shifted: the largest exponent is 0, so nothing overflows
    sum += s.score;
  }
  for (Score& s : scores) s.score = static_cast<float>(s.score / sum);
}

void Sigmoid(std::vector<Score>& scores) {
  for (Score& s : scores) s.score = static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(s.score))));
}

}  // namespace

void AverageLogits(std::span<const std::span<const float>> windows, std::vector<float>& mean) {
  mean.clear();
  if (windows.empty()) return;
  for (size_t label = 0; label < windows.front().size(); ++label) {
    double sum = 0;
    for (const std::span<const float>& logits : windows) sum += logits[label];
    mean.push_back(static_cast<float>(sum / static_cast<double>(windows.size())));
  }
}

bool AllFinite(std::span<const float> logits) {
  return std::ranges::all_of(logits, [](float x) { return std::isfinite(x); });
}

void ScoreLabels(std::span<const float> logits, ProblemType type, size_t top_k, float threshold,
                 std::vector<Score>& scores) {
  scores.clear();
  for (size_t i = 0; i < logits.size(); ++i) scores.push_back({static_cast<uint32_t>(i), logits[i]});
  if (scores.empty()) return;
  if (type == ProblemType::kSingleLabel) Softmax(scores);
  if (type == ProblemType::kMultiLabel) Sigmoid(scores);
  std::ranges::stable_sort(scores, [](const Score& a, const Score& b) { return a.score > b.score; });
  if (top_k > 0 && top_k < scores.size()) scores.resize(top_k);
  if (type != ProblemType::kRegression) {
    std::erase_if(scores, [&](const Score& s) { return s.score < threshold; });
  }
}

}  // namespace bertha::models
