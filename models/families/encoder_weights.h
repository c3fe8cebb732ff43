// What every family is reduced to before an engine of ours sees it: one post-norm transformer encoder with a head.
//
// An engine reads nothing else: neither the family's name nor the names of its weights. What the families differ by is
// data here: position offsets, factorised embeddings (ALBERT), layers that share weights (ALBERT), relative attention
// (XLNet), the head and the row that it reads.
//
//   x = norm(words[id] + positions[position] + types[type])    then projection, if there is one
//   for each layer:
//     x = norm(x + output(attention(query(x), key(x), value(x))))
//     x = norm(x + down(activation(up(x))))
//   head: its steps, one after the other, on the rows that it reads
//
// Sources: Vaswani et al., "Attention is all you need", 2017; Devlin et al., "BERT", 2019; Liu et al., "RoBERTa", 2019;
// Sanh et al., "DistilBERT", 2019; Lan et al., "ALBERT", 2020; Yang et al., "XLNet", 2019, and Dai et al.,
// "Transformer-XL", 2019, for relative attention.
// Thread-safety: immutable data. All matrices and vectors are views of fp32 memory that `storage` keeps alive.
#ifndef BERTHA_MODELS_FAMILIES_ENCODER_WEIGHTS_H_
#define BERTHA_MODELS_FAMILIES_ENCODER_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace bertha::models {

/// Element (row, column) is data[row * row_stride + column * column_stride]: a transposed weight needs no copy.
struct MatrixView {
  const float* data = nullptr;
  size_t rows = 0, columns = 0;
  size_t row_stride = 0, column_stride = 1;

  float at(size_t row, size_t column) const { return data[row * row_stride + column * column_stride]; }
  bool empty() const { return data == nullptr; }
};

/// y = weight · x + bias, of a column x: `weight` is [outputs, inputs].
struct LinearWeights {
  MatrixView weight;
  std::span<const float> bias;  ///< [outputs], or empty
};

/// y = (x - mean) / sqrt(variance + epsilon) * gain + bias
struct NormWeights {
  std::span<const float> gain, bias;  ///< [hidden]; both empty: no norm here
};

enum class Activation {
  kNone,
  kGelu,      ///< x / 2 * (1 + erf(x / sqrt 2))
  kGeluTanh,  ///< its approximation by tanh: "gelu_new", "gelu_pytorch_tanh"
  kRelu,
  kTanh,
};

/// XLNet's two-stream attention, of which only the content stream is left. With d = i - j, the distance of a query at i
/// to a key at j, the score is
///   ((q_i + content_bias) · k_j + (q_i + position_bias) · r_d + (q_i + segment_bias) · segments[type_i != type_j]) *
///   scale
/// with r_d = position · sinusoid(d) and sinusoid(d) = [sin(d f_0), sin(d f_1), ..., cos(d f_0), cos(d f_1), ...],
/// f_k = 10000^(-2k / hidden).
struct RelativeAttentionWeights {
  MatrixView position;                   ///< [heads * head_size, hidden]
  std::span<const float> content_bias;   ///< [heads * head_size]
  std::span<const float> position_bias;  ///< [heads * head_size]
  std::span<const float> segment_bias;   ///< [heads * head_size]
  std::span<const float> segments[2];    ///< [heads * head_size] each: of the same segment, of another one
};

struct LayerWeights {
  LinearWeights query, key, value;  ///< [heads * head_size, hidden]
  std::optional<RelativeAttentionWeights> relative;
  LinearWeights output;  ///< [hidden, heads * head_size]
  NormWeights attention_norm;
  LinearWeights up, down;  ///< [intermediate, hidden] and back
  NormWeights output_norm;
};

struct EmbeddingWeights {
  MatrixView words;      ///< [vocabulary, width]
  MatrixView positions;  ///< [positions, width], or empty
  MatrixView types;      ///< [types, width], or empty: type ids are then only for relative attention
  NormWeights norm;
  LinearWeights projection;  ///< [hidden, width], or empty: width is the hidden size then
  /// The position of a sequence's first token.
  size_t first_position = 0;
  /// RoBERTa numbers only the tokens that are not padding: a token with this id, even one that stands in the text, has
  /// position `first_position - 1` and moves no other on. -1: every token counts.
  int32_t skipped_id = -1;
};

/// A step of a head.
struct HeadStep {
  LinearWeights linear;
  Activation activation = Activation::kNone;
};

enum class HeadRows { kFirst, kLast, kAll };  ///< of each sequence

struct HeadWeights {
  HeadRows rows = HeadRows::kAll;
  std::vector<HeadStep> steps;  ///< none: the rows of the last layer are the output
};

struct EncoderWeights {
  size_t hidden = 0;
  size_t heads = 0;
  size_t head_size = 0;
  size_t intermediate = 0;
  float norm_epsilon = 0;
  Activation activation = Activation::kGelu;
  /// Longest sequence that there are positions for.
  size_t max_length = 0;

  EmbeddingWeights embedding;
  /// Distinct layers, and which of them runs as the i-th: ALBERT has one that runs twelve times.
  std::vector<LayerWeights> layers;
  std::vector<size_t> order;
  HeadWeights head;

  std::shared_ptr<const void> storage;

  /// Numbers of an output row.
  size_t output_width() const { return head.steps.empty() ? hidden : head.steps.back().linear.weight.rows; }
};

}  // namespace bertha::models

#endif  // BERTHA_MODELS_FAMILIES_ENCODER_WEIGHTS_H_
