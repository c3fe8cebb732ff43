#include "models/tasks/classification.h"

#include <cmath>
#include <limits>
#include <random>

#include "tests/catch.h"

namespace bertha::models {
namespace {

std::vector<Score> Scores(const std::vector<float>& logits, ProblemType type, size_t top_k = 0, float threshold = 0) {
  std::vector<Score> scores = {{99, 99}};  // what an earlier text left behind
  ScoreLabels(logits, type, top_k, threshold, scores);
  return scores;
}

std::vector<uint32_t> Order(const std::vector<Score>& scores) {
  std::vector<uint32_t> order;
  for (const Score& score : scores) order.push_back(score.index);
  return order;
}

TEST_CASE("EachProblemTypeTurnsLogitsIntoTheScoresComputedByHand") {
  struct Case {
    ProblemType type;
    std::vector<float> logits;
    std::vector<Score> expected;  // best first
  };
  const std::vector<Case> cases = {
      // e^0 : e^ln3 = 1 : 3
      {ProblemType::kSingleLabel, {0, std::log(3.0f)}, {{1, 0.75f}, {0, 0.25f}}},
      // e^-1, e^0, e^1 over 4.0861613
      {ProblemType::kSingleLabel, {0, -1, 1}, {{2, 0.66524096f}, {0, 0.24472847f}, {1, 0.09003057f}}},
      // shifting all logits changes nothing
      {ProblemType::kSingleLabel, {1000, 999, 1001}, {{2, 0.66524096f}, {0, 0.24472847f}, {1, 0.09003057f}}},
      {ProblemType::kSingleLabel, {-7}, {{0, 1.0f}}},
      {ProblemType::kMultiLabel, {0, std::log(3.0f), -2}, {{1, 0.75f}, {0, 0.5f}, {2, 0.11920292f}}},
      {ProblemType::kMultiLabel, {1}, {{0, 0.73105858f}}},
      {ProblemType::kRegression, {-3.5f, 12, 0}, {{1, 12}, {2, 0}, {0, -3.5f}}},
      {ProblemType::kRegression, {4.25f}, {{0, 4.25f}}},
  };
  for (const Case& c : cases) {
    CAPTURE(static_cast<int>(c.type), c.logits);
    const std::vector<Score> scores = Scores(c.logits, c.type);
    REQUIRE(scores.size() == c.expected.size());
    for (size_t i = 0; i < scores.size(); ++i) {
      CHECK(scores[i].index == c.expected[i].index);
      CHECK(scores[i].score == Approx(c.expected[i].score).epsilon(1e-6));
    }
  }
}

TEST_CASE("ExtremeLogitsNeitherOverflowNorVanish") {
  constexpr float kMax = std::numeric_limits<float>::max();
  for (const float huge : {1e30f, kMax}) {
    for (const ProblemType type : {ProblemType::kSingleLabel, ProblemType::kMultiLabel}) {
      CAPTURE(huge, static_cast<int>(type));
      const std::vector<Score> scores = Scores({-huge, huge}, type);
      CHECK(Order(scores) == std::vector<uint32_t>{1, 0});
      CHECK(scores[0].score == 1.0f);
      CHECK(scores[1].score == 0.0f);
    }
    CHECK(Scores({huge, huge}, ProblemType::kSingleLabel)[0].score == 0.5f);
    CHECK(Scores({-huge, -huge}, ProblemType::kSingleLabel)[1].score == 0.5f);
  }
}

TEST_CASE("EqualScoresKeepTheOrderOfTheLabels") {
  const std::vector<float> logits = {1, 2, 1, 2, 1};
  for (const ProblemType type : {ProblemType::kSingleLabel, ProblemType::kMultiLabel, ProblemType::kRegression}) {
    CHECK(Order(Scores(logits, type)) == std::vector<uint32_t>{1, 3, 0, 2, 4});
    CHECK(Order(Scores(logits, type, 3)) == std::vector<uint32_t>{1, 3, 0});
  }
  // Saturated sigmoids are equal though the logits are not.
  CHECK(Order(Scores({200, 300, 250}, ProblemType::kMultiLabel)) == std::vector<uint32_t>{0, 1, 2});
}

TEST_CASE("TopKAndThresholdCutTheTail") {
  const float ln3 = std::log(3.0f);
  struct Case {
    ProblemType type;
    std::vector<float> logits;
    size_t top_k;
    float threshold;
    std::vector<uint32_t> expected;
  };
  const std::vector<Case> cases = {
      {ProblemType::kSingleLabel, {0, ln3}, 0, 0, {1, 0}},
      {ProblemType::kSingleLabel, {0, ln3}, 1, 0, {1}},
      {ProblemType::kSingleLabel, {0, ln3}, 2, 0, {1, 0}},
      {ProblemType::kSingleLabel, {0, ln3}, 1000, 0, {1, 0}},
      {ProblemType::kSingleLabel, {0, ln3}, 0, 0.26f, {1}},
      {ProblemType::kSingleLabel, {0, ln3}, 0, 1, {}},
      {ProblemType::kSingleLabel, {0, ln3}, 1, 0.8f, {}},
      {ProblemType::kMultiLabel, {0, ln3, -1}, 0, 0.5f, {1, 0}},  // a score equal to the threshold stays
      {ProblemType::kMultiLabel, {0, ln3, -1}, 1, 0.5f, {1}},
      {ProblemType::kRegression, {-5, -1}, 0, 0.5f, {1, 0}},  // raw values have no threshold
      {ProblemType::kRegression, {-5, -1}, 1, 0.5f, {1}},
  };
  for (const Case& c : cases) {
    CAPTURE(static_cast<int>(c.type), c.top_k, c.threshold);
    CHECK(Order(Scores(c.logits, c.type, c.top_k, c.threshold)) == c.expected);
  }
}

TEST_CASE("TopKCutsAfterSoftmaxOverAllLabels") {
  CHECK(Scores({0, 0, 0, 0}, ProblemType::kSingleLabel, 1)[0].score == 0.25f);
}

TEST_CASE("NoLogitsGiveNoScores") {
  for (const ProblemType type : {ProblemType::kSingleLabel, ProblemType::kMultiLabel, ProblemType::kRegression}) {
    CHECK(Scores({}, type).empty());
  }
}

TEST_CASE("RandomLogitsGiveProbabilitiesInDescendingOrderThatSumToOne") {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::normal_distribution<float> logit(0, std::pow(10.0f, static_cast<float>(random() % 5) - 2));
    std::vector<float> logits(1 + random() % 50);
    for (float& x : logits) x = logit(random);
    CAPTURE(round, logits.size());
    const std::vector<Score> scores = Scores(logits, ProblemType::kSingleLabel);
    REQUIRE(scores.size() == logits.size());
    double sum = 0;
    std::vector<bool> seen(logits.size());
    for (size_t i = 0; i < scores.size(); ++i) {
      sum += scores[i].score;
      REQUIRE_FALSE(seen.at(scores[i].index));
      seen[scores[i].index] = true;
      if (i == 0) continue;
      REQUIRE(scores[i - 1].score >= scores[i].score);
      // Rounding may make scores equal, never swap them.
      if (scores[i - 1].score > scores[i].score) REQUIRE(logits[scores[i - 1].index] > logits[scores[i].index]);
    }
    REQUIRE(std::abs(sum - 1) <= 1e-6);
  }
}

TEST_CASE("WindowsAreAveragedLabelByLabel") {
  std::vector<float> mean = {99, 99, 99};
  const auto average = [&](const std::vector<std::vector<float>>& logits) {
    const std::vector<std::span<const float>> windows(logits.begin(), logits.end());
    AverageLogits(windows, mean);
    return mean;
  };
  CHECK(average({{1, -2}}) == std::vector<float>{1, -2});
  CHECK(average({{1, -2}, {2, 4}, {6, 4}}) == std::vector<float>{3, 2});
  constexpr float kMax = std::numeric_limits<float>::max();
  CHECK(average({{kMax}, {kMax}, {kMax}}) == std::vector<float>{kMax});  // the sum is more than a float
  CHECK(average({{}, {}}).empty());
  CHECK(average({}).empty());
}

TEST_CASE("AllFiniteFindsNanAndInfinityAnywhere") {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  CHECK(AllFinite(std::vector<float>{}));
  CHECK(AllFinite(std::vector<float>{0, -1e38f, std::numeric_limits<float>::max(), 1e-45f}));
  for (const float bad : {kInf, -kInf, std::nanf("")}) {
    for (size_t at = 0; at < 3; ++at) {
      std::vector<float> logits = {1, 2, 3};
      logits[at] = bad;
      CAPTURE(bad, at);
      CHECK_FALSE(AllFinite(logits));
    }
  }
}

}  // namespace
}  // namespace bertha::models
