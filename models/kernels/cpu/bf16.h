// bfloat16: the upper half of an fp32 number.
#ifndef BERTHA_MODELS_KERNELS_CPU_BF16_H_
#define BERTHA_MODELS_KERNELS_CPU_BF16_H_

#include <bit>
#include <cstdint>

namespace bertha::models {

/// To the nearest, ties to even. The result of NaN is NaN only if its upper half says so; weights have none.
inline uint16_t Bf16FromFloat(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

inline float FloatFromBf16(uint16_t x) { return std::bit_cast<float>(uint32_t{x} << 16); }

}  // namespace bertha::models

#endif  // BERTHA_MODELS_KERNELS_CPU_BF16_H_
