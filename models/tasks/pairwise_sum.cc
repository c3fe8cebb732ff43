#include "models/tasks/pairwise_sum.h"

#include <array>
#include <cstddef>

namespace bertha::models {
namespace {

constexpr size_t kLanes = 8, kBlock = 128;

}  // namespace

float PairwiseSum(std::span<const float> numbers) {
  if (numbers.size() > kBlock) {
    const size_t half = numbers.size() / 2 / kLanes * kLanes;
    return PairwiseSum(numbers.first(half)) + PairwiseSum(numbers.subspan(half));
  }
  float sum = 0;
  size_t i = 0;
  if (numbers.size() >= kLanes) {
    std::array<float, kLanes> r = {};
    for (; i + kLanes <= numbers.size(); i += kLanes) {
      for (size_t lane = 0; lane < kLanes; ++lane) r[lane] += numbers[i + lane];
    }
    sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
  }
  for (; i < numbers.size(); ++i) sum += numbers[i];
  return sum;
}

}  // namespace bertha::models
