// Records of runs without a server, for tests of the statistics.
#ifndef BERTHA_TESTS_BENCH_LOAD_RUNS_H_
#define BERTHA_TESTS_BENCH_LOAD_RUNS_H_

#include <algorithm>
#include <functional>
#include <optional>

#include "bench/load/arrivals.h"
#include "bench/load/plan.h"
#include "bench/load/random.h"
#include "bench/load/record.h"

namespace bertha::load {

inline Duration Ms(double ms) { return Duration(static_cast<int64_t>(ms * 1e6)); }

/// An answer to a call that left in time.
inline Outcome Answer(const PlannedCall& call, Duration latency, std::optional<ServerSplit> server = std::nullopt) {
  return {.planned = call.at,
          .sent = call.at,
          .ended = call.at + latency,
          .code = absl::StatusCode::kOk,
          .finished = true,
          .text = call.text,
          .model = call.model,
          .server = server};
}

/// A call every 10 ms, for the given number of calls.
inline Plan EvenPlan(size_t calls, Duration warm_up = {}) {
  Plan plan{.texts = {"text"}, .models = {{}}, .calls = {}, .warm_up = warm_up, .length = Ms(10) * calls};
  for (size_t i = 0; i < calls; ++i) plan.calls.push_back({.at = Ms(10) * i});
  return plan;
}

/// Answers each call of the plan after so many milliseconds.
inline Record AnswerAll(const Plan& plan, const std::function<double(size_t)>& ms) {
  Record record{.outcomes = {}, .interrupted = {}, .client = {.wall = plan.length, .cpu = plan.length / 10}};
  for (size_t i = 0; i < plan.calls.size(); ++i) record.outcomes.push_back(Answer(plan.calls[i], Ms(ms(i))));
  return record;
}

/// What one server with a queue in order of arrival makes of the plan. `service`: seconds that a call takes.
inline Record Queue(const Plan& plan, const std::function<double()>& service) {
  Duration free{};
  return AnswerAll(plan, [&, i = size_t{0}](size_t) mutable {
    const Duration at = plan.calls[i++].at;
    free = std::max(at, free) + Ms(service() * 1e3);
    return std::chrono::duration<double, std::milli>(free - at).count();
  });
}

}  // namespace bertha::load

#endif  // BERTHA_TESTS_BENCH_LOAD_RUNS_H_
