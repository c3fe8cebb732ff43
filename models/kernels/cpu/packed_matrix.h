// Weights in the order in which a kernel reads them.
//
// Thread-safety: immutable after it is made.
#ifndef BERTHA_MODELS_KERNELS_CPU_PACKED_MATRIX_H_
#define BERTHA_MODELS_KERNELS_CPU_PACKED_MATRIX_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "models/families/encoder_weights.h"
#include "models/kernels/cpu/aligned_buffer.h"
#include "models/kernels/cpu/gemm_kernel.h"
#include "models/kernels/cpu/thread_team.h"

namespace bertha::models {

/// [outputs, inputs], one or several stacked (query, key and value), each of which begins at a panel of its own.
class PackedMatrix {
 public:
  PackedMatrix() = default;
  /// `kernel` must outlive this. All parts have the same number of inputs; a bias is empty or has an element for each
  /// output. 8-bit weights get one scale for each output, |weight| <= 127 * scale.
  /// The work is shared out over `team`.
  PackedMatrix(const GemmKernel& kernel, const std::vector<LinearWeights>& parts, ThreadTeam& team);

  const GemmKernel& kernel() const { return *kernel_; }
  size_t inputs() const { return inputs_; }
  /// Groups of inputs, the last one filled up with zeros.
  size_t groups() const { return groups_; }
  size_t panels() const { return panels_; }
  /// The columns of all panels: those between the parts and behind the last one have zero weights and bias.
  size_t padded_outputs() const { return panels_ * kernel_->panel; }
  /// Where a part begins.
  size_t first_panel(size_t part) const { return first_panels_[part]; }
  size_t first_column(size_t part) const { return first_panels_[part] * kernel_->panel; }

  const std::byte* panel(size_t i) const { return weights_.data() + i * panel_bytes_; }
  /// [padded_outputs]
  const float* bias() const { return bias_.as<float>(); }
  /// [padded_outputs], of integers only.
  const float* scales() const { return scales_.as<float>(); }
  /// [padded_outputs] what unsigned activations (value + 128) add to a sum too much, for kU8 only; else null.
  const int32_t* excess() const { return excess_.as<int32_t>(); }

  size_t bytes() const { return weights_.bytes() + bias_.bytes() + scales_.bytes() + excess_.bytes(); }

 private:
  void PackPanel(const LinearWeights& part, size_t first_row, size_t panel);
  void PackRow(const float* row, size_t column);

  const GemmKernel* kernel_ = nullptr;
  size_t inputs_ = 0, groups_ = 0, panels_ = 0, panel_bytes_ = 0;
  std::vector<size_t> first_panels_;
  AlignedBuffer weights_, bias_, scales_, excess_;
};

}  // namespace bertha::models

#endif  // BERTHA_MODELS_KERNELS_CPU_PACKED_MATRIX_H_
