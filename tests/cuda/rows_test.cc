// The kernels that work on rows, against loops over doubles.
#include <cmath>

#include "tests/cuda/device_array.h"

namespace bertha::cuda {
namespace {

using models::Activation;

std::vector<double> Normed(std::vector<double> row, const std::vector<float>& gain, const std::vector<float>& bias,
                           double epsilon) {
  if (gain.empty()) return row;
  double mean = 0, variance = 0;
  for (const double x : row) mean += x / static_cast<double>(row.size());
  for (const double x : row) variance += (x - mean) * (x - mean) / static_cast<double>(row.size());
  for (size_t i = 0; i < row.size(); ++i) row[i] = (row[i] - mean) / std::sqrt(variance + epsilon) * gain[i] + bias[i];
  return row;
}

double Activated(double x, Activation activation) {
  switch (activation) {
    case Activation::kGelu:
      return 0.5 * x * (1 + std::erf(x / std::sqrt(2.)));
    case Activation::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case Activation::kRelu:
      return std::max(x, 0.);
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kNone:
      break;
  }
  return x;
}

/// Widths of one to four vectors a lane, more than that, and not a multiple of 8.
constexpr int kWidths[] = {32, 256, 312, 768, 1024, 1032, 100, 1};

TEST_CASE("AddNorm adds bias and residual and normalises each row, in place too") {
  for (const Dtype dtype : kDtypes) {
    for (const int width : kWidths) {
      for (const bool with_bias : {true, false}) {
        CAPTURE(NameOf(dtype), width, with_bias);
        const int rows = 7;
        const size_t count = static_cast<size_t>(rows) * width;
        const auto x = RandomNumbers(count, dtype, 1), residual = RandomNumbers(count, dtype, 2, 3);
        const auto bias = RandomNumbers(width, Dtype::kFp32, 3), gain = RandomNumbers(width, Dtype::kFp32, 4),
                   shift = RandomNumbers(width, Dtype::kFp32, 5);
        const DeviceArray dx(x, dtype), dresidual(residual, dtype), dbias(bias, Dtype::kFp32),
            dgain(gain, Dtype::kFp32), dshift(shift, Dtype::kFp32);
        REQUIRE(AddNorm(nullptr, dtype, dx, with_bias ? dbias.fp32() : nullptr, dresidual,
                        {dgain.fp32(), dshift.fp32(), 1e-5f}, dresidual.get(), rows, width) == cudaSuccess);
        std::vector<double> expected;
        for (int row = 0; row < rows; ++row) {
          std::vector<double> sums;
          for (int i = 0; i < width; ++i) {
            const size_t at = static_cast<size_t>(row) * width + i;
            sums.push_back(double{x[at]} + residual[at] + (with_bias ? bias[i] : 0.));
          }
          for (const double y : Normed(sums, gain, shift, 1e-5)) expected.push_back(y);
        }
        CheckClose(dresidual.Values(), expected, Epsilon(dtype), width == 1 ? 1e-5 : 4e-6);
      }
    }
  }
}

TEST_CASE("Embed sums the tables that there are, with a norm or without") {
  constexpr int kVocabulary = 11, kPositions = 9, kTypes = 2;
  const std::vector<int32_t> ids = {10, 0, 3, 3, 7}, positions = {8, 2, 0, 1, 5}, types = {0, 1, 1, 0, 1};
  const auto rows = static_cast<int>(ids.size());
  for (const Dtype dtype : kDtypes) {
    for (const int width : {128, 768, 1032, 100}) {
      for (const int tables : {0, 1, 2, 3}) {
        for (const bool norm : {true, false}) {
          CAPTURE(NameOf(dtype), width, tables, norm);
          const auto words = RandomNumbers(static_cast<size_t>(kVocabulary) * width, dtype, 1),
                     position = RandomNumbers(static_cast<size_t>(kPositions) * width, dtype, 2),
                     type = RandomNumbers(static_cast<size_t>(kTypes) * width, dtype, 3),
                     gain = norm ? RandomNumbers(width, Dtype::kFp32, 4) : std::vector<float>(),
                     shift = RandomNumbers(width, Dtype::kFp32, 5);
          const DeviceArray dwords(words, dtype), dposition(position, dtype), dtype_table(type, dtype),
              dgain(gain, Dtype::kFp32), dshift(shift, Dtype::kFp32), dids(ids), dpositions(positions), dtypes(types);
          const DeviceArray out(std::vector<float>(static_cast<size_t>(rows) * width, NAN), dtype);
          EmbeddingArguments arguments = {
              .words = dwords, .ids = dids.ints(), .position_ids = dpositions.ints(), .type_ids = dtypes.ints()};
          if (tables & 1) arguments.positions = dposition;
          if (tables & 2) arguments.types = dtype_table;
          Norm normed;
          if (norm) normed = {dgain.fp32(), dshift.fp32(), 1e-12f};
          REQUIRE(Embed(nullptr, dtype, arguments, normed, out, rows, width) == cudaSuccess);
          std::vector<double> expected;
          for (size_t row = 0; row < ids.size(); ++row) {
            std::vector<double> sums;
            for (int i = 0; i < width; ++i) {
              double sum = words[static_cast<size_t>(ids[row]) * width + i];
              if (tables & 1) sum += position[static_cast<size_t>(positions[row]) * width + i];
              if (tables & 2) sum += type[static_cast<size_t>(types[row]) * width + i];
              sums.push_back(sum);
            }
            for (const double y : Normed(sums, gain, shift, 1e-12)) expected.push_back(y);
          }
          CheckClose(out.Values(), expected, Epsilon(dtype), 4e-6);
        }
      }
    }
  }
}

TEST_CASE("AddActivate knows every activation, with a bias or without, for any width") {
  for (const Dtype dtype : kDtypes) {
    for (const Activation activation :
         {Activation::kNone, Activation::kGelu, Activation::kGeluTanh, Activation::kRelu, Activation::kTanh}) {
      for (const int columns : {8, 136, 3}) {
        for (const bool with_bias : {true, false}) {
          CAPTURE(NameOf(dtype), static_cast<int>(activation), columns, with_bias);
          const int rows = 19;
          const auto x = RandomNumbers(static_cast<size_t>(rows) * columns, dtype, 1, 6),
                     bias = RandomNumbers(columns, Dtype::kFp32, 2);
          const DeviceArray dx(x, dtype), dbias(bias, Dtype::kFp32);
          REQUIRE(AddActivate(nullptr, dtype, dx, with_bias ? dbias.fp32() : nullptr, activation, rows, columns) ==
                  cudaSuccess);
          std::vector<double> expected;
          for (size_t i = 0; i < x.size(); ++i) {
            const double biased = double{x[i]} + (with_bias ? bias[i % static_cast<size_t>(columns)] : 0.f);
            expected.push_back(Activated(biased, activation));
          }
          CheckClose(dx.Values(), expected, Epsilon(dtype), 2e-6);
        }
      }
    }
  }
}

TEST_CASE("GatherRows copies bits") {
  const std::vector<int32_t> rows = {4, 0, 0, 2, 4, 1};
  for (const Dtype dtype : kDtypes) {
    for (const int width : {1, 64, 77}) {
      CAPTURE(NameOf(dtype), width);
      const auto x = RandomNumbers(5 * static_cast<size_t>(width), dtype, 1);
      const DeviceArray dx(x, dtype), drows(rows);
      const DeviceArray out(std::vector<float>(rows.size() * static_cast<size_t>(width), NAN), dtype);
      REQUIRE(GatherRows(nullptr, dtype, dx, drows.ints(), out, static_cast<int>(rows.size()), width) == cudaSuccess);
      std::vector<double> expected;
      for (const int32_t row : rows) {
        for (int i = 0; i < width; ++i) expected.push_back(x[static_cast<size_t>(row) * width + i]);
      }
      CheckClose(out.Values(), expected, 0, 0);
    }
  }
}

TEST_CASE("SmallLinear is a linear layer in fp32") {
  for (const Dtype dtype : kDtypes) {
    for (const int inputs : {768, 33, 1}) {
      for (const int outputs : {1, 3, 9}) {
        CAPTURE(NameOf(dtype), inputs, outputs);
        const int rows = 5;
        const auto x = RandomNumbers(static_cast<size_t>(rows) * inputs, dtype, 1),
                   weight = RandomNumbers(static_cast<size_t>(outputs) * inputs, Dtype::kFp32, 2),
                   bias = RandomNumbers(outputs, Dtype::kFp32, 3);
        const DeviceArray dx(x, dtype), dweight(weight, Dtype::kFp32), dbias(bias, Dtype::kFp32);
        const DeviceArray out(std::vector<float>(static_cast<size_t>(rows) * outputs, NAN), Dtype::kFp32);
        REQUIRE(SmallLinear(nullptr, dtype, dx, dweight.fp32(), dbias.fp32(), Activation::kTanh,
                            static_cast<float*>(out.get()), rows, inputs, outputs) == cudaSuccess);
        std::vector<double> expected;
        for (int row = 0; row < rows; ++row) {
          for (int output = 0; output < outputs; ++output) {
            double sum = bias[output];
            for (int i = 0; i < inputs; ++i) {
              sum +=
                  double{x[static_cast<size_t>(row) * inputs + i]} * weight[static_cast<size_t>(output) * inputs + i];
            }
            expected.push_back(std::tanh(sum));
          }
        }
        CheckClose(out.Values(), expected, 0, 2e-5);
      }
    }
  }
}

TEST_CASE("ToFp32 keeps every number") {
  for (const Dtype dtype : kDtypes) {
    const auto x = RandomNumbers(1000, dtype, 1, 100);
    const DeviceArray dx(x, dtype), out(std::vector<float>(x.size(), NAN), Dtype::kFp32);
    REQUIRE(ToFp32(nullptr, dtype, dx, static_cast<float*>(out.get()), x.size()) == cudaSuccess);
    CheckClose(out.Values(), std::vector<double>(x.begin(), x.end()), 0, 0);
  }
}

TEST_CASE("fp16 clips what it has no number for, and keeps NaN") {
  const DeviceArray x({60000, -60000, NAN, 1}, Dtype::kFp16), bias({60000, -60000, 0, 0}, Dtype::kFp32);
  REQUIRE(AddActivate(nullptr, Dtype::kFp16, x, bias.fp32(), Activation::kNone, 1, 4) == cudaSuccess);
  const std::vector<float> values = x.Values();
  CHECK(values[0] == 65504.f);
  CHECK(values[1] == -65504.f);
  CHECK(std::isnan(values[2]));
  CHECK(values[3] == 1.f);
}

TEST_CASE("No rows, no launch") {
  CHECK(AddNorm(nullptr, Dtype::kBf16, nullptr, nullptr, nullptr, {}, nullptr, 0, 768) == cudaSuccess);
  CHECK(AddActivate(nullptr, Dtype::kBf16, nullptr, nullptr, Activation::kGelu, 0, 768) == cudaSuccess);
  CHECK(GatherRows(nullptr, Dtype::kBf16, nullptr, nullptr, nullptr, 0, 768) == cudaSuccess);
  CHECK(SmallLinear(nullptr, Dtype::kBf16, nullptr, nullptr, nullptr, Activation::kNone, nullptr, 0, 8, 3) ==
        cudaSuccess);
  CHECK(ToFp32(nullptr, Dtype::kBf16, nullptr, nullptr, 0) == cudaSuccess);
}

}  // namespace
}  // namespace bertha::cuda
