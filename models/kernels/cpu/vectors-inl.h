// Vectors of fp32 from and to the elements in memory: fp32, bf16.
//
// Included by what is compiled for each instruction set, after <hwy/foreach_target.h>.
#if defined(BERTHA_MODELS_KERNELS_CPU_VECTORS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BERTHA_MODELS_KERNELS_CPU_VECTORS_INL_H_
#undef BERTHA_MODELS_KERNELS_CPU_VECTORS_INL_H_
#else
#define BERTHA_MODELS_KERNELS_CPU_VECTORS_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

#include "models/kernels/cpu/gemm_kernel.h"

HWY_BEFORE_NAMESPACE();
namespace bertha::models {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using I32 = hn::RebindToSigned<F32>;
using U32 = hn::RebindToUnsigned<F32>;
using V = hn::Vec<F32>;
constexpr size_t kLanes = HWY_MAX_BYTES / sizeof(float);

HWY_INLINE V Set(float x) { return hn::Set(F32(), x); }

HWY_INLINE V LoadBf16(const uint16_t* from) {
  const auto half = hn::LoadU(hn::Rebind<uint16_t, F32>(), from);
  return hn::BitCast(F32(), hn::ShiftLeft<16>(hn::PromoteTo(U32(), half)));
}

struct FromF32 {
  using T = float;
  static HWY_INLINE V Load(const T* from) { return hn::LoadU(F32(), from); }
};
struct FromBf16 {
  using T = uint16_t;
  static HWY_INLINE V Load(const T* from) { return LoadBf16(from); }
};

HWY_INLINE V LoadAs(const void* x, Element element, size_t j) {
  return element == Element::kBf16 ? LoadBf16(static_cast<const uint16_t*>(x) + j)
                                   : hn::LoadU(F32(), static_cast<const float*>(x) + j);
}

HWY_INLINE void StoreBf16(V x, uint16_t* to) {
  const auto bits = hn::BitCast(U32(), x);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(U32(), 1));
  const auto rounded = hn::ShiftRight<16>(hn::Add(bits, hn::Add(odd, hn::Set(U32(), 0x7FFF))));
  const hn::Rebind<uint16_t, F32> narrow;
  hn::StoreU(hn::TruncateTo(narrow, rounded), narrow, to);
}

struct ToF32 {
  using T = float;
  static constexpr bool kRounds = false;
  static HWY_INLINE void Store(V x, T* to) { hn::StoreU(x, F32(), to); }
};
struct ToBf16 {
  using T = uint16_t;
  static constexpr bool kRounds = true;
  static HWY_INLINE void Store(V x, T* to) { StoreBf16(x, to); }
};

#undef BERTHA_HAS_WIDE_REGISTERS
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
#define BERTHA_HAS_WIDE_REGISTERS 1
/// With AVX512_BF16, for which this Highway has no target: one instruction in place of seven.
struct ToBf16AtOnce {
  using T = uint16_t;
  static constexpr bool kRounds = true;
  static HWY_INLINE void Store(V x, T* to) {
    __m256i narrow;
    asm("vcvtneps2bf16 %1, %0" : "=v"(narrow) : "v"(x.raw));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), narrow);
  }
};
#else
#define BERTHA_HAS_WIDE_REGISTERS 0
#endif

/// `Narrow`: one of the above that are 16 bits wide.
template <class Narrow>
HWY_INLINE void StoreAs(V x, void* to, Element element, size_t j) {
  if (element == Element::kBf16) {
    Narrow::Store(x, static_cast<uint16_t*>(to) + j);
  } else {
    ToF32::Store(x, static_cast<float*>(to) + j);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace bertha::models
HWY_AFTER_NAMESPACE();

#endif  // once for each target
