// bertha.json: what a package says about its model. docs/package.md is the specification.
#ifndef BERTHA_MODELS_MANIFEST_H_
#define BERTHA_MODELS_MANIFEST_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/families/encoder_weights.h"
#include "models/tasks/classification.h"
#include "models/tasks/embeddings.h"
#include "models/tasks/token_classification.h"

namespace bertha::models {

/// What a model is for; what its outputs mean.
enum class Task {
  kSequenceClassification,  ///< [labels] for each sequence
  kTokenClassification,     ///< [labels] for each token
  kQuestionAnswering,       ///< a start and an end logit for each token
  kEmbeddings,              ///< [dimension] for each token
};

/// As it is written in the manifest: "sequence-classification", "token-classification", "question-answering",
/// "embeddings".
absl::string_view TaskName(Task task);

/// What fills the short rows of a padded batch, and on which side.
struct Padding {
  int32_t id = 0;
  int32_t type_id = 0;
  bool left = false;
};

/// What an engine of ours must know of the network and its weights do not say.
struct EncoderSettings {
  size_t heads = 0;
  /// How often a layer runs: with ALBERT, where layers share their weights, more often than there are any.
  size_t layers = 0;
  Activation activation = Activation::kGelu;
  float layer_norm_epsilon = 0;
  /// RoBERTa: the id that its positions skip, and behind which they begin.
  int32_t padding_id = 0;
  /// XLNet's sequence classifier: of the step before the logits.
  Activation summary_activation = Activation::kTanh;
};

/// Immutable after parsing. What does not belong to the task has its default.
struct Manifest {
  std::string family;
  Task task = Task::kSequenceClassification;
  /// Of sequence classification.
  ProblemType problem_type = ProblemType::kSingleLabel;
  /// Of both kinds of classification: one for each logit, in order.
  std::vector<std::string> labels;
  /// Of token classification: what a request that names none gets.
  Aggregation aggregation = Aggregation::kSimple;
  /// Of embeddings: numbers of a token's vector, and what a request that does not say gets.
  size_t dimension = 0;
  Pooling pooling = Pooling::kMean;
  bool normalize = false;
  /// Most tokens of an input, special tokens included.
  size_t max_length = 0;
  /// True if forward() takes token_type_ids as its third input.
  bool takes_type_ids = false;
  Padding padding;
  bool accepts_pairs = true;
  /// Absent: only TorchScript can run the model.
  std::optional<EncoderSettings> encoder;

  /// True if the model's output has a row for each token, not one for each sequence.
  bool row_per_token() const { return task != Task::kSequenceClassification; }
  /// Numbers of a row.
  size_t output_width() const {
    if (task == Task::kQuestionAnswering) return 2;
    return task == Task::kEmbeddings ? dimension : labels.size();
  }
};

/// INVALID_ARGUMENT naming the JSON path of what is wrong, an unknown key included.
absl::StatusOr<Manifest> ParseManifest(const std::string& text);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_MANIFEST_H_
