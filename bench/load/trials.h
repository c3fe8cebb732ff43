// Runs, one after the other, against one server: what `bertha load` does once it knows what is asked for.
#ifndef BERTHA_BENCH_LOAD_TRIALS_H_
#define BERTHA_BENCH_LOAD_TRIALS_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/load/capacity_search.h"
#include "bench/load/closed_loop.h"
#include "bench/load/objective.h"
#include "bench/load/plan.h"
#include "bench/load/record.h"
#include "bench/load/summary.h"
#include "bench/load/transport.h"
#include "bench/load/watch.h"

namespace bertha::load {

/// What a server counts itself.
class ServerMeter {
 public:
  virtual ~ServerMeter() = default;
  virtual void Begin() = 0;
  virtual std::optional<ServerMeans> End() = 0;
};

/// What all runs have in common.
struct TrialOptions {
  std::vector<std::string> texts;
  std::vector<Plan::Model> models;
  /// But for rate and length. Run i has the seed `plan.seed + i`, so that a run that is made again meets other calls.
  PlanOptions plan;
  std::optional<Objective> objective;
};

struct Trial {
  /// As asked for; unset in a closed loop, and if arrivals were recorded.
  std::optional<double> rate;
  Plan plan;
  Record record;
  Summary summary;
};

class Trials {
 public:
  /// Told of each run as it ends; false: no more runs.
  using OnTrial = std::function<bool(const Trial&)>;

  /// `meter` may be null. What is passed by reference must outlive this.
  Trials(TrialOptions options, Transport& transport, ServerMeter* meter, Watch& watch);

  /// `length`: of what counts; the warm-up comes before. 0 with recorded arrivals, which have both.
  absl::StatusOr<Trial> Open(double rate, Duration length);
  absl::StatusOr<Trial> Closed(const ClosedLoop& loop);

  /// Tells `on_trial` of every run. INVALID_ARGUMENT if no run can be planned.
  absl::StatusOr<CapacitySearch::Result> FindCapacity(const CapacityOptions& options, const OnTrial& on_trial);
  absl::Status Sweep(const std::vector<double>& rates, Duration length, const OnTrial& on_trial);

 private:
  Trial Run(std::optional<double> rate, Plan plan, const std::function<Record(const Plan&)>& run);
  PlanOptions NextPlan();

  const TrialOptions options_;
  Transport& transport_;
  ServerMeter* const meter_;
  Watch& watch_;
  uint64_t runs_ = 0;
};

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_TRIALS_H_
