#include "models/ops/attention.h"

#include <algorithm>
#include <cstring>

namespace bertha::models {
namespace {

constexpr size_t kMaxSequences = 8192;
// Queries at a time: their scores stay in the second-level cache.
constexpr size_t kTilesPerBlock = 4;

size_t DivideUp(size_t n, size_t by) { return (n + by - 1) / by; }
size_t RoundUp(size_t n, size_t to) { return DivideUp(n, to) * to; }

}  // namespace

AttentionRunner::AttentionRunner(ThreadTeam& team, const RowKernels& row_kernels, const GemmKernel& kernel,
                                 size_t heads, size_t head_size, size_t max_length)
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
    call.one_query ? (*finish)(sequence, sequence + 1, member) : (*finish)(begin, end, member);
  });
  for (size_t i = 0; i < sequences; ++i) {
    const double length = call.cu_seqlens[i + 1] - call.cu_seqlens[i];
    operations_ += 4.0 * (call.one_query ? 1 : length) * length * static_cast<double>(heads_ * head_size_);
  }
}

void AttentionRunner::RunHead(const AttentionCall& call, size_t sequence, size_t head, Scratch& scratch) const {
  const auto first = static_cast<size_t>(call.cu_seqlens[sequence]);
  const size_t length = static_cast<size_t>(call.cu_seqlens[sequence + 1]) - first;
  const size_t element = SizeOf(kernel_.activations), column = head * head_size_ * element;
  PackKeys(call.keys.data + first * call.keys.stride + column, call.keys.stride, length, scratch);
  PackValues(call.values.data + first * call.values.stride + column, call.values.stride, length, scratch);

  const size_t key_panels = DivideUp(length, kernel_.panel), key_groups = DivideUp(head_size_, kernel_.group);
  const size_t value_panels = DivideUp(head_size_, kernel_.panel), value_groups = DivideUp(length, kernel_.group);
  const size_t key_panel_bytes = key_groups * kernel_.panel * kernel_.group * element;
  const size_t value_panel_bytes = value_groups * kernel_.panel * kernel_.group * element;
  // An odd number of cache lines, lest all rows fall into the same sets.
  const size_t padded = RoundUp(length, kRowPadding) + kRowPadding / 4, sum_columns = value_panels * kernel_.panel;
  auto* const scores = scratch.scores.as<float>();
  auto* const sums = scratch.sums.as<float>();
  const size_t first_query = call.one_query ? sequence : first, queries = call.one_query ? 1 : length;
  for (size_t begin = 0; begin < queries; begin += block_rows_) {
    const size_t rows = std::min(block_rows_, queries - begin), tiles = DivideUp(rows, kernel_.max_rows);
    const std::byte* const q = call.queries.data + (first_query + begin) * call.queries.stride + column;
    for (size_t panel = 0; panel < key_panels; ++panel) {
      for (size_t tile = 0, row = 0; tile < tiles; ++tile) {
        const size_t n = DivideUp(rows - row, tiles - tile);
        kernel_.tile(q + row * call.queries.stride, call.queries.stride, scratch.keys.data() + panel * key_panel_bytes,
                     key_groups, n, scores + row * padded + panel * kernel_.panel, padded);
        row += n;
      }
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
                     scratch.values.data() + panel * value_panel_bytes, value_groups, n,
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

/// [panels][groups][panel][group], of the keys as columns. A group of the kernel's elements is 32 bits.
void AttentionRunner::PackKeys(const std::byte* keys, size_t stride, size_t length, Scratch& scratch) const {
  const size_t units = DivideUp(head_size_, kernel_.group);
  auto* to = scratch.keys.as<uint32_t>();
  for (size_t row = 0; row < length; row += kernel_.panel, to += units * kernel_.panel) {
    row_kernels_.transpose(keys + row * stride, stride, std::min(kernel_.panel, length - row), units, kernel_.panel,
                           to);
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
