// Who comes to the simulated servers: when, with how long a text, for which model, and by when the answer is wanted.
#ifndef BERTHA_BENCH_SIMULATOR_WORKLOAD_H_
#define BERTHA_BENCH_SIMULATOR_WORKLOAD_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <random>
#include <vector>

#include "batcher/clock.h"
#include "batcher/request.h"
#include "bench/simulator/settings.h"

namespace bertha::batcher {

/// A request of the simulation; `ids` is a view of shared storage, as only its length counts.
struct Job {
  Request request;
  TimePoint arrived;
  /// Whether it came after the warm-up.
  bool counted = false;
};

class Workload {
 public:
  /// `settings` and `random` outlive it.
  Workload(const Settings& settings, std::mt19937_64& random);

  /// Requests a second that one replica serves with full batches, each of texts of like length: what nobody exceeds.
  double Capacity() const;

  /// `rate`: requests a second; a trace comes as it is. Null at the end of a trace.
  Job* Next(double rate);
  /// It has ended, and may be the next one again.
  void Recycle(Job* job) { spare_.push_back(job); }

 private:
  struct Traced {
    double at;
    size_t tokens;
    double deadline;
  };

  void ReadTrace();
  size_t DrawLength(std::mt19937_64& random) const;
  Job* NewJob(TimePoint at, size_t length, double deadline);

  const Settings& settings_;
  std::mt19937_64& random_;
  std::vector<int32_t> ids_;
  std::vector<Traced> trace_;
  std::deque<Job> jobs_;
  std::vector<Job*> spare_;
  double arrival_ = 0;  // seconds
  size_t place_ = 0;    // in the trace
};

}  // namespace bertha::batcher

#endif  // BERTHA_BENCH_SIMULATOR_WORKLOAD_H_
