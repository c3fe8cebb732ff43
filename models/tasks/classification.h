// Logits of a sequence classifier into labelled scores. Pure: no tensors, no wire.
//
// Softmax and sigmoid as `transformers` TextClassificationPipeline applies them for each problem type.
// Thread-safety: free functions without state.
#ifndef BERTHA_MODELS_TASKS_CLASSIFICATION_H_
#define BERTHA_MODELS_TASKS_CLASSIFICATION_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bertha::models {

enum class ProblemType {
  kSingleLabel,  ///< softmax over all labels
  kMultiLabel,   ///< a sigmoid for each label
  kRegression,   ///< the raw value
};

/// A label, by its position in the model's list, and its score.
struct Score {
  uint32_t index = 0;
  float score = 0;
};

/// The mean of the windows' logits, [labels] each; replaces the content of `mean`.
void AverageLogits(std::span<const std::span<const float>> windows, std::vector<float>& mean);

/// True if every number is finite; an engine that computes NaN or infinity has failed.
bool AllFinite(std::span<const float> logits);

/// Scores of all labels, best first (ties: lower index first), cut to the `top_k` best (0: all) and to those of at
/// least `threshold` (ignored for regression). `logits` is [labels] and finite. Replaces the content of `scores`.
void ScoreLabels(std::span<const float> logits, ProblemType type, size_t top_k, float threshold,
                 std::vector<Score>& scores);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_TASKS_CLASSIFICATION_H_
