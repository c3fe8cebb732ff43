// An encoder's weights in the order in which the kernels of this processor read them.
//
// Thread-safety: immutable after it is made.
#ifndef BERTHA_MODELS_PACKED_MODEL_H_
#define BERTHA_MODELS_PACKED_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "models/families/encoder_weights.h"
#include "models/kernels/cpu/aligned_buffer.h"
#include "models/kernels/cpu/gemm_kernel.h"
#include "models/kernels/cpu/packed_matrix.h"
#include "models/kernels/cpu/thread_team.h"
#include "models/ops/attention.h"

namespace bertha::models {

/// Rows followed by zeros up to a multiple of kRowPadding, in fp32 or bf16.
class PackedTable {
 public:
  PackedTable() = default;
  PackedTable(const MatrixView& from, Element element, ThreadTeam& team);

  bool empty() const { return rows_ == 0; }
  size_t rows() const { return rows_; }
  Element element() const { return element_; }
  const void* row(size_t i) const { return data_.data() + i * stride_; }
  const float* f32(size_t i) const { return static_cast<const float*>(row(i)); }
  size_t bytes() const { return data_.bytes(); }

 private:
  void SetRow(size_t i, const MatrixView& from);

  Element element_ = Element::kF32;
  size_t rows_ = 0, stride_ = 0;
  AlignedBuffer data_;
};

/// Of a LayerNorm; size 0: there is none.
struct PackedNorm {
  PackedNorm() = default;
  explicit PackedNorm(const NormWeights& weights);
  size_t size = 0;
  AlignedBuffer gain, bias;  // followed by zeros
};

/// The parts of PackedLayer::qkv.
enum QkvPart { kQuery, kKey, kValue };

struct PackedLayer {
  PackedMatrix qkv, output, up, down;
  PackedNorm attention_norm, output_norm;
  std::optional<RelativePositions> relative;
};

struct PackedHeadStep {
  PackedMatrix linear;
  Activation activation;
};

/// What EncoderWeights says, member by member.
struct PackedModel {
  /// Nothing of `w` is kept. The work is shared out over `team`.
  PackedModel(const EncoderWeights& w, Dtype type, ThreadTeam& team);

  /// True if any layer has relative attention.
  bool is_relative() const;

  Dtype dtype;
  const GemmKernel* kernel;            ///< of the layers
  const GemmKernel* attention_kernel;  ///< and of what is too small, or too delicate, for 8 bits
  size_t hidden, heads, head_size, intermediate, max_length;
  float epsilon;
  Activation activation;
  PackedTable words, positions, types;
  size_t embedding_width, first_position;
  int32_t skipped_id;
  PackedNorm embedding_norm;
  std::optional<PackedMatrix> projection;
  std::vector<PackedLayer> layers;
  std::vector<size_t> order;
  HeadRows head_rows;
  std::vector<PackedHeadStep> head;
  size_t output_width;
  size_t bytes = 0;  ///< of all weights but the vectors
};

}  // namespace bertha::models

#endif  // BERTHA_MODELS_PACKED_MODEL_H_
