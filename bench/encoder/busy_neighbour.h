// Threads that want a core, for as long as somebody says so: what another program on the same machine does to us.
#ifndef BERTHA_BENCH_ENCODER_BUSY_NEIGHBOUR_H_
#define BERTHA_BENCH_ENCODER_BUSY_NEIGHBOUR_H_

#include <atomic>
#include <thread>
#include <vector>

namespace bertha::bench {

/// Busy from its beginning to its end. They touch no memory, and no lock: they take time on a core, nothing else.
class BusyNeighbour {
 public:
  explicit BusyNeighbour(int threads) {
    for (int i = 0; i < threads; ++i) {
      threads_.emplace_back([this] {
        while (!done_.load(std::memory_order_relaxed)) {
        }
      });
    }
  }
  ~BusyNeighbour() {
    done_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  BusyNeighbour(const BusyNeighbour&) = delete;

 private:
  std::atomic<bool> done_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace bertha::bench

#endif  // BERTHA_BENCH_ENCODER_BUSY_NEIGHBOUR_H_
