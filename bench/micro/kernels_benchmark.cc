// The CPU kernels on one thread, with the sizes of BERT-base: products of matrices, attention, and what works on rows.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <numeric>
#include <vector>

#include "bench/micro/sample_values.h"
#include "models/kernels/cpu/aligned_buffer.h"
#include "models/kernels/cpu/gemm_kernel.h"
#include "models/kernels/cpu/packed_matrix.h"
#include "models/kernels/cpu/row_kernels.h"
#include "models/kernels/cpu/thread_team.h"
#include "models/ops/attention.h"
#include "models/ops/linear.h"

namespace {

using namespace bertha::models;  // NOLINT: all of it is about the kernels
using bertha::bench::SampleValues;

constexpr size_t kHidden = 768, kHeads = 12, kHeadSize = 64;

/// Rows as a kernel reads them.
struct Matrix {
  Matrix(size_t rows, size_t columns, Element element)
      : stride(PaddedRow(columns) * SizeOf(element)), data(rows * stride) {
    const std::vector<float> row = SampleValues(PaddedRow(columns));
    for (size_t i = 0; i < rows; ++i) {
      scales.push_back(GetRowKernels().convert(row.data(), columns, element, data.data() + i * stride));
    }
  }
  Activations activations() const { return {data.data(), stride, scales.data()}; }

  size_t stride;
  AlignedBuffer data;
  std::vector<float> scales;
};

void CountOperations(benchmark::State& state, double operations) {
  state.counters["GFLOP/s"] =
      benchmark::Counter(operations * static_cast<double>(state.iterations()) / 1e9, benchmark::Counter::kIsRate);
}

/// range(0) rows by [range(1), range(2)] weights.
void Linear(benchmark::State& state, Dtype dtype) {
  const auto rows = static_cast<size_t>(state.range(0)), outputs = static_cast<size_t>(state.range(1)),
             inputs = static_cast<size_t>(state.range(2));
  const GemmKernel& kernel = GemmKernelFor(dtype);
  ThreadTeam team(1);
  const std::vector<float> values = SampleValues(outputs * inputs);
  const PackedMatrix weights(kernel, {{.weight = {values.data(), outputs, inputs, inputs, 1}, .bias = {}}}, team);
  const Matrix in(rows, inputs, kernel.activations);
  const Element element = dtype == Dtype::kFp32 ? Element::kF32 : Element::kBf16;
  Matrix out(rows, weights.padded_outputs(), element);
  LinearRunner linear(team, GetRowKernels());
  for (auto _ : state) {
    linear.Run({.in = in.activations(),
                .rows = rows,
                .weights = &weights,
                .panels = weights.panels(),
                .out = {out.data.data(), out.stride, element}});
    benchmark::ClobberMemory();
  }
  CountOperations(state, 2.0 * static_cast<double>(rows * outputs * inputs));
}
void LinearSizes(benchmark::internal::Benchmark* benchmark) {
  for (const int rows : {1, 16, 128}) benchmark->Args({rows, kHidden, kHidden})->Args({rows, 4 * kHidden, kHidden});
}
BENCHMARK_CAPTURE(Linear, fp32, Dtype::kFp32)->Apply(LinearSizes);
BENCHMARK_CAPTURE(Linear, bf16, Dtype::kBf16)->Apply(LinearSizes);
BENCHMARK_CAPTURE(Linear, int8, Dtype::kInt8)->Apply(LinearSizes);

/// range(0) sequences of range(1) tokens.
void Attention(benchmark::State& state, Dtype dtype) {
  const auto sequences = static_cast<size_t>(state.range(0)), length = static_cast<size_t>(state.range(1));
  const GemmKernel& kernel = AttentionKernelFor(dtype);
  ThreadTeam team(1);
  AttentionRunner attention(team, GetRowKernels(), kernel, kHeads, kHeadSize, length, false);
  const Matrix rows(sequences * length, kHidden, kernel.activations);
  Matrix out(sequences * length, kHidden, kernel.activations);
  std::vector<int32_t> cu_seqlens, order(sequences);
  for (size_t i = 0; i <= sequences; ++i) cu_seqlens.push_back(static_cast<int32_t>(i * length));
  std::iota(order.begin(), order.end(), 0);
  for (auto _ : state) {
    attention.Run({.queries = rows.activations(),
                   .keys = rows.activations(),
                   .values = rows.activations(),
                   .cu_seqlens = cu_seqlens,
                   .order = order,
                   .scale = 0.125f,
                   .out = {out.data.data(), out.stride, kernel.activations}});
    benchmark::ClobberMemory();
  }
  CountOperations(state, 4.0 * static_cast<double>(sequences * length * length * kHidden));
}
BENCHMARK_CAPTURE(Attention, fp32, Dtype::kFp32)->Args({1, 16})->Args({1, 128})->Args({8, 128});
BENCHMARK_CAPTURE(Attention, bf16, Dtype::kBf16)->Args({1, 16})->Args({1, 128})->Args({8, 128});

void LayerNorm(benchmark::State& state) {
  const std::vector<float> x = SampleValues(kHidden), gain = SampleValues(kHidden), bias = SampleValues(kHidden);
  std::vector<float> out(kHidden);
  for (auto _ : state) {
    GetRowKernels().layer_norm(x.data(), kHidden, gain.data(), bias.data(), 1e-12f, out.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kHidden));
}
BENCHMARK(LayerNorm);

void Softmax(benchmark::State& state) {
  const auto n = static_cast<size_t>(state.range(0));
  const std::vector<float> scores = SampleValues(PaddedRow(n));
  std::vector<float> out(PaddedRow(n));
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        GetRowKernels().softmax(scores.data(), n, PaddedRow(n), 0.125f, Element::kF32, out.data()));
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * n));
}
BENCHMARK(Softmax)->Arg(16)->Arg(128)->Arg(512);

/// A tile's end: bias, GELU, to bf16.
void Gelu(benchmark::State& state) {
  constexpr size_t kRows = 4, kColumns = 64;
  const std::vector<float> sums = SampleValues(kRows * kColumns), bias = SampleValues(kColumns);
  std::vector<uint16_t> out(kRows * kColumns);
  const TileFinish finish = {.sums = sums.data(),
                             .columns = kColumns,
                             .bias = bias.data(),
                             .activation = Activation::kGelu,
                             .out = out.data(),
                             .out_stride = kColumns * sizeof(uint16_t),
                             .out_element = Element::kBf16};
  for (auto _ : state) {
    GetRowKernels().finish_tile(finish, kRows);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kRows * kColumns));
}
BENCHMARK(Gelu);

/// A row of activations to 8 bits, with its scale.
void Quantize(benchmark::State& state) {
  const std::vector<float> x = SampleValues(kHidden);
  std::vector<uint8_t> out(2 * PaddedRow(kHidden));
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        GetRowKernels().convert(x.data(), kHidden, GemmKernelFor(Dtype::kInt8).activations, out.data()));
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kHidden));
}
BENCHMARK(Quantize);

}  // namespace
