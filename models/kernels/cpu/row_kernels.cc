#include "models/kernels/cpu/row_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "models/kernels/cpu/instruction_set.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/kernels/cpu/row_kernels.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace bertha::models {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using I32 = hn::RebindToSigned<F32>;
using U32 = hn::RebindToUnsigned<F32>;
using V = hn::Vec<F32>;
constexpr size_t kLanes = HWY_MAX_BYTES / sizeof(float);
static_assert(kRowPadding % kLanes == 0);

HWY_INLINE V Set(float x) { return hn::Set(F32(), x); }

HWY_INLINE V LoadBf16(const uint16_t* from) {
  const auto half = hn::LoadU(hn::Rebind<uint16_t, F32>(), from);
  return hn::BitCast(F32(), hn::ShiftLeft<16>(hn::PromoteTo(U32(), half)));
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

template <Activation kActivation, bool kIsInteger, class To>
void FinishTileAs(const TileFinish& f, size_t rows) {
  using Out = typename To::T;
  const F32 d;
  // Copies: for all that the compiler knows, a vector that is stored could change the originals.
  const size_t columns = f.columns, residual_stride = f.residual_stride, out_stride = f.out_stride;
  const float* const row_scales = f.row_scales;
  // Column by column: what is of the columns stays in registers.
  for (size_t j = 0; j < columns; j += kLanes) {
    const V bias = hn::LoadU(d, f.bias + j);
    const V column_scale = kIsInteger ? hn::LoadU(d, f.column_scales + j) : bias;
    const auto excess = kIsInteger && f.excess != nullptr ? hn::LoadU(I32(), f.excess + j) : hn::Zero(I32());
    const auto* sums = static_cast<const float*>(f.sums) + j;
    const float* residual = f.residual == nullptr ? nullptr : f.residual + j;
    std::byte* out = static_cast<std::byte*>(f.out) + j * sizeof(Out);
    for (size_t i = 0; i < rows; ++i, sums += columns, out += out_stride) {
      V x;
      if constexpr (kIsInteger) {
        const auto sum = hn::Sub(hn::LoadU(I32(), reinterpret_cast<const int32_t*>(sums)), excess);
        x = hn::MulAdd(hn::ConvertTo(d, sum), hn::Mul(Set(row_scales[i]), column_scale), bias);
      } else {
        x = hn::Add(hn::LoadU(d, sums), bias);
      }
      x = Activate<kActivation, To::kRounds>(x);
      if (residual != nullptr) {
        x = hn::Add(x, hn::LoadU(d, residual));
        residual += residual_stride;
      }
      To::Store(x, reinterpret_cast<Out*>(out));
    }
  }
}

template <Activation kActivation, class Narrow>
void FinishTileActivated(const TileFinish& f, size_t rows) {
  const bool is_integer = f.column_scales != nullptr;
  if (f.out_element == Element::kF32) {
    is_integer ? FinishTileAs<kActivation, true, ToF32>(f, rows) : FinishTileAs<kActivation, false, ToF32>(f, rows);
  } else {
    is_integer ? FinishTileAs<kActivation, true, Narrow>(f, rows) : FinishTileAs<kActivation, false, Narrow>(f, rows);
  }
}

template <class Narrow>
void FinishTile(const TileFinish& f, size_t rows) {
  switch (f.activation) {
    case Activation::kNone:
      return FinishTileActivated<Activation::kNone, Narrow>(f, rows);
    case Activation::kGelu:
      return FinishTileActivated<Activation::kGelu, Narrow>(f, rows);
    case Activation::kGeluTanh:
      return FinishTileActivated<Activation::kGeluTanh, Narrow>(f, rows);
    case Activation::kRelu:
      return FinishTileActivated<Activation::kRelu, Narrow>(f, rows);
    case Activation::kTanh:
      return FinishTileActivated<Activation::kTanh, Narrow>(f, rows);
  }
}

void AddEmbeddings(const void* words, Element element, const float* a, const float* b, size_t n, float* out) {
  const F32 d;
  for (size_t j = 0; j < n; j += kLanes) {
    V x = element == Element::kBf16 ? LoadBf16(static_cast<const uint16_t*>(words) + j)
                                    : hn::LoadU(d, static_cast<const float*>(words) + j);
    // In the order in which the models add: types first.
    if (b != nullptr) x = hn::Add(x, hn::LoadU(d, b + j));
    if (a != nullptr) x = hn::Add(x, hn::LoadU(d, a + j));
    hn::StoreU(x, d, out + j);
  }
}

void LayerNorm(const float* x, size_t n, const float* gain, const float* bias, float epsilon, float* out) {
  const F32 d;
  V sum = hn::Zero(d);
  for (size_t j = 0; j < n; j += kLanes) sum = hn::Add(sum, hn::LoadU(d, x + j));  // the padding adds nothing
  const V mean = Set(hn::GetLane(hn::SumOfLanes(d, sum)) / static_cast<float>(n));
  V squares = hn::Zero(d);
  size_t j = 0;
  for (; j + kLanes <= n; j += kLanes) {
    const V apart = hn::Sub(hn::LoadU(d, x + j), mean);
    squares = hn::MulAdd(apart, apart, squares);
  }
  if (j < n) {
    const V apart = hn::IfThenElseZero(hn::FirstN(d, n - j), hn::Sub(hn::LoadU(d, x + j), mean));
    squares = hn::MulAdd(apart, apart, squares);
  }
  const float variance = hn::GetLane(hn::SumOfLanes(d, squares)) / static_cast<float>(n);
  const V factor = Set(1.0f / std::sqrt(variance + epsilon));
  for (j = 0; j < n; j += kLanes) {
    const V apart = hn::Mul(hn::Sub(hn::LoadU(d, x + j), mean), factor);
    hn::StoreU(hn::MulAdd(apart, hn::LoadU(d, gain + j), hn::LoadU(d, bias + j)), d, out + j);
  }
}

struct FromF32 {
  using T = float;
  static HWY_INLINE V Load(const T* from) { return hn::LoadU(F32(), from); }
};
struct FromBf16 {
  using T = uint16_t;
  static HWY_INLINE V Load(const T* from) { return LoadBf16(from); }
};

template <class From, class Narrow>
float ConvertFrom(const typename From::T* x, size_t n, Element element, void* out) {
  const F32 d;
  if (element == Element::kF32 || element == Element::kBf16) {
    for (size_t j = 0; j < n; j += kLanes) {
      if (element == Element::kF32) {
        ToF32::Store(From::Load(x + j), static_cast<float*>(out) + j);
      } else {
        Narrow::Store(From::Load(x + j), static_cast<uint16_t*>(out) + j);
      }
    }
    return 1;
  }
  V largest = hn::Zero(d);
  for (size_t j = 0; j < n; j += kLanes) largest = hn::Max(largest, hn::Abs(From::Load(x + j)));
  const float most = hn::GetLane(hn::MaxOfLanes(d, largest));
  const V inverse = Set(most == 0 ? 0 : 127.0f / most);
  for (size_t j = 0; j < n; j += kLanes) {
    const auto value = hn::NearestInt(hn::Mul(From::Load(x + j), inverse));
    if (element == Element::kU8) {
      const hn::Rebind<uint8_t, F32> narrow;
      const auto shifted = hn::BitCast(U32(), hn::Add(value, hn::Set(I32(), 128)));
      hn::StoreU(hn::TruncateTo(narrow, shifted), narrow, static_cast<uint8_t*>(out) + j);
    } else {
      const hn::Rebind<int16_t, F32> narrow;
      hn::StoreU(hn::DemoteTo(narrow, value), narrow, static_cast<int16_t*>(out) + j);
    }
  }
  return most / 127.0f;
}

template <class To>
float SoftmaxTo(const float* scores, size_t n, size_t padded, float scale, typename To::T* out) {
  const F32 d;
  const size_t whole = n / kLanes * kLanes;
  const auto tail = hn::FirstN(d, n - whole);
  V largest = Set(-3.0e38f);
  for (size_t j = 0; j < whole; j += kLanes) largest = hn::Max(largest, hn::LoadU(d, scores + j));
  if (whole < n) largest = hn::Max(largest, hn::IfThenElse(tail, hn::LoadU(d, scores + whole), largest));
  largest = hn::MaxOfLanes(d, largest);
  const V factor = Set(scale);
  V sum = hn::Zero(d);
  size_t j = 0;
  for (; j < whole; j += kLanes) {
    const V e = Exp(hn::Mul(hn::Sub(hn::LoadU(d, scores + j), largest), factor));
    sum = hn::Add(sum, e);
    To::Store(e, out + j);
  }
  if (j < n) {
    const V e = hn::IfThenElseZero(tail, Exp(hn::Mul(hn::Sub(hn::LoadU(d, scores + j), largest), factor)));
    sum = hn::Add(sum, e);
    To::Store(e, out + j);
    j += kLanes;
  }
  for (; j < padded; j += kLanes) To::Store(hn::Zero(d), out + j);
  return 1.0f / hn::GetLane(hn::SumOfLanes(d, sum));
}

template <class Narrow>
float Softmax(const float* scores, size_t n, size_t padded, float scale, Element element, void* out) {
  if (element == Element::kBf16) return SoftmaxTo<Narrow>(scores, n, padded, scale, static_cast<uint16_t*>(out));
  return SoftmaxTo<ToF32>(scores, n, padded, scale, static_cast<float*>(out));
}

template <class Narrow>
void Scale(const float* x, size_t n, float factor, Element element, void* out) {
  const V by = Set(factor);
  size_t j = 0;
  // Exactly n: beside this head's columns lie another's.
  for (; j + kLanes <= n; j += kLanes) {
    const V y = hn::Mul(hn::LoadU(F32(), x + j), by);
    if (element == Element::kBf16) {
      Narrow::Store(y, static_cast<uint16_t*>(out) + j);
    } else {
      ToF32::Store(y, static_cast<float*>(out) + j);
    }
  }
  if (j == n) return;
  HWY_ALIGN float rest[kLanes];
  const V y = hn::Mul(hn::LoadU(F32(), x + j), by);
  if (element == Element::kBf16) {
    Narrow::Store(y, reinterpret_cast<uint16_t*>(rest));
    std::memcpy(static_cast<uint16_t*>(out) + j, rest, (n - j) * sizeof(uint16_t));
  } else {
    ToF32::Store(y, rest);
    std::memcpy(static_cast<float*>(out) + j, rest, (n - j) * sizeof(float));
  }
}

HWY_INLINE V LoadAs(const void* x, Element element, size_t j) {
  return element == Element::kBf16 ? LoadBf16(static_cast<const uint16_t*>(x) + j)
                                   : hn::LoadU(F32(), static_cast<const float*>(x) + j);
}

template <class Narrow>
void AddBias(const void* x, Element element, const float* bias, size_t n, void* out) {
  for (size_t j = 0; j < n; j += kLanes) {
    const V y = hn::Add(LoadAs(x, element, j), hn::LoadU(F32(), bias + j));
    if (element == Element::kBf16) {
      Narrow::Store(y, static_cast<uint16_t*>(out) + j);
    } else {
      ToF32::Store(y, static_cast<float*>(out) + j);
    }
  }
}

void TwoDots(const void* x, Element element, const float* bias, const float* const rows[2], size_t n, float out[2]) {
  const F32 d;
  V first = hn::Zero(d), second = hn::Zero(d);
  for (size_t j = 0; j < n; j += kLanes) {
    V y = hn::Add(LoadAs(x, element, j), hn::LoadU(d, bias + j));
    if (n - j < kLanes) y = hn::IfThenElseZero(hn::FirstN(d, n - j), y);
    first = hn::MulAdd(y, hn::LoadU(d, rows[0] + j), first);
    second = hn::MulAdd(y, hn::LoadU(d, rows[1] + j), second);
  }
  out[0] = hn::GetLane(hn::SumOfLanes(d, first));
  out[1] = hn::GetLane(hn::SumOfLanes(d, second));
}

void AddRelative(float* scores, const float* positions, const int32_t* types, int32_t type, const float segments[2],
                 size_t n) {
  const F32 d;
  const V same = Set(segments[0]), other = Set(segments[1]);
  for (size_t j = 0; j < n; j += kLanes) {
    const auto is_same = hn::Eq(hn::LoadU(I32(), types + j), hn::Set(I32(), type));
    const V segment = hn::IfThenElse(hn::RebindMask(d, is_same), same, other);
    const V position = hn::Add(hn::LoadU(d, positions + j), segment);
    hn::StoreU(hn::Add(hn::LoadU(d, scores + j), position), d, scores + j);
  }
}

#if BERTHA_HAS_WIDE_REGISTERS
/// 16 rows of 16 units become 16 rows of the other.
HWY_INLINE void Transpose16(const std::byte* from, size_t stride, size_t panel, uint32_t* to) {
  __m512i r[16], t[16];
  HWY_UNROLL(16)
  for (int i = 0; i < 16; ++i) r[i] = _mm512_loadu_si512(from + static_cast<size_t>(i) * stride);
  HWY_UNROLL(8)
  for (int i = 0; i < 16; i += 2) {  // pairs of rows
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  HWY_UNROLL(4)
  for (int i = 0; i < 16; i += 4) {  // fours
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  HWY_UNROLL(4)
  for (int i = 0; i < 4; ++i) {  // 128-bit blocks of eights, then of all
    const __m512i a = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88), b = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xDD);
    const __m512i c = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88),
                  d = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xDD);
    const auto row = [&](int j) { return to + static_cast<size_t>(i + 4 * j) * panel; };
    _mm512_storeu_si512(row(0), _mm512_shuffle_i32x4(a, c, 0x88));
    _mm512_storeu_si512(row(1), _mm512_shuffle_i32x4(b, d, 0x88));
    _mm512_storeu_si512(row(2), _mm512_shuffle_i32x4(a, c, 0xDD));
    _mm512_storeu_si512(row(3), _mm512_shuffle_i32x4(b, d, 0xDD));
  }
}
#endif

void Transpose(const std::byte* from, size_t stride, size_t rows, size_t units, size_t panel, uint32_t* to) {
  size_t row = 0;
#if BERTHA_HAS_WIDE_REGISTERS
  if (units % 16 == 0) {
    for (; row + 16 <= rows; row += 16) {
      for (size_t unit = 0; unit < units; unit += 16) {
        Transpose16(from + row * stride + unit * 4, stride, panel, to + unit * panel + row);
      }
    }
  }
#endif
  for (; row < rows; ++row) {
    for (size_t unit = 0; unit < units; ++unit) std::memcpy(to + unit * panel + row, from + row * stride + unit * 4, 4);
  }
  for (size_t unit = 0; unit < units; ++unit) std::fill(to + unit * panel + rows, to + (unit + 1) * panel, 0);
}

void Interleave(const uint16_t* a, const uint16_t* b, size_t n, uint32_t* to) {
  const hn::Rebind<uint16_t, U32> narrow;
  for (size_t j = 0; j < n; j += kLanes) {
    const auto low = hn::PromoteTo(U32(), hn::LoadU(narrow, a + j));
    const auto high = hn::PromoteTo(U32(), hn::LoadU(narrow, b + j));
    hn::StoreU(hn::Or(low, hn::ShiftLeft<16>(high)), U32(), to + j);
  }
}

template <class Narrow>
constexpr RowKernels kRowKernels = {.finish_tile = FinishTile<Narrow>,
                                    .add_embeddings = AddEmbeddings,
                                    .layer_norm = LayerNorm,
                                    .convert = ConvertFrom<FromF32, Narrow>,
                                    .convert_bf16 = ConvertFrom<FromBf16, Narrow>,
                                    .softmax = Softmax<Narrow>,
                                    .scale = Scale<Narrow>,
                                    .add_bias = AddBias<Narrow>,
                                    .two_dots = TwoDots,
                                    .add_relative = AddRelative,
                                    .transpose = Transpose,
                                    .interleave = Interleave};

const RowKernels& RowKernelsHere() {
#if BERTHA_HAS_WIDE_REGISTERS
  if (AvailableInstructions().avx512_bf16) return kRowKernels<ToBf16AtOnce>;
#endif
  return kRowKernels<ToBf16>;
}

#undef BERTHA_HAS_WIDE_REGISTERS

}  // namespace HWY_NAMESPACE
}  // namespace bertha::models
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bertha::models {

HWY_EXPORT(RowKernelsHere);

const RowKernels& GetRowKernels() { return HWY_DYNAMIC_DISPATCH(RowKernelsHere)(); }

}  // namespace bertha::models
#endif
