// Tiles for whatever the processor has, written once: fp32; bf16 weights that are widened on the way; 8-bit weights
// that are widened to 16 bits. The activations are fp32, fp32 and 16-bit.
#include "models/kernels/cpu/gemm_kernel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/kernels/cpu/gemm_highway.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "models/kernels/cpu/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bertha::models::internal {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// As many sums as registers allow beside two vectors of weights and one of activations.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
constexpr size_t kMaxRows = 14;
#else
constexpr size_t kMaxRows = 6;
#endif

using F32 = hn::ScalableTag<float>;
using I32 = hn::ScalableTag<int32_t>;
constexpr size_t kLanes = HWY_MAX_BYTES / sizeof(float);
constexpr size_t kPanel = 2 * kLanes;

struct Fp32 {
  using Out = F32;
  using A = float;
  static constexpr Element kWeights = Element::kF32, kActivations = Element::kF32;
  static constexpr size_t kGroup = 1;
  static HWY_INLINE hn::Vec<F32> Weights(const std::byte* at, size_t vector) {
    return hn::LoadU(F32(), reinterpret_cast<const float*>(at) + vector * kLanes);
  }
  static HWY_INLINE hn::Vec<F32> Activations(const std::byte* at) {
    float value;
    hwy::CopyBytes<sizeof value>(at, &value);
    return hn::Set(F32(), value);
  }
  static HWY_INLINE hn::Vec<F32> Add(hn::Vec<F32> sum, hn::Vec<F32> a, hn::Vec<F32> b) { return hn::MulAdd(a, b, sum); }
};

struct WidenedBf16 : Fp32 {
  static constexpr Element kWeights = Element::kBf16;
  static HWY_INLINE hn::Vec<F32> Weights(const std::byte* at, size_t vector) {
    return models::HWY_NAMESPACE::LoadBf16(reinterpret_cast<const uint16_t*>(at) + vector * kLanes);
  }
};

struct WidenedS8 {
  using Out = I32;
  using A = int16_t;
  static constexpr Element kWeights = Element::kS8, kActivations = Element::kS16;
  static constexpr size_t kGroup = 2;
  using I16 = hn::Repartition<int16_t, I32>;
  static HWY_INLINE hn::Vec<I16> Weights(const std::byte* at, size_t vector) {
    const hn::Rebind<int8_t, I16> narrow;
    return hn::PromoteTo(I16(), hn::LoadU(narrow, reinterpret_cast<const int8_t*>(at) + vector * 2 * kLanes));
  }
  static HWY_INLINE hn::Vec<I16> Activations(const std::byte* at) {
    int32_t pair;
    hwy::CopyBytes<sizeof pair>(at, &pair);
    return hn::BitCast(I16(), hn::Set(I32(), pair));
  }
  static HWY_INLINE hn::Vec<I32> Add(hn::Vec<I32> sum, hn::Vec<I16> a, hn::Vec<I16> b) {
    auto unused = hn::Zero(I32());
    // 16-bit products of neighbours, whose sum fits 32 bits; both halves go into one sum where the target splits them.
    const auto added = hn::ReorderWidenMulAccumulate(I32(), a, b, sum, unused);
    return hn::Add(added, unused);
  }
};

template <class Type, size_t kRows>
HWY_NOINLINE void Tile(const std::byte* HWY_RESTRICT a, size_t a_stride, const std::byte* HWY_RESTRICT panel,
                       size_t groups, void* c, size_t c_stride) {
  using Out = typename Type::Out;
  const Out d;
  constexpr size_t kStep = kPanel * Type::kGroup * SizeOf(Type::kWeights);
  constexpr size_t kActivation = Type::kGroup * SizeOf(Type::kActivations);
  hn::Vec<Out> low[kRows], high[kRows];
  HWY_UNROLL(16)
  for (size_t i = 0; i < kRows; ++i) low[i] = high[i] = hn::Zero(d);
  for (size_t k = 0; k < groups; ++k, panel += kStep, a += kActivation) {
    const auto b0 = Type::Weights(panel, 0), b1 = Type::Weights(panel, 1);
    HWY_UNROLL(16)
    for (size_t i = 0; i < kRows; ++i) {
      const auto row = Type::Activations(a + i * a_stride);
      low[i] = Type::Add(low[i], row, b0);
      high[i] = Type::Add(high[i], row, b1);
    }
  }
  using T = hn::TFromD<Out>;
  HWY_UNROLL(16)
  for (size_t i = 0; i < kRows; ++i) {
    T* const row = static_cast<T*>(c) + i * c_stride;
    hn::StoreU(low[i], d, row);
    hn::StoreU(high[i], d, row + kLanes);
  }
}

template <class Type>
void AnyTile(const std::byte* a, size_t a_stride, const std::byte* panel, const std::byte*, size_t groups, size_t rows,
             void* c, size_t c_stride) {
  switch (rows) {
#define BERTHA_TILE(n)                                                                          \
  case n:                                                                                       \
    if constexpr (n <= kMaxRows) return Tile<Type, n>(a, a_stride, panel, groups, c, c_stride); \
    break;
    BERTHA_TILE(1)
    BERTHA_TILE(2)
    BERTHA_TILE(3)
    BERTHA_TILE(4)
    BERTHA_TILE(5)
    BERTHA_TILE(6)
    BERTHA_TILE(7)
    BERTHA_TILE(8)
    BERTHA_TILE(9)
    BERTHA_TILE(10)
    BERTHA_TILE(11)
    BERTHA_TILE(12)
    BERTHA_TILE(13)
    BERTHA_TILE(14)
#undef BERTHA_TILE
  }
}

template <class Type>
constexpr GemmKernel Kernel(const char* name) {
  return {name, Type::kWeights, Type::kActivations, Type::kGroup, kPanel, kMaxRows, AnyTile<Type>};
}

const GemmKernel& PortableKernelHere(Dtype dtype) {
  static constexpr GemmKernel kFp32 = Kernel<Fp32>("fp32"), kBf16 = Kernel<WidenedBf16>("bf16 widened to fp32"),
                              kInt8 = Kernel<WidenedS8>("int8 widened to 16 bits");
  return dtype == Dtype::kFp32 ? kFp32 : dtype == Dtype::kBf16 ? kBf16 : kInt8;
}

}  // namespace HWY_NAMESPACE
}  // namespace bertha::models::internal
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bertha::models::internal {

HWY_EXPORT(PortableKernelHere);
const GemmKernel& PortableKernel(Dtype dtype) { return HWY_DYNAMIC_DISPATCH(PortableKernelHere)(dtype); }

}  // namespace bertha::models::internal
#endif
