// out = x · weightᵀ with a bias and an activation, by cuBLASLt; algorithms are chosen by timing and kept by shape.
//
// Thread-safety: Multiply may run on many threads, each with a stream and a workspace of its own.
#ifndef BERTHA_MODELS_KERNELS_CUDA_MATMUL_H_
#define BERTHA_MODELS_KERNELS_CUDA_MATMUL_H_

#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>
#include <span>

#include "models/cuda_plugin.h"
#include "models/kernels/cuda/kernels.h"

namespace bertha::cuda {

/// Bytes of scratch memory for each stream: what cuBLAS itself takes on Hopper.
constexpr size_t kWorkspaceBytes = 32u << 20;

/// What the product itself can do besides. Its GELU is the approximation by tanh.
enum class Epilogue { kNone, kBias, kBiasGeluTanh, kBiasRelu };

struct MatmulCall {
  Dtype dtype = Dtype::kFp32;
  bool fp32_out = false;         ///< `out` is fp32 whatever dtype is
  int rows = 0;                  ///< of x and out
  int inputs = 0, outputs = 0;   ///< widths of x and of out
  const void* x = nullptr;       ///< [rows, inputs]
  const void* weight = nullptr;  ///< [outputs, inputs]
  const void* bias = nullptr;    ///< [outputs] of dtype, for an epilogue with one
  void* out = nullptr;           ///< [rows, outputs], rows out_stride numbers apart
  int out_stride = 0;
  Epilogue epilogue = Epilogue::kNone;
  /// Other weights of the same shape, which take turns when algorithms are timed: in service, too, weights come from
  /// memory and not from the cache.
  std::span<const void* const> peers = {};
};

class Matmul {
 public:
  /// For the current device.
  static models::CudaOutcome Create(bool tune, std::unique_ptr<Matmul>& matmul);
  virtual ~Matmul() = default;

  /// Queues the product. The first call of a shape chooses its algorithm: it may then wait for the stream, so it must
  /// not be captured.
  virtual models::CudaOutcome Multiply(cudaStream_t stream, void* workspace, const MatmulCall& call) = 0;
};

}  // namespace bertha::cuda

#endif  // BERTHA_MODELS_KERNELS_CUDA_MATMUL_H_
