// A fleet of servers behind a balancer, in virtual time: requests arrive, batches take what the cost table says, give
// or take some noise.
#ifndef BERTHA_BENCH_SIMULATOR_SIMULATION_H_
#define BERTHA_BENCH_SIMULATOR_SIMULATION_H_

#include <cstddef>
#include <memory>
#include <queue>
#include <random>
#include <vector>

#include "batcher/clock.h"
#include "bench/simulator/policy.h"
#include "bench/simulator/settings.h"
#include "bench/simulator/workload.h"

namespace bertha::batcher {

/// What became of the requests that came after the warm-up.
struct Tally {
  size_t offered = 0, in_time = 0, late = 0, refused = 0, dropped = 0, batches = 0, batched = 0;
  std::vector<double> latencies;  // of what was answered, seconds
  std::vector<double> busy_by_model;
  double busy = 0;
  double waited = 0;  // what was batched, from arrival to the start of its batch, seconds
};

class Simulation {
 public:
  explicit Simulation(const Settings& settings);

  /// Requests a second that all replicas serve at most.
  double Capacity() const { return workload_.Capacity() * static_cast<double>(settings_.replicas); }

  Tally& Run();

 private:
  struct Server {
    std::unique_ptr<Policy> policy;
    std::vector<Job*> running;
    TimePoint wake = TimePoint::max();
  };
  struct Event {
    TimePoint at;
    size_t server;
    bool finishes;
    bool operator<(const Event& other) const { return at > other.at; }
  };

  void Handle(const Event& event);
  size_t Balance();
  void Arrive(Job& job);
  void Drop();
  void StartNext(size_t index);
  double Start(const Server& server);
  void Finish(Server& server);

  const Settings settings_;
  std::mt19937_64 random_;
  Workload workload_;
  std::vector<Server> servers_;
  std::vector<Job*> dropped_;
  std::priority_queue<Event> events_;
  Tally tally_;
  TimePoint now_;
  size_t turn_ = 0;
};

}  // namespace bertha::batcher

#endif  // BERTHA_BENCH_SIMULATOR_SIMULATION_H_
