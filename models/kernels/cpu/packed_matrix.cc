#include "models/kernels/cpu/packed_matrix.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "models/kernels/cpu/bf16.h"

namespace bertha::models {
namespace {

size_t DivideUp(size_t n, size_t by) { return (n + by - 1) / by; }

constexpr float kLargestS8 = 127;

}  // namespace

PackedMatrix::PackedMatrix(const GemmKernel& kernel, const std::vector<LinearWeights>& parts, ThreadTeam& team)
    : kernel_(&kernel) {
  inputs_ = parts[0].weight.columns;
  groups_ = DivideUp(inputs_, kernel.group);
  for (const LinearWeights& part : parts) {
    first_panels_.push_back(panels_);
    panels_ += DivideUp(part.weight.rows, kernel.panel);
  }
  panel_bytes_ = groups_ * kernel.panel * kernel.group * SizeOf(kernel.weights);
  weights_ = AlignedBuffer(panels_ * panel_bytes_);
  bias_ = AlignedBuffer(padded_outputs() * sizeof(float));
  if (kernel.is_integer()) scales_ = AlignedBuffer(padded_outputs() * sizeof(float));
  if (kernel.activations == Element::kU8) excess_ = AlignedBuffer(padded_outputs() * sizeof(int32_t));
  for (size_t i = 0; i < parts.size(); ++i) {
    const LinearWeights& part = parts[i];
    std::copy(part.bias.begin(), part.bias.end(), bias_.as<float>() + first_column(i));
    team.Run(DivideUp(part.weight.rows, kernel.panel),
             [&](size_t panel, int) { PackPanel(part, panel * kernel.panel, first_panels_[i] + panel); });
  }
}

void PackedMatrix::PackPanel(const LinearWeights& part, size_t first_row, size_t panel) {
  const MatrixView& weight = part.weight;
  const size_t rows = std::min(kernel_->panel, weight.rows - first_row);
  std::vector<float> row(inputs_);
  for (size_t i = 0; i < rows; ++i) {
    const size_t n = first_row + i;
    const float* from = weight.data + n * weight.row_stride;
    if (weight.column_stride != 1) {
      for (size_t k = 0; k < inputs_; ++k) row[k] = weight.at(n, k);
      from = row.data();
    }
    PackRow(from, panel * kernel_->panel + i);
  }
}

void PackedMatrix::PackRow(const float* row, size_t column) {
  const size_t group = kernel_->group, step = kernel_->panel * group;
  std::byte* const panel = weights_.data() + column / kernel_->panel * panel_bytes_;
  const size_t offset = column % kernel_->panel * group;
  auto pack = [&]<class T>(T* to, auto convert) {
    to += offset;
    size_t k = 0;
    for (; k + group <= inputs_; k += group, to += step) {
      for (size_t g = 0; g < group; ++g) to[g] = convert(row[k + g]);
    }
    for (size_t g = 0; k < inputs_; ++k, ++g) to[g] = convert(row[k]);
  };
  switch (kernel_->weights) {
    case Element::kF32:
      return pack(reinterpret_cast<float*>(panel), [](float x) { return x; });
    case Element::kBf16:
      return pack(reinterpret_cast<uint16_t*>(panel), Bf16FromFloat);
    default:
      break;
  }
  float largest = 0;
  for (size_t k = 0; k < inputs_; ++k) largest = std::max(largest, std::fabs(row[k]));
  const float scale = largest / kLargestS8, inverse = largest == 0 ? 0 : kLargestS8 / largest;
  scales_.as<float>()[column] = scale;
  int32_t sum = 0;
  pack(reinterpret_cast<int8_t*>(panel), [&](float x) {
    const auto value = static_cast<int8_t>(std::lrintf(x * inverse));
    sum += value;
    return value;
  });
  if (excess_.bytes() != 0) excess_.as<int32_t>()[column] = 128 * sum;
}

}  // namespace bertha::models
