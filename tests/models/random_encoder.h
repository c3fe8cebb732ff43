// Encoders of any shape with random weights, for engines to be compared on.
#ifndef BERTHA_TESTS_MODELS_RANDOM_ENCODER_H_
#define BERTHA_TESTS_MODELS_RANDOM_ENCODER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "batcher/encoder.h"
#include "models/families/encoder_weights.h"

namespace bertha::models {

struct EncoderShape {
  std::string name;
  size_t hidden = 64, heads = 2, head_size = 32, intermediate = 128, layers = 2;
  size_t vocabulary = 97, max_length = 96;
  /// Of the embeddings; another one than `hidden` needs a projection.
  size_t embedding_width = 64;
  size_t types = 2;  ///< 0: no type embeddings
  bool shares_layers = false;
  bool is_relative = false;
  bool skips_an_id = false;
  Activation activation = Activation::kGelu;
  HeadRows rows = HeadRows::kFirst;
  size_t labels = 3;  ///< 0: no head
};

/// The same weights for the same shape. They spread the outputs over about 1.
EncoderWeights RandomEncoder(const EncoderShape& shape);

/// Texts of these lengths with any ids and types.
struct RandomTexts {
  RandomTexts(const std::vector<size_t>& lengths, const EncoderShape& shape, unsigned seed = 1);
  batcher::PackedBatch batch() const { return {ids, type_ids, cu_seqlens}; }
  /// Text `i` as a batch of its own.
  batcher::PackedBatch alone(size_t i);

  std::vector<int32_t> ids, type_ids, cu_seqlens = {0};

 private:
  std::vector<int32_t> alone_;
};

}  // namespace bertha::models

#endif  // BERTHA_TESTS_MODELS_RANDOM_ENCODER_H_
