// The rows that a pass writes and reads: results of one element type, and what matrix products take.
//
// They begin without memory; Reserve gives it, and forgets what was there. Thread-safety: each row as plain memory.
#ifndef BERTHA_MODELS_ACTIVATION_ROWS_H_
#define BERTHA_MODELS_ACTIVATION_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "models/kernels/cpu/aligned_buffer.h"
#include "models/kernels/cpu/gemm_kernel.h"
#include "models/kernels/cpu/row_kernels.h"
#include "models/ops/linear.h"

namespace bertha::models {

/// [rows][stride] of one element type.
class Matrix {
 public:
  Matrix() = default;
  Matrix(size_t columns, Element element)
      // One cache line more: rows a power of two apart would share the sets of the first-level cache.
      : element_(element), stride_(PaddedRow(columns) * SizeOf(element) + AlignedBuffer::kAlignment) {}

  void Reserve(size_t rows) {
    if (stride_ == 0) return;  // not of this model
    // A tail for the reader that takes whole vectors from the last columns of the last row.
    data_ = AlignedBuffer(rows * stride_ + kRowPadding * sizeof(float));
  }

  std::byte* row(size_t i) { return data_.data() + i * stride_; }
  float* f32(size_t i) { return reinterpret_cast<float*>(row(i)); }
  size_t stride() const { return stride_; }
  size_t f32_stride() const { return stride_ / sizeof(float); }
  Element element() const { return element_; }
  size_t bytes() const { return data_.bytes(); }
  Rows rows() { return {data_.data(), stride_, element_}; }

 private:
  Element element_ = Element::kF32;
  size_t stride_ = 0;
  AlignedBuffer data_;
};

/// What a product reads: rows in the kernel's elements, with their scales.
class Operand {
 public:
  Operand() = default;
  Operand(size_t columns, Element element) : columns_(columns), matrix_(columns, element) {}

  void Reserve(size_t rows) {
    if (matrix_.stride() == 0) return;
    matrix_.Reserve(rows);
    scales_.resize(rows);
  }
  /// `x` is readable for PaddedRow(columns).
  void Set(const RowKernels& kernels, size_t i, const float* x) {
    scales_[i] = kernels.convert(x, PaddedRow(columns_), matrix_.element(), matrix_.row(i));
  }
  /// From row `i` of `from`, which is fp32 or bf16.
  void Set(const RowKernels& kernels, size_t i, Matrix& from) {
    if (from.element() == Element::kF32) return Set(kernels, i, from.f32(i));
    const auto* x = reinterpret_cast<const uint16_t*>(from.row(i));
    scales_[i] = kernels.convert_bf16(x, PaddedRow(columns_), matrix_.element(), matrix_.row(i));
  }
  /// Row `i` becomes row `from` of `other`.
  void CopyRow(size_t i, Operand& other, size_t from) {
    std::memcpy(matrix_.row(i), other.matrix_.row(from), other.matrix_.stride());
    scales_[i] = other.scales_[from];
  }
  Activations view() { return {matrix_.row(0), matrix_.stride(), scales_.data()}; }
  Rows rows() { return matrix_.rows(); }
  Element element() const { return matrix_.element(); }
  size_t bytes() const { return matrix_.bytes() + scales_.size() * sizeof(float); }

 private:
  size_t columns_ = 0;
  Matrix matrix_;
  std::vector<float> scales_;
};

}  // namespace bertha::models

#endif  // BERTHA_MODELS_ACTIVATION_ROWS_H_
