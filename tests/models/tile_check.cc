#include "tests/models/tile_check.h"

#include <cmath>
#include <random>
#include <vector>

#include "models/kernels/cpu/aligned_buffer.h"
#include "models/kernels/cpu/bf16.h"
#include "models/kernels/cpu/packed_matrix.h"
#include "models/kernels/cpu/row_kernels.h"
#include "models/kernels/cpu/thread_team.h"
#include "tests/catch.h"

namespace bertha::models {
std::vector<float> Random(size_t size, float deviation, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> draw(0, deviation);
  std::vector<float> values(size);
  for (float& value : values) value = draw(random);
  return values;
}

/// A row with the padding that the kernels expect.
std::vector<float> Row(std::vector<float> values) {
  values.resize(PaddedRow(values.size()) + kRowPadding);
  return values;
}

void CheckTiles(const GemmKernel& kernel) {
  ThreadTeam team(1);
  CAPTURE(kernel.name);
  for (const size_t inputs : {size_t{1}, size_t{2}, size_t{7}, size_t{64}, size_t{131}}) {
    const size_t outputs = kernel.panel + 3;
    const std::vector<float> weight = Random(outputs * inputs, 1, 1), x = Random(kernel.max_rows * inputs, 1, 2);
    const PackedMatrix packed(kernel, {{{weight.data(), outputs, inputs, inputs, 1}, {}}}, team);
    REQUIRE(packed.panels() == 2);
    // What the kernel is given, and the numbers that it stands for.
    const size_t stride = PaddedRow(inputs) * SizeOf(kernel.activations);
    AlignedBuffer rows(kernel.max_rows * stride);
    std::vector<double> values(kernel.max_rows * inputs), scales(kernel.max_rows);
    for (size_t i = 0; i < kernel.max_rows; ++i) {
      const std::vector<float> row =
          Row({x.begin() + static_cast<ptrdiff_t>(i * inputs), x.begin() + static_cast<ptrdiff_t>((i + 1) * inputs)});
      scales[i] = GetRowKernels().convert(row.data(), PaddedRow(inputs), kernel.activations, rows.data() + i * stride);
      for (size_t k = 0; k < inputs; ++k) {
        const std::byte* at = rows.data() + i * stride + k * SizeOf(kernel.activations);
        switch (kernel.activations) {
          case Element::kF32:
            values[i * inputs + k] = *reinterpret_cast<const float*>(at);
            break;
          case Element::kBf16:
            values[i * inputs + k] = FloatFromBf16(*reinterpret_cast<const uint16_t*>(at));
            break;
          case Element::kU8:
            values[i * inputs + k] = *reinterpret_cast<const uint8_t*>(at);
            break;
          case Element::kS16:
            values[i * inputs + k] = *reinterpret_cast<const int16_t*>(at);
            break;
          case Element::kS8:
            break;
        }
      }
    }
    for (size_t n = 1; n <= kernel.max_rows; ++n) {
      for (size_t panel = 0; panel < 2; ++panel) {
        AlignedBuffer sums(kernel.max_rows * kernel.panel * 4);
        kernel.tile(rows.data(), stride, packed.panel(panel), packed.panel(0), packed.groups(), n, sums.data(),
                    kernel.panel);
        for (size_t i = 0; i < n; ++i) {
          for (size_t j = 0; j < kernel.panel; ++j) {
            const size_t column = panel * kernel.panel + j;
            double expected = 0;
            for (size_t k = 0; column < outputs && k < inputs; ++k) {
              double w = weight[column * inputs + k];
              if (kernel.weights == Element::kBf16) w = FloatFromBf16(Bf16FromFloat(static_cast<float>(w)));
              if (kernel.weights == Element::kS8) w = std::nearbyint(w / packed.scales()[column]);
              expected += values[i * inputs + k] * w;
            }
            const double found =
                kernel.is_integer() ? sums.as<int32_t>()[i * kernel.panel + j] : sums.as<float>()[i * kernel.panel + j];
            if (kernel.is_integer()) {
              REQUIRE(found == expected);
            } else {
              REQUIRE(std::abs(found - expected) <= 1e-4);
            }
          }
        }
      }
    }
  }
}

}  // namespace bertha::models
