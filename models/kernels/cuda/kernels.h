// The encoder's own CUDA kernels: everything but the matrix products. Each function launches one kernel on `stream`.
//
// Matrices are row-major and packed: [tokens, width] without padding between sequences. Arithmetic is in fp32 whatever
// `dtype` is, which is the type of the numbers in memory only. A launch with no rows does nothing. What is returned is
// the error of the launch; errors of the run come with the next synchronisation.
// Thread-safety: free functions; the current device must be the stream's.
#ifndef BERTHA_MODELS_KERNELS_CUDA_KERNELS_H_
#define BERTHA_MODELS_KERNELS_CUDA_KERNELS_H_

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "models/families/encoder_weights.h"

namespace bertha::cuda {

enum class Dtype { kFp32, kFp16, kBf16 };

inline size_t BytesOf(Dtype dtype) { return dtype == Dtype::kFp32 ? 4 : 2; }

/// cudaErrorInvalidDeviceFunction or the like if this library has no code of `dtype` for the current device: bf16 needs
/// compute capability 8.0, and a library that was compiled for it.
cudaError_t Supports(Dtype dtype);

/// y = (x - mean) / sqrt(variance + epsilon) * gain + bias; gain null: y = x.
struct Norm {
  const float* gain = nullptr;
  const float* bias = nullptr;
  float epsilon = 0;
};

/// out[row] = norm(words[ids[row]] + positions[position_ids[row]] + types[type_ids[row]]), [rows, width].
struct EmbeddingArguments {
  const void* words = nullptr;
  const void* positions = nullptr;  ///< or null
  const void* types = nullptr;      ///< or null
  const int32_t* ids = nullptr;
  const int32_t* position_ids = nullptr;
  const int32_t* type_ids = nullptr;
};
cudaError_t Embed(cudaStream_t stream, Dtype dtype, const EmbeddingArguments& embedding, Norm norm, void* out, int rows,
                  int width);

/// out = norm(x + bias + residual), [rows, width]; bias [width] or null. `out` may be `residual` or `x`.
cudaError_t AddNorm(cudaStream_t stream, Dtype dtype, const void* x, const float* bias, const void* residual, Norm norm,
                    void* out, int rows, int width);

/// x = activation(x + bias) in place, [rows, columns]; bias [columns] or null.
cudaError_t AddActivate(cudaStream_t stream, Dtype dtype, void* x, const float* bias, models::Activation activation,
                        int rows, int columns);

/// out[i] = x[rows[i]], [count, width].
cudaError_t GatherRows(cudaStream_t stream, Dtype dtype, const void* x, const int32_t* rows, void* out, int count,
                       int width);

/// out = activation(x · weightᵀ + bias) in fp32; x [rows, inputs], weight [outputs, inputs] in fp32, bias or null. For
/// few outputs: a warp makes one number.
cudaError_t SmallLinear(cudaStream_t stream, Dtype dtype, const void* x, const float* weight, const float* bias,
                        models::Activation activation, float* out, int rows, int inputs, int outputs);

cudaError_t ToFp32(cudaStream_t stream, Dtype dtype, const void* x, float* out, size_t count);

/// Queries of one tile: at most this many.
constexpr int kTileQueries = 64;

/// Up to kTileQueries neighbouring queries of one sequence, and the keys that they see: all of the sequence's.
struct AttentionTile {
  int32_t query = 0;     ///< row of the first query in q and out
  int32_t queries = 0;   ///< how many
  int32_t position = 0;  ///< of the first query within its sequence
  int32_t key = 0;       ///< row of the sequence's first key in k and v
  int32_t keys = 0;      ///< length of the sequence
};

/// XLNet's terms (families/encoder_weights.h). Biases and segments: [heads * head_size].
struct RelativeTerms {
  /// [2 * max_length - 1, heads * head_size]: r_d is row d + max_length - 1. Null: no relative attention.
  const void* keys = nullptr;
  int max_length = 0;
  const float* content_bias = nullptr;
  const float* position_bias = nullptr;
  const float* segment_bias = nullptr;
  const float* segments[2] = {nullptr, nullptr};
  const int32_t* type_ids = nullptr;  ///< [rows of k]
};

/// out[query] = softmax(scores · scale) · v for each head. q, k, v and out are [rows, heads * head_size] views of wider
/// rows: the strides count numbers. k and v share theirs.
struct AttentionArguments {
  const void* q = nullptr;
  const void* k = nullptr;
  const void* v = nullptr;
  void* out = nullptr;
  int q_stride = 0, kv_stride = 0, out_stride = 0;
  int heads = 0, head_size = 0;
  float scale = 1;
  const AttentionTile* tiles = nullptr;
  const int32_t* tile_count = nullptr;  ///< on the device, like all the others: a captured graph serves any batch
  RelativeTerms relative;
};

/// Largest head that Attention takes.
constexpr int kMaxHeadSize = 256;

/// `blocks`: tiles at work at the same time for each head; any number >= 1 is correct. With 16-bit types and a head
/// size of 32, 64 or 128 it runs on tensor cores; all addresses and strides must then be multiples of 16 bytes.
cudaError_t Attention(cudaStream_t stream, Dtype dtype, const AttentionArguments& attention, int blocks);

/// The same, one warp for each query and head: any head size, any type.
cudaError_t AttentionOfAnySize(cudaStream_t stream, Dtype dtype, const AttentionArguments& attention, int blocks);

}  // namespace bertha::cuda

#endif  // BERTHA_MODELS_KERNELS_CUDA_KERNELS_H_
