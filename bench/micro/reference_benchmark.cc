// A unit of time that is not ours: the standard library sorting numbers. bench/guard divides by it, so that a slower
// machine is not taken for slower code.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

namespace {

void Reference(benchmark::State& state) {
  std::mt19937 random(1);
  std::vector<uint32_t> numbers(4096), sorted;
  std::ranges::generate(numbers, random);
  for (auto _ : state) {
    sorted = numbers;
    std::ranges::sort(sorted);
    benchmark::DoNotOptimize(sorted.data());
  }
}
BENCHMARK(Reference);

}  // namespace
