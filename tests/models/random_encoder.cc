#include "tests/models/random_encoder.h"

#include <cmath>
#include <deque>
#include <memory>
#include <random>

namespace bertha::models {
namespace {

/// Draws weights and keeps them.
class Weights {
 public:
  explicit Weights(unsigned seed) : random_(seed) {}

  std::span<const float> Vector(size_t size, float mean, float deviation) {
    std::normal_distribution<float> draw(mean, deviation);
    std::vector<float>& values = storage_->emplace_back(size);
    for (float& value : values) value = draw(random_);
    return values;
  }
  MatrixView Matrix(size_t rows, size_t columns, float deviation) {
    return {Vector(rows * columns, 0, deviation).data(), rows, columns, columns, 1};
  }
  /// Its columns lie together, as XLNet has them.
  MatrixView Transposed(size_t rows, size_t columns, float deviation) {
    return {Vector(rows * columns, 0, deviation).data(), rows, columns, 1, rows};
  }
  LinearWeights Linear(size_t outputs, size_t inputs) {
    return {Matrix(outputs, inputs, 1.5f / std::sqrt(static_cast<float>(inputs))), Vector(outputs, 0, 0.1f)};
  }
  NormWeights Norm(size_t size) { return {Vector(size, 1, 0.2f), Vector(size, 0, 0.1f)}; }

  std::shared_ptr<const void> storage() const { return storage_; }

 private:
  std::mt19937 random_;
  std::shared_ptr<std::deque<std::vector<float>>> storage_ = std::make_shared<std::deque<std::vector<float>>>();
};

RelativeAttentionWeights Relative(Weights& weights, const EncoderShape& shape, size_t inner) {
  const float deviation = 1 / std::sqrt(static_cast<float>(shape.hidden));
  return {.position = weights.Transposed(inner, shape.hidden, deviation),
          .content_bias = weights.Vector(inner, 0, 0.3f),
          .position_bias = weights.Vector(inner, 0, 0.3f),
          .segment_bias = weights.Vector(inner, 0, 0.3f),
          .segments = {weights.Vector(inner, 0, 0.5f), weights.Vector(inner, 0, 0.5f)}};
}

}  // namespace

EncoderWeights RandomEncoder(const EncoderShape& shape) {
  Weights weights(static_cast<unsigned>(shape.hidden * 31 + shape.intermediate));
  EncoderWeights encoder;
  encoder.hidden = shape.hidden;
  encoder.heads = shape.heads;
  encoder.head_size = shape.head_size;
  encoder.intermediate = shape.intermediate;
  encoder.norm_epsilon = 1e-6f;
  encoder.activation = shape.activation;
  encoder.max_length = shape.max_length;
  EmbeddingWeights& embedding = encoder.embedding;
  embedding.words = weights.Matrix(shape.vocabulary, shape.embedding_width, 0.5f);
  if (!shape.is_relative) {
    embedding.positions = weights.Matrix(shape.max_length + 2, shape.embedding_width, 0.5f);
    embedding.norm = weights.Norm(shape.embedding_width);
  }
  if (shape.types > 0 && !shape.is_relative) embedding.types = weights.Matrix(shape.types, shape.embedding_width, 0.5f);
  if (shape.embedding_width != shape.hidden) embedding.projection = weights.Linear(shape.hidden, shape.embedding_width);
  if (shape.skips_an_id) {
    embedding.first_position = 2;
    embedding.skipped_id = 1;
  }
  const size_t inner = shape.heads * shape.head_size;
  for (size_t i = 0; i < (shape.shares_layers ? 1 : shape.layers); ++i) {
    LayerWeights& layer = encoder.layers.emplace_back();
    layer.query = weights.Linear(inner, shape.hidden);
    layer.key = weights.Linear(inner, shape.hidden);
    layer.value = weights.Linear(inner, shape.hidden);
    if (shape.is_relative) layer.relative = Relative(weights, shape, inner);
    layer.output = weights.Linear(shape.hidden, inner);
    layer.attention_norm = weights.Norm(shape.hidden);
    layer.up = weights.Linear(shape.intermediate, shape.hidden);
    layer.down = weights.Linear(shape.hidden, shape.intermediate);
    layer.output_norm = weights.Norm(shape.hidden);
  }
  for (size_t i = 0; i < shape.layers; ++i) encoder.order.push_back(shape.shares_layers ? 0 : i);
  encoder.head.rows = shape.rows;
  if (shape.labels > 0) {
    if (shape.rows != HeadRows::kAll) {
      encoder.head.steps.push_back({weights.Linear(shape.hidden, shape.hidden), Activation::kTanh});
    }
    encoder.head.steps.push_back({weights.Linear(shape.labels, shape.hidden), Activation::kNone});
  }
  encoder.storage = weights.storage();
  return encoder;
}

RandomTexts::RandomTexts(const std::vector<size_t>& lengths, const EncoderShape& shape, unsigned seed) {
  std::minstd_rand random(seed);
  for (const size_t length : lengths) {
    for (size_t i = 0; i < length; ++i) {
      ids.push_back(static_cast<int32_t>(random() % shape.vocabulary));
      type_ids.push_back(shape.is_relative ? static_cast<int32_t>(random() % 3)
                         : shape.types > 0 ? static_cast<int32_t>(random() % shape.types)
                                           : 0);
    }
    cu_seqlens.push_back(static_cast<int32_t>(ids.size()));
  }
}

batcher::PackedBatch RandomTexts::alone(size_t i) {
  const auto begin = static_cast<size_t>(cu_seqlens[i]), size = static_cast<size_t>(cu_seqlens[i + 1]) - begin;
  alone_ = {0, static_cast<int32_t>(size)};
  return {std::span(ids).subspan(begin, size), std::span(type_ids).subspan(begin, size), alone_};
}

}  // namespace bertha::models
