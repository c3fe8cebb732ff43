#include "bench/micro/bandwidth.h"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

namespace bertha::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Words = std::vector<uint64_t>;

/// Eight sums: one would wait for each addition.
uint64_t Sum(const uint64_t* words, size_t count) {
  uint64_t sums[8] = {};
  for (size_t i = 0; i + 8 <= count; i += 8) {
    for (size_t j = 0; j < 8; ++j) sums[j] += words[i + j];
  }
  uint64_t sum = 0;
  for (const uint64_t each : sums) sum += each;
  return sum;
}

/// The least seconds that `work`, done by all threads at once, took in any pass.
double BestPass(int threads, double seconds, const std::function<void(int thread)>& work) {
  double best = 1e9;
  std::atomic<bool> stops = false;
  const Clock::time_point end =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  Clock::time_point begin;
  // Runs when all have arrived: between two passes.
  std::barrier between(threads, [&]() noexcept {
    const Clock::time_point now = Clock::now();
    if (begin != Clock::time_point()) best = std::min(best, std::chrono::duration<double>(now - begin).count());
    stops = now >= end && best < 1e9;
    begin = Clock::now();
  });
  const auto run = [&](int thread) {
    work(thread);  // touches the memory, and is not counted
    for (between.arrive_and_wait(); !stops; between.arrive_and_wait()) work(thread);
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(run, i);
  run(0);
  for (std::thread& other : others) other.join();
  return best;
}

}  // namespace

Bandwidth MeasureBandwidth(size_t bytes, int threads, double seconds) {
  const size_t words = bytes / sizeof(uint64_t) / static_cast<size_t>(threads) / 2;
  std::vector<Words> from(static_cast<size_t>(threads)), to(from.size());
  for (size_t i = 0; i < from.size(); ++i) {
    from[i].assign(words, i + 1);
    to[i].assign(words, 0);
  }
  std::vector<uint64_t> sums(from.size());
  const double moved = static_cast<double>(words * sizeof(uint64_t) * from.size() * 2);
  Bandwidth found;
  found.read = moved / 1e9 / BestPass(threads, seconds / 2, [&](int thread) {
                 const auto i = static_cast<size_t>(thread);
                 sums[i] += Sum(from[i].data(), words) + Sum(to[i].data(), words);
               });
  found.copy = moved / 1e9 / BestPass(threads, seconds / 2, [&](int thread) {
                 const auto i = static_cast<size_t>(thread);
                 std::memcpy(to[i].data(), from[i].data(), words * sizeof(uint64_t));
               });
  // Or a compiler that sees that nobody reads the sums would not compute them.
  asm volatile("" : : "r"(sums.data()) : "memory");
  return found;
}

}  // namespace bertha::bench
