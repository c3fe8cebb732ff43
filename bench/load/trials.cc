#include "bench/load/trials.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/load/open_loop.h"

namespace bertha::load {
namespace {

constexpr Duration kLeastGrace = std::chrono::seconds(10);
constexpr size_t kMostInvalidAtFirst = 9;  // runs: a search without a valid one goes on to rates that take hours
constexpr size_t kCycle = 100'000;         // calls of a closed loop before they begin again

/// How long the last calls are waited for: nobody knows which have a deadline.
Duration GraceOf(const Plan& plan) {
  Duration grace = kLeastGrace;
  for (const PlannedCall& call : plan.calls) grace = std::max(grace, call.deadline);
  return grace;
}

}  // namespace

Trials::Trials(TrialOptions options, Transport& transport, ServerMeter* meter, Watch& watch)
    : options_(std::move(options)), transport_(transport), meter_(meter), watch_(watch) {}

absl::StatusOr<Trial> Trials::Open(double rate, Duration length) {
  PlanOptions plan_options = NextPlan();
  plan_options.rate = rate;
  plan_options.length = plan_options.warm_up + length;
  absl::StatusOr<Plan> plan = PlanOpenLoop(options_.texts, options_.models, plan_options);
  if (!plan.ok()) return plan.status();
  const bool recorded = plan_options.arrivals.kind == Arrivals::Kind::kRecorded;
  return Run(recorded ? std::nullopt : std::optional(rate), *std::move(plan),
             [&](const Plan& planned) { return RunOpenLoop(planned, transport_, GraceOf(planned), watch_); });
}

absl::StatusOr<Trial> Trials::Closed(const ClosedLoop& loop) {
  const size_t calls = std::min(loop.requests, kCycle);
  absl::StatusOr<Plan> plan = PlanClosedLoop(options_.texts, options_.models, calls, NextPlan());
  if (!plan.ok()) return plan.status();
  return Run(std::nullopt, *std::move(plan),
             [&](const Plan& planned) { return RunClosedLoop(planned, loop, transport_, GraceOf(planned), watch_); });
}

absl::StatusOr<CapacitySearch::Result> Trials::FindCapacity(const CapacityOptions& options, const OnTrial& on_trial) {
  CapacitySearch search(options);
  bool going_on = true, any_valid = false;
  size_t invalid = 0;
  while (const std::optional<CapacitySearch::Step> step = going_on ? search.Next() : std::nullopt) {
    absl::StatusOr<Trial> trial = Open(step->rate, step->length);
    if (!trial.ok()) return trial.status();
    going_on = !trial->record.interrupted;
    if (going_on) search.Add(trial->summary);
    going_on &= on_trial(*trial);
    any_valid |= trial->summary.invalid.empty();
    if (!any_valid && ++invalid == kMostInvalidAtFirst) break;
  }
  CapacitySearch::Result result = search.result();
  if (search.Next()) {  // which the search, by itself, would have to guess about
    result.invalid = {going_on ? absl::StrCat("none of the first ", kMostInvalidAtFirst, " runs was valid")
                               : "the search was stopped before it had ended"};
  }
  return result;
}

absl::Status Trials::Sweep(const std::vector<double>& rates, Duration length, const OnTrial& on_trial) {
  for (const double rate : rates) {
    const absl::StatusOr<Trial> trial = Open(rate, length);
    if (!trial.ok()) return trial.status();
    if (!on_trial(*trial) || trial->record.interrupted) break;
  }
  return absl::OkStatus();
}

Trial Trials::Run(std::optional<double> rate, Plan plan, const std::function<Record(const Plan&)>& run) {
  if (meter_ != nullptr) meter_->Begin();
  Trial trial = {.rate = rate, .plan = std::move(plan)};
  trial.record = run(trial.plan);
  if (meter_ != nullptr) trial.record.means = meter_->End();
  trial.summary = Summarize(trial.plan, trial.record, options_.objective);
  return trial;
}

PlanOptions Trials::NextPlan() {
  PlanOptions plan = options_.plan;
  plan.seed += runs_++;
  return plan;
}

}  // namespace bertha::load
