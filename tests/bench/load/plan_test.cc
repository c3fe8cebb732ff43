#include "bench/load/plan.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "tests/catch.h"

namespace bertha::load {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const std::vector<std::string> kTexts = {"a", "b", "c"};

Plan MustPlan(const PlanOptions& options, std::vector<Plan::Model> models = {}) {
  auto plan = PlanOpenLoop(kTexts, std::move(models), options);
  REQUIRE(plan.ok());
  return *std::move(plan);
}

/// Seconds between calls.
std::vector<double> Gaps(const std::vector<PlannedCall>& calls) {
  std::vector<double> gaps;
  for (size_t i = 1; i < calls.size(); ++i) {
    gaps.push_back(std::chrono::duration<double>(calls[i].at - calls[i - 1].at).count());
  }
  return gaps;
}

/// The Kolmogorov-Smirnov statistic against an exponential distribution of this rate, by the root of the number.
double KolmogorovSmirnov(std::vector<double> values, double rate) {
  std::ranges::sort(values);
  const auto n = static_cast<double>(values.size());
  double most = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double expected = 1 - std::exp(-rate * values[i]), below = static_cast<double>(i) / n;
    most = std::max({most, std::abs(expected - below), std::abs(below + 1 / n - expected)});
  }
  return most * std::sqrt(n);
}

bool Same(const Plan& a, const Plan& b) {
  return std::ranges::equal(a.calls, b.calls, [](const PlannedCall& x, const PlannedCall& y) {
    return x.at == y.at && x.text == y.text && x.model == y.model;
  });
}

TEST_CASE("a plan is the same for the same seed and another for another", "[load][plan]") {
  for (const auto kind : {Arrivals::Kind::kPoisson, Arrivals::Kind::kBursts}) {
    PlanOptions options{.arrivals = {.kind = kind, .burst = 5}, .rate = 100, .length = seconds(5), .seed = 7};
    const Plan plan = MustPlan(options);
    CHECK(Same(plan, MustPlan(options)));
    options.seed = 8;
    CHECK_FALSE(Same(plan, MustPlan(options)));
    options.seed = 7 + (uint64_t{1} << 32);  // all of its bits count
    CHECK_FALSE(Same(plan, MustPlan(options)));
  }
  // Which texts and which models, too.
  const auto of_seed = [](uint64_t seed, std::vector<Plan::Model> models) {
    return MustPlan({.arrivals = {Arrivals::Kind::kConstant}, .rate = 100, .length = seconds(5), .seed = seed}, models);
  };
  CHECK_FALSE(Same(of_seed(1, {}), of_seed(2, {})));
  const auto models = [](const Plan& plan) {
    std::vector<uint32_t> drawn;
    for (const PlannedCall& call : plan.calls) drawn.push_back(call.model);
    return drawn;
  };
  CHECK(models(of_seed(1, {{"a"}, {"b"}})) != models(of_seed(2, {{"a"}, {"b"}})));
}

TEST_CASE("the plan of a seed stays the same from version to version", "[load][plan]") {
  const Plan plan = MustPlan({.rate = 100, .length = seconds(1), .seed = 1}, {{"m", "", 1}, {"n", "", 3}});
  REQUIRE(plan.calls.size() > 3);
  std::vector<int64_t> us;
  for (size_t i = 0; i < 3; ++i) us.push_back(plan.calls[i].at.count() / 1000);
  CHECK(us == std::vector<int64_t>{14206, 22738, 41576});
}

TEST_CASE("times between Poisson arrivals are exponential, their number is within four deviations", "[load][plan]") {
  for (const uint64_t seed : {1, 2, 3, 4, 5}) {
    const Plan plan = MustPlan({.rate = 2000, .length = seconds(10), .seed = seed});
    CHECK(KolmogorovSmirnov(Gaps(plan.calls), 2000) < 1.63);  // 1%
    CHECK(std::abs(static_cast<double>(plan.calls.size()) - 20000) < 4 * std::sqrt(20000));
    CHECK(std::ranges::is_sorted(plan.calls, {}, &PlannedCall::at));
    CHECK(plan.calls.back().at < plan.length);
  }
  const Plan even = MustPlan({.arrivals = {Arrivals::Kind::kConstant}, .rate = 2000, .length = seconds(10)});
  CHECK(KolmogorovSmirnov(Gaps(even.calls), 2000) > 10);  // the test can tell
}

TEST_CASE("constant arrivals keep their distance for as long as they go on", "[load][plan]") {
  const Plan plan = MustPlan({.arrivals = {Arrivals::Kind::kConstant}, .rate = 3, .length = seconds(1000)});
  REQUIRE(plan.calls.size() == 3000);
  CHECK(plan.calls[1].at == Duration(333333333));
  CHECK(plan.calls[2997].at == seconds(999));
}

TEST_CASE("bursts come together, and keep the rate on average", "[load][plan]") {
  const Plan plan =
      MustPlan({.arrivals = {.kind = Arrivals::Kind::kBursts, .burst = 10}, .rate = 1000, .length = seconds(100)});
  REQUIRE(plan.calls.size() % 10 == 0);
  CHECK(std::abs(static_cast<double>(plan.calls.size()) - 1e5) < 4 * 10 * std::sqrt(1e4));
  std::vector<PlannedCall> begins;
  bool together = true;
  for (size_t i = 0; i < plan.calls.size(); ++i) {
    if (i % 10 == 0) begins.push_back(plan.calls[i]);
    together &= plan.calls[i].at == begins.back().at;
  }
  CHECK(together);
  CHECK(KolmogorovSmirnov(Gaps(begins), 100) < 1.63);
}

TEST_CASE("models get calls by their weights, texts evenly; neither depends on the arrivals", "[load][plan]") {
  PlanOptions options{.rate = 1000, .length = seconds(20)};
  const std::vector<Plan::Model> models = {{"a", "", 1}, {"b", "", 3}};
  const Plan plan = MustPlan(options, models);
  const auto n = static_cast<double>(plan.calls.size());
  const auto share = [&](auto member, uint32_t value) {
    return static_cast<double>(std::ranges::count(plan.calls, value, member)) / n;
  };
  CHECK(share(&PlannedCall::model, 1) == Approx(0.75).margin(0.015));
  for (const uint32_t text : {0, 1, 2}) CHECK(share(&PlannedCall::text, text) == Approx(1 / 3.0).margin(0.015));
  options.arrivals.kind = Arrivals::Kind::kConstant;
  const Plan even = MustPlan(options, models);
  for (size_t i = 0; i < 1000; ++i) {
    REQUIRE(even.calls[i].text == plan.calls[i].text);
    REQUIRE(even.calls[i].model == plan.calls[i].model);
  }
}

TEST_CASE("a closed loop has calls without times", "[load][plan]") {
  const auto plan = PlanClosedLoop(kTexts, {}, 1000, {.deadline = milliseconds(50), .seed = 3});
  REQUIRE(plan.ok());
  CHECK(plan->calls.size() == 1000);
  CHECK(plan->models.size() == 1);
  CHECK(std::ranges::all_of(plan->calls, [](const PlannedCall& call) {
    return call.at == Duration::zero() && call.deadline == milliseconds(50);
  }));
  CHECK_FALSE(PlanClosedLoop(kTexts, {}, 0, {}).ok());
  CHECK_FALSE(PlanClosedLoop({}, {}, 5, {}).ok());
}

TEST_CASE("a plan without calls, texts or an end is refused", "[load][plan]") {
  const auto error = [](std::vector<std::string> texts, const PlanOptions& options) {
    return std::string(PlanOpenLoop(std::move(texts), {}, options).status().message());
  };
  CHECK(absl::StrContains(error(kTexts, {.rate = 0, .length = seconds(1)}), "wanted one above 0"));
  CHECK(absl::StrContains(error(kTexts, {.rate = NAN, .length = seconds(1)}), "wanted one above 0"));
  CHECK(absl::StrContains(error(kTexts, {.rate = 1e9, .length = seconds(1)}), "20000000"));
  CHECK(
      absl::StrContains(error(kTexts, {.rate = 10, .length = seconds(2), .warm_up = seconds(2)}), "after the warm-up"));
  CHECK(absl::StrContains(error(kTexts, {.rate = 1e-300, .length = seconds(2)}), "0 calls in 2 s"));
  CHECK(absl::StrContains(error({}, {.rate = 10, .length = seconds(2)}), "no texts"));
}

absl::StatusOr<std::vector<RecordedCall>> Recorded(const std::string& content) {
  return ParseRecorded({"calls.tsv", content});
}

TEST_CASE("recorded calls are sent as they came, from the first on", "[load][plan]") {
  const auto recorded = Recorded("1700000000.5\t20\tgood film\r\n1700000000.75\t30.5\tbad\tfilm\n1700000001.5\t20\t\n");
  REQUIRE(recorded.ok());
  const auto plan = PlanOpenLoop({}, {}, {.arrivals = {.kind = Arrivals::Kind::kRecorded, .recorded = *recorded}});
  REQUIRE(plan.ok());
  REQUIRE(plan->calls.size() == 3);
  CHECK(plan->calls[0].at == Duration::zero());
  CHECK(plan->calls[1].at == milliseconds(250));
  CHECK(plan->calls[1].deadline == Duration(30'500'000));
  CHECK(plan->texts[plan->calls[1].text] == "bad\tfilm");
  CHECK(plan->texts[plan->calls[2].text].empty());
  CHECK(plan->length == milliseconds(1500));  // a mean gap after the last
}

TEST_CASE("recorded times alone take texts and deadline from the options", "[load][plan]") {
  const auto recorded = Recorded("0\n\n0.5\n0.5\n");
  REQUIRE(recorded.ok());
  const Plan plan =
      MustPlan({.arrivals = {.kind = Arrivals::Kind::kRecorded, .recorded = *recorded}, .deadline = milliseconds(9)});
  CHECK(plan.texts == kTexts);
  CHECK(plan.calls.size() == 3);
  CHECK(plan.calls[2].deadline == milliseconds(9));
}

TEST_CASE("a schedule that cannot be is refused with its line", "[load][plan]") {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"0\n2\n1.5\n", "calls.tsv, line 3: is earlier"},
      {"0\nsoon\n", "calls.tsv, line 2: wanted SECONDS"},
      {"0\nnan\n", "line 2: wanted SECONDS"},
      {"0\n1e300\n", "line 2: wanted SECONDS"},
      {"0\t0\ta\n", "line 1: wanted SECONDS"},
      {"0\t5\n1\n", "line 2: has another number of fields"},
      {"0\t5\ta\n1\t5\n", "line 2: has another number of fields"},
      {"", "at two moments"},
      {"1\n1\n", "at two moments"},
  };
  for (const auto& [content, message] : wrong) {
    CAPTURE(content);
    CHECK(absl::StrContains(Recorded(content).status().message(), message));
  }
}

TEST_CASE("arrivals are read from their names", "[load][plan]") {
  CHECK(ParseArrivals("poisson")->kind == Arrivals::Kind::kPoisson);
  CHECK(ParseArrivals("constant")->kind == Arrivals::Kind::kConstant);
  CHECK(ParseArrivals("bursts:12")->burst == 12);
  CHECK_FALSE(ParseArrivals("bursts:0").ok());
  CHECK_FALSE(ParseArrivals("bursts:many").ok());
  CHECK(absl::StrContains(ParseArrivals("posson").status().message(), "poisson, constant, bursts:N"));
}

TEST_CASE("models are read with version and weight", "[load][plan]") {
  const auto full = ParseModel("sst2:3=2.5");
  REQUIRE(full.ok());
  CHECK(full->name == "sst2");
  CHECK(full->version == "3");
  CHECK(full->weight == 2.5);
  CHECK(ParseModel("sst2")->weight == 1);
  CHECK(ParseModel("sst2=4")->version.empty());
  for (const char* wrong : {"", ":1", "a:", "a=", "a=0", "a=-1", "a=inf", "=2"}) CHECK_FALSE(ParseModel(wrong).ok());
}

}  // namespace
}  // namespace bertha::load
