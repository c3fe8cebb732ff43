#include "bench/load/summary.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "tests/bench/load/runs.h"
#include "tests/catch.h"

namespace bertha::load {
namespace {

/// 1 ms, 2 ms, 3 ms, ...
double Rising(size_t i) { return static_cast<double>(i) + 1; }

void Fail(Outcome& outcome, absl::StatusCode code) {
  outcome.code = code;
  outcome.server.reset();
}

void LeaveUnfinished(Outcome& outcome) {
  outcome.finished = false;
  outcome.code = absl::StatusCode::kUnknown;
}

TEST_CASE("quantiles are values that were measured", "[load][summary]") {
  const Plan plan = EvenPlan(1000);
  const Summary summary = Summarize(plan, AnswerAll(plan, Rising), std::nullopt);
  CHECK(summary.calls == 1000);
  CHECK(summary.all.p50 == Approx(500));
  CHECK(summary.all.p90 == Approx(900));
  CHECK(summary.all.p95 == Approx(950));
  CHECK(summary.all.p99 == Approx(990));
  CHECK(summary.all.p999 == Approx(999));
  CHECK(summary.all.max == Approx(1000));
  CHECK(summary.all.mean == Approx(500.5));
  CHECK(summary.histogram.total() == 1000);
  CHECK(static_cast<double>(*summary.histogram.Quantile(0.99)) == Approx(990'000).epsilon(0.001));
  CHECK(summary.invalid.empty());
}

TEST_CASE("calls without an answer are slower than all that have one", "[load][summary]") {
  const Plan plan = EvenPlan(1000);
  Record record = AnswerAll(plan, Rising);
  for (size_t i = 0; i < 15; ++i) Fail(record.outcomes[i], absl::StatusCode::kResourceExhausted);
  for (size_t i = 15; i < 20; ++i) LeaveUnfinished(record.outcomes[i]);
  const Summary summary = Summarize(plan, record, std::nullopt);
  CHECK(summary.codes == std::map<std::string, size_t>{{"OK", 980}, {"RESOURCE_EXHAUSTED", 15}, {"UNFINISHED", 5}});
  CHECK(summary.all.count == 1000);
  CHECK(summary.all.p50 == Approx(520));
  CHECK_FALSE(summary.all.p99.has_value());
  CHECK_FALSE(summary.all.p999.has_value());
  CHECK_FALSE(summary.all.max.has_value());
  CHECK(summary.all.p95 == Approx(970));
  CHECK(summary.answered.count == 980);
  CHECK(summary.answered.max == Approx(1000));
  CHECK(summary.histogram.total() == 980);
  CHECK(summary.answered_per_s == Approx(98));
  CHECK(summary.offered_per_s == Approx(100));
}

TEST_CASE("without any answer there are counts and no latencies", "[load][summary]") {
  const Plan plan = EvenPlan(10);
  Record record = AnswerAll(plan, Rising);
  for (Outcome& outcome : record.outcomes) Fail(outcome, absl::StatusCode::kUnavailable);
  const Summary summary = Summarize(plan, record, std::nullopt);
  CHECK(summary.all.count == 10);
  CHECK_FALSE(summary.all.p50.has_value());
  CHECK_FALSE(summary.all.mean.has_value());
  CHECK(summary.answered_per_s == 0);
  CHECK_FALSE(summary.queue.has_value());
}

TEST_CASE("the warm-up does not count, but the timeline shows it", "[load][summary]") {
  const Plan plan = EvenPlan(300, Ms(1000));
  const Summary summary = Summarize(plan, AnswerAll(plan, [](size_t i) { return i < 100 ? 500 : 5; }), std::nullopt);
  CHECK(summary.calls == 200);
  CHECK(summary.seconds == Approx(2));
  CHECK(summary.planned_per_s == Approx(100));
  CHECK(summary.answered_per_s == Approx(100));
  CHECK(summary.all.max == Approx(5));
  REQUIRE(summary.timeline.size() == 30);
  CHECK(summary.timeline[0].p50_ms == Approx(500));
  CHECK(summary.timeline[10].at_s == Approx(1));
  CHECK(summary.timeline[10].p50_ms == Approx(5));
}

TEST_CASE("the timeline counts calls when they were planned, failures as slowest", "[load][summary]") {
  const Plan plan = EvenPlan(30);
  Record record = AnswerAll(plan, Rising);
  for (size_t i = 10; i < 16; ++i) Fail(record.outcomes[i], absl::StatusCode::kInternal);
  const Summary summary = Summarize(plan, record, std::nullopt);
  REQUIRE(summary.timeline.size() == 3);
  CHECK(summary.timeline[1].planned == 10);
  CHECK(summary.timeline[1].answered == 4);
  CHECK(summary.timeline[1].failed == 6);
  CHECK_FALSE(summary.timeline[1].p50_ms.has_value());
  CHECK(summary.timeline[2].p99_ms == Approx(30));
}

TEST_CASE("the timeline of a long run has no more than 200 points", "[load][summary]") {
  const Plan plan = EvenPlan(100'000);  // 1000 s
  const Summary summary = Summarize(plan, AnswerAll(plan, [](size_t) { return 1; }), std::nullopt);
  CHECK(summary.timeline.size() == 200);
  CHECK(summary.timeline[1].at_s == Approx(5));
  CHECK(summary.timeline[1].planned == 500);
}

TEST_CASE("goodput is what came within the call's deadline, else the objective, else all", "[load][summary]") {
  Plan plan = EvenPlan(100);
  const Record record = AnswerAll(plan, Rising);
  const Objective objective{0.9, Ms(40)};
  CHECK(Summarize(plan, record, std::nullopt).goodput_per_s == Approx(100));
  const Summary with_objective = Summarize(plan, record, objective);
  CHECK(with_objective.goodput_per_s == Approx(40));
  CHECK(with_objective.over == 60);
  CHECK(with_objective.surely_over == 60);
  for (PlannedCall& call : plan.calls) call.deadline = Ms(25);
  CHECK(Summarize(plan, record, std::nullopt).goodput_per_s == Approx(25));
  CHECK(Summarize(plan, record, objective).goodput_per_s == Approx(25));
  CHECK(Summarize(plan, record, objective).over == 60);
}

TEST_CASE("calls without an answer are over the objective", "[load][summary]") {
  const Plan plan = EvenPlan(100);
  Record record = AnswerAll(plan, [](size_t) { return 1; });
  Fail(record.outcomes[3], absl::StatusCode::kInternal);
  LeaveUnfinished(record.outcomes[4]);
  const Summary summary = Summarize(plan, record, Objective{0.9, Ms(40)});
  CHECK(summary.over == 2);
  CHECK(summary.surely_over == 2);
}

TEST_CASE("latency runs from when a call was planned; what this program may have lost is told apart",
          "[load][summary]") {
  const Plan plan = EvenPlan(100);
  Record record = AnswerAll(plan, [](size_t) { return 50; });
  for (Outcome& outcome : record.outcomes) outcome.sent += Ms(20);
  const Summary summary = Summarize(plan, record, Objective{0.9, Ms(40)});
  CHECK(summary.all.p50 == Approx(50));
  CHECK(summary.send_lag.p99 == Approx(20));
  CHECK(summary.over == 100);
  CHECK(summary.surely_over == 0);
}

TEST_CASE("a batch of n counts once, though it has n outcomes", "[load][summary]") {
  const Plan plan = EvenPlan(12);
  Record record = AnswerAll(plan, Rising);
  for (size_t i = 0; i < 12; ++i) {
    record.outcomes[i].server = ServerSplit{.tokenize_us = 100,
                                            .queue_us = 1000.0f * static_cast<float>(i),
                                            .compute_us = 5000,
                                            .total_us = 7000,
                                            .batch_size = i < 8 ? 8u : 1u};
  }
  const Summary summary = Summarize(plan, record, std::nullopt);
  CHECK(summary.mean_batch == Approx(12.0 / 5));  // one of 8, four of 1
  CHECK(summary.batch_sizes == std::map<uint32_t, size_t>{{1, 4}, {8, 8}});
  REQUIRE(summary.queue.has_value());
  CHECK(summary.tokenize->p50 == Approx(0.1));
  CHECK(summary.queue->max == Approx(11));
  CHECK(summary.compute->mean == Approx(5));
  CHECK(summary.server_total->p99 == Approx(7));
}

TEST_CASE("what only means tell comes from the means", "[load][summary]") {
  const Plan plan = EvenPlan(10);
  Record record = AnswerAll(plan, Rising);
  record.means = ServerMeans{.queue_us = 50, .batch_size = 3.5};
  const Summary summary = Summarize(plan, record, std::nullopt);
  CHECK(summary.mean_batch == Approx(3.5));
  CHECK(summary.means->queue_us == 50);
  CHECK_FALSE(summary.queue.has_value());
}

TEST_CASE("a closed loop counts until its last answer, and has neither plan nor lag", "[load][summary]") {
  Plan plan{.texts = {"a"}, .models = {{}}, .calls = {{}, {}}, .warm_up = Ms(100)};  // two calls, over and over
  Record record{.closed = true, .in_flight = 1};
  for (int i = 0; i < 60; ++i) record.outcomes.push_back(Answer({.at = Ms(10) * i}, Ms(10)));
  const Summary summary = Summarize(plan, record, std::nullopt);
  CHECK(summary.closed);
  CHECK(summary.calls == 50);
  CHECK(summary.seconds == Approx(0.5));
  CHECK(summary.answered_per_s == Approx(100));
  CHECK(summary.planned_per_s == 0);
  CHECK(summary.send_lag.count == 0);
  CHECK(summary.invalid.empty());
}

std::string Reasons(const Plan& plan, const Record& record, const std::optional<Objective>& objective = std::nullopt) {
  return absl::StrJoin(Summarize(plan, record, objective).invalid, "|");
}

TEST_CASE("a run whose calls left late is invalid", "[load][validity]") {
  const Plan plan = EvenPlan(1000);
  Record record = AnswerAll(plan, [](size_t) { return 9; });
  for (size_t i = 500; i < 510; ++i) record.outcomes[i].sent += Ms(3);
  CHECK(Reasons(plan, record).empty());  // 1% of them: not the 99th percentile
  record.outcomes[510].sent += Ms(0.9);
  CHECK(Reasons(plan, record).empty());
  CHECK(Reasons(plan, record, Objective{0.99, Ms(50)}).empty());
  CHECK(absl::StrContains(Reasons(plan, record, Objective{0.99, Ms(10)}),
                          "by 0.9 ms at the 99th percentile, and 0.5 ms"));
  record.outcomes[510].sent += Ms(0.2);
  CHECK(absl::StrContains(Reasons(plan, record), "sent late: by 1.1 ms at the 99th percentile, and 1 ms"));
}

TEST_CASE("a run whose client was too busy is invalid", "[load][validity]") {
  const Plan plan = EvenPlan(1000);
  Record record = AnswerAll(plan, Rising);
  record.client = {.wall = Ms(1000), .cpu = Ms(1500), .channels = 2};
  CHECK(absl::StrContains(Reasons(plan, record), "too busy: 75% of a core for each channel"));
  const Summary summary = Summarize(plan, record, std::nullopt);
  CHECK(summary.client_cores == Approx(1.5));
  CHECK(summary.cores_per_channel == Approx(0.75));
  record.client.cpu = Ms(1390);
  CHECK(Reasons(plan, record).empty());
}

TEST_CASE("a run that did not send what was planned is invalid", "[load][validity]") {
  const Plan plan = EvenPlan(1000);
  Record missing = AnswerAll(plan, Rising);
  missing.outcomes.resize(991);
  CHECK(Reasons(plan, missing).empty());
  missing.outcomes.resize(989);
  CHECK(absl::StrContains(Reasons(plan, missing), "98.9 calls/s were sent where 100 were planned"));
  Record behind = AnswerAll(plan, Rising);
  behind.outcomes.back().sent += Ms(200);
  CHECK(absl::StrContains(Reasons(plan, behind), "more than 1% off"));
}

TEST_CASE("a run that counts no call, or was interrupted, is invalid", "[load][validity]") {
  const Plan plan = EvenPlan(1000, Ms(1000));
  Record record = AnswerAll(plan, [](size_t) { return 1; });
  record.interrupted = Ms(5000);
  record.outcomes.resize(500);
  CHECK(Reasons(plan, record) == "the run was interrupted after 5.0 s");
  CHECK(Summarize(plan, record, std::nullopt).seconds == Approx(4));
  CHECK(Summarize(plan, record, std::nullopt).offered_per_s == Approx(100));
  record.outcomes.resize(50);
  record.interrupted = Ms(500);
  CHECK(absl::StrContains(Reasons(plan, record), "no call was made after the warm-up"));
}

}  // namespace
}  // namespace bertha::load
