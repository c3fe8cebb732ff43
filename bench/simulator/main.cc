// Drives the daemon's own BatchQueue with a virtual clock and a measured cost table, without threads: how would it do
// at this load, and how would others?
//
// bench/simulate runs this for many loads and plots; --help below has the options. Prints one JSON object a run.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/simulator/policy.h"
#include "bench/simulator/settings.h"
#include "bench/simulator/simulation.h"

namespace bertha::batcher {
namespace {

constexpr char kHelp[] = R"(simulator: a fleet of servers with virtual time.

  simulator '{"policy": "bertha", "load": 2.0, ...}'      one JSON object of settings; prints one of results

  policy       bertha, fifo-timeout (waits for a full batch or a delay, as Triton's dynamic batcher does), fifo-reject (the same,
               and what has expired is not computed, as Triton does with timeout_action REJECT), greedy-fifo (takes what
               waits, in order, as text-embeddings-inference does), fixed (only full batches, with a timer)
  load         arrivals by the fleet's capacity: 1 keeps every replica just busy with full batches of texts of like length
  arrivals     poisson, bursts (on for 1 s at 3x, off for 2 s), or trace with "trace": a file of "seconds tokens [deadline_ms]"
  seconds      of virtual time (default 30); the first "warm_up" (default 5) do not count
  lengths      {"median": 64, "sigma": 0.8, "least": 8, "most": 512}: lognormal, in tokens
  deadlines_ms [50, 200]: uniform
  replicas     servers behind a balancer (default 1); balancer: round-robin or least-loaded
  models       served by each replica, with equal load (default 1); weights [1, 2, ...]
  costs        file with a cost table ("tokens longest nanoseconds batches" lines), as berthad keeps them
  speedup      of a machine so many times as fast as the one where the costs were measured (default 1)
  padding      true: the engine pads (default true)
  max_batch_requests, max_batch_tokens, max_queue_delay_ms, overload_target_ms, noise (of batch times), seed
  cold         true: the queue starts without the cost table and has to learn it
)";

using nlohmann::json;

double Quantile(std::vector<double>& values, double part) {
  if (values.empty()) return 0;
  const auto at = values.begin() + static_cast<ptrdiff_t>(part * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

double Mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / std::max(1.0, static_cast<double>(values.size()));
}

json Report(const Settings& settings, double capacity, Tally& tally, double took) {
  const double span = settings.seconds - settings.warm_up;
  const size_t answered = tally.in_time + tally.late;
  return {
      {"policy", settings.policy},
      {"load", settings.load},
      {"capacity_per_s", capacity},
      {"offered_per_s", static_cast<double>(tally.offered) / span},
      {"goodput_per_s", static_cast<double>(tally.in_time) / span},
      {"late_per_s", static_cast<double>(tally.late) / span},
      {"refused_per_s", static_cast<double>(tally.refused) / span},
      {"dropped_per_s", static_cast<double>(tally.dropped) / span},
      {"kept", static_cast<double>(tally.in_time) / std::max(1.0, static_cast<double>(tally.offered - tally.refused))},
      {"p50_ms", Quantile(tally.latencies, 0.5) * 1e3},
      {"p99_ms", Quantile(tally.latencies, 0.99) * 1e3},
      {"mean_ms", Mean(tally.latencies) * 1e3},
      {"queue_mean_ms", tally.waited / std::max<double>(1, static_cast<double>(tally.batched)) * 1e3},
      {"mean_batch", static_cast<double>(tally.batched) / std::max<double>(1, static_cast<double>(tally.batches))},
      {"busy", tally.busy / span / static_cast<double>(settings.replicas)},
      {"busy_by_model", tally.busy_by_model},
      {"answered", answered},
      {"simulated_requests_per_s", static_cast<double>(tally.offered) / took}};
}

int Main(const std::string& argument) {
  const json given = json::parse(argument, nullptr, false);
  if (!given.is_object() || !given.contains("costs")) {
    std::cerr << kHelp;
    return argument == "--help" ? 0 : 2;
  }
  const absl::StatusOr<Settings> settings = ReadSettings(given);
  if (!settings.ok()) {
    std::cerr << "simulator: " << settings.status().message() << "\n";
    return 1;
  }
  if (!MakePolicy(*settings)) {
    std::cerr << "simulator: unknown policy " << settings->policy << "\n";
    return 2;
  }
  const auto began = std::chrono::steady_clock::now();
  Simulation simulation(*settings);
  const double capacity = simulation.Capacity();
  Tally& tally = simulation.Run();
  const double took = Seconds(std::chrono::steady_clock::now() - began);
  std::cout << Report(*settings, capacity, tally, took).dump() << "\n";
  return 0;
}

}  // namespace
}  // namespace bertha::batcher

int main(int argc, char** argv) { return bertha::batcher::Main(argc == 2 ? argv[1] : ""); }
