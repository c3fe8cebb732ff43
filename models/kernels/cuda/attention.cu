// Varlen attention with an online softmax: scores are never stored. On tensor cores where types and sizes allow.
//
// Sources: Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018; Dao, "FlashAttention-2", 2023;
// for the relative terms Dai et al., "Transformer-XL", 2019, whose "shift" is the index below.
#include <algorithm>

#include "models/kernels/cuda/device.cuh"
#include "models/kernels/cuda/dispatch.h"
#include "models/kernels/cuda/kernels.h"

namespace bertha::cuda {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * kWarp;
/// Queries of a warp: rows of a matrix instruction.
constexpr int kWarpQueries = 16;
static_assert(kWarps * kWarpQueries == kTileQueries);
constexpr float kLog2E = 1.4426950408889634f;

/// What the kernel for a head size needs of shared memory, and where it lies. Rows are 8 numbers longer than a head:
/// then the eight rows that one matrix load touches lie in different banks.
template <class T, int kHead, bool kRelative>
struct Layout {
  static constexpr int kKeys = kRelative ? 32 : 64;  ///< keys of one step
  static constexpr int kRow = kHead + 8;
  /// Distances that a tile and a step of keys can have, and those of one warp: rounded up to whole matrices.
  static constexpr int kDistances = kRelative ? kTileQueries + kKeys : 0;
  static constexpr int kWarpDistances = kRelative ? kWarpQueries + kKeys : 0;
  static constexpr int kScoreRow = kWarpDistances + 1;

  static constexpr size_t kKeysAt = 0;
  static constexpr size_t kValuesAt = kKeysAt + sizeof(T) * kKeys * kRow;
  static constexpr size_t kPositionsAt = kValuesAt + sizeof(T) * kKeys * kRow;
  static constexpr size_t kScoresAt = kPositionsAt + sizeof(T) * kDistances * kRow;
  static constexpr size_t kSegmentsAt = kScoresAt + (kRelative ? sizeof(float) * kTileQueries * kScoreRow : 0);
  static constexpr size_t kBytes = kSegmentsAt + (kRelative ? sizeof(float) * kTileQueries * 2 : 0);
  // The queries are staged where keys and values come later.
  static_assert(kPositionsAt >= sizeof(T) * kTileQueries * kRow);
};

/// Rows [0, count) of `from`, each `kHead` numbers, into shared memory; zeros from row `valid` on.
template <class T, int kHead>
__device__ void LoadRows(const T* from, size_t stride, int valid, int count, T* to) {
  constexpr int kEights = kHead / 8;
  for (int i = threadIdx.x; i < count * kEights; i += kThreads) {
    const int row = i / kEights, column = i % kEights * 8;
    Eight<T> eight;
    memset(&eight, 0, sizeof eight);
    if (row < valid) eight = *reinterpret_cast<const Eight<T>*>(from + row * stride + column);
    *reinterpret_cast<Eight<T>*>(to + row * (kHead + 8) + column) = eight;
  }
}

/// The 16 rows at `rows`, as the first factor of products over the head: one fragment for 16 columns.
template <int kHead, class T>
__device__ void LoadQueries(const T* rows, int lane, uint32_t (&q)[kHead / 16][4]) {
#pragma unroll
  for (int c = 0; c < kHead / 16; ++c) LoadMatrices(rows + lane % 16 * (kHead + 8) + c * 16 + lane / 16 * 8, q[c]);
}

/// to = q + bias: the four registers of a fragment hold columns 2t, 2t + 1 (twice) and 2t + 8, 2t + 9 (twice).
template <int kHead, class T>
__device__ void AddToQueries(const uint32_t (&q)[kHead / 16][4], const float* bias, int lane,
                             uint32_t (&to)[kHead / 16][4]) {
#pragma unroll
  for (int c = 0; c < kHead / 16; ++c) {
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      const int column = c * 16 + lane % 4 * 2 + r / 2 * 8;
      const float2 pair = Unpack2<T>(q[c][r]);
      to[c][r] = Pack2<T>(pair.x + bias[column], pair.y + bias[column + 1]);
    }
  }
}

/// scores[n] = q · rows[8n .. 8n + 8)ᵀ.
template <int kHead, int kMatrices, class T>
__device__ void MultiplyByRows(const uint32_t (&q)[kHead / 16][4], const T* rows, int lane,
                               float (&scores)[kMatrices][4]) {
  static_assert(kMatrices % 2 == 0);
#pragma unroll
  for (int n = 0; n < kMatrices; n += 2) {
    for (int i = 0; i < 4; ++i) scores[n][i] = scores[n + 1][i] = 0;
#pragma unroll
    for (int c = 0; c < kHead / 16; ++c) {
      uint32_t b[4];  // of 16 rows: columns 0-7 and 8-15 of the first eight, then of the others
      const int row = n * 8 + lane % 8 + lane / 16 * 8, column = c * 16 + lane / 8 % 2 * 8;
      LoadMatrices(rows + row * (kHead + 8) + column, b);
      MultiplyAdd<T>(scores[n], q[c], b[0], b[1]);
      MultiplyAdd<T>(scores[n + 1], q[c], b[2], b[3]);
    }
  }
}

/// outputs += weights · values; a pair of score matrices is just the first factor of one instruction.
template <int kHead, int kMatrices, class T>
__device__ void AddValues(const float (&weights)[kMatrices][4], const T* values, int lane,
                          float (&outputs)[kHead / 8][4]) {
#pragma unroll
  for (int n = 0; n < kMatrices; n += 2) {
    const uint32_t a[4] = {Pack2<T>(weights[n][0], weights[n][1]), Pack2<T>(weights[n][2], weights[n][3]),
                           Pack2<T>(weights[n + 1][0], weights[n + 1][1]),
                           Pack2<T>(weights[n + 1][2], weights[n + 1][3])};
#pragma unroll
    for (int m = 0; m < kHead / 8; m += 2) {
      uint32_t b[4];  // of 16 keys: the first and the last eight for columns 0-7, then for columns 8-15
      LoadMatricesTransposed(values + (n * 8 + lane % 16) * (kHead + 8) + m * 8 + lane / 16 * 8, b);
      MultiplyAdd<T>(outputs[m], a, b[0], b[1]);
      MultiplyAdd<T>(outputs[m + 1], a, b[2], b[3]);
    }
  }
}

/// segments[query][s] = (q + segment_bias) · segments[s], for the staged queries: a thread makes one of them.
template <int kHead, class T>
__device__ void MultiplyBySegments(const T* queries, const RelativeTerms& relative, int head, float* segments) {
  const int query = threadIdx.x / 2, s = threadIdx.x % 2;
  const float* bias = relative.segment_bias + head * kHead;
  const float* segment = relative.segments[s] + head * kHead;
  float sum = 0;
  for (int i = 0; i < kHead; ++i) sum += (ToFloat(queries[query * (kHead + 8) + i]) + bias[i]) * segment[i];
  segments[query * 2 + s] = sum;
}

/// What the warp's queries have gathered: lane i knows about rows i / 4 and i / 4 + 8 of its 16.
template <int kHead>
struct Gathered {
  float outputs[kHead / 8][4] = {};
  float highest[2] = {-INFINITY, -INFINITY};
  float sum[2] = {0, 0};  ///< of this lane's keys alone
};

/// Takes one more step of keys in. `scores`, already in units of log 2, become weights.
template <int kHead, int kMatrices>
__device__ void Softmax(float (&scores)[kMatrices][4], Gathered<kHead>& gathered) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float highest = gathered.highest[half];
#pragma unroll
    for (int n = 0; n < kMatrices; ++n) {
      highest = fmaxf(highest, fmaxf(scores[n][half * 2], scores[n][half * 2 + 1]));
    }
    highest = MaxLanes<4>(highest);  // finite: every step has a key
    const float factor = exp2f(gathered.highest[half] - highest);
    gathered.highest[half] = highest;
    gathered.sum[half] *= factor;
#pragma unroll
    for (int m = 0; m < kHead / 8; ++m) {
      gathered.outputs[m][half * 2] *= factor;
      gathered.outputs[m][half * 2 + 1] *= factor;
    }
#pragma unroll
    for (int n = 0; n < kMatrices; ++n) {
#pragma unroll
      for (int i = half * 2; i < half * 2 + 2; ++i) {
        scores[n][i] = exp2f(scores[n][i] - highest);
        gathered.sum[half] += scores[n][i];
      }
    }
  }
}

template <int kHead, class T>
__device__ void StoreOutputs(const Gathered<kHead>& gathered, const AttentionTile& tile, int first_query, int lane,
                             T* out, size_t stride) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float factor = 1.f / SumLanes<4>(gathered.sum[half]);
    const int query = first_query + lane / 4 + half * 8;
    if (query >= tile.queries) continue;
    T* row = out + (tile.query + query) * stride;
#pragma unroll
    for (int m = 0; m < kHead / 8; ++m) {
      const uint32_t pair =
          Pack2<T>(gathered.outputs[m][half * 2] * factor, gathered.outputs[m][half * 2 + 1] * factor);
      *reinterpret_cast<uint32_t*>(row + m * 8 + lane % 4 * 2) = pair;
    }
  }
}

/// The rows of r_d that a tile and the step of keys from `key` on need. Distance d = i - j is row
/// d - (tile.position - key) + kKeys - 1; those that no valid pair has are clamped to ones that exist.
template <class T, int kHead>
__device__ void LoadDistances(const AttentionArguments& p, const AttentionTile& tile, int head, int key, T* to) {
  using L = Layout<T, kHead, true>;
  constexpr int kEights = kHead / 8;
  const auto* keys = static_cast<const T*>(p.relative.keys) + head * kHead;
  const size_t stride = static_cast<size_t>(p.heads) * kHead;
  const int first = tile.position - key - (L::kKeys - 1) + p.relative.max_length - 1;
  for (int i = threadIdx.x; i < L::kDistances * kEights; i += kThreads) {
    const int row = i / kEights, column = i % kEights * 8;
    const int from = min(max(first + row, 0), 2 * p.relative.max_length - 2);
    *reinterpret_cast<Eight<T>*>(to + row * L::kRow + column) =
        *reinterpret_cast<const Eight<T>*>(keys + from * stride + column);
  }
}

/// Adds the position and the segment term to the warp's scores of the step of keys from `key` on.
template <class T, int kHead>
__device__ void AddRelativeTerms(const AttentionArguments& p, const AttentionTile& tile,
                                 const uint32_t (&q)[kHead / 16][4], int key, int warp, int lane, unsigned char* memory,
                                 float (&scores)[Layout<T, kHead, true>::kKeys / 8][4]) {
  using L = Layout<T, kHead, true>;
  const T* positions = reinterpret_cast<const T*>(memory + L::kPositionsAt) + warp * kWarpQueries * L::kRow;
  float* shifted = reinterpret_cast<float*>(memory + L::kScoresAt) + warp * kWarpQueries * L::kScoreRow;
  const float* segments = reinterpret_cast<const float*>(memory + L::kSegmentsAt) + warp * kWarpQueries * 2;
  float products[L::kWarpDistances / 8][4];
  MultiplyByRows<kHead>(q, positions, lane, products);  // the last step's were read before the block met
#pragma unroll
  for (int n = 0; n < L::kWarpDistances / 8; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      shifted[(lane / 4 + i / 2 * 8) * L::kScoreRow + n * 8 + lane % 4 * 2 + i % 2] = products[n][i];
    }
  }
  __syncwarp();
  const int32_t* types = p.relative.type_ids + tile.key;
  int32_t query_type[2];
  for (int half = 0; half < 2; ++half) {
    const int query = min(warp * kWarpQueries + lane / 4 + half * 8, tile.queries - 1);
    query_type[half] = types[tile.position + query];
  }
#pragma unroll
  for (int n = 0; n < L::kKeys / 8; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int query = lane / 4 + i / 2 * 8, j = n * 8 + lane % 4 * 2 + i % 2;
      const int32_t key_type = types[min(key + j, tile.keys - 1)];
      scores[n][i] += shifted[query * L::kScoreRow + query - j + L::kKeys - 1] +
                      segments[query * 2 + (query_type[i / 2] != key_type)];
    }
  }
}

/// One tile of queries against all of its keys, by a block.
template <class T, int kHead, bool kRelative>
__device__ void AttendTile(const AttentionArguments& p, const AttentionTile& tile, int head, unsigned char* memory) {
  using L = Layout<T, kHead, kRelative>;
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  const int first_query = warp * kWarpQueries;
  T* keys = reinterpret_cast<T*>(memory + L::kKeysAt);
  T* values = reinterpret_cast<T*>(memory + L::kValuesAt);

  uint32_t q[kHead / 16][4], q_position[kRelative ? kHead / 16 : 1][4];
  const T* q_rows = static_cast<const T*>(p.q) + static_cast<size_t>(tile.query) * p.q_stride + head * kHead;
  LoadRows<T, kHead>(q_rows, p.q_stride, tile.queries, kTileQueries, keys);
  __syncthreads();
  LoadQueries<kHead>(keys + first_query * L::kRow, lane, q);
  if constexpr (kRelative) {
    MultiplyBySegments<kHead>(keys, p.relative, head, reinterpret_cast<float*>(memory + L::kSegmentsAt));
    AddToQueries<kHead, T>(q, p.relative.position_bias + head * kHead, lane, q_position);
    AddToQueries<kHead, T>(q, p.relative.content_bias + head * kHead, lane, q);
  }

  const size_t first_key = static_cast<size_t>(tile.key) * p.kv_stride + head * kHead;
  const T* k_rows = static_cast<const T*>(p.k) + first_key;
  const T* v_rows = static_cast<const T*>(p.v) + first_key;
  const float scale = p.scale * kLog2E;
  Gathered<kHead> gathered;
  for (int key = 0; key < tile.keys; key += L::kKeys) {
    __syncthreads();  // what was in shared memory has been read
    const size_t offset = static_cast<size_t>(key) * p.kv_stride;
    LoadRows<T, kHead>(k_rows + offset, p.kv_stride, tile.keys - key, L::kKeys, keys);
    LoadRows<T, kHead>(v_rows + offset, p.kv_stride, tile.keys - key, L::kKeys, values);
    if constexpr (kRelative) {
      LoadDistances<T, kHead>(p, tile, head, key, reinterpret_cast<T*>(memory + L::kPositionsAt));
    }
    __syncthreads();
    if (first_query >= tile.queries) continue;  // the whole warp
    float scores[L::kKeys / 8][4];
    MultiplyByRows<kHead>(q, keys, lane, scores);
    if constexpr (kRelative) AddRelativeTerms<T, kHead>(p, tile, q_position, key, warp, lane, memory, scores);
#pragma unroll
    for (int n = 0; n < L::kKeys / 8; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const bool valid = key + n * 8 + lane % 4 * 2 + i % 2 < tile.keys;
        scores[n][i] = valid ? scores[n][i] * scale : -INFINITY;
      }
    }
    Softmax(scores, gathered);
    AddValues<kHead>(scores, values, lane, gathered.outputs);
  }
  if (first_query >= tile.queries) return;
  StoreOutputs(gathered, tile, first_query, lane, static_cast<T*>(p.out) + head * kHead, p.out_stride);
}

template <class T, int kHead, bool kRelative>
__global__ void __launch_bounds__(kThreads) AttendTiles(AttentionArguments p) {
  unsigned char* memory = SharedMemory();
  const int count = *p.tile_count, head = blockIdx.x;
  for (int i = blockIdx.y; i < count; i += gridDim.y) {
    __syncthreads();  // the last tile is done with shared memory
    AttendTile<T, kHead, kRelative>(p, p.tiles[i], head, memory);
  }
}

/// Score of one query and one key, before scaling; the warp shares the head's columns.
template <class T>
__device__ float Score(const AttentionArguments& p, const T* q, const T* k, int head, int distance,
                       bool other_segment) {
  const size_t offset = static_cast<size_t>(head) * p.head_size;
  const RelativeTerms& relative = p.relative;
  float sum = 0;
  for (int i = threadIdx.x % kWarp; i < p.head_size; i += kWarp) {
    const float x = ToFloat(q[i]);
    if (!relative.keys) {
      sum += x * ToFloat(k[i]);
      continue;
    }
    const size_t row = static_cast<size_t>(distance + relative.max_length - 1) * p.heads * p.head_size;
    sum += (x + relative.content_bias[offset + i]) * ToFloat(k[i]);
    sum += (x + relative.position_bias[offset + i]) * ToFloat(static_cast<const T*>(relative.keys)[row + offset + i]);
    sum += (x + relative.segment_bias[offset + i]) * relative.segments[other_segment ? 1 : 0][offset + i];
  }
  return SumLanes(sum);
}

/// A warp for each query of a tile, in turns.
template <class T>
__global__ void __launch_bounds__(kThreads) AttendQueries(AttentionArguments p) {
  constexpr int kOfLane = kMaxHeadSize / kWarp;
  const int count = *p.tile_count, head = blockIdx.x, lane = threadIdx.x % kWarp;
  const size_t offset = static_cast<size_t>(head) * p.head_size;
  for (int t = blockIdx.y; t < count; t += gridDim.y) {
    const AttentionTile tile = p.tiles[t];
    for (int query = threadIdx.x / kWarp; query < tile.queries; query += kWarps) {
      const T* q = static_cast<const T*>(p.q) + static_cast<size_t>(tile.query + query) * p.q_stride + offset;
      float outputs[kOfLane] = {}, highest = -INFINITY, sum = 0;
      const int position = tile.position + query;
      const int32_t* types = p.relative.keys ? p.relative.type_ids + tile.key : nullptr;
      for (int key = 0; key < tile.keys; ++key) {
        const size_t row = static_cast<size_t>(tile.key + key) * p.kv_stride + offset;
        const float score = p.scale * Score(p, q, static_cast<const T*>(p.k) + row, head, position - key,
                                            types && types[position] != types[key]);
        const float now = fmaxf(highest, score), factor = expf(highest - now), weight = expf(score - now);
        highest = now;
        sum = sum * factor + weight;
#pragma unroll
        for (int i = 0; i < kOfLane; ++i) {
          const int column = i * kWarp + lane;
          if (column >= p.head_size) continue;
          outputs[i] = outputs[i] * factor + weight * ToFloat(static_cast<const T*>(p.v)[row + column]);
        }
      }
      T* out = static_cast<T*>(p.out) + static_cast<size_t>(tile.query + query) * p.out_stride + offset;
#pragma unroll
      for (int i = 0; i < kOfLane; ++i) {
        if (i * kWarp + lane < p.head_size) out[i * kWarp + lane] = FromFloat<T>(outputs[i] / sum);
      }
    }
  }
}

dim3 Grid(const AttentionArguments& p, int blocks) {
  constexpr int kLargestGrid = 65535;
  return dim3(static_cast<unsigned>(p.heads), static_cast<unsigned>(std::clamp(blocks, 1, kLargestGrid)), 1);
}

template <class T, int kHead>
cudaError_t LaunchTiles(cudaStream_t stream, const AttentionArguments& p, int blocks) {
  if (p.relative.keys) {
    return Launch(AttendTiles<T, kHead, true>, Grid(p, blocks), kThreads, Layout<T, kHead, true>::kBytes, stream, p);
  }
  return Launch(AttendTiles<T, kHead, false>, Grid(p, blocks), kThreads, Layout<T, kHead, false>::kBytes, stream, p);
}

template <class T>
cudaError_t OnTensorCores(cudaStream_t stream, const AttentionArguments& p, int blocks) {
  switch (p.head_size) {
    case 32:
      return LaunchTiles<T, 32>(stream, p, blocks);
    case 64:
      return LaunchTiles<T, 64>(stream, p, blocks);
    case 128:
      return LaunchTiles<T, 128>(stream, p, blocks);
    default:
      return cudaErrorInvalidValue;
  }
}

bool SuitsTensorCores(Dtype dtype, const AttentionArguments& p) {
  if (dtype == Dtype::kFp32) return false;
  return p.head_size == 32 || p.head_size == 64 || p.head_size == 128;
}

}  // namespace

cudaError_t Attention(cudaStream_t stream, Dtype dtype, const AttentionArguments& attention, int blocks) {
  if (!SuitsTensorCores(dtype, attention)) return AttentionOfAnySize(stream, dtype, attention, blocks);
  if (dtype == Dtype::kFp16) return OnTensorCores<__half>(stream, attention, blocks);
  return OnTensorCores<__nv_bfloat16>(stream, attention, blocks);
}

cudaError_t AttentionOfAnySize(cudaStream_t stream, Dtype dtype, const AttentionArguments& attention, int blocks) {
  if (attention.head_size > kMaxHeadSize) return cudaErrorInvalidValue;
  return WithDtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    return Launch(AttendQueries<T>, Grid(attention, blocks), kThreads, 0, stream, attention);
  });
}

}  // namespace bertha::cuda
