// Random numbers that do not depend on the standard library in use: the standard fixes what its engines give, but not
// what its distributions make of it.
#ifndef BERTHA_BENCH_LOAD_RANDOM_H_
#define BERTHA_BENCH_LOAD_RANDOM_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <random>

namespace bertha::load {

/// Thread-compatible.
class Random {
 public:
  /// What is drawn from one stream changes nothing of another one of the same seed.
  enum class Stream : uint32_t { kArrivals, kTexts, kModels, kWords };

  Random(uint64_t seed, Stream stream) {
    std::seed_seq sequence{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32),
                           static_cast<uint32_t>(stream)};
    engine_.seed(sequence);
  }

  /// At least 0 and below 1.
  double Uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
  /// Below `n`, which is not 0.
  size_t Below(size_t n) { return static_cast<size_t>(Uniform() * static_cast<double>(n)); }
  /// Exponentially distributed, with a mean of 1.
  double Exponential() { return -std::log1p(-Uniform()); }
  /// Normally distributed, with a mean of 0 and a deviation of 1 (Box and Muller, 1958).
  double Normal() {
    const double radius = std::sqrt(2 * Exponential());
    return radius * std::cos(2 * std::numbers::pi * Uniform());
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_RANDOM_H_
