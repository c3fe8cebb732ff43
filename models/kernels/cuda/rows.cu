// Kernels that make each row of their result from rows of their arguments: a warp for a row, or a block for a wide one.
#include <algorithm>

#include "models/kernels/cuda/device.cuh"
#include "models/kernels/cuda/dispatch.h"
#include "models/kernels/cuda/kernels.h"

namespace bertha::cuda {
namespace {

using models::Activation;

constexpr int kRowsPerBlock = 4;
constexpr int kThreads = kRowsPerBlock * kWarp;

int BlocksFor(size_t items, int per_block) { return static_cast<int>((items + per_block - 1) / per_block); }

/// Numbers of the rows that Embed normalises.
template <class T>
struct Embeddings {
  EmbeddingArguments at;
  int width;

  __device__ float operator()(int row, int column) const {
    float x = ToFloat(Words(row)[column]);
    if (at.positions) x += ToFloat(Positions(row)[column]);
    if (at.types) x += ToFloat(Types(row)[column]);
    return x;
  }
  __device__ void Eight(int row, int column, float (&x)[8]) const {
    float more[8];
    Load8(Words(row) + column, x);
    if (at.positions) {
      Load8(Positions(row) + column, more);
      for (int i = 0; i < 8; ++i) x[i] += more[i];
    }
    if (at.types) {
      Load8(Types(row) + column, more);
      for (int i = 0; i < 8; ++i) x[i] += more[i];
    }
  }

 private:
  __device__ const T* Row(const void* table, const int32_t* index, int row) const {
    return static_cast<const T*>(table) + static_cast<size_t>(index[row]) * width;
  }
  __device__ const T* Words(int row) const { return Row(at.words, at.ids, row); }
  __device__ const T* Positions(int row) const { return Row(at.positions, at.position_ids, row); }
  __device__ const T* Types(int row) const { return Row(at.types, at.type_ids, row); }
};

/// Those that AddNorm normalises.
template <class T>
struct Sums {
  const T* x;
  const float* bias;
  const T* residual;
  int width;

  __device__ float operator()(int row, int column) const {
    const size_t at = static_cast<size_t>(row) * width + column;
    return ToFloat(x[at]) + ToFloat(residual[at]) + (bias ? bias[column] : 0.f);
  }
  __device__ void Eight(int row, int column, float (&sum)[8]) const {
    const size_t at = static_cast<size_t>(row) * width + column;
    float more[8];
    Load8(x + at, sum);
    Load8(residual + at, more);
    for (int i = 0; i < 8; ++i) sum[i] += more[i];
    if (bias) {
      Load8(bias + column, more);
      for (int i = 0; i < 8; ++i) sum[i] += more[i];
    }
  }
};

/// A warp normalises a row that it holds in registers: width <= kEights * 256, a multiple of 8.
template <class T, int kEights, class Source>
__global__ void __launch_bounds__(kThreads) NormWarpRows(Source source, Norm norm, T* out, int rows, int width) {
  const int row = blockIdx.x * kRowsPerBlock + threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  if (row >= rows) return;
  float x[kEights][8];
  float sum = 0;
#pragma unroll
  for (int k = 0; k < kEights; ++k) {
    const int column = (k * kWarp + lane) * 8;
    if (column >= width) continue;
    source.Eight(row, column, x[k]);
    for (int i = 0; i < 8; ++i) sum += x[k][i];
  }
  float mean = 0, factor = 1;
  if (norm.gain) {
    mean = SumLanes(sum) / static_cast<float>(width);
    float squares = 0;
#pragma unroll
    for (int k = 0; k < kEights; ++k) {
      if ((k * kWarp + lane) * 8 >= width) continue;
      for (int i = 0; i < 8; ++i) squares += (x[k][i] - mean) * (x[k][i] - mean);
    }
    factor = rsqrtf(SumLanes(squares) / static_cast<float>(width) + norm.epsilon);
  }
#pragma unroll
  for (int k = 0; k < kEights; ++k) {
    const int column = (k * kWarp + lane) * 8;
    if (column >= width) continue;
    if (norm.gain) {
      float gain[8], bias[8];
      Load8(norm.gain + column, gain);
      Load8(norm.bias + column, bias);
      for (int i = 0; i < 8; ++i) x[k][i] = (x[k][i] - mean) * factor * gain[i] + bias[i];
    }
    Store8(x[k], out + static_cast<size_t>(row) * width + column);
  }
}

/// Sum over the block of kThreads; every thread gets it.
__device__ float SumBlock(float x) {
  auto* parts = reinterpret_cast<float*>(SharedMemory());
  x = SumLanes(x);
  __syncthreads();  // the last sum has been read
  if (threadIdx.x % kWarp == 0) parts[threadIdx.x / kWarp] = x;
  __syncthreads();
  float sum = 0;
  for (int i = 0; i < kThreads / kWarp; ++i) sum += parts[i];
  return sum;
}

/// A block normalises a row of any width, which it reads up to three times.
template <class T, class Source>
__global__ void __launch_bounds__(kThreads) NormBlockRows(Source source, Norm norm, T* out, int width) {
  const int row = blockIdx.x;
  float mean = 0, factor = 1;
  if (norm.gain) {
    float sum = 0, squares = 0;
    for (int i = threadIdx.x; i < width; i += kThreads) sum += source(row, i);
    mean = SumBlock(sum) / static_cast<float>(width);
    for (int i = threadIdx.x; i < width; i += kThreads) {
      const float distance = source(row, i) - mean;
      squares += distance * distance;
    }
    factor = rsqrtf(SumBlock(squares) / static_cast<float>(width) + norm.epsilon);
  }
  for (int i = threadIdx.x; i < width; i += kThreads) {
    const float x = source(row, i);
    out[static_cast<size_t>(row) * width + i] =
        FromFloat<T>(norm.gain ? (x - mean) * factor * norm.gain[i] + norm.bias[i] : x);
  }
}

template <class T, class Source>
cudaError_t NormRows(cudaStream_t stream, Source source, Norm norm, void* to, int rows, int width) {
  if (rows == 0) return cudaSuccess;
  auto* out = static_cast<T*>(to);
  const int eights = width % 8 == 0 ? BlocksFor(width, 8 * kWarp) : 0;
  const int blocks = BlocksFor(rows, kRowsPerBlock);
  auto warp_rows = [&](auto kernel) {
    return Launch(kernel, blocks, kThreads, 0, stream, source, norm, out, rows, width);
  };
  switch (eights) {
    case 1:
      return warp_rows(NormWarpRows<T, 1, Source>);
    case 2:
      return warp_rows(NormWarpRows<T, 2, Source>);
    case 3:
      return warp_rows(NormWarpRows<T, 3, Source>);
    case 4:
      return warp_rows(NormWarpRows<T, 4, Source>);
    default:
      return Launch(NormBlockRows<T, Source>, rows, kThreads, kThreads / kWarp * sizeof(float), stream, source, norm,
                    out, width);
  }
}

template <Activation kActivation>
__device__ float Activate(float x) {
  if constexpr (kActivation == Activation::kGelu) return 0.5f * x * (1.f + erff(x * 0.70710678118654752f));
  if constexpr (kActivation == Activation::kGeluTanh) {
    return 0.5f * x * (1.f + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
  }
  if constexpr (kActivation == Activation::kRelu) return fmaxf(x, 0.f);
  if constexpr (kActivation == Activation::kTanh) return tanhf(x);
  return x;
}

/// Calls `launch` with the activation as a constant.
template <class Call>
cudaError_t WithActivation(Activation activation, Call launch) {
  switch (activation) {
    case Activation::kNone:
      return launch(std::integral_constant<Activation, Activation::kNone>());
    case Activation::kGelu:
      return launch(std::integral_constant<Activation, Activation::kGelu>());
    case Activation::kGeluTanh:
      return launch(std::integral_constant<Activation, Activation::kGeluTanh>());
    case Activation::kRelu:
      return launch(std::integral_constant<Activation, Activation::kRelu>());
    case Activation::kTanh:
      return launch(std::integral_constant<Activation, Activation::kTanh>());
  }
  return cudaErrorInvalidValue;
}

/// kVector: a thread takes eight columns, of which there is a multiple; else one.
template <class T, Activation kActivation, bool kVector>
__global__ void __launch_bounds__(kThreads) ActivateRows(T* x, const float* bias, size_t count, int columns) {
  const size_t thread = static_cast<size_t>(blockIdx.x) * kThreads + threadIdx.x;
  const size_t at = kVector ? thread * 8 : thread;
  if (at >= count) return;
  const int column = static_cast<int>(at % columns);
  if constexpr (kVector) {
    float values[8], biases[8] = {};
    Load8(x + at, values);
    if (bias) Load8(bias + column, biases);
    for (int i = 0; i < 8; ++i) values[i] = Activate<kActivation>(values[i] + biases[i]);
    Store8(values, x + at);
  } else {
    x[at] = FromFloat<T>(Activate<kActivation>(ToFloat(x[at]) + (bias ? bias[column] : 0.f)));
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) CopyRows(const T* x, const int32_t* rows, T* out, int count, int width) {
  const int i = blockIdx.x * kRowsPerBlock + threadIdx.x / kWarp;
  if (i >= count) return;
  const T* from = x + static_cast<size_t>(rows[i]) * width;
  T* to = out + static_cast<size_t>(i) * width;
  for (int column = threadIdx.x % kWarp; column < width; column += kWarp) to[column] = from[column];
}

template <class T, Activation kActivation>
__global__ void __launch_bounds__(kThreads) LinearNumbers(const T* x, const float* weight, const float* bias,
                                                          float* out, size_t count, int inputs, int outputs) {
  const size_t index = static_cast<size_t>(blockIdx.x) * kRowsPerBlock + threadIdx.x / kWarp;
  if (index >= count) return;
  const size_t row = index / outputs, output = index % outputs;
  float sum = 0;
  for (int i = threadIdx.x % kWarp; i < inputs; i += kWarp) {
    sum += ToFloat(x[row * inputs + i]) * weight[output * inputs + i];
  }
  sum = SumLanes(sum);
  if (threadIdx.x % kWarp == 0) out[index] = Activate<kActivation>(sum + (bias ? bias[output] : 0.f));
}

template <class T>
__global__ void __launch_bounds__(kThreads) Widen(const T* x, float* out, size_t count) {
  const size_t i = static_cast<size_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < count) out[i] = ToFloat(x[i]);
}

/// bf16 on a device, or in code, without it: asked of a kernel that uses it.
template <class T>
__global__ void Probe(T* x) {
  *x = FromFloat<T>(1.f);
}

}  // namespace

cudaError_t Supports(Dtype dtype) {
#ifdef __CUDACC__
  // What the device would run may be PTX for an older one, in which there is no bf16 to speak of.
  cudaFuncAttributes attributes;
  cudaError_t error = cudaFuncGetAttributes(&attributes, Probe<__nv_bfloat16>);
  if (error != cudaSuccess) return error;
  if (dtype == Dtype::kBf16 && attributes.ptxVersion < 80) return cudaErrorNotSupported;
#else
  static_cast<void>(dtype);
#endif
  return cudaSuccess;
}

cudaError_t Embed(cudaStream_t stream, Dtype dtype, const EmbeddingArguments& embedding, Norm norm, void* out, int rows,
                  int width) {
  return WithDtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    return NormRows<T>(stream, Embeddings<T>{embedding, width}, norm, out, rows, width);
  });
}

cudaError_t AddNorm(cudaStream_t stream, Dtype dtype, const void* x, const float* bias, const void* residual, Norm norm,
                    void* out, int rows, int width) {
  return WithDtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    const Sums<T> sums = {static_cast<const T*>(x), bias, static_cast<const T*>(residual), width};
    return NormRows<T>(stream, sums, norm, out, rows, width);
  });
}

cudaError_t AddActivate(cudaStream_t stream, Dtype dtype, void* x, const float* bias, Activation activation, int rows,
                        int columns) {
  const size_t count = static_cast<size_t>(rows) * columns;
  if (count == 0) return cudaSuccess;
  return WithDtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    return WithActivation(activation, [&](auto constant) {
      constexpr Activation kActivation = constant;
      auto* values = static_cast<T*>(x);
      if (columns % 8 == 0) {
        return Launch(ActivateRows<T, kActivation, true>, BlocksFor(count / 8, kThreads), kThreads, 0, stream, values,
                      bias, count, columns);
      }
      return Launch(ActivateRows<T, kActivation, false>, BlocksFor(count, kThreads), kThreads, 0, stream, values, bias,
                    count, columns);
    });
  });
}

cudaError_t GatherRows(cudaStream_t stream, Dtype dtype, const void* x, const int32_t* rows, void* out, int count,
                       int width) {
  if (count == 0) return cudaSuccess;
  return WithDtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    return Launch(CopyRows<T>, BlocksFor(count, kRowsPerBlock), kThreads, 0, stream, static_cast<const T*>(x), rows,
                  static_cast<T*>(out), count, width);
  });
}

cudaError_t SmallLinear(cudaStream_t stream, Dtype dtype, const void* x, const float* weight, const float* bias,
                        Activation activation, float* out, int rows, int inputs, int outputs) {
  const size_t count = static_cast<size_t>(rows) * outputs;
  if (count == 0) return cudaSuccess;
  return WithDtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    return WithActivation(activation, [&](auto constant) {
      return Launch(LinearNumbers<T, constant>, BlocksFor(count, kRowsPerBlock), kThreads, 0, stream,
                    static_cast<const T*>(x), weight, bias, out, count, inputs, outputs);
    });
  });
}

cudaError_t ToFp32(cudaStream_t stream, Dtype dtype, const void* x, float* out, size_t count) {
  if (count == 0) return cudaSuccess;
  return WithDtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    return Launch(Widen<T>, BlocksFor(count, kThreads), kThreads, 0, stream, static_cast<const T*>(x), out, count);
  });
}

}  // namespace bertha::cuda
