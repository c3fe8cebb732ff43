// Numbers to compute with.
#ifndef BERTHA_BENCH_MICRO_SAMPLE_VALUES_H_
#define BERTHA_BENCH_MICRO_SAMPLE_VALUES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bertha::bench {

/// Like those of a network, of both signs and below 1: no zeros, which a processor multiplies at less power.
inline std::vector<float> SampleValues(size_t count) {
  std::vector<float> values(count);
  uint32_t state = 1;
  for (float& value : values) {
    state = state * 1664525 + 1013904223;
    value = static_cast<float>(static_cast<int32_t>(state)) / 2147483648.0f;
  }
  return values;
}

}  // namespace bertha::bench

#endif  // BERTHA_BENCH_MICRO_SAMPLE_VALUES_H_
