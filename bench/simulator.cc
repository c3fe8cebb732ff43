// Drives the daemon's own BatchQueue with a virtual clock and a measured cost table, without threads: how would it do
// at this load, and how would others?
//
// bench/simulate runs this for many loads and plots; --help below has the options. Prints one JSON object a run.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <queue>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "batcher/batch_queue.h"

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
using std::chrono::milliseconds;

double Seconds(Duration time) { return static_cast<double>(time.count()) * 1e-9; }
Duration FromSeconds(double seconds) { return Duration(static_cast<int64_t>(seconds * 1e9)); }

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

/// A request of the simulation; `ids` is a view of shared storage, as only its length counts.
struct Job {
  Request request;
  TimePoint arrived;
  bool counted = false;
};

struct Tally {
  size_t offered = 0, in_time = 0, late = 0, refused = 0, dropped = 0, batches = 0, batched = 0;
  std::vector<double> latencies;  // of what was answered, seconds
  std::vector<size_t> batch_sizes;
  std::vector<double> busy_by_model;
  double busy = 0;
};

/// What decides in one server. A request that Accept refuses was refused at once; what Next puts into `dropped` later.
class Policy {
 public:
  virtual ~Policy() = default;
  virtual bool Accept(Job& job, TimePoint now, std::vector<Job*>& dropped) = 0;
  /// What to start now; if nothing, `wake` says when to ask again.
  virtual void Next(TimePoint now, std::vector<Job*>& batch, std::vector<Job*>& dropped, TimePoint& wake) = 0;
  virtual void Finished(TimePoint /*now*/) {}
  virtual size_t waiting() const = 0;
};

class Bertha final : public Policy {
 public:
  explicit Bertha(const Settings& settings) : queue_(settings.queue) {
    for (const double weight : settings.weights) {
      ModelLimits limits = settings.limits;
      limits.weight = weight;
      queue_.AddModel(limits, settings.cold ? CostTable() : settings.costs);
    }
  }
  bool Accept(Job& job, TimePoint now, std::vector<Job*>& dropped) override {
    Request* request = &job.request;
    bool accepted = queue_.Reserve(request->model, 1, request->priority, ended_).ok();
    accepted = accepted && queue_.Push(std::span(&request, 1), now, ended_).ok();
    Collect(dropped);
    return accepted;
  }
  void Next(TimePoint now, std::vector<Job*>& batch, std::vector<Job*>& dropped, TimePoint& wake) override {
    queue_.NextBatch(now, running_, ended_);
    Collect(dropped);
    for (Request* request : running_.requests) batch.push_back(JobOf(request));
    wake = running_.wait_until;
  }
  void Finished(TimePoint now) override { queue_.Finished(now, running_); }
  size_t waiting() const override { return queue_.size(); }

 private:
  static Job* JobOf(Request* request) { return reinterpret_cast<Job*>(request); }  // its first member
  void Collect(std::vector<Job*>& dropped) {
    for (const Ended& ended : ended_) dropped.push_back(JobOf(ended.request));
    ended_.clear();
  }
  BatchQueue queue_;
  Batch running_;
  std::vector<Ended> ended_;
};

/// First come, first served, a queue for each model. Waits for a full batch, at most `delay` from the arrival of the
/// oldest (Triton's dynamic batcher; with no delay text-embeddings-inference's). Nothing is dropped unless
/// `rejects_expired`, which Triton does if a queue policy with timeouts is set for the model.
class Fifo final : public Policy {
 public:
  Fifo(const Settings& settings, double delay, bool rejects_expired = false)
      : limits_(settings.limits),
        most_(settings.queue.max_requests),
        delay_(FromSeconds(delay)),
        rejects_expired_(rejects_expired),
        queues_(settings.weights.size()) {}
  bool Accept(Job& job, TimePoint /*now*/, std::vector<Job*>& /*dropped*/) override {
    if (waiting_ == most_) return false;
    queues_[job.request.model].push_back(&job);
    waiting_ += 1;
    return true;
  }
  void Next(TimePoint now, std::vector<Job*>& batch, std::vector<Job*>& dropped, TimePoint& wake) override {
    if (rejects_expired_) Reject(now, dropped);
    std::deque<Job*>* next = nullptr;
    for (auto& queue : queues_) {
      if (!queue.empty() && (!next || queue.front()->arrived < next->front()->arrived)) next = &queue;
    }
    if (!next) return;
    size_t tokens = 0, longest = 0;
    bool full = false;
    for (Job* job : *next) {
      const size_t length = job->request.ids.size();
      const size_t new_longest = std::max(longest, length);
      const size_t computed = limits_.pads ? (batch.size() + 1) * new_longest : tokens + length;
      full = batch.size() == limits_.max_batch_requests || (!batch.empty() && computed > limits_.max_batch_tokens);
      if (full) break;
      batch.push_back(job);
      tokens += length;
      longest = new_longest;
    }
    full = full || batch.size() == limits_.max_batch_requests;
    if (!full && next->front()->arrived + delay_ > now) {
      wake = next->front()->arrived + delay_;
      batch.clear();
      return;
    }
    next->erase(next->begin(), next->begin() + static_cast<ptrdiff_t>(batch.size()));
    waiting_ -= batch.size();
  }
  size_t waiting() const override { return waiting_; }

 private:
  void Reject(TimePoint now, std::vector<Job*>& dropped) {
    for (auto& queue : queues_) {
      waiting_ -= std::erase_if(queue, [&](Job* job) {
        const bool expired = job->request.deadline <= now;
        if (expired) dropped.push_back(job);
        return expired;
      });
    }
  }

  const ModelLimits limits_;
  const size_t most_;
  const Duration delay_;
  const bool rejects_expired_;
  std::vector<std::deque<Job*>> queues_;
  size_t waiting_ = 0;
};

std::unique_ptr<Policy> MakePolicy(const Settings& settings) {
  if (settings.policy == "bertha") return std::make_unique<Bertha>(settings);
  if (settings.policy == "greedy-fifo") return std::make_unique<Fifo>(settings, 0);
  if (settings.policy == "fifo-timeout") return std::make_unique<Fifo>(settings, settings.delay);
  if (settings.policy == "fifo-reject") return std::make_unique<Fifo>(settings, settings.delay, true);
  if (settings.policy == "fixed") return std::make_unique<Fifo>(settings, std::max(settings.delay, 0.05));
  return nullptr;
}

class Simulation {
 public:
  explicit Simulation(const Settings& settings)
      : settings_(settings), random_(settings.seed), ids_(settings.most, 1), servers_(settings.replicas) {
    for (Server& server : servers_) server.policy = MakePolicy(settings);
    tally_.busy_by_model.resize(settings.weights.size());
    if (!settings.trace.empty()) ReadTrace();
  }

  /// Requests a second that one replica serves with full batches, each of texts of like length: what nobody exceeds.
  double Capacity() {
    std::mt19937_64 random(settings_.seed + 1);
    std::vector<size_t> lengths;
    for (int i = 0; i < 20'000; ++i) {
      lengths.push_back(trace_.empty() ? DrawLength(random) : trace_[random() % trace_.size()].tokens);
    }
    std::ranges::sort(lengths);
    double time = 0;
    size_t tokens = 0, n = 0;
    for (size_t i = 0; i < lengths.size(); ++i) {
      tokens += lengths[i];
      ++n;
      const size_t next = i + 1 < lengths.size() ? lengths[i + 1] : 0;
      const size_t with_next = settings_.limits.pads ? (n + 1) * next : tokens + next;
      if (next && n < settings_.limits.max_batch_requests && with_next <= settings_.limits.max_batch_tokens) continue;
      time += Seconds(settings_.costs.Estimate(settings_.limits.pads ? n * lengths[i] : tokens, lengths[i]));
      tokens = n = 0;
    }
    return static_cast<double>(lengths.size()) / time;
  }

  Tally& Run() {
    rate_ = settings_.load * Capacity() * static_cast<double>(settings_.replicas);
    const TimePoint end = TimePoint(FromSeconds(settings_.seconds));
    Job* next = NextArrival();
    while (next || !events_.empty()) {
      if (next && (events_.empty() || next->arrived <= events_.top().at)) {
        now_ = next->arrived;
        Arrive(*next);
        next = now_ < end ? NextArrival() : nullptr;
      } else {
        const Event event = events_.top();
        events_.pop();
        now_ = event.at;
        if (event.finishes) {
          Finish(servers_[event.server]);
        } else {
          servers_[event.server].wake = TimePoint::max();
        }
        StartNext(event.server);
      }
    }
    return tally_;
  }

  double rate() const { return rate_; }

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

  size_t DrawLength(std::mt19937_64& random) {
    std::lognormal_distribution<double> lengths(std::log(settings_.median), settings_.sigma);
    const double length =
        std::clamp(lengths(random), static_cast<double>(settings_.least), static_cast<double>(settings_.most));
    return static_cast<size_t>(length);
  }

  void ReadTrace() {
    std::ifstream file(settings_.trace);
    double at = 0, tokens = 0, deadline_ms = 0;
    for (std::string line; std::getline(file, line);) {
      std::istringstream words(line);
      if (!(words >> at >> tokens)) continue;
      if (!(words >> deadline_ms)) deadline_ms = -1;
      trace_.push_back({at, static_cast<size_t>(tokens), deadline_ms / 1e3});
    }
  }

  Job* NewJob(TimePoint at, size_t length, double deadline) {
    if (spare_.empty()) {
      jobs_.emplace_back();
      spare_.push_back(&jobs_.back());
    }
    Job* job = spare_.back();
    spare_.pop_back();
    *job = Job{};
    const size_t bounded = std::clamp<size_t>(length, 1, ids_.size());
    job->request.ids = std::span(ids_).first(bounded);
    job->request.type_ids = job->request.ids;
    job->request.model = random_() % settings_.weights.size();
    job->request.deadline = at + FromSeconds(deadline);
    job->arrived = at;
    job->counted = Seconds(at.time_since_epoch()) >= settings_.warm_up;
    return job;
  }

  Job* NextArrival() {
    std::uniform_real_distribution<double> deadlines(settings_.deadline_low, settings_.deadline_high);
    if (!settings_.trace.empty()) {
      if (place_ == trace_.size()) return nullptr;
      const auto& [at, tokens, deadline] = trace_[place_++];
      return NewJob(TimePoint(FromSeconds(at / settings_.load)), tokens, deadline < 0 ? deadlines(random_) : deadline);
    }
    std::exponential_distribution<double> gap(rate_ * (settings_.arrivals == "bursts" ? 3 : 1));
    arrival_ += gap(random_);
    if (settings_.arrivals == "bursts" && std::fmod(arrival_, 3) >= 1) arrival_ += 3 - std::fmod(arrival_, 3);
    return NewJob(TimePoint(FromSeconds(arrival_)), DrawLength(random_), deadlines(random_));
  }

  size_t Balance() {
    if (settings_.balancer == "round-robin") return turn_++ % servers_.size();
    size_t best = 0;
    const auto load = [&](size_t i) { return servers_[i].policy->waiting() + servers_[i].running.size(); };
    for (size_t i = 1; i < servers_.size(); ++i) {
      if (load(i) < load(best)) best = i;
    }
    return best;
  }

  void Arrive(Job& job) {
    const size_t index = Balance();
    Server& server = servers_[index];
    if (job.counted) tally_.offered += 1;
    if (!server.policy->Accept(job, now_, dropped_)) {
      if (job.counted) tally_.refused += 1;
      spare_.push_back(&job);
    }
    Drop();
    StartNext(index);
  }

  void Drop() {
    for (Job* job : dropped_) {
      if (job->counted) tally_.dropped += 1;
      spare_.push_back(job);
    }
    dropped_.clear();
  }

  void StartNext(size_t index) {
    Server& server = servers_[index];
    if (!server.running.empty()) return;
    TimePoint wake = TimePoint::max();
    server.policy->Next(now_, server.running, dropped_, wake);
    Drop();
    if (server.running.empty()) {
      if (wake < server.wake) {
        server.wake = wake;
        events_.push({wake, index, false});
      }
      return;
    }
    size_t tokens = 0, longest = 0;
    for (const Job* job : server.running) {
      tokens += job->request.ids.size();
      longest = std::max(longest, job->request.ids.size());
    }
    const size_t computed = settings_.limits.pads ? server.running.size() * longest : tokens;
    std::normal_distribution<double> noise(0, settings_.noise);
    const double seconds = Seconds(settings_.costs.Estimate(computed, longest)) * std::exp(noise(random_));
    events_.push({now_ + FromSeconds(seconds), index, true});
    if (Seconds(now_.time_since_epoch()) >= settings_.warm_up) {
      tally_.batches += 1;
      tally_.batched += server.running.size();
      tally_.busy += seconds;
      tally_.busy_by_model[server.running[0]->request.model] += seconds;
    }
  }

  void Finish(Server& server) {
    for (Job* job : server.running) {
      if (job->counted) {
        (now_ <= job->request.deadline ? tally_.in_time : tally_.late) += 1;
        tally_.latencies.push_back(Seconds(now_ - job->arrived));
      }
    }
    server.policy->Finished(now_);
    for (Job* job : server.running) spare_.push_back(job);
    server.running.clear();
  }

  struct Traced {
    double at;
    size_t tokens;
    double deadline;
  };

  const Settings settings_;
  std::mt19937_64 random_;
  std::vector<int32_t> ids_;
  std::vector<Server> servers_;
  std::deque<Job> jobs_;
  std::vector<Job*> spare_, dropped_;
  std::priority_queue<Event> events_;
  std::vector<Traced> trace_;
  Tally tally_;
  TimePoint now_;
  double rate_ = 0, arrival_ = 0;
  size_t turn_ = 0, place_ = 0;
};

double Quantile(std::vector<double>& values, double part) {
  if (values.empty()) return 0;
  const auto at = values.begin() + static_cast<ptrdiff_t>(part * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

/// The table of a file, for a machine so many times as fast.
bool ReadCosts(const std::string& path, double speedup, CostTable& costs) {
  std::ifstream file(path);
  std::string text, header;
  std::getline(file, header);
  double tokens = 0, longest = 0, nanoseconds = 0, batches = 0;
  while (file >> tokens >> longest >> nanoseconds >> batches) {
    absl::StrAppend(&text, tokens, " ", longest, " ", nanoseconds / speedup, " ", batches, "\n");
  }
  auto loaded = CostTable::Load(absl::StrCat(header, "\n", text));
  if (!loaded.ok() || !loaded->known()) {
    std::cerr << "simulator: " << path << ": " << (loaded.ok() ? "no costs" : loaded.status().ToString()) << "\n";
    return false;
  }
  costs = *std::move(loaded);
  return true;
}

bool Read(const json& from, Settings& to) {
  to.policy = from.value("policy", to.policy);
  to.arrivals = from.value("arrivals", to.arrivals);
  to.balancer = from.value("balancer", to.balancer);
  to.trace = from.value("trace", to.trace);
  to.load = from.value("load", to.load);
  to.seconds = from.value("seconds", to.seconds);
  to.warm_up = from.value("warm_up", to.warm_up);
  to.noise = from.value("noise", to.noise);
  if (from.contains("lengths")) {
    const json& lengths = from["lengths"];
    to.median = lengths.value("median", to.median);
    to.sigma = lengths.value("sigma", to.sigma);
    to.least = lengths.value("least", to.least);
    to.most = lengths.value("most", to.most);
  }
  if (from.contains("deadlines_ms")) {
    to.deadline_low = from["deadlines_ms"].at(0).get<double>() / 1e3;
    to.deadline_high = from["deadlines_ms"].at(1).get<double>() / 1e3;
  }
  to.replicas = from.value("replicas", to.replicas);
  to.weights = from.value("weights", std::vector<double>(from.value("models", size_t{1}), 1.0));
  to.cold = from.value("cold", to.cold);
  to.limits.max_batch_requests = from.value("max_batch_requests", size_t{32});
  to.limits.max_batch_tokens = from.value("max_batch_tokens", to.limits.max_batch_tokens);
  to.limits.pads = from.value("padding", true);
  to.queue.max_requests = from.value("max_requests", to.queue.max_requests);
  to.delay = from.value("max_queue_delay_ms", 5.0) / 1e3;
  if (to.policy == "bertha") to.queue.max_queue_delay = FromSeconds(from.value("max_queue_delay_ms", 0.0) / 1e3);
  to.queue.overload_target = FromSeconds(from.value("overload_target_ms", 5000.0) / 1e3);
  to.queue.share_identical = false;  // the tokens are all alike
  to.seed = from.value("seed", to.seed);
  return ReadCosts(from.at("costs"), from.value("speedup", 1.0), to.costs);
}

int Main(const std::string& argument) {
  const json given = json::parse(argument, nullptr, false);
  if (!given.is_object() || !given.contains("costs")) {
    std::cerr << kHelp;
    return argument == "--help" ? 0 : 2;
  }
  Settings settings;
  if (!Read(given, settings)) return 1;
  if (!MakePolicy(settings)) {
    std::cerr << "simulator: unknown policy " << settings.policy << "\n";
    return 2;
  }
  const auto began = std::chrono::steady_clock::now();
  Simulation simulation(settings);
  const double capacity = simulation.Capacity() * static_cast<double>(settings.replicas);
  Tally& tally = simulation.Run();
  const double span = settings.seconds - settings.warm_up;
  const double took = Seconds(std::chrono::steady_clock::now() - began);
  const size_t answered = tally.in_time + tally.late;
  json result = {
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
      {"mean_batch", static_cast<double>(tally.batched) / std::max<double>(1, static_cast<double>(tally.batches))},
      {"busy", tally.busy / span / static_cast<double>(settings.replicas)},
      {"busy_by_model", tally.busy_by_model},
      {"answered", answered},
      {"simulated_requests_per_s", static_cast<double>(tally.offered) / took}};
  std::cout << result.dump() << "\n";
  return 0;
}

}  // namespace
}  // namespace bertha::batcher

int main(int argc, char** argv) { return bertha::batcher::Main(argc == 2 ? argv[1] : ""); }
