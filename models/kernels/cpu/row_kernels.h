// Everything between the matrix products: what finishes a tile of a product, and what works on rows.
//
// Written once with Google Highway, compiled for each instruction set, chosen at run time. Rows may be read and written
// up to a multiple of kRowPadding elements: they are followed by padding, which is zero and stays zero.
//
// Thread-safety: pure functions.
// Sources: erf, Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.26 (|error| <= 1.5e-7); LayerNorm, Ba,
// Kiros and Hinton, 2016; GELU, Hendrycks and Gimpel, 2016.
#ifndef BERTHA_MODELS_KERNELS_CPU_ROW_KERNELS_H_
#define BERTHA_MODELS_KERNELS_CPU_ROW_KERNELS_H_

#include <cstddef>
#include <cstdint>

#include "models/families/encoder_weights.h"
#include "models/kernels/cpu/gemm_kernel.h"

namespace bertha::models {

/// Elements; as many as the widest panel, so that a whole one can be written.
inline constexpr size_t kRowPadding = 64;
constexpr size_t PaddedRow(size_t n) { return (n + kRowPadding - 1) / kRowPadding * kRowPadding; }

/// How the sums of a product become a result: out = activation(sum * scales + bias) + residual.
struct TileFinish {
  const void* sums;                      ///< [rows][columns] fp32, or int32 where there are scales
  size_t columns;                        ///< a multiple of the panel
  const float* row_scales = nullptr;     ///< [rows], of 8-bit activations
  const float* column_scales = nullptr;  ///< [columns], of 8-bit weights
  const int32_t* excess = nullptr;       ///< [columns], taken off first; or null
  const float* bias = nullptr;           ///< [columns]
  Activation activation = Activation::kNone;
  const float* residual = nullptr;  ///< [rows][residual_stride], or null; may be out
  size_t residual_stride = 0;       ///< in elements
  void* out = nullptr;
  size_t out_stride = 0;                ///< in bytes
  Element out_element = Element::kF32;  ///< or kBf16
};

struct RowKernels {
  void (*finish_tile)(const TileFinish& finish, size_t rows);
  /// out = words[0, n) + a[0, n) + b[0, n); `words` is fp32 or bf16, `a` and `b` may be null.
  void (*add_embeddings)(const void* words, Element element, const float* a, const float* b, size_t n, float* out);
  /// out = (x - mean) / sqrt(variance + epsilon) * gain + bias; may be x.
  void (*layer_norm)(const float* x, size_t n, const float* gain, const float* bias, float epsilon, float* out);
  /// To a kernel's activations. The 8-bit kinds return their scale, |x| <= 127 * scale; the others 1.
  float (*convert)(const float* x, size_t n, Element element, void* out);
  /// The same from bf16.
  float (*convert_bf16)(const uint16_t* x, size_t n, Element element, void* out);
  /// out[j] = exp((scores[j] - largest) * scale) for j < n, 0 up to `padded`; `out` is fp32 or bf16. Returns 1 / sum.
  float (*softmax)(const float* scores, size_t n, size_t padded, float scale, Element element, void* out);
  /// out[j] = x[j] * factor, to fp32 or bf16.
  void (*scale)(const float* x, size_t n, float factor, Element element, void* out);
  /// out[j] = x[j] + bias[j]; x and out are fp32 or bf16, and `out` has room for a multiple of kRowPadding.
  void (*add_bias)(const void* x, Element element, const float* bias, size_t n, void* out);
  /// out[s] = sum over j of (x[j] + bias[j]) * rows[s][j]
  void (*two_dots)(const void* x, Element element, const float* bias, const float* const rows[2], size_t n,
                   float out[2]);
  /// scores[j] += positions[j] + segments[types[j] == type ? 0 : 1]; `scores` has room for a multiple of kRowPadding.
  void (*add_relative)(float* scores, const float* positions, const int32_t* types, int32_t type,
                       const float segments[2], size_t n);
  /// to[unit][row] = from[row][unit] of 32-bit units, rows <= panel; the columns behind `rows` become 0.
  void (*transpose)(const std::byte* from, size_t stride, size_t rows, size_t units, size_t panel, uint32_t* to);
  /// to[j] = a[j] | b[j] << 16: two rows of bf16 become one of pairs. `n` is a multiple of kRowPadding / 4.
  void (*interleave)(const uint16_t* a, const uint16_t* b, size_t n, uint32_t* to);
};

/// Of this processor.
const RowKernels& GetRowKernels();

}  // namespace bertha::models

#endif  // BERTHA_MODELS_KERNELS_CPU_ROW_KERNELS_H_
