// The innermost step of every matrix product: some rows of activations times one panel of packed weights.
//
// A kernel is a function for one instruction set and one pair of element types, with the shape that suits its
// registers. Weights are packed for it once (packed_matrix.h): a panel is [groups][panel][group] elements, group = the
// products that one instruction adds up.
//
// Thread-safety: immutable tables and pure functions.
#ifndef BERTHA_MODELS_KERNELS_CPU_GEMM_KERNEL_H_
#define BERTHA_MODELS_KERNELS_CPU_GEMM_KERNEL_H_

#include <cstddef>
#include <cstdint>

namespace bertha::models {

/// Numeric types that an encoder computes in.
enum class Dtype { kFp32, kBf16, kInt8 };

/// Elements in memory.
enum class Element {
  kF32,
  kBf16,
  kS8,
  kU8,   ///< a signed 8-bit integer + 128: what the 8-bit instructions want of activations
  kS16,  ///< a signed 8-bit integer, widened
};

constexpr size_t SizeOf(Element element) {
  switch (element) {
    case Element::kF32:
      return 4;
    case Element::kBf16:
    case Element::kS16:
      return 2;
    case Element::kS8:
    case Element::kU8:
      return 1;
  }
  return 0;
}

/// c[i][j] = sum over k of a[i][k] * panel[k][j] for `rows` rows and all columns of the panel, k < groups * group.
/// c is fp32, or int32 if the elements are integers; `c_stride` counts its elements, `a_stride` bytes. `next` is a
/// hint: every second cache line from there on, as many as this panel has groups, will be wanted soon.
using GemmTile = void (*)(const std::byte* a, size_t a_stride, const std::byte* panel, const std::byte* next,
                          size_t groups, size_t rows, void* c, size_t c_stride);

struct GemmKernel {
  const char* name;
  Element weights;
  Element activations;
  size_t group;     ///< elements of k that lie together
  size_t panel;     ///< columns
  size_t max_rows;  ///< of one tile
  GemmTile tile;

  bool is_integer() const { return weights == Element::kS8; }
};

/// The kernel for `dtype` on this processor (instruction_set.h). Every processor has one for every type.
const GemmKernel& GemmKernelFor(Dtype dtype);

/// For the two products within attention, which are not quantised: bf16 where the processor multiplies it, else fp32.
const GemmKernel& AttentionKernelFor(Dtype dtype);

/// Kernels for processors with AMX come from outside, see brgemm.h: they are a library's that this one does without.
/// Before the first engine is made; `bf16` and `int8` must live forever.
void SetAmxKernels(const GemmKernel& bf16, const GemmKernel& int8);

namespace internal {
// Of the files that are compiled for one instruction set each.
extern const GemmKernel kAvx512Bf16;
extern const GemmKernel kAvx512Vnni;
const GemmKernel& PortableKernel(Dtype dtype);
}  // namespace internal

}  // namespace bertha::models

#endif  // BERTHA_MODELS_KERNELS_CPU_GEMM_KERNEL_H_
