// Activation functions of vectors, and the exponential function that they and softmax are made of.
//
// Included by what is compiled for each instruction set, after <hwy/foreach_target.h>. Sources: row_kernels.h.
#if defined(BERTHA_MODELS_KERNELS_CPU_ACTIVATION_FUNCTIONS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BERTHA_MODELS_KERNELS_CPU_ACTIVATION_FUNCTIONS_INL_H_
#undef BERTHA_MODELS_KERNELS_CPU_ACTIVATION_FUNCTIONS_INL_H_
#else
#define BERTHA_MODELS_KERNELS_CPU_ACTIVATION_FUNCTIONS_INL_H_
#endif

#include <hwy/highway.h>

#include "models/families/encoder_weights.h"
#include "models/kernels/cpu/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bertha::models {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// 2^(x log2 e), |relative error| about 1e-7, for x from -87 to 88; beyond, as there.
HWY_INLINE V Exp(V x) {
  x = hn::Min(hn::Max(x, Set(-87.0f)), Set(88.0f));
  const V scaled = hn::Mul(x, Set(1.44269504f));
  const V whole = hn::Round(scaled);
  const V r = hn::Sub(scaled, whole);  // 2^r by its Taylor series, r in [-1/2, 1/2]
  V p = Set(1.5403530e-4f);
  p = hn::MulAdd(p, r, Set(1.3333558e-3f));
  p = hn::MulAdd(p, r, Set(9.6181291e-3f));
  p = hn::MulAdd(p, r, Set(5.5504109e-2f));
  p = hn::MulAdd(p, r, Set(2.4022651e-1f));
  p = hn::MulAdd(p, r, Set(6.9314718e-1f));
  p = hn::MulAdd(p, r, Set(1.0f));
  const auto exponent = hn::Add(hn::ConvertTo(I32(), whole), hn::Set(I32(), 127));
  return hn::Mul(p, hn::BitCast(F32(), hn::ShiftLeft<23>(exponent)));
}

HWY_INLINE V Tanh(V x) {
  const V e = Exp(hn::Add(x, x));
  return hn::Sub(Set(1.0f), hn::Div(Set(2.0f), hn::Add(e, Set(1.0f))));
}

HWY_INLINE V Gelu(V x) {
  const V z = hn::Mul(hn::Abs(x), Set(0.70710678f));
  const V t = hn::Div(Set(1.0f), hn::MulAdd(z, Set(0.3275911f), Set(1.0f)));
  V p = Set(1.061405429f);
  p = hn::MulAdd(p, t, Set(-1.453152027f));
  p = hn::MulAdd(p, t, Set(1.421413741f));
  p = hn::MulAdd(p, t, Set(-0.284496736f));
  p = hn::MulAdd(p, t, Set(0.254829592f));
  // Half of erfc(z): what Phi(x) lacks to 1, or is.
  const V tail = hn::Mul(hn::Mul(p, hn::Mul(t, Set(0.5f))), Exp(hn::Neg(hn::Mul(z, z))));
  const V phi = hn::IfThenElse(hn::Lt(x, hn::Zero(F32())), tail, hn::Sub(Set(1.0f), tail));
  return hn::Mul(x, phi);
}

HWY_INLINE V GeluTanh(V x) {
  const V inner = hn::Mul(Set(0.79788456f), hn::MulAdd(hn::Mul(hn::Mul(x, x), x), Set(0.044715f), x));
  return hn::Mul(hn::Mul(x, Set(0.5f)), hn::Add(Set(1.0f), Tanh(inner)));
}

/// Either GELU to 5e-5, without a division: fit_gelu.py. bf16 keeps 8 bits of it.
HWY_INLINE V RoundedGelu(V x, const float (&coefficients)[9]) {
  const V inside = hn::Min(hn::Max(x, Set(-4.4f)), Set(4.4f));
  const V square = hn::Mul(inside, inside);
  V p = Set(coefficients[8]);
  HWY_UNROLL(8)
  for (int i = 7; i >= 0; --i) p = hn::MulAdd(p, square, Set(coefficients[i]));
  const V phi = hn::MulAdd(p, inside, Set(0.5f));
  return hn::Mul(x, hn::Min(hn::Max(phi, hn::Zero(F32())), Set(1.0f)));
}

constexpr float kGeluCoefficients[] = {3.98761839e-01f,  -6.60768743e-02f, 9.64331608e-03f,
                                       -1.05508159e-03f, 8.43080897e-05f,  -4.72634093e-06f,
                                       1.74167565e-07f,  -3.75653780e-09f, 3.57252146e-11f};
constexpr float kGeluTanhCoefficients[] = {3.98716513e-01f,  -6.63121284e-02f, 9.81099621e-03f,
                                           -1.09877289e-03f, 9.02598949e-05f,  -5.19647767e-06f,
                                           1.95918049e-07f,  -4.30466735e-09f, 4.15431104e-11f};

template <Activation kActivation, bool kIsRounded>
HWY_INLINE V Activate(V x) {
  if constexpr (kActivation == Activation::kGelu) return kIsRounded ? RoundedGelu(x, kGeluCoefficients) : Gelu(x);
  if constexpr (kActivation == Activation::kGeluTanh) {
    return kIsRounded ? RoundedGelu(x, kGeluTanhCoefficients) : GeluTanh(x);
  }
  if constexpr (kActivation == Activation::kRelu) return hn::Max(x, hn::Zero(F32()));
  if constexpr (kActivation == Activation::kTanh) return Tanh(x);
  return x;
}

}  // namespace HWY_NAMESPACE
}  // namespace bertha::models
HWY_AFTER_NAMESPACE();

#endif  // once for each target
