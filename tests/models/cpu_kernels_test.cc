// Each kernel alone, against the formula in its header, on every instruction set that this processor has.
#include <sched.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <random>

#include "models/kernels/cpu/aligned_buffer.h"
#include "models/kernels/cpu/bf16.h"
#include "models/kernels/cpu/gemm_kernel.h"
#include "models/kernels/cpu/instruction_set.h"
#include "models/kernels/cpu/packed_matrix.h"
#include "models/kernels/cpu/row_kernels.h"
#include "models/kernels/cpu/thread_team.h"
#include "tests/catch.h"
#include "tests/models/tile_check.h"

namespace bertha::models {
namespace {

template <class Body>
void ForEachInstructionSet(Body body) {
  for (const char* level : {"baseline", "avx2", "avx512", "avx512_bf16", "amx"}) {
    REQUIRE(LimitInstructionSet(level) == absl::OkStatus());
    CAPTURE(level, InstructionSetName());
    body();
  }
}

TEST_CASE("KernelsKeepToTheInstructionSet") {
  struct Kernels {
    GemmTile tile;
    decltype(RowKernels::layer_norm) row;
    bool operator==(const Kernels&) const = default;
  };
  const auto kernels_of = [](const char* level) {
    REQUIRE(LimitInstructionSet(level) == absl::OkStatus());
    return Kernels{GemmKernelFor(Dtype::kFp32).tile, GetRowKernels().layer_norm};
  };
  const auto differ = [](const Kernels& a, const Kernels& b) { return a.tile != b.tile && a.row != b.row; };
  const Kernels baseline = kernels_of("baseline");
  const Kernels avx2 = kernels_of("avx2");
  CHECK(differ(baseline, avx2) == AvailableInstructions().avx2);
  const Kernels avx512 = kernels_of("avx512");
  CHECK(differ(avx2, avx512) == AvailableInstructions().avx512);
  CHECK(kernels_of("avx2") == avx2);
  CHECK(kernels_of("baseline") == baseline);
}

TEST_CASE("ATileIsTheProductOfItsRowsAndItsPanel") {
  ForEachInstructionSet([] {
    for (const Dtype dtype : {Dtype::kFp32, Dtype::kBf16, Dtype::kInt8}) CheckTiles(GemmKernelFor(dtype));
  });
}

TEST_CASE("StackedWeightsBeginAtPanelsAndTransposedOnesAreTheSame") {
  ThreadTeam team(2);
  const GemmKernel& kernel = GemmKernelFor(Dtype::kFp32);
  const size_t outputs = kernel.panel / 2 + 1, inputs = 10;
  const std::vector<float> a = Random(outputs * inputs, 1, 3), bias = Random(outputs, 1, 4);
  std::vector<float> transposed(a.size());
  for (size_t i = 0; i < outputs; ++i) {
    for (size_t k = 0; k < inputs; ++k) transposed[k * outputs + i] = a[i * inputs + k];
  }
  const PackedMatrix packed(
      kernel, {{{a.data(), outputs, inputs, inputs, 1}, bias}, {{transposed.data(), outputs, inputs, 1, outputs}, {}}},
      team);
  REQUIRE(packed.panels() == 2);
  CHECK(packed.first_column(1) == kernel.panel);
  CHECK(std::memcmp(packed.panel(0), packed.panel(1), inputs * kernel.panel * sizeof(float)) == 0);
  CHECK(std::equal(bias.begin(), bias.end(), packed.bias()));
  CHECK(std::all_of(packed.bias() + outputs, packed.bias() + packed.padded_outputs(), [](float x) { return x == 0; }));
}

TEST_CASE("ActivationsAreAccurate") {
  ForEachInstructionSet([] {
    constexpr size_t kColumns = 64;
    const std::vector<float> zeros(kColumns, 0);
    struct Case {
      Activation activation;
      double (*formula)(double);
    };
    const Case cases[] = {
        {Activation::kNone, [](double x) { return x; }},
        {Activation::kGelu, [](double x) { return x / 2 * (1 + std::erf(x / std::sqrt(2.0))); }},
        {Activation::kGeluTanh,
         [](double x) { return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }},
        {Activation::kRelu, [](double x) { return std::max(x, 0.0); }},
        {Activation::kTanh, [](double x) { return std::tanh(x); }},
    };
    for (const Case& c : cases) {
      for (float start = -20; start < 20; start += 0.61f) {
        std::vector<float> sums(kColumns), out(kColumns);
        for (size_t j = 0; j < kColumns; ++j) sums[j] = start + 0.01f * static_cast<float>(j);
        GetRowKernels().finish_tile({.sums = sums.data(),
                                     .columns = kColumns,
                                     .bias = zeros.data(),
                                     .activation = c.activation,
                                     .out = out.data()},
                                    1);
        for (size_t j = 0; j < kColumns; ++j) {
          const double expected = c.formula(sums[j]);
          REQUIRE(std::abs(out[j] - expected) <= 5e-7 * std::max(1.0, std::abs(expected)));
        }
        // To bf16: half a unit of its last place, and what a GELU that is rounded anyway may be off.
        std::vector<uint16_t> rounded(kColumns);
        GetRowKernels().finish_tile({.sums = sums.data(),
                                     .columns = kColumns,
                                     .bias = zeros.data(),
                                     .activation = c.activation,
                                     .out = rounded.data(),
                                     .out_element = Element::kBf16},
                                    1);
        for (size_t j = 0; j < kColumns; ++j) {
          const double expected = c.formula(sums[j]);
          REQUIRE(std::abs(FloatFromBf16(rounded[j]) - expected) <= std::abs(expected) / 256 + 6e-5);
        }
      }
    }
  });
}

TEST_CASE("ATileIsFinishedWithScalesBiasAndResidual") {
  ForEachInstructionSet([] {
    constexpr size_t kColumns = 64, kRows = 3, kStride = 80;
    std::vector<int32_t> sums(kRows * kColumns), excess(kColumns);
    for (size_t i = 0; i < sums.size(); ++i) sums[i] = static_cast<int32_t>(i * 37 % 1001) - 500;
    for (size_t j = 0; j < kColumns; ++j) excess[j] = static_cast<int32_t>(j * 11);
    const std::vector<float> row_scales = Random(kRows, 1, 1), column_scales = Random(kColumns, 1, 2),
                             bias = Random(kColumns, 1, 3), residual = Random(kRows * kStride, 1, 4);
    TileFinish finish = {.sums = sums.data(),
                         .columns = kColumns,
                         .row_scales = row_scales.data(),
                         .column_scales = column_scales.data(),
                         .excess = excess.data(),
                         .bias = bias.data(),
                         .residual = residual.data(),
                         .residual_stride = kStride};
    std::vector<float> out(kRows * kStride, -7);
    finish.out = out.data();
    finish.out_stride = kStride * sizeof(float);
    GetRowKernels().finish_tile(finish, kRows);
    std::vector<uint16_t> narrow(kRows * kStride, 7);
    finish.out = narrow.data();
    finish.out_stride = kStride * sizeof(uint16_t);
    finish.out_element = Element::kBf16;
    GetRowKernels().finish_tile(finish, kRows);
    for (size_t i = 0; i < kRows; ++i) {
      for (size_t j = 0; j < kStride; ++j) {
        if (j >= kColumns) {
          REQUIRE(out[i * kStride + j] == -7);
          REQUIRE(narrow[i * kStride + j] == 7);
          continue;
        }
        const double expected =
            static_cast<double>(sums[i * kColumns + j] - excess[j]) * row_scales[i] * column_scales[j] + bias[j] +
            residual[i * kStride + j];
        REQUIRE(std::abs(out[i * kStride + j] - expected) <= 1e-4 * std::max(1.0, std::abs(expected)));
        REQUIRE(narrow[i * kStride + j] == Bf16FromFloat(out[i * kStride + j]));
      }
    }
  });
}

TEST_CASE("RowsAreNormalizedConvertedAndWeighted") {
  ForEachInstructionSet([] {
    const RowKernels& kernels = GetRowKernels();
    for (const size_t n : {size_t{1}, size_t{2}, size_t{7}, size_t{16}, size_t{45}, size_t{64}, size_t{130}}) {
      CAPTURE(n);
      const std::vector<float> x = Row(Random(n, 3, 1)), gain = Row(Random(n, 1, 2)), bias = Row(Random(n, 1, 3));
      std::vector<float> out(x.size(), -1);
      kernels.layer_norm(x.data(), n, gain.data(), bias.data(), 1e-5f, out.data());
      double mean = 0, variance = 0;
      for (size_t j = 0; j < n; ++j) mean += double{x[j]} / static_cast<double>(n);
      for (size_t j = 0; j < n; ++j) variance += (x[j] - mean) * (x[j] - mean) / static_cast<double>(n);
      for (size_t j = 0; j < n; ++j) {
        const double expected = (x[j] - mean) / std::sqrt(variance + 1e-5) * gain[j] + bias[j];
        REQUIRE(std::abs(out[j] - expected) <= 1e-5);
      }

      float largest = 0;
      for (size_t j = 0; j < n; ++j) largest = std::max(largest, std::abs(x[j]));
      std::vector<uint8_t> u8(x.size());
      std::vector<int16_t> s16(x.size());
      const float scale = kernels.convert(x.data(), PaddedRow(n), Element::kU8, u8.data());
      CHECK(scale == Approx(largest / 127));
      CHECK(kernels.convert(x.data(), PaddedRow(n), Element::kS16, s16.data()) == scale);
      std::vector<uint16_t> bf16(x.size());
      CHECK(kernels.convert(x.data(), PaddedRow(n), Element::kBf16, bf16.data()) == 1);
      for (size_t j = 0; j < n; ++j) {
        REQUIRE(std::abs(x[j] / scale - s16[j]) <= 0.5001);
        REQUIRE(u8[j] == s16[j] + 128);
        REQUIRE(bf16[j] == Bf16FromFloat(x[j]));
      }

      std::vector<float> weights(x.size(), -1);
      const float factor = kernels.softmax(x.data(), n, PaddedRow(n), 0.5f, Element::kF32, weights.data());
      double sum = 0;
      const float most = *std::max_element(x.begin(), x.begin() + static_cast<ptrdiff_t>(n));
      for (size_t j = 0; j < n; ++j) sum += std::exp((double{x[j]} - most) * 0.5);
      for (size_t j = 0; j < PaddedRow(n); ++j) {
        const double expected = j < n ? std::exp((double{x[j]} - most) * 0.5) / sum : 0;
        REQUIRE(std::abs(weights[j] * factor - expected) <= 1e-6);
      }

      std::vector<float> scaled(x.size(), -7);
      kernels.scale(x.data(), n, 2, Element::kF32, scaled.data());
      for (size_t j = 0; j < x.size(); ++j) REQUIRE(scaled[j] == (j < n ? 2 * x[j] : -7));
    }
  });
}

TEST_CASE("ARowOfZerosIsQuantisedToZeros") {
  ForEachInstructionSet([] {
    const std::vector<float> zeros(64, 0);
    std::vector<uint8_t> out(64, 1);
    CHECK(GetRowKernels().convert(zeros.data(), 64, Element::kU8, out.data()) == 0);
    CHECK(out == std::vector<uint8_t>(64, 128));
  });
}

TEST_CASE("KeysAreTransposedAndFilledUp") {
  ForEachInstructionSet([] {
    constexpr size_t kPanel = 32, kStride = 80;  // units
    std::vector<uint32_t> from(kPanel * kStride);
    for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<uint32_t>(i * 2654435761u);
    for (const size_t units : {1, 15, 16, 32, 33, 64}) {
      for (size_t rows = 1; rows <= kPanel; ++rows) {
        std::vector<uint32_t> to(units * kPanel + 1, 7);
        GetRowKernels().transpose(reinterpret_cast<const std::byte*>(from.data()), kStride * 4, rows, units, kPanel,
                                  to.data());
        for (size_t unit = 0; unit < units; ++unit) {
          for (size_t row = 0; row < kPanel; ++row) {
            REQUIRE(to[unit * kPanel + row] == (row < rows ? from[row * kStride + unit] : 0));
          }
        }
        REQUIRE(to.back() == 7);
      }
    }
  });
}

TEST_CASE("ATeamDoesEachTaskOnce") {
  for (const int threads : {1, 2, 5}) {
    ThreadTeam team(threads);
    CHECK(team.size() == threads);
    for (const size_t count : {size_t{0}, size_t{1}, size_t{2}, size_t{3}, size_t{100}, size_t{1000}}) {
      for (int round = 0; round < 30; ++round) {
        std::vector<int> times(count, 0);
        std::atomic<bool> members_known = true;
        team.Run(count, [&](size_t task, int member) {
          ++times[task];
          if (member < 0 || member >= threads) members_known = false;
        });
        REQUIRE(times == std::vector<int>(count, 1));
        REQUIRE(members_known);
      }
    }
  }
}

TEST_CASE("ATeamGoesOnWhileOneTaskTakesLong") {
  ThreadTeam team(2);
  std::atomic<int> others = 0;
  // Ends only if the other thread does the rest meanwhile.
  team.Run(20, [&](size_t task, int) {
    if (task == 0) {
      while (others < 19) std::this_thread::yield();
    } else {
      ++others;
    }
  });
  CHECK(others == 19);
}

TEST_CASE("ATeamsHelpersStayOnTheirCores") {
  cpu_set_t before;
  REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
  int core = 0;
  while (!CPU_ISSET(static_cast<size_t>(core), &before)) ++core;
  ThreadTeam team(2, {core});
  std::atomic<bool> helped = false, stays = false;
  // The caller's task waits for the helper's.
  team.Run(2, [&](size_t, int member) {
    if (member == 0) {
      while (!helped) std::this_thread::yield();
      return;
    }
    cpu_set_t mine;
    sched_getaffinity(0, sizeof mine, &mine);
    stays = CPU_COUNT(&mine) == 1 && CPU_ISSET(static_cast<size_t>(core), &mine);
    helped = true;
  });
  CHECK(stays);
  cpu_set_t after;
  REQUIRE(sched_getaffinity(0, sizeof after, &after) == 0);
  CHECK(CPU_EQUAL(&before, &after));
}

TEST_CASE("ATeamWakesUpAfterALongSleep") {
  ThreadTeam team(3);
  for (int round = 0; round < 3; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    std::atomic<int> done = 0;
    team.Run(50, [&](size_t, int) { ++done; });
    CHECK(done == 50);
  }
}

}  // namespace
}  // namespace bertha::models
