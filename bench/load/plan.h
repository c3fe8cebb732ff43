// What a run of `bertha load` will send: made before the run, from a seed, so that nothing the server does changes it.
//
// An open loop sends call i at `calls[i].at`, whether or not earlier ones were answered; a closed loop keeps a number
// of calls in flight and takes them in order. "Open versus closed: a cautionary tale", Schroeder et al., NSDI 2006.
//
// Thread-safety: plain values and pure functions. The same arguments give the same plan on every machine.
#ifndef BERTHA_BENCH_LOAD_PLAN_H_
#define BERTHA_BENCH_LOAD_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "batcher/clock.h"
#include "bench/load/arrivals.h"

namespace bertha::load {

using batcher::Duration;

struct PlannedCall {
  /// After the begin of the run. Never decreases; 0 in a closed loop.
  Duration at{};
  /// From `at`. Zero: none.
  Duration deadline{};
  uint32_t text = 0;   ///< index into Plan::texts
  uint32_t model = 0;  ///< index into Plan::models
};

struct Plan {
  std::vector<std::string> texts;
  /// Empty name: the server's default model.
  struct Model {
    std::string name;
    /// Empty: the newest. A number, or (bertha.v1) a label.
    std::string version;
    double weight = 1;
  };
  std::vector<Model> models;
  /// A closed loop that needs more begins again with the first: its i-th call is calls[i % calls.size()].
  std::vector<PlannedCall> calls;
  /// Calls before this do not count: caches, connections and cost tables are still being filled.
  Duration warm_up{};
  /// From the begin to the end of the schedule; 0 in a closed loop. Rates are calls by `length - warm_up`.
  Duration length{};
};

struct PlanOptions {
  Arrivals arrivals;
  /// Calls a second, on average. Not for recorded arrivals, which have their own.
  double rate = 0;
  /// Of the whole schedule, the warm-up included. Not for recorded arrivals.
  Duration length{};
  Duration warm_up{};
  /// Of every call that has no recorded one. Zero: none.
  Duration deadline{};
  /// Of arrivals, of which text, and of which model; each has a stream of random numbers of its own.
  uint64_t seed = 1;
};

/// "NAME", "NAME:VERSION", "NAME=WEIGHT" or "NAME:VERSION=WEIGHT".
absl::StatusOr<Plan::Model> ParseModel(const std::string& text);

/// Draws texts evenly, and models by their weights. `models` empty: the server's default. INVALID_ARGUMENT if there are
/// no texts (unless recorded), no calls after the warm-up, or more than kMaxCalls.
absl::StatusOr<Plan> PlanOpenLoop(std::vector<std::string> texts, std::vector<Plan::Model> models,
                                  const PlanOptions& options);
inline constexpr size_t kMaxCalls = 20'000'000;

/// `calls` calls; of the options only warm_up, deadline and seed count.
absl::StatusOr<Plan> PlanClosedLoop(std::vector<std::string> texts, std::vector<Plan::Model> models, size_t calls,
                                    const PlanOptions& options);

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_PLAN_H_
