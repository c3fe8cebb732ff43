#include "models/ops/attention.h"

#include <algorithm>
#include <cstring>

namespace bertha::models {
namespace {

constexpr size_t kMaxSequences = 8192;
// A group of the kernels here, of one fp32 or two bf16 elements.
constexpr size_t kGroupBytes = 4;
// Queries at a time: their scores stay in the second-level cache.
constexpr size_t kTilesPerBlock = 4;

size_t DivideUp(size_t n, size_t by) { return (n + by - 1) / by; }
size_t RoundUp(size_t n, size_t to) { return DivideUp(n, to) * to; }

}  // namespace

AttentionRunner::AttentionRunner(ThreadTeam& team, const RowKernels& row_kernels, const GemmKernel& kernel,
                                 size_t heads, size_t head_size, size_t max_length, bool is_relative)
    : team_(team),
      row_kernels_(row_kernels),
      kernel_(kernel),
      heads_(heads),
      head_size_(head_size),
      block_rows_(kTilesPerBlock * kernel.max_rows),
      scratch_(static_cast<size_t>(team.size())),
      remaining_(kMaxSequences) {
  const size_t length = RoundUp(max_length, kRowPadding), size = RoundUp(head_size, kRowPadding);
  const size_t element = SizeOf(kernel.activations);
  for (Scratch& scratch : scratch_) {
    scratch.keys = AlignedBuffer(length * size * element);
    scratch.values = AlignedBuffer(length * size * element);
    scratch.scores = AlignedBuffer(block_rows_ * (length + kRowPadding) * sizeof(float));
    scratch.weights = AlignedBuffer(block_rows_ * (length + kRowPadding) * element);
    scratch.sums = AlignedBuffer(block_rows_ * size * sizeof(float));
    scratch.factors.resize(block_rows_);
    if (!is_relative) continue;
    scratch.content_queries = AlignedBuffer(block_rows_ * size * element);
    scratch.position_queries = AlignedBuffer(block_rows_ * size * element);
    scratch.position_scores = AlignedBuffer(block_rows_ * (length + block_rows_ + 3 * kRowPadding) * sizeof(float));
  }
}

size_t AttentionRunner::bytes() const {
  size_t bytes = 0;
  for (const Scratch& s : scratch_) {
    bytes += s.keys.bytes() + s.values.bytes() + s.scores.bytes() + s.weights.bytes() + s.sums.bytes();
  }
  return bytes;
}

void AttentionRunner::Run(const AttentionCall& call, const FinishRows* finish) {
  const size_t sequences = call.order.size();
  if (finish != nullptr) {
    if (sequences > remaining_.size()) remaining_ = std::vector<std::atomic<uint32_t>>(sequences);
    for (size_t i = 0; i < sequences; ++i) {
      remaining_[i].store(static_cast<uint32_t>(heads_), std::memory_order_relaxed);
    }
  }
  team_.Run(sequences * heads_, [&](size_t task, int member) {
    const auto sequence = static_cast<size_t>(call.order[task / heads_]);
    RunHead(call, sequence, task % heads_, scratch_[static_cast<size_t>(member)]);
    if (finish == nullptr || remaining_[sequence].fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    const auto begin = static_cast<size_t>(call.cu_seqlens[sequence]);
    const auto end = static_cast<size_t>(call.cu_seqlens[sequence + 1]);
    const bool one = call.query_rows != HeadRows::kAll;
    one ? (*finish)(sequence, sequence + 1, member) : (*finish)(begin, end, member);
  });
  for (size_t i = 0; i < sequences; ++i) {
    const double length = call.cu_seqlens[i + 1] - call.cu_seqlens[i];
    const double queries = call.query_rows == HeadRows::kAll ? length : 1;
    operations_ += (call.relative == nullptr ? 4.0 : 6.0) * queries * length * static_cast<double>(heads_ * head_size_);
  }
}

/// All scores of some rows of queries with packed keys.
void AttentionRunner::Score(const std::byte* queries, size_t stride, size_t rows, const std::byte* keys, size_t panels,
                            float* scores, size_t score_stride) const {
  const size_t groups = DivideUp(head_size_, kernel_.group), tiles = DivideUp(rows, kernel_.max_rows);
  for (size_t panel = 0; panel < panels; ++panel, keys += groups * kernel_.panel * kGroupBytes) {
    for (size_t tile = 0, row = 0; tile < tiles; ++tile) {
      const size_t n = DivideUp(rows - row, tiles - tile);
      kernel_.tile(queries + row * stride, stride, keys, keys, groups, n,
                   scores + row * score_stride + panel * kernel_.panel, score_stride);
      row += n;
    }
  }
}

void AttentionRunner::RunHead(const AttentionCall& call, size_t sequence, size_t head, Scratch& scratch) const {
  const auto first = static_cast<size_t>(call.cu_seqlens[sequence]);
  const size_t length = static_cast<size_t>(call.cu_seqlens[sequence + 1]) - first;
  const size_t element = SizeOf(kernel_.activations), column = head * head_size_ * element;
  PackKeys(call.keys.data + first * call.keys.stride + column, call.keys.stride, length, scratch.keys.data());
  PackValues(call.values.data + first * call.values.stride + column, call.values.stride, length, scratch);

  const size_t value_panels = DivideUp(head_size_, kernel_.panel), value_groups = DivideUp(length, kernel_.group);
  const size_t value_panel_bytes = value_groups * kernel_.panel * kGroupBytes;
  // An odd number of cache lines, lest all rows fall into the same sets.
  const size_t padded = RoundUp(length, kRowPadding) + kRowPadding / 4, sum_columns = value_panels * kernel_.panel;
  auto* const scores = scratch.scores.as<float>();
  auto* const sums = scratch.sums.as<float>();
  const bool one = call.query_rows != HeadRows::kAll;
  const size_t first_query = one ? sequence : first, queries = one ? 1 : length;
  for (size_t begin = 0; begin < queries; begin += block_rows_) {
    const size_t rows = std::min(block_rows_, queries - begin), tiles = DivideUp(rows, kernel_.max_rows);
    const std::byte* const q = call.queries.data + (first_query + begin) * call.queries.stride + column;
    if (call.relative != nullptr) {
      ScoreRelative(call, sequence, head, call.query_rows == HeadRows::kLast ? length - 1 : begin, rows, q, padded,
                    scratch);
    } else {
      Score(q, call.queries.stride, rows, scratch.keys.data(), DivideUp(length, kernel_.panel), scores, padded);
    }
    for (size_t row = 0; row < rows; ++row) {
      scratch.factors[row] =
          row_kernels_.softmax(scores + row * padded, length, RoundUp(length, kRowPadding), call.scale,
                               kernel_.activations, scratch.weights.data() + row * padded * element);
    }
    for (size_t panel = 0; panel < value_panels; ++panel) {
      for (size_t tile = 0, row = 0; tile < tiles; ++tile) {
        const size_t n = DivideUp(rows - row, tiles - tile);
        kernel_.tile(scratch.weights.data() + row * padded * element, padded * element,
                     scratch.values.data() + panel * value_panel_bytes, scratch.values.data(), value_groups, n,
                     sums + row * sum_columns + panel * kernel_.panel, sum_columns);
        row += n;
      }
    }
    std::byte* out =
        call.out.data + (first_query + begin) * call.out.stride + head * head_size_ * SizeOf(call.out.element);
    for (size_t row = 0; row < rows; ++row, out += call.out.stride) {
      row_kernels_.scale(sums + row * sum_columns, head_size_, scratch.factors[row], call.out.element, out);
    }
  }
}

/// The scores of queries at places [begin, begin + rows) of their sequence.
void AttentionRunner::ScoreRelative(const AttentionCall& call, size_t sequence, size_t head, size_t begin, size_t rows,
                                    const std::byte* queries, size_t score_stride, Scratch& scratch) const {
  const RelativePositions& relative = *call.relative;
  const auto first = static_cast<size_t>(call.cu_seqlens[sequence]);
  const size_t length = static_cast<size_t>(call.cu_seqlens[sequence + 1]) - first, head_column = head * head_size_;
  const size_t stride = RoundUp(head_size_, kRowPadding) * SizeOf(kernel_.activations);
  std::byte* const content = scratch.content_queries.data();
  std::byte* const position = scratch.position_queries.data();
  for (size_t row = 0; row < rows; ++row) {
    const std::byte* const query = queries + row * call.queries.stride;
    row_kernels_.add_bias(query, kernel_.activations, relative.content_bias.as<float>() + head_column, head_size_,
                          content + row * stride);
    row_kernels_.add_bias(query, kernel_.activations, relative.position_bias.as<float>() + head_column, head_size_,
                          position + row * stride);
  }
  auto* const scores = scratch.scores.as<float>();
  Score(content, stride, rows, scratch.keys.data(), DivideUp(length, kernel_.panel), scores, score_stride);

  // The query at i and the key at j are at the distance i - j, whose key is the one at middle - i + j: for each query a
  // run of `length` keys, which begins one further to the left than the one of the query before.
  const size_t middle = relative.max_length - 1;
  const size_t first_panel = (middle - (begin + rows - 1)) / kernel_.panel;
  const size_t panels = (middle - begin + length - 1) / kernel_.panel - first_panel + 1;
  const size_t panel_bytes = DivideUp(head_size_, kernel_.group) * kernel_.panel * kGroupBytes;
  const size_t position_stride = panels * kernel_.panel + kRowPadding / 4;
  auto* const position_scores = scratch.position_scores.as<float>();
  Score(position, stride, rows, relative.keys.data() + head * relative.head_bytes + first_panel * panel_bytes, panels,
        position_scores, position_stride);

  const float* const segments[2] = {relative.segments[0].as<float>() + head_column,
                                    relative.segments[1].as<float>() + head_column};
  for (size_t row = 0; row < rows; ++row) {
    const size_t i = begin + row;
    float segment_scores[2];
    row_kernels_.two_dots(queries + row * call.queries.stride, kernel_.activations,
                          relative.segment_bias.as<float>() + head_column, segments, head_size_, segment_scores);
    row_kernels_.add_relative(scores + row * score_stride,
                              position_scores + row * position_stride + (middle - i - first_panel * kernel_.panel),
                              call.type_ids + first, call.type_ids[first + i], segment_scores, length);
  }
}

/// [panels][groups][panel][group], of the keys as columns.
void AttentionRunner::PackKeys(const std::byte* keys, size_t stride, size_t length, std::byte* to) const {
  const size_t units = DivideUp(head_size_, kernel_.group);
  for (size_t row = 0; row < length; row += kernel_.panel, to += units * kernel_.panel * kGroupBytes) {
    row_kernels_.transpose(keys + row * stride, stride, std::min(kernel_.panel, length - row), units, kernel_.panel,
                           reinterpret_cast<uint32_t*>(to));
  }
}

void AttentionRunner::PackPositions(const MatrixView& rows, RelativePositions& positions) const {
  const size_t panels = DivideUp(rows.rows, kernel_.panel), stride = PaddedRow(head_size_);
  positions.max_length = (rows.rows + 1) / 2;
  positions.head_bytes = panels * kernel_.panel * DivideUp(head_size_, kernel_.group) * kGroupBytes;
  positions.keys = AlignedBuffer(heads_ * positions.head_bytes);
  const size_t element = SizeOf(kernel_.activations);
  AlignedBuffer keys(rows.rows * stride * element), row(stride * sizeof(float));
  for (size_t head = 0; head < heads_; ++head) {
    for (size_t i = 0; i < rows.rows; ++i) {
      for (size_t j = 0; j < head_size_; ++j) row.as<float>()[j] = rows.at(i, head * head_size_ + j);
      row_kernels_.convert(row.as<float>(), stride, kernel_.activations, keys.data() + i * stride * element);
    }
    PackKeys(keys.data(), stride * element, rows.rows, positions.keys.data() + head * positions.head_bytes);
  }
}

/// [panels][groups][panel][group], of the values as rows. What is read behind a head is another's, and its results are
/// left out.
void AttentionRunner::PackValues(const std::byte* values, size_t stride, size_t length, Scratch& scratch) const {
  static constexpr uint16_t kZeros[kRowPadding] = {};
  const size_t element = SizeOf(kernel_.activations), panel = kernel_.panel;
  auto* to = scratch.values.as<uint32_t>();
  for (size_t column = 0; column < head_size_; column += panel) {
    const std::byte* row = values + column * element;
    for (size_t i = 0; i < length; i += kernel_.group, row += kernel_.group * stride, to += panel) {
      if (kernel_.group == 1) {
        std::memcpy(to, row, panel * sizeof(float));
        continue;
      }
      const auto* even = reinterpret_cast<const uint16_t*>(row);
      const auto* odd = i + 1 < length ? reinterpret_cast<const uint16_t*>(row + stride) : kZeros;
      row_kernels_.interleave(even, odd, panel, to);
    }
  }
}

}  // namespace bertha::models
