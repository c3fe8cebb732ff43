// The model families that engines of ours know, in one table: adding one is a file beside this and a line in
// families.cc.
//
// Names of weights are those of Hugging Face's transformers, 4.57 and 5; its modules are the specification.
// Thread-safety: immutable data and free functions.
#ifndef BERTHA_MODELS_FAMILIES_FAMILIES_H_
#define BERTHA_MODELS_FAMILIES_FAMILIES_H_

#include <span>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/families/encoder_weights.h"
#include "models/families/named_weights.h"
#include "models/manifest.h"

namespace bertha::models {

class FamilySource;

struct Family {
  /// As in bertha.json.
  const char* name;
  /// The word embeddings' name within the encoder.
  const char* words;
  /// What a model with a head calls its encoder, dot included.
  const char* encoder;
  /// Fills in `weights`; errors stay in the source.
  void (*read)(FamilySource& source, EncoderWeights& weights);
  /// Keys of its own in bertha.json's `encoder`.
  bool padding_id = false;
  bool summary_activation = false;  ///< of a sequence classifier
};

std::span<const Family> Families();

/// nullptr if no family has this name.
const Family* FindFamily(absl::string_view name);

/// Reduces a network to what engines read; the result keeps what it needs of `weights`. FAILED_PRECONDITION if nothing
/// is known of the network; INVALID_ARGUMENT, naming the weight, if one is missing, unknown, of another shape than
/// expected, or not finite. Either way the model is TorchScript's to serve.
absl::StatusOr<EncoderWeights> BuildEncoder(NamedWeights weights, const Manifest& manifest);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_FAMILIES_FAMILIES_H_
