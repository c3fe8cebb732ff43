#include "batcher/cost_table.h"

#include <random>
#include <string>

#include "tests/batcher/queue_fixture.h"
#include "tests/catch.h"

namespace bertha::batcher {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

double Ns(Duration time) { return static_cast<double>(time.count()); }

TEST_CASE("AnEmptyCostTableKnowsNothing") {
  const CostTable table;
  CHECK_FALSE(table.known());
  CHECK(table.Estimate(1, 1) == Duration::zero());
  CHECK(table.Estimate(100000, 512) == Duration::zero());
}

TEST_CASE("TwoShortRunsTellWhatOtherSizesTake") {
  const Line line{milliseconds(2), microseconds(50)};
  CostTable table;
  table.Record(128, 128, line(128));
  table.Record(1024, 128, line(1024));
  for (const size_t tokens : {128, 256, 512, 768, 1024}) {
    CAPTURE(tokens);
    CHECK(Ns(table.Estimate(tokens, 128)) == Approx(Ns(line(tokens))).epsilon(0.02));
  }
  for (const size_t tokens : {32, 64, 2048, 8192}) {  // outside of what was measured
    CAPTURE(tokens);
    CHECK(Ns(table.Estimate(tokens, 128)) == Approx(Ns(line(tokens))).epsilon(0.1));
  }
}

TEST_CASE("TheCostOfAttentionIsLearnt") {
  const auto cost = [](size_t tokens, size_t longest) {
    return Duration(500000 + 20000 * static_cast<int64_t>(tokens) + 40 * static_cast<int64_t>(tokens * longest));
  };
  CostTable table;
  for (const size_t tokens : {64, 512, 4096}) {
    for (const size_t longest : {16, 64}) table.Record(tokens, longest, cost(tokens, longest));
  }
  CHECK(Ns(table.Estimate(4096, 512)) == Approx(Ns(cost(4096, 512))).epsilon(0.05));
}

TEST_CASE("WhatWasMeasuredCorrectsTheLineThereAndNotElsewhere") {
  const Line line{milliseconds(1), microseconds(10)};
  CostTable table = line.Table();
  const Duration elsewhere = table.Estimate(128, 16);
  for (int i = 0; i < 100; ++i) table.Record(1000, 16, 2 * line(1000));
  CHECK(Ns(table.Estimate(1000, 16)) == Approx(2 * Ns(line(1000))).epsilon(0.1));
  CHECK(Ns(table.Estimate(128, 16)) == Approx(Ns(elsewhere)).epsilon(0.1));
}

TEST_CASE("RecentBatchesCountMost") {
  CostTable table;
  for (int i = 0; i < 10000; ++i) table.Record(100, 10, milliseconds(1));
  for (int i = 0; i < 100; ++i) table.Record(100, 10, milliseconds(3));
  CHECK(Ns(table.Estimate(100, 10)) == Approx(3e6).epsilon(0.1));
}

TEST_CASE("AnEstimateIsNeverNegativeWhateverWasRecorded") {
  for (unsigned seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto upTo = [&](size_t most) { return std::uniform_int_distribution<size_t>(1, most)(random); };
    CostTable table;
    for (size_t n = upTo(20); n > 0; --n) {
      table.Record(upTo(20000), upTo(512), Duration(static_cast<int64_t>(upTo(1000000000))));
    }
    for (int i = 0; i < 100; ++i) {
      const size_t tokens = upTo(100000), longest = upTo(1024);
      CAPTURE(tokens, longest);
      REQUIRE(table.Estimate(tokens, longest) >= Duration::zero());
    }
  }
}

TEST_CASE("ARunThatTookNoTimeOrLessTeachesNothing") {
  const Line line{milliseconds(1), microseconds(10)};
  CostTable table = line.Table();
  const Duration before = table.Estimate(256, 16);
  for (int i = 0; i < 100; ++i) {
    table.Record(256, 16, Duration::zero());
    table.Record(256, 16, -std::chrono::hours(1));
    table.Record(0, 0, milliseconds(1));
  }
  CHECK(table.Estimate(256, 16) == before);
  CostTable nothing;
  nothing.Record(256, 16, Duration(-1));
  CHECK_FALSE(nothing.known());
}

TEST_CASE("ASavedTableIsReadBackAsItWas") {
  CostTable table = Line{milliseconds(3), microseconds(7)}.Table();
  for (int i = 0; i < 50; ++i) table.Record(777, 33, milliseconds(20));
  const auto loaded = CostTable::Load(table.Save());
  REQUIRE(loaded.ok());
  CHECK(loaded->known());
  for (const size_t tokens : {1, 10, 777, 5000, 16384}) {
    for (const size_t longest : {1, 33, 512}) {
      CAPTURE(tokens, longest);
      CHECK(Ns(loaded->Estimate(tokens, longest)) == Approx(Ns(table.Estimate(tokens, longest))).epsilon(1e-3));
    }
  }
  CHECK(CostTable::Load(loaded->Save())->Save() == loaded->Save());
}

TEST_CASE("AnEmptyTableIsReadBackAsEmpty") {
  const auto loaded = CostTable::Load(CostTable().Save());
  REQUIRE(loaded.ok());
  CHECK_FALSE(loaded->known());
}

TEST_CASE("LoadRefusesRubbishAndNamesTheLine") {
  const std::string header = CostTable().Save();
  const struct {
    std::string text, named;
  } cases[] = {
      {"", "line 1"},
      {"something else\n", "line 1"},
      {header + "1 2 3\n", "line 2"},
      {header + "1 2 3 4 5\n", "line 2"},
      {header + "1 2 3 four\n", "line 2"},
      {header + "1 2 3 nan\n", "line 2"},
      {header + "1 2 inf 1\n", "line 2"},
      {header + "1 2 -3 1\n", "line 2"},
      {header + "0 2 3 1\n", "line 2"},
      {header + "16 16 1000 1\n1 1 1e30 1\n", "line 3"},
      {header + "16 16 1000 1\n\n1  1 5\n", "line 4"},
  };
  for (const auto& [text, named] : cases) {
    CAPTURE(text);
    const auto loaded = CostTable::Load(text);
    CHECK(loaded.status().code() == absl::StatusCode::kInvalidArgument);
    CHECK(std::string(loaded.status().message()).find(named) == 0);
  }
}

}  // namespace
}  // namespace bertha::batcher
