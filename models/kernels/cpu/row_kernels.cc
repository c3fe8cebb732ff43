#include "models/kernels/cpu/row_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "models/kernels/cpu/instruction_set.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/kernels/cpu/row_kernels.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "models/kernels/cpu/activation_functions-inl.h"
#include "models/kernels/cpu/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bertha::models {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

static_assert(kRowPadding % kLanes == 0);

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
    V x = LoadAs(words, element, j);
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

template <class From, class Narrow>
float ConvertFrom(const typename From::T* x, size_t n, Element element, void* out) {
  const F32 d;
  if (element == Element::kF32 || element == Element::kBf16) {
    for (size_t j = 0; j < n; j += kLanes) StoreAs<Narrow>(From::Load(x + j), out, element, j);
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
    StoreAs<Narrow>(hn::Mul(hn::LoadU(F32(), x + j), by), out, element, j);
  }
  if (j == n) return;
  HWY_ALIGN float rest[kLanes];
  StoreAs<Narrow>(hn::Mul(hn::LoadU(F32(), x + j), by), rest, element, 0);
  std::memcpy(static_cast<std::byte*>(out) + j * SizeOf(element), rest, (n - j) * SizeOf(element));
}

template <class Narrow>
void AddBias(const void* x, Element element, const float* bias, size_t n, void* out) {
  for (size_t j = 0; j < n; j += kLanes) {
    StoreAs<Narrow>(hn::Add(LoadAs(x, element, j), hn::LoadU(F32(), bias + j)), out, element, j);
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

}  // namespace HWY_NAMESPACE
}  // namespace bertha::models
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bertha::models {

HWY_EXPORT(RowKernelsHere);

const RowKernels& GetRowKernels() { return HWY_DYNAMIC_DISPATCH(RowKernelsHere)(); }

}  // namespace bertha::models
#endif
