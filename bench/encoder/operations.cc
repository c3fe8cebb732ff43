#include "bench/encoder/operations.h"

namespace bertha::bench {
namespace {

/// Of one layer and one sequence: `rows` of its `tokens` go through all of the layer, the others only become keys and
/// values.
double LayerOperations(const Architecture& a, double tokens, double rows) {
  const double keys_and_values = 2 * tokens * a.hidden * a.attention;
  const double query_and_output = 2 * rows * a.hidden * a.attention;
  const double scores = rows * tokens * a.attention * (a.relative ? 2 : 1) + (a.relative ? 2 * rows * a.attention : 0);
  const double values = rows * tokens * a.attention;
  const double feed_forward = 2 * rows * a.hidden * a.intermediate;
  return 2 * (keys_and_values + query_and_output + scores + values + feed_forward);
}

}  // namespace

Architecture ArchitectureOf(const models::EncoderWeights& weights) {
  Architecture architecture = {
      .layers = static_cast<double>(weights.order.size()),
      .hidden = static_cast<double>(weights.hidden),
      .attention = static_cast<double>(weights.heads * weights.head_size),
      .intermediate = static_cast<double>(weights.intermediate),
      .embedding_width = static_cast<double>(weights.embedding.projection.weight.columns),
      .relative = !weights.layers.empty() && weights.layers.front().relative.has_value(),
      .row_per_sequence = weights.head.rows != models::HeadRows::kAll,
  };
  for (const models::HeadStep& step : weights.head.steps) {
    const models::MatrixView& weight = step.linear.weight;
    architecture.head_operations += 2 * static_cast<double>(weight.rows * weight.columns);
  }
  return architecture;
}

double Operations(const Architecture& a, std::span<const int32_t> lengths) {
  double operations = 0;
  for (const int32_t length : lengths) {
    const double rows = a.row_per_sequence ? 1 : length;
    operations += 2 * length * a.embedding_width * a.hidden;
    if (a.layers > 0)
      operations += (a.layers - 1) * LayerOperations(a, length, length) + LayerOperations(a, length, rows);
    operations += rows * a.head_operations;
  }
  return operations;
}

}  // namespace bertha::bench
