#include "models/ops/linear.h"

#include <algorithm>

namespace bertha::models {
namespace {

// Of the second-level cache, for the rows that a task reads and writes again and again while the weights pass by.
constexpr size_t kBlockBytes = size_t{512} << 10;
// So many that the threads finish at about the same time, and one that loses its core holds little up.
constexpr size_t kTasksPerThread = 24;
constexpr size_t kMaxTileRows = 32, kMaxPanel = 64;  // of any kernel

size_t DivideUp(size_t n, size_t by) { return (n + by - 1) / by; }

/// What a tile's end reads and writes: short pieces of many rows, which no processor foresees, on their way while the
/// products are computed. Inlined, or the compiler finds that it computes nothing and drops it.
__attribute__((always_inline)) inline void Fetch(const TileFinish& finish, size_t rows) {
  constexpr size_t kLine = AlignedBuffer::kAlignment;
  for (size_t i = 0; i < rows; ++i) {
    const auto* const out = static_cast<const std::byte*>(finish.out) + i * finish.out_stride;
    for (size_t at = 0; at < finish.columns * SizeOf(finish.out_element); at += kLine) __builtin_prefetch(out + at, 1);
    if (finish.residual == nullptr || finish.residual == finish.out) continue;
    const float* const residual = finish.residual + i * finish.residual_stride;
    for (size_t at = 0; at < finish.columns; at += kLine / sizeof(float)) __builtin_prefetch(residual + at);
  }
}

}  // namespace

void LinearRunner::Run(const LinearCall& call, const FinishRows* finish) {
  if (call.rows == 0) return;
  const GemmKernel& kernel = call.weights->kernel();
  const size_t row_bytes = call.in.stride + call.panels * kernel.panel * SizeOf(call.out.element);
  const size_t most_rows = std::max(kernel.max_rows, kBlockBytes / row_bytes / kernel.max_rows * kernel.max_rows);
  size_t blocks = std::min(DivideUp(call.rows, most_rows), kMaxBlocks);
  size_t block_rows = DivideUp(call.rows, blocks);
  if (blocks > 1) block_rows = DivideUp(block_rows, kernel.max_rows) * kernel.max_rows;
  blocks = DivideUp(call.rows, block_rows);
  const size_t wanted = team_.size() == 1 ? 1 : DivideUp(kTasksPerThread * static_cast<size_t>(team_.size()), blocks);
  const size_t chunk = DivideUp(call.panels, std::min(wanted, call.panels));
  const size_t chunks = DivideUp(call.panels, chunk);
  if (finish != nullptr) {
    for (size_t i = 0; i < blocks; ++i) remaining_[i].store(static_cast<uint32_t>(chunks), std::memory_order_relaxed);
  }
  team_.Run(blocks * chunks, [&](size_t task, int member) {
    const size_t block = task / chunks, first = task % chunks * chunk;
    const size_t begin = block * block_rows, end = std::min(begin + block_rows, call.rows);
    // Where this thread goes on if the others take one chunk each meanwhile.
    const size_t after = first + chunk * static_cast<size_t>(team_.size());
    RunTask(call, begin, end, first, std::min(first + chunk, call.panels), std::min(after, call.panels - 1));
    // The last one of the block has all of its columns.
    if (finish != nullptr && remaining_[block].fetch_sub(1, std::memory_order_acq_rel) == 1) {
      (*finish)(begin, end, member);
    }
  });
  operations_ += 2.0 * static_cast<double>(call.rows) * static_cast<double>(call.weights->inputs()) *
                 static_cast<double>(call.panels * kernel.panel);
}

void LinearRunner::RunTask(const LinearCall& call, size_t begin, size_t end, size_t first_panel, size_t last_panel,
                           size_t after) const {
  const PackedMatrix& weights = *call.weights;
  const GemmKernel& kernel = weights.kernel();
  alignas(64) float sums[kMaxTileRows * kMaxPanel];  // or as many integers
  const size_t tiles = DivideUp(end - begin, kernel.max_rows);
  TileFinish finish = {.sums = sums,
                       .columns = kernel.panel,
                       .activation = call.activation,
                       .residual_stride = call.residual_stride,
                       .out_stride = call.out.stride,
                       .out_element = call.out.element};
  for (size_t i = first_panel; i < last_panel; ++i) {
    const size_t panel = call.first_panel + i, column = i * kernel.panel;
    finish.bias = weights.bias() + panel * kernel.panel;
    if (kernel.is_integer()) finish.column_scales = weights.scales() + panel * kernel.panel;
    if (weights.excess() != nullptr) finish.excess = weights.excess() + panel * kernel.panel;
    size_t row = begin;
    for (size_t tile = 0; tile < tiles; ++tile) {
      const size_t rows = DivideUp(end - row, tiles - tile);  // about the same number in each
      // The first two tiles fetch half of the next panel each.
      const size_t wanted = call.first_panel + (i + 1 < last_panel ? i + 1 : after);
      const std::byte* const next = weights.panel(tile < 2 ? wanted : panel) + tile * AlignedBuffer::kAlignment;
      finish.out = call.out.data + row * call.out.stride + column * SizeOf(call.out.element);
      if (call.residual != nullptr) finish.residual = call.residual + row * call.residual_stride + column;
      Fetch(finish, rows);
      kernel.tile(call.in.data + row * call.in.stride, call.in.stride, weights.panel(panel), next, weights.groups(),
                  rows, sums, kernel.panel);
      if (kernel.is_integer()) finish.row_scales = call.in.scales + row;
      row_kernels_.finish_tile(finish, rows);
      row += rows;
    }
  }
}

}  // namespace bertha::models
