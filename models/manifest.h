// bertha.json: what a package says about its model. docs/package.md is the specification.
#ifndef BERTHA_MODELS_MANIFEST_H_
#define BERTHA_MODELS_MANIFEST_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/tasks/classification.h"

namespace bertha::models {

/// The only task so far, as it is written in the manifest.
inline constexpr char kSequenceClassification[] = "sequence-classification";

/// What fills the short rows of a padded batch, and on which side.
struct Padding {
  int32_t id = 0;
  int32_t type_id = 0;
  bool left = false;
};

/// Immutable after parsing.
struct Manifest {
  std::string family;
  std::string task;
  ProblemType problem_type = ProblemType::kSingleLabel;
  /// One for each logit, in order.
  std::vector<std::string> labels;
  /// Most tokens of an input, special tokens included.
  size_t max_length = 0;
  /// True if forward() takes token_type_ids as its third input.
  bool takes_type_ids = false;
  Padding padding;
  bool accepts_pairs = true;
};

/// INVALID_ARGUMENT naming the JSON path of what is wrong, an unknown key included.
absl::StatusOr<Manifest> ParseManifest(const std::string& text);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_MANIFEST_H_
