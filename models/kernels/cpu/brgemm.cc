#include "models/kernels/cpu/brgemm.h"

#include <ATen/native/CPUBlas.h>

namespace bertha::models {
namespace {

// Two tiles of 16 rows, four of 16 columns.
constexpr size_t kMaxRows = 32, kPanel = 64;

template <class A, class B, class C>
void Tile(const std::byte* a, size_t a_stride, const std::byte* panel, const std::byte*, size_t groups, size_t rows,
          void* c, size_t c_stride) {
  constexpr size_t kGroup = 4 / sizeof(A);
  at::native::cpublas::brgemm(static_cast<int64_t>(rows), kPanel, static_cast<int64_t>(groups * kGroup),
                              static_cast<int64_t>(a_stride / sizeof(A)), kPanel, static_cast<int64_t>(c_stride), false,
                              reinterpret_cast<const A*>(a), reinterpret_cast<const B*>(panel), static_cast<C*>(c));
}

}  // namespace

const GemmKernel kBrgemmBf16 = {
    "brgemm bf16", Element::kBf16, Element::kBf16, 2, kPanel, kMaxRows, Tile<at::BFloat16, at::BFloat16, float>};
const GemmKernel kBrgemmInt8 = {
    "brgemm int8", Element::kS8, Element::kU8, 4, kPanel, kMaxRows, Tile<unsigned char, signed char, int32_t>};

}  // namespace bertha::models
