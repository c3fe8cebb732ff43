#include "bench/load/capacity_search.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <string>

#include "absl/strings/match.h"
#include "tests/bench/load/runs.h"
#include "tests/catch.h"

namespace bertha::load {
namespace {

using std::chrono::seconds;

/// One server, Poisson arrivals, and service times that are all alike (M/D/1) or exponential (M/M/1).
class Server {
 public:
  enum class Service { kAlike, kExponential };

  Server(double per_s, uint64_t seed, Service service = Service::kAlike)
      : per_s_(per_s), seed_(seed), service_(service), random_(seed, Random::Stream::kWords) {}

  /// Once, in the middle of this run, the machine is away for `stall`.
  size_t stalled_run = SIZE_MAX;
  Duration stall = Ms(300);
  /// From this run on the machine has something else to do, too.
  size_t slower_from = SIZE_MAX;
  /// Above this rate the client is late.
  double client_limit = INFINITY;
  size_t runs = 0;

  Summary Run(const CapacitySearch::Step& step, const Objective& objective) {
    const Plan plan = *PlanOpenLoop(
        {"a"}, {},
        {.rate = step.rate, .length = step.length + seconds(1), .warm_up = seconds(1), .seed = seed_ * 1000 + runs});
    const double slower = runs >= slower_from ? 1.4 : 1;
    Record record =
        Queue(plan, [&] { return slower * (service_ == Service::kAlike ? 1 : random_.Exponential()) / per_s_; });
    if (runs++ == stalled_run) Stall(plan, record);
    if (step.rate > client_limit) {
      for (Outcome& outcome : record.outcomes) outcome.sent += Ms(5), outcome.ended += Ms(5);
    }
    return Summarize(plan, record, objective);
  }

 private:
  void Stall(const Plan& plan, Record& record) const {
    const Duration begin = plan.length / 2;
    for (Outcome& outcome : record.outcomes) {
      if (outcome.ended > begin && outcome.planned < begin + stall)
        outcome.ended = std::max(outcome.ended, begin + stall);
    }
  }

  const double per_s_;
  const uint64_t seed_;
  const Service service_;
  Random random_;
};

CapacitySearch::Result Search(Server& server, const CapacityOptions& options) {
  CapacitySearch search(options);
  while (const auto step = search.Next()) {
    REQUIRE(server.runs < options.max_runs);
    search.Add(server.Run(*step, options.objective));
  }
  return search.result();
}

struct Case {
  double server_per_s, quantile, latency_ms, capacity;
};

/// Of each case for some seeds; the number of runs is bounded too.
void CheckFound(const Case& test, Server::Service service, double within) {
  for (const uint64_t seed : {1, 2, 3}) {
    CAPTURE(test.server_per_s, test.latency_ms, seed);
    Server server(test.server_per_s, seed, service);
    const auto result = Search(server, {.objective = {test.quantile, Ms(test.latency_ms)}});
    CHECK(result.invalid.empty());
    CHECK(result.per_s == Approx(test.capacity).epsilon(within));
    CHECK(server.runs <= 30);
  }
}

// What 600 s at each of a dozen rates, halving the gap, has as the last one that meets the objective.
constexpr Case kAlike[] = {
    {1000, 0.99, 20, 891.3}, {300, 0.95, 50, 270.6}, {3000, 0.99, 50, 2965.6}, {800, 0.99, 50, 758.2}};

TEST_CASE("a known capacity is found within 5%", "[load][capacity]") {
  for (const Case& test : kAlike) CheckFound(test, Server::Service::kAlike, 0.05);
}

TEST_CASE("where every call takes another time the capacity is found within 7%", "[load][capacity]") {
  for (Case test : kAlike) {
    // The time in the system is exponential, with a rate of mu - lambda.
    test.capacity = test.server_per_s + std::log(1 - test.quantile) / (test.latency_ms / 1e3);
    CheckFound(test, Server::Service::kExponential, 0.07);
  }
}

TEST_CASE("one unlucky run, whenever it comes, does not change what is found", "[load][capacity]") {
  for (size_t run = 0; run < 16; ++run) {
    CAPTURE(run);
    Server server(800, 4);
    server.stalled_run = run;
    CHECK(Search(server, {.objective = {0.99, Ms(50)}}).per_s == Approx(758.2).epsilon(0.05));
  }
}

TEST_CASE("a machine that is taken away in the middle of a search makes its result invalid", "[load][capacity]") {
  for (const size_t run : {10, 11, 12}) {
    CAPTURE(run);
    Server server(800, 4);
    server.slower_from = run;
    const auto result = Search(server, {.objective = {0.99, Ms(50)}});
    CHECK(result.per_s < 560);
    REQUIRE(result.invalid.size() == 1);
    CHECK(absl::StrContains(result.invalid[0], "something else took the machine's time"));
  }
}

TEST_CASE("where no rate meets the objective the capacity is 0, soon", "[load][capacity]") {
  Server server(50, 1);
  const auto result = Search(server, {.objective = {0.99, Ms(15)}});
  CHECK(result.per_s == 0);
  CHECK(result.invalid.empty());
  CHECK(server.runs <= 10);
  CHECK(result.tried.back().rate == 1);
}

TEST_CASE("where the limit meets the objective it is the capacity, and the result says so", "[load][capacity]") {
  Server server(1000, 1);
  const auto result = Search(server, {.objective = {0.99, Ms(20)}, .limit = 300});
  CHECK(result.per_s == 300);
  REQUIRE(result.invalid.size() == 1);
  CHECK(absl::StrContains(result.invalid[0], "up to the limit of 300 calls/s"));
}

TEST_CASE("a client that is too slow is not taken for the server's end", "[load][capacity]") {
  Server server(10'000, 1);
  server.client_limit = 500;
  const auto result = Search(server, {.objective = {0.99, Ms(20)}});
  CHECK(result.per_s == Approx(500).epsilon(0.05));
  CHECK(result.per_s <= 500);
  REQUIRE(result.invalid.size() == 1);
  CHECK(absl::StrContains(result.invalid[0], "every run was INVALID: calls were sent late"));
}

/// A server that does 100 calls/s and a client that is late above that; `late` is what its runs look like then.
CapacitySearch::Result SearchWithLateClient(Summary late) {
  CapacitySearch search({.objective = {0.99, Ms(20)}});
  late.calls = late.over = 5000;
  late.invalid = {"late"};
  while (const auto step = search.Next()) search.Add(step->rate > 100 ? late : Summary{.seconds = 10, .calls = 5000});
  return search.result();
}

TEST_CASE("a late client does not hide that the server is far over its capacity", "[load][capacity]") {
  const auto result = SearchWithLateClient({.surely_over = 5000, .cores_per_channel = 0.5});
  CHECK(result.invalid.empty());
  CHECK(result.per_s == Approx(100).epsilon(0.025));
  CHECK(SearchWithLateClient({.surely_over = 20}).invalid.size() == 1);
  CHECK(SearchWithLateClient({.surely_over = 5000, .cores_per_channel = 0.9}).invalid.size() == 1);
}

TEST_CASE("a search ends whatever it is told, and stays within its limits", "[load][capacity]") {
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    const CapacityOptions options{.objective = {0.99, Ms(20)}, .limit = 5000, .max_runs = 40};
    CapacitySearch search(options);
    size_t runs = 0;
    while (const auto step = search.Next()) {
      REQUIRE(++runs <= options.max_runs);
      REQUIRE(step->rate >= options.lowest_rate);
      REQUIRE(step->rate <= options.limit);
      Summary summary{.seconds = 5, .calls = random() % 4 == 0 ? 0u : 5000u};
      summary.over = random() % 3 == 0 ? 300 : random() % 80;
      summary.over = summary.surely_over = std::min(summary.over, summary.calls);
      if (random() % 4 == 0) summary.invalid = {"the dice say so"};
      search.Add(summary);
    }
    const auto result = search.result();
    REQUIRE(result.per_s <= options.limit);
    if (result.per_s > 0) {
      REQUIRE(std::ranges::any_of(result.tried,
                                  [&](const auto& tried) { return tried.rate == result.per_s && tried.met == true; }));
    }
  }
}

TEST_CASE("a search that was ended early has no valid result", "[load][capacity]") {
  CapacitySearch search({.objective = {0.99, Ms(20)}});
  CHECK(search.result().invalid.size() == 1);
  CHECK(search.result().per_s == 0);
}

TEST_CASE("a run is long enough to show something", "[load][capacity]") {
  CapacitySearch search({.objective = {0.99, Ms(20)}, .first_rate = 4});
  CHECK(search.Next()->purpose == CapacitySearch::Purpose::kDoubling);
  CHECK(NameOf(search.Next()->purpose) == "doubling");
  CHECK(search.Next()->length == seconds(5));  // 20 calls
}

TEST_CASE("a sweep goes from a tenth of the capacity to five times it", "[load][capacity]") {
  const std::vector<double> rates = SweepRates(200);
  CHECK(rates.front() == Approx(20));
  CHECK(rates.back() == Approx(1000));
  CHECK(std::ranges::is_sorted(rates));
  CHECK(std::ranges::count(rates, 200.0) == 1);
}

}  // namespace
}  // namespace bertha::load
