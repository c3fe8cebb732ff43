#include <atomic>
#include <set>
#include <vector>

#include "bench/load/closed_loop.h"
#include "bench/load/open_loop.h"
#include "bench/load/trials.h"
#include "tests/bench/load/fake_transport.h"
#include "tests/catch.h"

namespace bertha::load {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kGrace = seconds(60);  // nothing here takes as long, on the busiest machine
constexpr size_t kNever = SIZE_MAX;

/// `count` calls, `gap` apart, with texts 0, 1, 2, ...
Plan EvenPlan(size_t count, Duration gap, Duration deadline = {}) {
  Plan plan = {.texts = std::vector<std::string>(count, "a text"), .models = {{}}};
  for (size_t i = 0; i < count; ++i) {
    plan.calls.push_back({.at = gap * static_cast<int64_t>(i), .deadline = deadline, .text = static_cast<uint32_t>(i)});
  }
  plan.length = gap * static_cast<int64_t>(count);
  return plan;
}

/// Stops the run at the first tick, if it shall.
class TestWatch final : public Watch {
 public:
  explicit TestWatch(bool stop = false) : stop_(stop) {}
  bool stopped() const override { return stop_ && ticks > 0; }
  void OnReply(Duration, bool answered) override { (answered ? this->answered : failed) += 1; }
  void OnTick(Duration, Duration) override { ++ticks; }

  std::atomic<int> ticks = 0;
  std::atomic<size_t> answered = 0, failed = 0;

 private:
  const bool stop_;
};

TEST_CASE("an open loop sends every call of the plan, no earlier than planned, over its channels in turn") {
  FakeTransport transport(3);
  TestWatch watch;
  const Plan plan = EvenPlan(30, milliseconds(2));
  const Record record = RunOpenLoop(plan, transport, kGrace, watch);
  REQUIRE(record.outcomes.size() == 30);
  CHECK_FALSE(record.closed);
  CHECK_FALSE(record.interrupted);
  for (size_t i = 0; i < record.outcomes.size(); ++i) {
    const Outcome& outcome = record.outcomes[i];
    CHECK(outcome.planned == plan.calls[i].at);
    CHECK(outcome.sent >= outcome.planned);
    CHECK(outcome.ended >= outcome.sent);
    CHECK(outcome.text == i);
    CHECK(outcome.answered());
  }
  for (const auto& [channel, call] : transport.sent()) CHECK(channel == call.number % 3);
  CHECK(watch.answered == 30);
}

TEST_CASE("an open loop does not wait for answers") {
  FakeTransport transport(2, /*hold=*/20);
  TestWatch watch;
  const Record record = RunOpenLoop(EvenPlan(20, milliseconds(1)), transport, kGrace, watch);
  CHECK(transport.most_open() == 20);
  CHECK(record.outcomes.size() == 20);
  CHECK(watch.answered == 20);
}

TEST_CASE("a sender that was held up sends at once and skips nothing, and what it lost counts as latency") {
  FakeTransport transport(1);
  transport.on_send = [](const Call& call) {
    if (call.number == 0) std::this_thread::sleep_for(milliseconds(50));
  };
  TestWatch watch;
  const Record record = RunOpenLoop(EvenPlan(10, milliseconds(1), seconds(10)), transport, kGrace, watch);
  REQUIRE(record.outcomes.size() == 10);
  for (size_t i = 1; i < 10; ++i) {
    CHECK(record.outcomes[i].lag() >= milliseconds(40));
    CHECK(record.outcomes[i].latency() >= record.outcomes[i].lag());
  }
}

TEST_CASE("a deadline runs from when the call was planned") {
  FakeTransport transport(1);
  transport.on_send = [](const Call& call) {
    if (call.number == 0) std::this_thread::sleep_for(milliseconds(30));
  };
  TestWatch watch;
  const Record record = RunOpenLoop(EvenPlan(3, milliseconds(1), milliseconds(20)), transport, kGrace, watch);
  for (const auto& [channel, call] : transport.sent()) {
    REQUIRE(call.left.has_value());
    CHECK(*call.left == milliseconds(20) - record.outcomes[call.number].lag());
  }
  CHECK(*transport.sent()[1].call.left < Duration::zero());
}

TEST_CASE("calls without a deadline are sent without one") {
  FakeTransport transport(1);
  TestWatch watch;
  RunOpenLoop(EvenPlan(3, milliseconds(1)), transport, kGrace, watch);
  for (const auto& [channel, call] : transport.sent()) CHECK_FALSE(call.left.has_value());
}

TEST_CASE("what has no answer when the grace is over is recorded as unfinished") {
  FakeTransport transport(2, kNever);
  TestWatch watch;
  const Record record = RunOpenLoop(EvenPlan(5, milliseconds(1)), transport, milliseconds(20), watch);
  REQUIRE(record.outcomes.size() == 5);
  for (const Outcome& outcome : record.outcomes) {
    CHECK_FALSE(outcome.finished);
    CHECK_FALSE(outcome.answered());
    CHECK(outcome.code != absl::StatusCode::kOk);
    CHECK(outcome.latency() >= milliseconds(20));
  }
  CHECK(watch.failed == 5);
}

TEST_CASE("errors keep their codes") {
  FakeTransport transport(1);
  transport.code = absl::StatusCode::kResourceExhausted;
  TestWatch watch;
  const Record record = RunOpenLoop(EvenPlan(5, milliseconds(1)), transport, kGrace, watch);
  for (const Outcome& outcome : record.outcomes) {
    CHECK(outcome.finished);
    CHECK(outcome.code == absl::StatusCode::kResourceExhausted);
  }
}

TEST_CASE("an open loop that is stopped has the begin of its plan, and says when it ended") {
  FakeTransport transport(3);
  TestWatch watch(/*stop=*/true);
  const Plan plan = EvenPlan(100'000, milliseconds(3));
  const Record record = RunOpenLoop(plan, transport, kGrace, watch);
  REQUIRE(record.interrupted.has_value());
  REQUIRE_FALSE(record.outcomes.empty());
  REQUIRE(record.outcomes.size() < 10'000);
  for (size_t i = 0; i < record.outcomes.size(); ++i) CHECK(record.outcomes[i].planned == plan.calls[i].at);
  CHECK(record.outcomes.back().planned <= *record.interrupted);
  CHECK(plan.calls[record.outcomes.size()].at > *record.interrupted);
}

TEST_CASE("an open loop reads what the measuring takes while calls count") {
  FakeTransport transport(2);
  TestWatch watch;
  Plan plan = EvenPlan(40, milliseconds(5));
  plan.warm_up = milliseconds(100);
  const auto begin = std::chrono::steady_clock::now();
  const Record record = RunOpenLoop(plan, transport, kGrace, watch);
  CHECK(record.client.wall > Duration::zero());
  CHECK(record.client.wall < std::chrono::steady_clock::now() - begin);
  CHECK(record.client.cpu > Duration::zero());
  CHECK(record.client.channels == 2);
  CHECK(watch.answered == 20);
}

TEST_CASE("a closed loop keeps its number of calls in flight and takes the plan in turn, over and over") {
  FakeTransport transport(2, /*hold=*/4);
  TestWatch watch;
  const Record record = RunClosedLoop(EvenPlan(10, {}), {.in_flight = 4, .requests = 25}, transport, kGrace, watch);
  CHECK(record.closed);
  CHECK(record.in_flight == 4);
  REQUIRE(record.outcomes.size() == 25);
  CHECK(transport.most_open() == 4);
  std::multiset<uint32_t> texts;
  for (const Outcome& outcome : record.outcomes) {
    CHECK(outcome.answered());
    CHECK(outcome.lag() == Duration::zero());
    texts.insert(outcome.text);
  }
  for (uint32_t text = 0; text < 10; ++text) CHECK(texts.count(text) == (text < 5 ? 3 : 2));
  CHECK(std::ranges::is_sorted(record.outcomes, {}, &Outcome::planned));
  for (const auto& [channel, call] : transport.sent()) CHECK(channel == call.number % 2);
}

TEST_CASE("a closed loop counts its requests after the warm-up, and ends by the clock if it shall") {
  FakeTransport transport(1);
  TestWatch watch;
  Plan plan = EvenPlan(10, {});
  plan.warm_up = milliseconds(20);
  const Record counted = RunClosedLoop(plan, {.in_flight = 1, .requests = 10}, transport, kGrace, watch);
  const auto after = [&](const Outcome& outcome) { return outcome.planned >= plan.warm_up; };
  CHECK(std::ranges::count_if(counted.outcomes, after) == 10);
  CHECK(counted.outcomes.size() > 10);
  const Record timed = RunClosedLoop(plan, {.in_flight = 2, .length = milliseconds(30)}, transport, kGrace, watch);
  CHECK(timed.outcomes.back().planned < milliseconds(50));
  CHECK_FALSE(timed.interrupted);
}

TEST_CASE("a closed loop that is stopped gives up what hangs") {
  FakeTransport transport(1, kNever);
  TestWatch watch(/*stop=*/true);
  const Record record = RunClosedLoop(EvenPlan(10, {}), {.in_flight = 3}, transport, milliseconds(20), watch);
  CHECK(record.interrupted.has_value());
  REQUIRE(record.outcomes.size() == 3);
  for (const Outcome& outcome : record.outcomes) CHECK_FALSE(outcome.finished);
}

TrialOptions SomeTrials() {
  TrialOptions options = {.texts = {"a text"}, .models = {{}}, .objective = Objective{.latency = seconds(60)}};
  options.plan.arrivals.kind = Arrivals::Kind::kConstant;
  return options;
}

TEST_CASE("each run has a seed of its own, and what the server counts is read before and after") {
  class Meter final : public ServerMeter {
   public:
    void Begin() override { begun += 1; }
    std::optional<ServerMeans> End() override { return ServerMeans{.compute_us = 100.0 * begun}; }
    int begun = 0;
  };
  FakeTransport transport(1);
  TestWatch watch;
  Meter meter;
  TrialOptions options = SomeTrials();
  options.plan.arrivals.kind = Arrivals::Kind::kPoisson;
  Trials trials(options, transport, &meter, watch);
  const absl::StatusOr<Trial> one = trials.Open(500, milliseconds(50)), two = trials.Open(500, milliseconds(50));
  REQUIRE(one.ok());
  REQUIRE(two.ok());
  CHECK(one->rate == 500);
  CHECK(one->plan.calls.front().at != two->plan.calls.front().at);
  CHECK(one->summary.means->compute_us == 100);
  CHECK(two->summary.means->compute_us == 200);
  CHECK(one->summary.codes.at("OK") == one->plan.calls.size());
}

TEST_CASE("a search on a machine that is always too busy ends soon and says so") {
  FakeTransport transport(1);
  transport.on_send = [](const Call& call) {
    if (call.number == 0) std::this_thread::sleep_for(milliseconds(5));  // late for all that follow
  };
  TestWatch watch;
  Trials trials(SomeTrials(), transport, nullptr, watch);
  CapacityOptions search = {.objective = *SomeTrials().objective, .first_rate = 1000};
  search.doubling = search.bisecting = search.proving = milliseconds(20);
  size_t runs = 0;
  const auto result = trials.FindCapacity(search, [&](const Trial& trial) {
    CHECK_FALSE(trial.summary.invalid.empty());
    return ++runs > 0;
  });
  REQUIRE(result.ok());
  CHECK(runs == 9);
  CHECK(result->invalid == std::vector<std::string>{"none of the first 9 runs was valid"});
}

TEST_CASE("a search that is stopped, or whose results nobody takes, says that it was") {
  FakeTransport transport(1);
  TestWatch watch(/*stop=*/true), other;
  CapacityOptions search = {.objective = *SomeTrials().objective, .first_rate = 100};
  const auto stopped =
      Trials(SomeTrials(), transport, nullptr, watch).FindCapacity(search, [](const Trial&) { return true; });
  REQUIRE(stopped.ok());
  CHECK(stopped->invalid == std::vector<std::string>{"the search was stopped before it had ended"});
  search.doubling = milliseconds(100);
  const auto refused =
      Trials(SomeTrials(), transport, nullptr, other).FindCapacity(search, [](const Trial&) { return false; });
  CHECK(refused->invalid == stopped->invalid);
}

}  // namespace
}  // namespace bertha::load
