// Tiles of the instructions that Highway has no name for: products of bf16 (AVX512_BF16) and of 8-bit integers
// (AVX512_VNNI). Compiled for these instructions; nothing here runs before instruction_set.h has found them.
//
// 14 rows times 2 vectors are 28 sums; with two vectors of weights and one of activations that is all of the 32
// registers, and more sums than an addition has cycles of latency.
#include <immintrin.h>

#include <cstring>
#include <type_traits>
#include <utility>

#include "models/kernels/cpu/gemm_kernel.h"

namespace bertha::models::internal {
namespace {

constexpr size_t kPanel = 32;

// Not a loop that the compiler may leave a loop: the sums would live in memory.
template <class Body, int... kI>
inline __attribute__((always_inline)) void Unrolled(std::integer_sequence<int, kI...>, Body body) {
  (body(std::integral_constant<int, kI>()), ...);
}

inline __attribute__((always_inline)) int32_t Load32(const std::byte* from) {
  int32_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

struct Bf16 {
  using Sum = __m512;
  static Sum Zero() { return _mm512_setzero_ps(); }
  static __attribute__((always_inline)) void Add(Sum& sum, __m512i a, __m512i b) {
    sum = _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
  }
  static void Store(void* to, Sum sum) { _mm512_storeu_ps(to, sum); }
};

struct Vnni {
  using Sum = __m512i;
  static Sum Zero() { return _mm512_setzero_si512(); }
  static __attribute__((always_inline)) void Add(Sum& sum, __m512i a, __m512i b) {
    // gcc 12 spills the sums around the intrinsic, which halves the rate.
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  }
  static void Store(void* to, Sum sum) { _mm512_storeu_si512(to, sum); }
};

template <class Type, int kRows>
void Tile(const std::byte* a, size_t a_stride, const std::byte* panel, const std::byte* next, size_t groups, void* c,
          size_t c_stride) {
  constexpr size_t kStep = kPanel * 4;   // bytes of weights for one group
  constexpr size_t kAhead = 16 * kStep;  // the next panel's rows as well, when this one ends
  using Rows = std::make_integer_sequence<int, kRows>;
  typename Type::Sum low[kRows], high[kRows];
  Unrolled(Rows(), [&](auto i) { low[i] = high[i] = Type::Zero(); });
  for (size_t k = 0; k < groups; ++k, panel += kStep, next += kStep, a += 4) {
    const __m512i b0 = _mm512_loadu_si512(panel), b1 = _mm512_loadu_si512(panel + 64);
    _mm_prefetch(reinterpret_cast<const char*>(panel + kAhead), _MM_HINT_T0);
    _mm_prefetch(reinterpret_cast<const char*>(panel + kAhead + 64), _MM_HINT_T0);
    _mm_prefetch(reinterpret_cast<const char*>(next), _MM_HINT_T1);  // while few rows leave the memory idle
    Unrolled(Rows(), [&](auto i) {
      const __m512i row = _mm512_set1_epi32(Load32(a + i * a_stride));
      Type::Add(low[i], row, b0);
      Type::Add(high[i], row, b1);
    });
  }
  Unrolled(Rows(), [&](auto i) {
    std::byte* const row = static_cast<std::byte*>(c) + i * c_stride * 4;
    Type::Store(row, low[i]);
    Type::Store(row + 64, high[i]);
  });
}

template <class Type, int... kI>
void Dispatch(std::integer_sequence<int, kI...>, const std::byte* a, size_t a_stride, const std::byte* panel,
              const std::byte* next, size_t groups, size_t rows, void* c, size_t c_stride) {
  using OneTile = void (*)(const std::byte*, size_t, const std::byte*, const std::byte*, size_t, void*, size_t);
  static constexpr OneTile kTiles[] = {Tile<Type, kI + 1>...};
  kTiles[rows - 1](a, a_stride, panel, next, groups, c, c_stride);
}

template <class Type, int kMaxRows>
void AnyTile(const std::byte* a, size_t a_stride, const std::byte* panel, const std::byte* next, size_t groups,
             size_t rows, void* c, size_t c_stride) {
  Dispatch<Type>(std::make_integer_sequence<int, kMaxRows>(), a, a_stride, panel, next, groups, rows, c, c_stride);
}

// With 14 rows the compiler has no register left for the address of each row and spills sums.
constexpr int kVnniRows = 12, kBf16Rows = 14;

}  // namespace

const GemmKernel kAvx512Bf16 = {"avx512_bf16", Element::kBf16, Element::kBf16,          2,
                                kPanel,        kBf16Rows,      AnyTile<Bf16, kBf16Rows>};
const GemmKernel kAvx512Vnni = {"avx512_vnni",           Element::kS8, Element::kU8, 4, kPanel, kVnniRows,
                                AnyTile<Vnni, kVnniRows>};

}  // namespace bertha::models::internal
