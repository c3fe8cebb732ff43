// Small encoders with random weights, one for each thing that families differ by.
#ifndef BERTHA_TESTS_CUDA_SMALL_ENCODER_H_
#define BERTHA_TESTS_CUDA_SMALL_ENCODER_H_

#include <random>
#include <string>
#include <vector>

#include "models/families/encoder_weights.h"
#include "tests/models/random_encoder.h"

namespace bertha::cuda {

/// "bert", "roberta", "distilbert", "albert", "xlnet", or with a head for each token: "tokens" (labels), "vectors".
inline models::EncoderWeights MakeEncoder(const std::string& kind, models::EncoderShape shape) {
  shape.embedding_width = kind == "albert" ? shape.hidden / 2 : shape.hidden;
  shape.shares_layers = kind == "albert";
  if (kind == "albert") shape.activation = models::Activation::kGeluTanh;
  shape.is_relative = kind == "xlnet";
  if (kind == "xlnet") shape.rows = models::HeadRows::kLast;
  shape.skips_an_id = kind == "roberta";
  if (kind == "roberta") shape.types = 1;
  if (kind == "distilbert") shape.types = 0;
  if (kind == "tokens" || kind == "vectors") shape.rows = models::HeadRows::kAll;
  if (kind == "vectors") shape.labels = 0;
  return RandomEncoder(shape);
}

/// Texts of these lengths with random ids. The last half of each is of type 1 where there is more than one type.
struct SmallBatch {
  SmallBatch(const models::EncoderWeights& weights, const std::vector<int>& lengths, unsigned seed = 1) {
    std::mt19937 random(seed);
    const bool one_type = weights.embedding.types.rows == 1;
    for (const int length : lengths) {
      for (int i = 0; i < length; ++i) {
        ids.push_back(static_cast<int32_t>(random() % weights.embedding.words.rows));
        type_ids.push_back(one_type || 2 * i < length ? 0 : 1);
      }
      cu_seqlens.push_back(static_cast<int32_t>(ids.size()));
    }
  }

  std::vector<int32_t> ids, type_ids, cu_seqlens = {0};
};

}  // namespace bertha::cuda

#endif  // BERTHA_TESTS_CUDA_SMALL_ENCODER_H_
