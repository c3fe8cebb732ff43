// What a simulation is told; kHelp in main.cc says it in words.
#ifndef BERTHA_BENCH_SIMULATOR_SETTINGS_H_
#define BERTHA_BENCH_SIMULATOR_SETTINGS_H_

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "batcher/batch_former.h"
#include "batcher/clock.h"
#include "batcher/cost_table.h"
#include "batcher/queue_options.h"

namespace bertha::batcher {

inline double Seconds(Duration time) { return static_cast<double>(time.count()) * 1e-9; }
inline Duration FromSeconds(double seconds) { return Duration(static_cast<int64_t>(seconds * 1e9)); }

struct Settings {
  std::string policy = "bertha", arrivals = "poisson", balancer = "round-robin", trace;
  double load = 1, seconds = 30, warm_up = 5, noise = 0.05;
  double median = 64, sigma = 0.8;
  size_t least = 8, most = 512;
  double deadline_low = 0.05, deadline_high = 0.2;
  size_t replicas = 1;
  std::vector<double> weights = {1};
  bool cold = false;
  ModelLimits limits;
  QueueOptions queue;
  double delay = 0;  // fifo-timeout and fixed, seconds
  uint64_t seed = 1;
  CostTable costs;
};

/// Reads also the file of costs. INVALID_ARGUMENT names it.
absl::StatusOr<Settings> ReadSettings(const nlohmann::json& from);

}  // namespace bertha::batcher

#endif  // BERTHA_BENCH_SIMULATOR_SETTINGS_H_
