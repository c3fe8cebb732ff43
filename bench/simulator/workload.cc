#include "bench/simulator/workload.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <span>
#include <sstream>
#include <string>

namespace bertha::batcher {

Workload::Workload(const Settings& settings, std::mt19937_64& random)
    : settings_(settings), random_(random), ids_(settings.most, 1) {
  if (!settings.trace.empty()) ReadTrace();
}

void Workload::ReadTrace() {
  std::ifstream file(settings_.trace);
  double at = 0, tokens = 0, deadline_ms = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    if (!(words >> at >> tokens)) continue;
    if (!(words >> deadline_ms)) deadline_ms = -1;
    trace_.push_back({at, static_cast<size_t>(tokens), deadline_ms / 1e3});
  }
}

size_t Workload::DrawLength(std::mt19937_64& random) const {
  std::lognormal_distribution<double> lengths(std::log(settings_.median), settings_.sigma);
  const double length =
      std::clamp(lengths(random), static_cast<double>(settings_.least), static_cast<double>(settings_.most));
  return static_cast<size_t>(length);
}

double Workload::Capacity() const {
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

Job* Workload::NewJob(TimePoint at, size_t length, double deadline) {
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

Job* Workload::Next(double rate) {
  std::uniform_real_distribution<double> deadlines(settings_.deadline_low, settings_.deadline_high);
  if (!settings_.trace.empty()) {
    if (place_ == trace_.size()) return nullptr;
    const auto& [at, tokens, deadline] = trace_[place_++];
    return NewJob(TimePoint(FromSeconds(at / settings_.load)), tokens, deadline < 0 ? deadlines(random_) : deadline);
  }
  std::exponential_distribution<double> gap(rate * (settings_.arrivals == "bursts" ? 3 : 1));
  arrival_ += gap(random_);
  if (settings_.arrivals == "bursts" && std::fmod(arrival_, 3) >= 1) arrival_ += 3 - std::fmod(arrival_, 3);
  const double deadline = deadlines(random_);
  return NewJob(TimePoint(FromSeconds(arrival_)), DrawLength(random_), deadline);
}

}  // namespace bertha::batcher
