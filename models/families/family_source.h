// What the files of the families share: where a network's weights are, and the steps that most of them have.
//
// Thread-safety: none; a source belongs to one call of BuildEncoder.
#ifndef BERTHA_MODELS_FAMILIES_FAMILY_SOURCE_H_
#define BERTHA_MODELS_FAMILIES_FAMILY_SOURCE_H_

#include <string>
#include <vector>

#include "models/families/encoder_weights.h"
#include "models/families/families.h"
#include "models/families/weight_reader.h"
#include "models/manifest.h"

namespace bertha::models {

/// Names within a layer.
struct LayerNames {
  const char *query, *key, *value, *output, *attention_norm, *up, *down, *output_norm;
};

/// BERT's, and those of what is derived from it.
inline constexpr LayerNames kBertLayer = {
    "attention.self.query",       "attention.self.key", "attention.self.value", "attention.output.dense",
    "attention.output.LayerNorm", "intermediate.dense", "output.dense",         "output.LayerNorm"};

/// A step of a sequence classifier's head: where it is and what follows it.
struct StepName {
  std::string name;
  Activation activation = Activation::kNone;
};

class FamilySource {
 public:
  FamilySource(NamedWeights weights, const Family& family, const Manifest& manifest);

  /// Everything below EMBEDDINGS: word_embeddings, position_embeddings, token_type_embeddings if `with_types`,
  /// LayerNorm. Sets the hidden size to the width of the words.
  void ReadEmbedding(bool with_types, EncoderWeights& weights);
  /// The sizes of attention for a hidden size that is split among the heads.
  void SplitHeads(EncoderWeights& weights);
  LayerWeights ReadLayer(const std::string& layer, const LayerNames& names, EncoderWeights& weights);
  /// Layers LAYERS.0, LAYERS.1, ...: as many as the manifest says, each of which runs once.
  void ReadStack(const std::string& layers, const LayerNames& names, EncoderWeights& weights);
  /// `rows` and `steps` are those of a sequence classifier; the other tasks' heads are alike in all families.
  void ReadHead(HeadRows rows, const std::vector<StepName>& steps, EncoderWeights& weights);

  WeightReader reader;
  const Manifest& manifest;
  const EncoderSettings& settings;
  /// What the names of the encoder's weights begin with, and those of the head.
  const std::string prefix, head;

 private:
  /// A model that is given no type ids has type 0 everywhere: one table less to look into.
  void AddFirstType(EmbeddingWeights& embedding);
};

}  // namespace bertha::models

#endif  // BERTHA_MODELS_FAMILIES_FAMILY_SOURCE_H_
