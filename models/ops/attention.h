// Attention over packed sequences: no row knows of another sequence, no padding is computed.
//
// For each sequence and head: out = softmax(scale * q · k^T) · v, by two matrix products with the keys and the values
// packed on the way. Source: Vaswani et al., "Attention is all you need", 2017.
// Thread-safety: externally synchronised by the team.
#ifndef BERTHA_MODELS_OPS_ATTENTION_H_
#define BERTHA_MODELS_OPS_ATTENTION_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "models/kernels/cpu/aligned_buffer.h"
#include "models/kernels/cpu/gemm_kernel.h"
#include "models/kernels/cpu/row_kernels.h"
#include "models/kernels/cpu/thread_team.h"
#include "models/ops/linear.h"

namespace bertha::models {

/// XLNet's further terms of a score, see RelativeAttentionWeights.
struct RelativePositions {
  /// Packed as the keys of a sequence are, [heads][panels]: those of the distances max_length - 1 down to
  /// 1 - max_length.
  AlignedBuffer keys;
  size_t head_bytes = 0;
  size_t max_length = 0;
  /// [heads * head_size], followed by kRowPadding zeros: a head is read in whole vectors.
  AlignedBuffer content_bias, position_bias, segment_bias, segments[2];

  size_t bytes() const { return keys.bytes(); }
};

struct AttentionCall {
  /// Rows of [heads * head_size] elements of the kernel's activations.
  Activations queries, keys, values;
  std::span<const int32_t> cu_seqlens;
  /// [n] the sequences in the order in which to take them: the longest first, so that the threads end together.
  std::span<const int32_t> order;
  /// What a row of `queries` and of `out` belongs to: to each token, or to the first or last one of each sequence.
  HeadRows query_rows = HeadRows::kAll;
  float scale = 1;
  /// Null, or with the segment of each token, [tokens] and readable for kRowPadding more.
  const RelativePositions* relative = nullptr;
  const int32_t* type_ids = nullptr;
  Rows out;
};

class AttentionRunner {
 public:
  /// `kernel`'s elements are fp32 or bf16; of bf16 the head size must be even.
  AttentionRunner(ThreadTeam& team, const RowKernels& row_kernels, const GemmKernel& kernel, size_t heads,
                  size_t head_size, size_t max_length, bool is_relative);

  void Run(const AttentionCall& call) { Run(call, nullptr); }
  /// `finish` is called for the rows of each sequence.
  void Run(const AttentionCall& call, FinishRows finish) { Run(call, &finish); }

  /// [2 * max_length - 1] rows of keys for the distances of RelativePositions; see there.
  void PackPositions(const MatrixView& rows, RelativePositions& positions) const;

  size_t bytes() const;
  double operations() const { return operations_; }

 private:
  void Run(const AttentionCall& call, const FinishRows* finish);

  struct Scratch {
    AlignedBuffer keys, values, scores, weights, sums;
    AlignedBuffer content_queries, position_queries, position_scores;
    std::vector<float> factors;
  };

  void RunHead(const AttentionCall& call, size_t sequence, size_t head, Scratch& scratch) const;
  void Score(const std::byte* queries, size_t stride, size_t rows, const std::byte* keys, size_t panels, float* scores,
             size_t score_stride) const;
  void ScoreRelative(const AttentionCall& call, size_t sequence, size_t head, size_t begin, size_t rows,
                     const std::byte* queries, size_t score_stride, Scratch& scratch) const;
  void PackKeys(const std::byte* keys, size_t stride, size_t length, std::byte* to) const;
  void PackValues(const std::byte* values, size_t stride, size_t length, Scratch& scratch) const;

  ThreadTeam& team_;
  const RowKernels& row_kernels_;
  const GemmKernel& kernel_;
  const size_t heads_, head_size_;
  const size_t block_rows_;
  double operations_ = 0;
  std::vector<Scratch> scratch_;                  // by member
  std::vector<std::atomic<uint32_t>> remaining_;  // heads, by sequence
};

}  // namespace bertha::models

#endif  // BERTHA_MODELS_OPS_ATTENTION_H_
