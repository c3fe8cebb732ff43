// The CUDA runtime as far as models/cuda/ uses it, on the processor. What a stream is given is done as late as allowed:
// when somebody waits for it. A missing wait so shows as stale or missing numbers.
//
// Thread-safety: none.
#ifndef BERTHA_TESTS_CUDA_FAKE_CUDART_H_
#define BERTHA_TESTS_CUDA_FAKE_CUDART_H_

#include <cuda_runtime_api.h>

#include <cstddef>
#include <functional>

namespace bertha::emulator {

struct FakeDevice {
  int count = 1;
  int major = 9, minor = 0;
  cudaError_t count_error = cudaSuccess;  ///< of cudaGetDeviceCount
  size_t memory = size_t{4} << 30;        ///< bytes that cudaMalloc has
  size_t used = 0;
  /// What the next wait for a stream ends with; then, as CUDA does after such an error, everything else as well.
  cudaError_t broken = cudaSuccess;
  bool captures = true;  ///< false: every capture fails
  size_t graph_launches = 0;
};

/// The one device; tests change it and put it back.
FakeDevice& TheDevice();

/// Queues `work` on a stream, or notes it in the graph that the stream captures. A null stream does it at once.
cudaError_t Enqueue(cudaStream_t stream, std::function<void()> work);

}  // namespace bertha::emulator

#endif  // BERTHA_TESTS_CUDA_FAKE_CUDART_H_
