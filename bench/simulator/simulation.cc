#include "bench/simulator/simulation.h"

#include <algorithm>
#include <cmath>

namespace bertha::batcher {

Simulation::Simulation(const Settings& settings)
    : settings_(settings), random_(settings.seed), workload_(settings_, random_), servers_(settings.replicas) {
  for (Server& server : servers_) server.policy = MakePolicy(settings);
  tally_.busy_by_model.resize(settings.weights.size());
}

Tally& Simulation::Run() {
  const double rate = settings_.load * workload_.Capacity() * static_cast<double>(settings_.replicas);
  const TimePoint end = TimePoint(FromSeconds(settings_.seconds));
  Job* next = workload_.Next(rate);
  while (next || !events_.empty()) {
    if (next && (events_.empty() || next->arrived <= events_.top().at)) {
      now_ = next->arrived;
      Arrive(*next);
      next = now_ < end ? workload_.Next(rate) : nullptr;
    } else {
      const Event event = events_.top();
      events_.pop();
      Handle(event);
    }
  }
  return tally_;
}

void Simulation::Handle(const Event& event) {
  now_ = event.at;
  if (event.finishes) {
    Finish(servers_[event.server]);
  } else {
    servers_[event.server].wake = TimePoint::max();
  }
  StartNext(event.server);
}

size_t Simulation::Balance() {
  if (settings_.balancer == "round-robin") return turn_++ % servers_.size();
  size_t best = 0;
  const auto load = [&](size_t i) { return servers_[i].policy->waiting() + servers_[i].running.size(); };
  for (size_t i = 1; i < servers_.size(); ++i) {
    if (load(i) < load(best)) best = i;
  }
  return best;
}

void Simulation::Arrive(Job& job) {
  const size_t index = Balance();
  Server& server = servers_[index];
  if (job.counted) tally_.offered += 1;
  if (!server.policy->Accept(job, now_, dropped_)) {
    if (job.counted) tally_.refused += 1;
    workload_.Recycle(&job);
  }
  Drop();
  StartNext(index);
}

void Simulation::Drop() {
  for (Job* job : dropped_) {
    if (job->counted) tally_.dropped += 1;
    workload_.Recycle(job);
  }
  dropped_.clear();
}

void Simulation::StartNext(size_t index) {
  Server& server = servers_[index];
  if (!server.running.empty()) return;
  TimePoint wake = TimePoint::max();
  server.policy->Next(now_, server.running, dropped_, wake);
  Drop();
  if (!server.running.empty()) {
    events_.push({now_ + FromSeconds(Start(server)), index, true});
  } else if (wake < server.wake) {
    server.wake = wake;
    events_.push({wake, index, false});
  }
}

/// How many seconds the server's batch will take.
double Simulation::Start(const Server& server) {
  size_t tokens = 0, longest = 0;
  for (const Job* job : server.running) {
    tokens += job->request.ids.size();
    longest = std::max(longest, job->request.ids.size());
  }
  const size_t computed = settings_.limits.pads ? server.running.size() * longest : tokens;
  std::normal_distribution<double> noise(0, settings_.noise);
  const double seconds = Seconds(settings_.costs.Estimate(computed, longest)) * std::exp(noise(random_));
  if (Seconds(now_.time_since_epoch()) >= settings_.warm_up) {
    tally_.batches += 1;
    tally_.batched += server.running.size();
    tally_.busy += seconds;
    tally_.busy_by_model[server.running[0]->request.model] += seconds;
    for (const Job* job : server.running) tally_.waited += Seconds(now_ - job->arrived);
  }
  return seconds;
}

void Simulation::Finish(Server& server) {
  for (const Job* job : server.running) {
    if (job->counted) {
      (now_ <= job->request.deadline ? tally_.in_time : tally_.late) += 1;
      tally_.latencies.push_back(Seconds(now_ - job->arrived));
    }
  }
  server.policy->Finished(now_);
  for (Job* job : server.running) workload_.Recycle(job);
  server.running.clear();
}

}  // namespace bertha::batcher
