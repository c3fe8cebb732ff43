#include "tests/models/reference_encoder.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <vector>

namespace bertha::models {
namespace {

using Row = std::vector<double>;
using Rows = std::vector<Row>;

Row Linear(const LinearWeights& linear, const Row& x) {
  Row y(linear.weight.rows);
  for (size_t i = 0; i < y.size(); ++i) {
    y[i] = linear.bias.empty() ? 0 : linear.bias[i];
    for (size_t j = 0; j < x.size(); ++j) y[i] += static_cast<double>(linear.weight.at(i, j)) * x[j];
  }
  return y;
}

Rows Linear(const LinearWeights& linear, const Rows& x) {
  Rows y;
  for (const Row& row : x) y.push_back(Linear(linear, row));
  return y;
}

Row Norm(const NormWeights& norm, double epsilon, Row x) {
  if (norm.gain.empty()) return x;
  const auto n = static_cast<double>(x.size());
  const double mean = std::accumulate(x.begin(), x.end(), 0.0) / n;
  double variance = 0;
  for (const double value : x) variance += (value - mean) * (value - mean) / n;
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = (x[i] - mean) / std::sqrt(variance + epsilon) * norm.gain[i] + norm.bias[i];
  }
  return x;
}

double Activate(Activation activation, double x) {
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kGelu:
      return x / 2 * (1 + std::erf(x / std::numbers::sqrt2));
    case Activation::kGeluTanh:
      return x / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
    case Activation::kRelu:
      return std::max(x, 0.0);
    case Activation::kTanh:
      return std::tanh(x);
  }
  return x;
}

Row Activate(Activation activation, Row x) {
  for (double& value : x) value = Activate(activation, value);
  return x;
}

Row Add(Row a, const Row& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

void AddRow(const MatrixView& table, size_t row, Row& x) {
  for (size_t i = 0; i < x.size(); ++i) x[i] += table.at(row, i);
}

/// One sequence of a batch.
struct Sequence {
  std::span<const int32_t> ids, type_ids;
};

Rows Embed(const EncoderWeights& weights, const Sequence& sequence) {
  const EmbeddingWeights& embedding = weights.embedding;
  Rows rows;
  size_t position = embedding.first_position;
  for (size_t i = 0; i < sequence.ids.size(); ++i) {
    Row x(embedding.words.columns);
    AddRow(embedding.words, static_cast<size_t>(sequence.ids[i]), x);
    const bool skipped = sequence.ids[i] == embedding.skipped_id;
    if (!embedding.positions.empty()) {
      AddRow(embedding.positions, skipped ? embedding.first_position - 1 : position, x);
    }
    if (!skipped) ++position;
    if (!embedding.types.empty()) AddRow(embedding.types, static_cast<size_t>(sequence.type_ids[i]), x);
    x = Norm(embedding.norm, weights.norm_epsilon, x);
    rows.push_back(embedding.projection.weight.empty() ? x : Linear(embedding.projection, x));
  }
  return rows;
}

/// r_d, all heads.
Row PositionKey(const RelativeAttentionWeights& relative, double distance, size_t hidden) {
  Row sinusoid(hidden);
  for (size_t k = 0; k < hidden / 2; ++k) {
    const double angle = distance * std::pow(10000.0, -2.0 * static_cast<double>(k) / static_cast<double>(hidden));
    sinusoid[k] = std::sin(angle);
    sinusoid[hidden / 2 + k] = std::cos(angle);
  }
  return Linear({.weight = relative.position}, sinusoid);
}

/// What a head sees of a query and its keys: entries [begin, begin + size) of their rows.
struct Head {
  size_t begin, size;

  /// (a + bias) · b; no bias if it is empty.
  template <class B>
  double Dot(const Row& a, std::span<const float> bias, const B& b) const {
    double sum = 0;
    for (size_t i = begin; i < begin + size; ++i) sum += (a[i] + (bias.empty() ? 0.0 : bias[i])) * b[i];
    return sum;
  }
};

/// Scores of the query at `i` before the softmax, unscaled.
Row Scores(const LayerWeights& layer, const Sequence& sequence, const Head& head, size_t i, const Row& query,
           const Rows& keys, const Rows& position_keys) {
  Row scores;
  for (size_t j = 0; j < keys.size(); ++j) {
    if (!layer.relative) {
      scores.push_back(head.Dot(query, {}, keys[j]));
      continue;
    }
    const RelativeAttentionWeights& relative = *layer.relative;
    const Row& position_key = position_keys[keys.size() - 1 + i - j];
    const std::span<const float> segment = relative.segments[sequence.type_ids[i] != sequence.type_ids[j]];
    scores.push_back(head.Dot(query, relative.content_bias, keys[j]) +
                     head.Dot(query, relative.position_bias, position_key) +
                     head.Dot(query, relative.segment_bias, segment));
  }
  return scores;
}

Row Softmax(Row x) {
  const double largest = *std::ranges::max_element(x);
  double sum = 0;
  for (double& value : x) sum += value = std::exp(value - largest);
  for (double& value : x) value /= sum;
  return x;
}

Rows Attend(const EncoderWeights& weights, const LayerWeights& layer, const Sequence& sequence, const Rows& x) {
  const Rows queries = Linear(layer.query, x), keys = Linear(layer.key, x), values = Linear(layer.value, x);
  Rows position_keys;  // of the distances 1 - n to n - 1
  if (layer.relative) {
    const auto n = static_cast<double>(x.size());
    for (double distance = 1 - n; distance < n; ++distance) {
      position_keys.push_back(PositionKey(*layer.relative, distance, weights.hidden));
    }
  }
  Rows mixed(x.size(), Row(weights.heads * weights.head_size));
  for (size_t i = 0; i < x.size(); ++i) {
    for (size_t h = 0; h < weights.heads; ++h) {
      const Head head = {h * weights.head_size, weights.head_size};
      Row scores = Scores(layer, sequence, head, i, queries[i], keys, position_keys);
      for (double& score : scores) score /= std::sqrt(static_cast<double>(weights.head_size));
      const Row shares = Softmax(scores);
      for (size_t j = 0; j < shares.size(); ++j) {
        for (size_t d = head.begin; d < head.begin + head.size; ++d) mixed[i][d] += shares[j] * values[j][d];
      }
    }
  }
  return Linear(layer.output, mixed);
}

Rows RunLayer(const EncoderWeights& weights, const LayerWeights& layer, const Sequence& sequence, Rows x) {
  const Rows attended = Attend(weights, layer, sequence, x);
  for (size_t i = 0; i < x.size(); ++i) {
    const Row y = Norm(layer.attention_norm, weights.norm_epsilon, Add(x[i], attended[i]));
    const Row down = Linear(layer.down, Activate(weights.activation, Linear(layer.up, y)));
    x[i] = Norm(layer.output_norm, weights.norm_epsilon, Add(y, down));
  }
  return x;
}

Rows RunHead(const HeadWeights& head, Rows rows) {
  if (head.rows == HeadRows::kFirst) rows.resize(1);
  if (head.rows == HeadRows::kLast) rows = {rows.back()};
  for (const HeadStep& step : head.steps) {
    for (Row& row : rows) row = Activate(step.activation, Linear(step.linear, row));
  }
  return rows;
}

}  // namespace

batcher::EncoderOutput ReferenceOutputs(const EncoderWeights& weights, const batcher::PackedBatch& batch) {
  batcher::EncoderOutput output;
  output.width = weights.output_width();
  for (size_t i = 0; i < batch.size(); ++i) {
    const auto begin = static_cast<size_t>(batch.cu_seqlens[i]);
    const auto size = static_cast<size_t>(batch.cu_seqlens[i + 1]) - begin;
    const Sequence sequence = {batch.ids.subspan(begin, size), batch.type_ids.subspan(begin, size)};
    Rows x = Embed(weights, sequence);
    for (const size_t layer : weights.order) x = RunLayer(weights, weights.layers[layer], sequence, x);
    for (const Row& row : RunHead(weights.head, x)) {
      output.values.insert(output.values.end(), row.begin(), row.end());
      ++output.rows;
    }
  }
  return output;
}

}  // namespace bertha::models
