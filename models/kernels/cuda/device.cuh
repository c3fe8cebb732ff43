// What the kernels need from the device: numeric types, sums over a warp, 16-bit matrix products, a launch.
//
// Compiled by nvcc this is CUDA. Compiled by a C++ compiler, BERTHA_CUDA_EMULATOR names a header that runs the same
// kernels on the processor, thread by thread: that is how they are tested where there is no GPU.
// Fragments of the matrix instructions: PTX ISA, "Matrix Fragments for mma.m16n8k16" and "ldmatrix".
#ifndef BERTHA_MODELS_KERNELS_CUDA_DEVICE_CUH_
#define BERTHA_MODELS_KERNELS_CUDA_DEVICE_CUH_

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime_api.h>

#include <cmath>
#include <cstdint>
#include <cstring>

#ifndef __CUDACC__
#include BERTHA_CUDA_EMULATOR
#endif

namespace bertha::cuda {

constexpr int kWarp = 32;

__device__ inline float ToFloat(float x) { return x; }
__device__ inline float ToFloat(__half x) { return __half2float(x); }
__device__ inline float ToFloat(__nv_bfloat16 x) { return __bfloat162float(x); }

template <class T>
__device__ T FromFloat(float x);
template <>
__device__ inline float FromFloat<float>(float x) {
  return x;
}
/// A value past fp16's largest becomes that, not infinity: one overflow must not turn a whole row into NaN.
template <>
__device__ inline __half FromFloat<__half>(float x) {
  return __float2half_rn(fabsf(x) > 65504.f ? copysignf(65504.f, x) : x);  // NaN stays NaN
}
template <>
__device__ inline __nv_bfloat16 FromFloat<__nv_bfloat16>(float x) {
  return __float2bfloat16_rn(x);
}

/// Eight neighbours, loaded and stored as 16 bytes (32 for float).
template <class T>
struct alignas(16) Eight {
  T values[8];
};

template <class T>
__device__ inline void Load8(const T* from, float (&to)[8]) {
  const Eight<T> packed = *reinterpret_cast<const Eight<T>*>(from);
  for (int i = 0; i < 8; ++i) to[i] = ToFloat(packed.values[i]);
}

template <class T>
__device__ inline void Store8(const float (&from)[8], T* to) {
  Eight<T> packed;
  for (int i = 0; i < 8; ++i) packed.values[i] = FromFloat<T>(from[i]);
  *reinterpret_cast<Eight<T>*>(to) = packed;
}

/// Two 16-bit numbers as one register of a fragment, the first in the low half.
template <class T>
__device__ inline uint32_t Pack2(float low, float high) {
  const T values[2] = {FromFloat<T>(low), FromFloat<T>(high)};
  uint32_t packed;
  memcpy(&packed, values, sizeof packed);
  return packed;
}

template <class T>
__device__ inline float2 Unpack2(uint32_t packed) {
  T values[2];
  memcpy(static_cast<void*>(values), &packed, sizeof packed);
  return {ToFloat(values[0]), ToFloat(values[1])};
}

/// Sum over the lanes whose numbers differ in the bits below `width`: 32 is the warp, 4 a quad.
template <int width = kWarp>
__device__ inline float SumLanes(float x) {
  for (int offset = width / 2; offset > 0; offset /= 2) x += __shfl_xor_sync(0xffffffffu, x, offset);
  return x;
}

template <int width = kWarp>
__device__ inline float MaxLanes(float x) {
  for (int offset = width / 2; offset > 0; offset /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, offset));
  return x;
}

#ifdef __CUDACC__

/// The block's dynamic shared memory.
__device__ inline unsigned char* SharedMemory() {
  extern __shared__ __align__(16) unsigned char memory[];
  return memory;
}

/// Four 8×8 matrices of 16-bit numbers from shared memory. Lane i gives the address of row i % 8 of matrix i / 8 and
/// gets of each matrix the numbers (i / 4, 2 * (i % 4)) and the next one; transposed, of the transposed matrix.
__device__ inline void LoadMatrices(const void* row, uint32_t (&to)[4]) {
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address)
               : "memory");
}

__device__ inline void LoadMatricesTransposed(const void* row, uint32_t (&to)[4]) {
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address)
               : "memory");
}

/// c += a · b of [16, 16] and [16, 8], accumulated in fp32.
template <class T>
__device__ void MultiplyAdd(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1);

template <>
__device__ inline void MultiplyAdd<__half>(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
#if __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else  // Turing has half of that instruction; the registers of the two halves are the same.
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(b0));
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[2]), "r"(a[3]), "r"(b1));
#endif
}

template <>
__device__ inline void MultiplyAdd<__nv_bfloat16>(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
#if __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else  // Turing has no bf16: Supports() says so, and no model is made that would get here.
  __trap();
#endif
}

/// Launches kernel<<<...>>>; a kernel that needs more than 48 KiB of shared memory is first told that it may have it.
template <class... Parameters, class... Arguments>
cudaError_t Launch(void (*kernel)(Parameters...), dim3 grid, int threads, size_t shared_bytes, cudaStream_t stream,
                   const Arguments&... arguments) {
  if (shared_bytes > 48 * 1024) {
    const cudaError_t error =
        cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(shared_bytes));
    if (error != cudaSuccess) return error;
  }
  kernel<<<grid, threads, shared_bytes, stream>>>(static_cast<Parameters>(arguments)...);
  return cudaPeekAtLastError();
}

#endif  // __CUDACC__

}  // namespace bertha::cuda

#endif  // BERTHA_MODELS_KERNELS_CUDA_DEVICE_CUH_
