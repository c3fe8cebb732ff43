#include "models/packed_model.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "models/kernels/cpu/bf16.h"
#include "models/kernels/cpu/row_kernels.h"
#include "models/ops/linear.h"

namespace bertha::models {
namespace {

// A step of the head with fewer weights is not worth the smallest error.
constexpr size_t kLargeStep = 1 << 16;

/// A vector followed by zeros, enough of them to read whole vectors from any of its elements.
AlignedBuffer Padded(std::span<const float> values) {
  AlignedBuffer padded((PaddedRow(values.size()) + kRowPadding) * sizeof(float));
  std::copy(values.begin(), values.end(), padded.as<float>());
  return padded;
}

/// The keys of all distances that a text can have, of one layer.
RelativePositions PackRelative(const EncoderWeights& w, const RelativeAttentionWeights& from,
                               const GemmKernel& attention_kernel, ThreadTeam& team) {
  const size_t rows = 2 * w.max_length - 1;
  const PackedMatrix position(GemmKernelFor(Dtype::kFp32), {{from.position, {}}}, team);
  AlignedBuffer sinusoids(rows * PaddedRow(w.hidden) * sizeof(float));
  for (size_t i = 0; i < rows; ++i) {
    const double distance = static_cast<double>(w.max_length) - 1 - static_cast<double>(i);
    float* const row = sinusoids.as<float>() + i * PaddedRow(w.hidden);
    for (size_t k = 0; 2 * k < w.hidden; ++k) {
      const double angle = distance / std::pow(10000.0, 2 * static_cast<double>(k) / static_cast<double>(w.hidden));
      row[k] = static_cast<float>(std::sin(angle));
      row[w.hidden / 2 + k] = static_cast<float>(std::cos(angle));
    }
  }
  AlignedBuffer keys(rows * position.padded_outputs() * sizeof(float));
  LinearRunner(team, GetRowKernels())
      .Run({.in = {sinusoids.data(), PaddedRow(w.hidden) * sizeof(float), nullptr},
            .rows = rows,
            .weights = &position,
            .panels = position.panels(),
            .out = {keys.data(), position.padded_outputs() * sizeof(float), Element::kF32}});
  RelativePositions packed;
  AttentionRunner(team, GetRowKernels(), attention_kernel, w.heads, w.head_size, 1, false)
      .PackPositions({keys.as<float>(), rows, w.heads * w.head_size, position.padded_outputs(), 1}, packed);
  packed.content_bias = Padded(from.content_bias);
  packed.position_bias = Padded(from.position_bias);
  packed.segment_bias = Padded(from.segment_bias);
  for (size_t i = 0; i < 2; ++i) packed.segments[i] = Padded(from.segments[i]);
  return packed;
}

}  // namespace

PackedTable::PackedTable(const MatrixView& from, Element element, ThreadTeam& team)
    : element_(element), rows_(from.rows), stride_(PaddedRow(from.columns) * SizeOf(element)) {
  data_ = AlignedBuffer(rows_ * stride_);
  constexpr size_t kRowsPerTask = 256;
  team.Run((rows_ + kRowsPerTask - 1) / kRowsPerTask, [&](size_t task, int) {
    const size_t end = std::min(rows_, (task + 1) * kRowsPerTask);
    for (size_t i = task * kRowsPerTask; i < end; ++i) SetRow(i, from);
  });
}

void PackedTable::SetRow(size_t i, const MatrixView& from) {
  std::byte* const to = data_.data() + i * stride_;
  for (size_t j = 0; j < from.columns; ++j) {
    if (element_ == Element::kF32) {
      reinterpret_cast<float*>(to)[j] = from.at(i, j);
    } else {
      reinterpret_cast<uint16_t*>(to)[j] = Bf16FromFloat(from.at(i, j));
    }
  }
}

PackedNorm::PackedNorm(const NormWeights& weights)
    : size(weights.gain.size()), gain(Padded(weights.gain)), bias(Padded(weights.bias)) {}

PackedModel::PackedModel(const EncoderWeights& w, Dtype type, ThreadTeam& team)
    : dtype(type),
      kernel(&GemmKernelFor(type)),
      attention_kernel(&AttentionKernelFor(w.head_size % 2 == 0 ? type : Dtype::kFp32)),
      hidden(w.hidden),
      heads(w.heads),
      head_size(w.head_size),
      intermediate(w.intermediate),
      max_length(w.max_length),
      epsilon(w.norm_epsilon),
      activation(w.activation),
      words(w.embedding.words, type == Dtype::kFp32 ? Element::kF32 : Element::kBf16, team),
      positions(w.embedding.positions, Element::kF32, team),
      types(w.embedding.types, Element::kF32, team),
      embedding_width(w.embedding.words.columns),
      first_position(w.embedding.first_position),
      skipped_id(w.embedding.skipped_id),
      embedding_norm(w.embedding.norm),
      order(w.order),
      head_rows(w.head.rows),
      output_width(w.output_width()),
      bytes(words.bytes() + positions.bytes() + types.bytes()) {
  if (!w.embedding.projection.weight.empty()) {
    projection.emplace(*attention_kernel, std::vector{w.embedding.projection}, team);
    bytes += projection->bytes();
  }
  for (const LayerWeights& from : w.layers) {
    PackedLayer& layer = layers.emplace_back();
    layer.qkv = PackedMatrix(*kernel, {from.query, from.key, from.value}, team);
    layer.output = PackedMatrix(*kernel, {from.output}, team);
    layer.up = PackedMatrix(*kernel, {from.up}, team);
    layer.down = PackedMatrix(*kernel, {from.down}, team);
    layer.attention_norm = PackedNorm(from.attention_norm);
    layer.output_norm = PackedNorm(from.output_norm);
    if (from.relative) {
      layer.relative = PackRelative(w, *from.relative, *attention_kernel, team);
      bytes += layer.relative->bytes();
    }
    bytes += layer.qkv.bytes() + layer.output.bytes() + layer.up.bytes() + layer.down.bytes();
  }
  for (const HeadStep& step : w.head.steps) {
    const bool is_large = step.linear.weight.rows * step.linear.weight.columns >= kLargeStep;
    const GemmKernel& step_kernel = is_large ? *attention_kernel : GemmKernelFor(Dtype::kFp32);
    head.push_back({PackedMatrix(step_kernel, {step.linear}, team), step.activation});
    bytes += head.back().linear.bytes();
  }
}

bool PackedModel::is_relative() const {
  return std::ranges::any_of(layers, [](const PackedLayer& layer) { return layer.relative.has_value(); });
}

}  // namespace bertha::models
