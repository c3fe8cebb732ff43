#include "bench/load/summary.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_format.h"
#include "bench/load/validity.h"

namespace bertha::load {
namespace {

double Seconds(Duration time) { return std::chrono::duration<double>(time).count(); }
double Milliseconds(Duration time) { return Seconds(time) * 1e3; }

/// `missing`: calls that count as slower than all of `values`.
Quantiles QuantilesOf(std::vector<double> values, size_t missing = 0) {
  std::ranges::sort(values);
  Quantiles quantiles{.count = values.size() + missing};
  if (values.empty()) return quantiles;
  const auto at = [&](double q) -> std::optional<double> {
    const double rank = std::ceil(q * static_cast<double>(quantiles.count) - 1e-9);  // 0.07 * 100 is above 7
    const auto index = static_cast<size_t>(std::max(rank, 1.0)) - 1;
    return index < values.size() ? std::optional(values[index]) : std::nullopt;
  };
  quantiles.p50 = at(0.5);
  quantiles.p90 = at(0.9);
  quantiles.p95 = at(0.95);
  quantiles.p99 = at(0.99);
  quantiles.p999 = at(0.999);
  quantiles.max = at(1);
  double sum = 0;
  for (const double value : values) sum += value;
  quantiles.mean = sum / static_cast<double>(values.size());
  return quantiles;
}

/// An outcome and the call that it is of.
struct Counted {
  const Outcome* outcome;
  const PlannedCall* call;
};

template <class Get>
std::vector<double> Values(const std::vector<Counted>& calls, Get get) {
  std::vector<double> values;
  values.reserve(calls.size());
  for (const Counted& counted : calls) values.push_back(get(*counted.outcome));
  return values;
}

/// The part of a run that counts.
class Window {
 public:
  Window(const Plan& plan, const Record& record)
      : begin_(plan.warm_up), end_(record.interrupted.value_or(Duration::max())) {
    if (!record.closed) end_ = std::min(end_, plan.length);
  }
  bool Has(Duration planned) const { return planned >= begin_ && planned < end_; }
  Duration begin() const { return begin_; }
  Duration end() const { return end_; }

 private:
  Duration begin_, end_;
};

std::vector<Counted> CallsThatCount(const Plan& plan, const Record& record, const Window& window) {
  std::vector<Counted> counted;
  for (size_t i = 0; i < record.outcomes.size(); ++i) {
    if (window.Has(record.outcomes[i].planned)) {
      counted.push_back({&record.outcomes[i], &plan.calls[i % plan.calls.size()]});
    }
  }
  return counted;
}

/// A closed loop has no end of its own: the last answer is it.
double SecondsThatCount(const Record& record, const Window& window, const std::vector<Counted>& calls) {
  if (!record.closed) return std::max(0.0, Seconds(window.end() - window.begin()));
  Duration last = window.begin();
  for (const Counted& counted : calls) {
    if (counted.outcome->finished) last = std::max(last, counted.outcome->ended);
  }
  return Seconds(last - window.begin());
}

void SetRates(const Plan& plan, const Record& record, const Window& window, const std::vector<Counted>& calls,
              Summary& summary) {
  summary.seconds = SecondsThatCount(record, window, calls);
  if (summary.seconds <= 0) return;
  const auto rate = [&](size_t n, double seconds) { return static_cast<double>(n) / seconds; };
  summary.answered_per_s = rate(summary.answered.count, summary.seconds);
  // A loop that fell behind for good was at work for longer than it should have been.
  const double behind = calls.empty() ? 0 : std::max(0.0, Seconds(calls.back().outcome->lag()));
  summary.offered_per_s = rate(calls.size(), summary.seconds + behind);
  if (record.closed) return;
  const auto planned = std::ranges::count_if(plan.calls, [&](const PlannedCall& call) { return window.Has(call.at); });
  summary.planned_per_s = rate(static_cast<size_t>(planned), summary.seconds);
}

void SetGoodput(const std::vector<Counted>& answered, const std::optional<Objective>& objective, Summary& summary) {
  if (summary.seconds <= 0) return;
  const Duration otherwise = objective.has_value() ? objective->latency : Duration::max();
  const auto in_time = std::ranges::count_if(answered, [&](const Counted& counted) {
    const Duration deadline = counted.call->deadline;
    return counted.outcome->latency() <= (deadline > Duration::zero() ? deadline : otherwise);
  });
  summary.goodput_per_s = static_cast<double>(in_time) / summary.seconds;
}

void CountOver(const std::vector<Counted>& calls, const Objective& objective, Summary& summary) {
  const double most = Milliseconds(objective.latency);
  for (const Counted& counted : calls) {
    const Outcome& outcome = *counted.outcome;
    const bool answered = outcome.answered();
    summary.over += !answered || outcome.latency() > objective.latency;
    summary.surely_over +=
        !answered || Milliseconds(outcome.ended - outcome.sent) - summary.send_lag.p99.value_or(0) > most;
  }
}

void SetServerFigures(const std::vector<Counted>& answered, const Record& record, Summary& summary) {
  std::vector<double> tokenize, queue, compute, total;
  double batches = 0;  // a batch of n has n outcomes
  size_t batched = 0;
  for (const Counted& counted : answered) {
    const std::optional<ServerSplit>& server = counted.outcome->server;
    if (!server.has_value()) continue;
    tokenize.push_back(server->tokenize_us / 1e3);
    queue.push_back(server->queue_us / 1e3);
    compute.push_back(server->compute_us / 1e3);
    total.push_back(server->total_us / 1e3);
    if (server->batch_size == 0) continue;
    summary.batch_sizes[server->batch_size] += 1;
    batches += 1.0 / server->batch_size;
    batched += 1;
  }
  if (batched > 0) summary.mean_batch = static_cast<double>(batched) / batches;
  summary.means = record.means;
  if (batched == 0 && record.means.has_value()) summary.mean_batch = record.means->batch_size;
  if (total.empty()) return;
  summary.tokenize = QuantilesOf(std::move(tokenize));
  summary.queue = QuantilesOf(std::move(queue));
  summary.compute = QuantilesOf(std::move(compute));
  summary.server_total = QuantilesOf(std::move(total));
}

/// Seconds; so that there are at most 200 points.
double TimelineStep(double seconds) {
  constexpr double kMostPoints = 200;
  double step = 0.1;
  for (const double factor : {2.0, 2.5, 2.0, 2.0, 2.5, 2.0, 2.0, 2.5, 2.0, 2.0, 2.5, 2.0}) {
    if (seconds <= step * kMostPoints) break;
    step *= factor;
  }
  return std::max(step, seconds / kMostPoints);
}

std::vector<TimelinePoint> TimelineOf(const Plan& plan, const Record& record) {
  if (record.outcomes.empty()) return {};
  const double last = Seconds(record.outcomes.back().planned);
  const double step = TimelineStep(record.closed ? last : Seconds(plan.length));
  std::vector<TimelinePoint> points(static_cast<size_t>(last / step) + 1);
  std::vector<std::vector<double>> latencies(points.size());
  for (const Outcome& outcome : record.outcomes) {
    const size_t i = std::min(static_cast<size_t>(Seconds(outcome.planned) / step), points.size() - 1);
    points[i].planned += 1;
    (outcome.answered() ? points[i].answered : points[i].failed) += 1;
    if (outcome.answered()) latencies[i].push_back(Milliseconds(outcome.latency()));
  }
  for (size_t i = 0; i < points.size(); ++i) {
    const Quantiles quantiles = QuantilesOf(std::move(latencies[i]), points[i].failed);
    points[i].at_s = static_cast<double>(i) * step;
    points[i].p50_ms = quantiles.p50;
    points[i].p99_ms = quantiles.p99;
  }
  return points;
}

void SetClientCost(const ClientCost& cost, Summary& summary) {
  if (cost.wall <= Duration::zero()) return;
  summary.client_cores = Seconds(cost.cpu) / Seconds(cost.wall);
  summary.cores_per_channel = summary.client_cores / static_cast<double>(std::max<size_t>(cost.channels, 1));
}

}  // namespace

Summary Summarize(const Plan& plan, const Record& record, const std::optional<Objective>& objective) {
  const Window window(plan, record);
  const std::vector<Counted> calls = CallsThatCount(plan, record, window);
  std::vector<Counted> answered;
  Summary summary{.closed = record.closed, .in_flight = record.in_flight, .calls = calls.size()};
  for (const Counted& counted : calls) {
    summary.codes[CodeName(*counted.outcome)] += 1;
    if (!counted.outcome->answered()) continue;
    answered.push_back(counted);
    summary.histogram.Add(static_cast<uint64_t>(std::llround(Milliseconds(counted.outcome->latency()) * 1e3)));
  }
  const auto latency = [](const Outcome& outcome) { return Milliseconds(outcome.latency()); };
  summary.all = QuantilesOf(Values(answered, latency), calls.size() - answered.size());
  summary.answered = QuantilesOf(Values(answered, latency));
  if (!record.closed) {
    summary.send_lag = QuantilesOf(Values(calls, [](const Outcome& outcome) { return Milliseconds(outcome.lag()); }));
  }
  SetRates(plan, record, window, calls, summary);
  SetGoodput(answered, objective, summary);
  if (objective.has_value()) CountOver(calls, *objective, summary);
  SetServerFigures(answered, record, summary);
  SetClientCost(record.client, summary);
  summary.timeline = TimelineOf(plan, record);
  summary.invalid = WhyInvalid(summary, objective);
  if (record.interrupted.has_value()) {
    summary.invalid.push_back(absl::StrFormat("the run was interrupted after %.1f s", Seconds(*record.interrupted)));
  }
  return summary;
}

}  // namespace bertha::load
