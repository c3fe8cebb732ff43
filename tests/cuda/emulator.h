// Runs CUDA kernels on the processor, one block after the other, each thread of a block on a stack of its own: the same
// source, threads, barriers, shuffles and matrix fragments, only slowly. What it finds: wrong indices, wrong fragments,
// missing barriers (threads run in changing order, shared memory starts as NaN), threads that miss a barrier. What it
// cannot find: races within a warp's step, what the compiler makes of the source for the device, its speed.
//
// The layout of fragments follows the PTX ISA, section "Warp Level Matrix Instructions".
// Thread-safety: none; kernels run on the calling thread.
#ifndef BERTHA_TESTS_CUDA_EMULATOR_H_
#define BERTHA_TESTS_CUDA_EMULATOR_H_

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace bertha::emulator {

struct Index {
  unsigned x = 0, y = 0, z = 0;
};

/// Of the thread that runs.
extern Index thread_index, block_index, grid_size;

/// Waits until all threads of the block that are left have come here.
void SyncBlock();
/// The same for the warp. Each lane gives `value` and gets what all lanes gave; a lane that has ended gave 0.
struct Exchanged {
  uint64_t values[32];
};
Exchanged SyncWarp(uint64_t value);

unsigned char* SharedMemory();

/// Has `thread` run for each thread of each block when the stream comes to it (fake_cudart.cc).
cudaError_t LaunchKernel(cudaStream_t stream, dim3 grid, int threads, size_t shared_bytes,
                         std::function<void()> thread);
/// Runs it now.
void RunKernel(dim3 grid, int threads, size_t shared_bytes, const std::function<void()>& thread);

/// Largest shared memory of a block that every device from compute capability 7.5 on has.
inline constexpr size_t kMostSharedBytes = 64 * 1024;

}  // namespace bertha::emulator

#undef __launch_bounds__
#define __launch_bounds__(...)
#define threadIdx (::bertha::emulator::thread_index)
#define blockIdx (::bertha::emulator::block_index)
#define gridDim (::bertha::emulator::grid_size)

namespace bertha::cuda {

using std::max;
using std::min;

inline void __syncthreads() { emulator::SyncBlock(); }
inline void __syncwarp() { emulator::SyncWarp(0); }
float __shfl_xor_sync(unsigned mask, float x, int offset);
inline float rsqrtf(float x) { return 1.f / std::sqrt(x); }
inline unsigned char* SharedMemory() { return emulator::SharedMemory(); }

void LoadMatrices(const void* row, uint32_t (&to)[4]);
void LoadMatricesTransposed(const void* row, uint32_t (&to)[4]);

template <class T>
void MultiplyAdd(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1);

template <class... Parameters, class... Arguments>
cudaError_t Launch(void (*kernel)(Parameters...), dim3 grid, int threads, size_t shared_bytes, cudaStream_t stream,
                   const Arguments&... arguments) {
  if (shared_bytes > emulator::kMostSharedBytes) return cudaErrorInvalidValue;
  return emulator::LaunchKernel(stream, grid, threads, shared_bytes,
                                [=] { kernel(static_cast<Parameters>(arguments)...); });
}

}  // namespace bertha::cuda

#endif  // BERTHA_TESTS_CUDA_EMULATOR_H_
