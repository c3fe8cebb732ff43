// What decides in one simulated server: the daemon's own queue, or others as they are known.
#ifndef BERTHA_BENCH_SIMULATOR_POLICY_H_
#define BERTHA_BENCH_SIMULATOR_POLICY_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "batcher/clock.h"
#include "bench/simulator/settings.h"
#include "bench/simulator/workload.h"

namespace bertha::batcher {

class Policy {
 public:
  virtual ~Policy() = default;
  /// False: refused at once. What waited and goes, now or at Next, comes into `dropped`.
  virtual bool Accept(Job& job, TimePoint now, std::vector<Job*>& dropped) = 0;
  /// What to start now; if nothing, `wake` says when to ask again.
  virtual void Next(TimePoint now, std::vector<Job*>& batch, std::vector<Job*>& dropped, TimePoint& wake) = 0;
  virtual void Finished(TimePoint /*now*/) {}
  virtual size_t waiting() const = 0;
};

/// The one of the settings; null if there is none of that name.
std::unique_ptr<Policy> MakePolicy(const Settings& settings);

}  // namespace bertha::batcher

#endif  // BERTHA_BENCH_SIMULATOR_POLICY_H_
