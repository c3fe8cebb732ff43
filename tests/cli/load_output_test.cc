#include "clients/cli/load_output.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "tests/catch.h"

namespace bertha::cli {
namespace {

using absl::StrContains;
using std::chrono::milliseconds;

const Painter kPlain(false);

/// A run of 1000 calls, of which `failed` were refused.
load::Report::Run SomeRun(size_t failed) {
  load::Report::Run run = {.rate = 500};
  load::Summary& s = run.summary;
  s.seconds = 2;
  s.calls = 1000;
  s.planned_per_s = s.offered_per_s = 500;
  s.answered_per_s = s.goodput_per_s = static_cast<double>(1000 - failed) / 2;
  s.codes["OK"] = 1000 - failed;
  if (failed > 0) s.codes["RESOURCE_EXHAUSTED"] = failed;
  s.answered = {.p50 = 1.234,
                .p90 = 12.34,
                .p95 = 123.4,
                .p99 = 1234,
                .p999 = 2000,
                .max = 3000,
                .mean = 5,
                .count = 1000 - failed};
  s.all = s.answered;
  s.all.count = 1000;
  if (failed > 0) s.all.p999 = s.all.max = std::nullopt;
  s.send_lag = {.p50 = 0.01, .p99 = 0.05, .count = 1000};
  s.mean_batch = 2.5;
  return run;
}

load::Report SomeReport() {
  load::Report report;
  report.client = {.program = "bertha load", .protocol = "bertha", .channels = 2};
  report.plan = {.arrivals = "poisson", .seed = 7};
  return report;
}

/// The line that begins with `name`.
std::string LineOf(const std::string& table, absl::string_view name) {
  for (const absl::string_view line : absl::StrSplit(table, '\n')) {
    if (absl::StartsWith(line, name)) return std::string(line);
  }
  return "";
}

TEST_CASE("a run's table says what was sent, its quantiles, its throughput and its codes") {
  const std::string table = RunTable(SomeReport(), SomeRun(0), kPlain);
  CHECK(StrContains(table, "open loop, 500.0/s, poisson, seed 7; 1,000 calls in 2.0 s; bertha, 2 channels"));
  CHECK(LineOf(table, "latency") == "latency             1.23     12.3      123     1234     2000     3000     5.00");
  CHECK(StrContains(table, "answered 500.0/s"));
  CHECK(StrContains(table, "batch 2.5"));
  CHECK(StrContains(table, "OK 1,000\n"));
  CHECK_FALSE(StrContains(table, "of answers"));
  CHECK_FALSE(StrContains(table, "within"));
}

TEST_CASE("a run's table says how calls were shared out, unless all went to one server") {
  load::Report report = SomeReport();
  report.client.load_balancing = "round_robin";
  CHECK(StrContains(RunTable(report, SomeRun(0), kPlain), "bertha, 2 channels, round_robin\n"));
  CHECK(StrContains(RunTable(SomeReport(), SomeRun(0), kPlain), "bertha, 2 channels\n"));
}

TEST_CASE("where calls failed, a quantile that falls among them is a dash, and answers have a row of their own") {
  const std::string table = RunTable(SomeReport(), SomeRun(5), kPlain);
  CHECK(LineOf(table, "latency") == "latency             1.23     12.3      123     1234        -        -     5.00");
  CHECK(StrContains(LineOf(table, "  of answers"), "3000"));
  CHECK(StrContains(table, "RESOURCE_EXHAUSTED 5"));
}

TEST_CASE("goodput says within what: the deadline, or the objective without one") {
  load::Report report = SomeReport();
  report.objective = load::Objective{.quantile = 0.99, .latency = milliseconds(50)};
  CHECK(StrContains(RunTable(report, SomeRun(0), kPlain), "within 50ms 500.0/s"));
  report.plan.deadline_ms = 80;
  CHECK(StrContains(RunTable(report, SomeRun(0), kPlain), "within 80.0 ms 500.0/s"));
}

TEST_CASE("a closed loop is called so and has no lag") {
  load::Report::Run run = SomeRun(0);
  run.summary.closed = true;
  run.summary.in_flight = 8;
  const std::string table = RunTable(SomeReport(), run, kPlain);
  CHECK(StrContains(table, "closed loop, 8 in flight"));
  CHECK_FALSE(StrContains(table, "sent late by"));
}

TEST_CASE("what is INVALID says so first, with every reason") {
  CHECK(InvalidLines({}, kPlain).empty());
  const std::string lines = InvalidLines({"calls were sent late", "it was too busy"}, kPlain);
  CHECK(absl::StartsWith(lines, "INVALID"));
  CHECK(StrContains(lines, "calls were sent late"));
  CHECK(StrContains(lines, "it was too busy"));
}

TEST_CASE("the columns of a search stand under their names") {
  load::Report::Run run = SomeRun(5);
  run.summary.invalid = {"calls were sent late: by 3 ms; give it a core"};
  const std::string line = TrialLine(run, kPlain);
  CHECK(absl::StartsWith(line, "     500.0       497.5      1.23      1234     0.5%     2.5     0.050"));
  CHECK(StrContains(line, "INVALID: calls were sent late: by 3 ms\n"));
  CHECK(TrialHeading().size() ==
        std::string("     500.0       497.5      1.23      1234     0.5%     2.5     0.050\n").size());
}

TEST_CASE("a capacity that was not found is not called zero") {
  const load::Objective objective = {.quantile = 0.99, .latency = milliseconds(50)};
  CHECK(StrContains(CapacityLine({}, objective, kPlain), "no rate that was tried keeps p99=50ms"));
  CHECK(StrContains(CapacityLine({.invalid = {"it was stopped"}}, objective, kPlain), "was not found out"));
  CHECK(StrContains(CapacityLine({.per_s = 1234.4}, objective, kPlain), "capacity 1,234/s"));
}

TEST_CASE("complaints of servers are one line each, safe for a terminal") {
  const std::string lines = ComplaintLines({{absl::StatusCode::kNotFound, "no model\n\033[31mx"}});
  CHECK(absl::StartsWith(lines, "first NOT_FOUND: no model"));
  CHECK(StrContains(lines, "\n"));
  CHECK_FALSE(StrContains(lines, "\033"));
}

TEST_CASE("the progress line says what is left, or that the last replies are waited for") {
  LoadProgress progress = {
      .elapsed = absl::Seconds(3), .left = absl::Seconds(7), .answered_per_s = 498.4, .p50_ms = 0.5, .errors = 2};
  CHECK(LoadProgressLine(progress) == "  3.0 s  498.4/s  p50 0.500 ms  p99 - ms  2 errors  7 s left");
  progress.left = -absl::Milliseconds(1);
  CHECK(StrContains(LoadProgressLine(progress), "waiting for the last replies"));
}

}  // namespace
}  // namespace bertha::cli
