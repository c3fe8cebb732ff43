// Small encoders with random weights, one for each thing that families differ by.
#ifndef BERTHA_TESTS_CUDA_SYNTHETIC_ENCODER_H_
#define BERTHA_TESTS_CUDA_SYNTHETIC_ENCODER_H_

#include <cmath>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "models/families/encoder_weights.h"

namespace bertha::cuda {

/// Makes matrices and vectors of random numbers that live as long as the encoder.
class WeightMaker {
 public:
  models::MatrixView Matrix(size_t rows, size_t columns, float size) {
    return {Numbers(rows * columns, size, 0).data(), rows, columns, columns};
  }
  /// [outputs, inputs], stored the other way round.
  models::MatrixView Transposed(size_t outputs, size_t inputs) {
    return {Numbers(outputs * inputs, Scale(inputs), 0).data(), outputs, inputs, 1, outputs};
  }
  std::span<const float> Vector(size_t size, float scale, float around = 0) { return Numbers(size, scale, around); }
  models::LinearWeights Linear(size_t outputs, size_t inputs, bool bias = true) {
    return {Matrix(outputs, inputs, Scale(inputs)), bias ? Vector(outputs, 0.3f) : std::span<const float>()};
  }
  models::NormWeights Norm(size_t size) { return {Vector(size, 0.3f, 1), Vector(size, 0.3f)}; }
  std::shared_ptr<const void> storage() const { return storage_; }

 private:
  static float Scale(size_t inputs) { return 2.f / std::sqrt(static_cast<float>(inputs)); }

  std::span<const float> Numbers(size_t count, float size, float around) {
    std::vector<float>& numbers = storage_->emplace_back(count);
    for (float& x : numbers) x = around + size * (static_cast<float>(random_()) / 2147483648.f - 1.f);
    return numbers;
  }

  std::shared_ptr<std::deque<std::vector<float>>> storage_ = std::make_shared<std::deque<std::vector<float>>>();
  std::mt19937 random_{7};
};

struct EncoderShape {
  size_t hidden = 64, heads = 2, head_size = 32, intermediate = 128, layers = 2, vocabulary = 50, max_length = 96;
  bool biases = true;
};

inline models::LayerWeights MakeLayer(WeightMaker& make, const EncoderShape& shape, bool relative) {
  const size_t width = shape.heads * shape.head_size;
  models::LayerWeights layer = {.query = make.Linear(width, shape.hidden, shape.biases && !relative),
                                .key = make.Linear(width, shape.hidden, shape.biases && !relative),
                                .value = make.Linear(width, shape.hidden, shape.biases && !relative),
                                .output = make.Linear(shape.hidden, width, shape.biases && !relative),
                                .attention_norm = make.Norm(shape.hidden),
                                .up = make.Linear(shape.intermediate, shape.hidden, shape.biases),
                                .down = make.Linear(shape.hidden, shape.intermediate, shape.biases),
                                .output_norm = make.Norm(shape.hidden)};
  if (!relative) return layer;
  layer.query.weight = make.Transposed(width, shape.hidden);
  layer.relative = models::RelativeAttentionWeights{.position = make.Transposed(width, shape.hidden),
                                                    .content_bias = make.Vector(width, 0.5f),
                                                    .position_bias = make.Vector(width, 0.5f),
                                                    .segment_bias = make.Vector(width, 0.5f),
                                                    .segments = {make.Vector(width, 0.5f), make.Vector(width, 0.5f)}};
  return layer;
}

/// "bert", "roberta", "distilbert", "albert", "xlnet", or with a head for each token: "tokens" (labels), "vectors".
inline models::EncoderWeights MakeEncoder(const std::string& kind, const EncoderShape& shape) {
  using models::Activation;
  WeightMaker make;
  const bool albert = kind == "albert", xlnet = kind == "xlnet", roberta = kind == "roberta";
  const size_t width = albert ? shape.hidden / 2 : shape.hidden;
  models::EncoderWeights weights;
  weights.hidden = shape.hidden;
  weights.heads = shape.heads;
  weights.head_size = shape.head_size;
  weights.intermediate = shape.intermediate;
  weights.norm_epsilon = 1e-5f;
  weights.activation = albert ? Activation::kGeluTanh : Activation::kGelu;
  weights.max_length = shape.max_length;
  weights.embedding.words = make.Matrix(shape.vocabulary, width, 1);
  if (!xlnet) {
    weights.embedding.first_position = roberta ? 2 : 0;
    weights.embedding.skipped_id = roberta ? 1 : -1;
    weights.embedding.positions = make.Matrix(shape.max_length + weights.embedding.first_position, width, 1);
    if (kind != "distilbert") weights.embedding.types = make.Matrix(roberta ? 1 : 2, width, 1);
    weights.embedding.norm = make.Norm(width);
  }
  if (albert) weights.embedding.projection = make.Linear(shape.hidden, width);
  for (size_t i = 0; i < shape.layers; ++i) {
    if (!albert || i == 0) weights.layers.push_back(MakeLayer(make, shape, xlnet));
    weights.order.push_back(albert ? 0 : i);
  }
  if (kind == "tokens") {
    weights.head = {models::HeadRows::kAll, {{make.Linear(9, shape.hidden)}}};
  } else if (kind == "vectors") {
    weights.head = {models::HeadRows::kAll, {}};
  } else {
    const Activation between = kind == "distilbert" ? Activation::kRelu : Activation::kTanh;
    weights.head = {xlnet ? models::HeadRows::kLast : models::HeadRows::kFirst,
                    {{make.Linear(shape.hidden, shape.hidden), between}, {make.Linear(3, shape.hidden)}}};
  }
  weights.storage = make.storage();
  return weights;
}

/// Texts of these lengths with random ids. The last half of each is of type 1 where there are two types.
struct SyntheticBatch {
  SyntheticBatch(const models::EncoderWeights& weights, const std::vector<int>& lengths, unsigned seed = 1) {
    std::mt19937 random(seed);
    const bool two_types = weights.embedding.types.rows != 1;
    for (const int length : lengths) {
      for (int i = 0; i < length; ++i) {
        ids.push_back(static_cast<int32_t>(random() % weights.embedding.words.rows));
        type_ids.push_back(two_types && 2 * i >= length ? 1 : 0);
      }
      cu_seqlens.push_back(static_cast<int32_t>(ids.size()));
    }
  }

  std::vector<int32_t> ids, type_ids, cu_seqlens = {0};
};

}  // namespace bertha::cuda

#endif  // BERTHA_TESTS_CUDA_SYNTHETIC_ENCODER_H_
