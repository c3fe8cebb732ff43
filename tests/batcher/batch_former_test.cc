#include "batcher/batch_former.h"

#include <algorithm>
#include <random>
#include <vector>

#include "tests/batcher/queue_fixture.h"
#include "tests/catch.h"

namespace bertha::batcher {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;

using Members = std::vector<size_t>;

struct Problem {
  std::vector<Candidate> candidates;
  ModelLimits limits;
  CostTable costs;

  explicit Problem(unsigned seed, size_t most_candidates) {
    std::mt19937 random(seed);
    const auto pick = [&](size_t low, size_t high) { return std::uniform_int_distribution<size_t>(low, high)(random); };
    limits = {.max_batch_requests = pick(1, 12), .max_batch_tokens = pick(10, 200), .pads = pick(0, 1) == 1};
    if (pick(0, 3) > 0) costs = Line{microseconds(pick(0, 20000)), microseconds(pick(1, 200))}.Table();
    for (size_t n = pick(1, most_candidates); n > 0; --n) {
      const size_t tokens = pick(1, 60);
      const TimePoint deadline = kStart + microseconds(pick(0, 60000));
      candidates.push_back({tokens, deadline, costs.Estimate(tokens, tokens) / 2, pick(0, 9) == 0});
    }
    std::ranges::stable_sort(candidates, {}, &Candidate::deadline);
  }

  size_t Computed(const Members& members) const {
    size_t tokens = 0, longest = 0;
    for (const size_t i : members) {
      tokens += candidates[i].tokens;
      longest = std::max(longest, candidates[i].tokens);
    }
    return limits.pads ? members.size() * longest : tokens;
  }
  Duration Cost(const Members& members) const {
    size_t longest = 0;
    for (const size_t i : members) longest = std::max(longest, candidates[i].tokens);
    return costs.Estimate(Computed(members), longest);
  }
  double Goodput(const Members& members) const {
    const Duration cost = Cost(members);
    Duration in_time{0};
    for (const size_t i : members) {
      if (candidates[i].deadline >= kStart + cost) in_time += candidates[i].work;
    }
    return static_cast<double>(in_time.count()) / std::max(1.0, static_cast<double>(cost.count()));
  }
};

Members Chosen(BatchFormer& former, const Problem& problem, BatchFormer::Choice& choice) {
  choice = former.Choose(problem.candidates, problem.limits, problem.costs, kStart);
  return Members(choice.members.begin(), choice.members.end());
}

TEST_CASE("AChosenBatchIsWithinTheLimitsAndBeginsWithTheMostUrgent") {
  BatchFormer former;
  BatchFormer::Choice choice;
  size_t of_several = 0;
  for (unsigned seed = 0; seed < 5000; ++seed) {
    CAPTURE(seed);
    const Problem problem(seed, 40);
    const Members members = Chosen(former, problem, choice);
    REQUIRE_FALSE(members.empty());
    CHECK(members.front() == 0);
    CHECK(std::ranges::is_sorted(members));
    CHECK(std::ranges::adjacent_find(members) == members.end());
    CHECK(members.back() < problem.candidates.size());
    CHECK(members.size() <= problem.limits.max_batch_requests);
    if (members.size() > 1) CHECK(problem.Computed(members) <= problem.limits.max_batch_tokens);
    CHECK(choice.computed_tokens == problem.Computed(members));
    CHECK(choice.cost == problem.Cost(members));
    of_several += members.size() > 1;
  }
  CHECK(of_several > 1000);
}

TEST_CASE("PassingOverIsForWhatDoesNotFitOrHasSlackAndNeverForTheFirm") {
  BatchFormer former;
  BatchFormer::Choice choice;
  size_t passed_over = 0, for_its_length = 0;
  for (unsigned seed = 0; seed < 20000; ++seed) {
    CAPTURE(seed);
    const Problem problem(seed, 40);
    const Members members = Chosen(former, problem, choice);
    Members before;
    Duration put_off{0};
    for (size_t i = 0; i < members.back(); ++i) {
      if (std::ranges::binary_search(members, i)) {
        before.push_back(i);
        continue;
      }
      CAPTURE(i);
      const Candidate& passed = problem.candidates[i];
      REQUIRE_FALSE(passed.firm);
      passed_over += 1;
      Members with = before;
      with.push_back(i);
      if (problem.Computed(with) > problem.limits.max_batch_tokens) continue;
      for_its_length += 1;
      REQUIRE(problem.limits.pads);
      const Duration alone = problem.costs.Estimate(passed.tokens, passed.tokens);
      REQUIRE(passed.deadline - alone - put_off >= kStart + choice.cost);
      put_off += passed.work;
    }
  }
  CHECK(passed_over > 1000);
  CHECK(for_its_length > 100);
}

TEST_CASE("NoPlainPrefixHasABetterGoodput") {
  BatchFormer former;
  BatchFormer::Choice choice;
  for (unsigned seed = 0; seed < 20000; ++seed) {
    CAPTURE(seed);
    const Problem problem(seed, 7);  // every size is weighed
    const Members members = Chosen(former, problem, choice);
    const TimePoint soonest = problem.candidates[0].deadline;
    const bool first_in_time = kStart + problem.Cost({0}) <= soonest;
    Members prefix;
    for (size_t i = 0; i < problem.candidates.size() && i < problem.limits.max_batch_requests; ++i) {
      prefix.push_back(i);
      if (i > 0 && problem.Computed(prefix) > problem.limits.max_batch_tokens) break;
      const Duration cost = problem.Cost(prefix);
      if (i > 0 && first_in_time && kStart + cost + cost / 8 > soonest) continue;  // would make the first one late
      CAPTURE(i, members.size());
      REQUIRE(problem.Goodput(members) >= 0.99 * problem.Goodput(prefix));
    }
  }
}

TEST_CASE("ABatchMakesNobodyLateWhoWasInTimeAlone") {
  BatchFormer former;
  BatchFormer::Choice choice;
  for (unsigned seed = 0; seed < 5000; ++seed) {
    CAPTURE(seed);
    const Problem problem(seed, 40);
    Chosen(former, problem, choice);
    const TimePoint soonest = problem.candidates[0].deadline;
    if (kStart + problem.Cost({0}) <= soonest) CHECK(kStart + choice.cost <= soonest);
  }
}

TEST_CASE("WhileNothingIsKnownABatchTakesWhatFits") {
  BatchFormer former;
  const Candidate one{10, kStart + hours(1), Duration(0), false};
  const std::vector<Candidate> five(5, one);
  const auto choice = former.Choose(five, {.max_batch_requests = 64, .max_batch_tokens = 40}, CostTable(), kStart);
  CHECK(choice.members.size() == 4);
  CHECK(choice.full);
  CHECK(choice.cost == Duration::zero());
  const auto all = former.Choose(five, {}, CostTable(), kStart);
  CHECK(all.members.size() == 5);
  CHECK_FALSE(all.full);
}

TEST_CASE("AnEngineThatPadsGetsLikeLengthsTogetherWhenThatIsCheaper") {
  BatchFormer former;
  const CostTable costs = Line{microseconds(100), microseconds(10)}.Table();
  std::vector<Candidate> candidates;
  for (size_t i = 0; i < 16; ++i) {
    candidates.push_back({i % 2 ? 512UL : 8UL, kStart + hours(1), milliseconds(1), false});
  }
  const ModelLimits limits{.max_batch_requests = 64, .max_batch_tokens = 8192, .pads = true};
  const auto grouped = former.Choose(candidates, limits, costs, kStart);
  CHECK(Members(grouped.members.begin(), grouped.members.end()) == Members{0, 2, 4, 6, 8, 10, 12, 14});

  // A long one without slack keeps its place.
  candidates[1].deadline = kStart + costs.Estimate(512, 512) + microseconds(100);
  const auto urgent = former.Choose(candidates, limits, costs, kStart);
  CHECK((urgent.members.size() == 1 || urgent.members[1] == 1));
}

TEST_CASE("ShortTextsAreNotPaddedToALongOneWhereTheyCostMoreThanTheyBring") {
  BatchFormer former;
  const CostTable costs = Line{milliseconds(1), microseconds(10)}.Table();
  const ModelLimits limits{.max_batch_requests = 32, .max_batch_tokens = 8192, .pads = true};
  // Alone the long one wastes 1 ms. Padded like it, each of the short ones takes ten times as long as in a batch of its
  // own; counted by heads such a batch would still be the better one.
  std::vector<Candidate> candidates = {{200, kStart + hours(1), microseconds(2030), false}};
  for (size_t i = 0; i < 31; ++i) candidates.push_back({20, kStart + hours(1), microseconds(230), false});
  CHECK(former.Choose(candidates, limits, costs, kStart).members.size() == 1);
  candidates.erase(candidates.begin());
  CHECK(former.Choose(candidates, limits, costs, kStart).members.size() == 31);
}

TEST_CASE("AnEngineThatDoesNotPadKeepsTheOrder") {
  BatchFormer former;
  const CostTable costs = Line{milliseconds(20), microseconds(10)}.Table();
  std::vector<Candidate> candidates;
  for (size_t i = 0; i < 8; ++i) candidates.push_back({i % 2 ? 64UL : 8UL, kStart + hours(1), milliseconds(1), false});
  CHECK(former.Choose(candidates, {}, costs, kStart).members.size() == 8);
}

TEST_CASE("LikeLengthsAreNotWaitedForWhenALongBatchIsAsCheap") {
  BatchFormer former;
  const CostTable costs = Line{milliseconds(50), Duration(1)}.Table();  // length costs nothing
  std::vector<Candidate> candidates;
  for (size_t i = 0; i < 8; ++i) candidates.push_back({i % 2 ? 64UL : 8UL, kStart + hours(1), milliseconds(1), false});
  CHECK(former.Choose(candidates, {.pads = true}, costs, kStart).members.size() == 8);
}

}  // namespace
}  // namespace bertha::batcher
