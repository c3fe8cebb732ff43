#include "batcher/demand.h"

#include <algorithm>
#include <random>
#include <vector>

#include "tests/batcher/queue_fixture.h"
#include "tests/catch.h"

namespace bertha::batcher {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// The criterion as it is written down: for each deadline from the job's on, the work that is due by then, against the
/// time until then.
double ExcessByDefinition(std::vector<Demand::Job> jobs, const Demand::Job& job, Duration before, double speed,
                          TimePoint now) {
  jobs.push_back(job);
  double worst = -1e300;
  for (const Demand::Job& end : jobs) {
    if (end.deadline < job.deadline) continue;
    double work = 0;
    for (const Demand::Job& each : jobs) {
      if (each.deadline <= end.deadline) work += static_cast<double>(each.work.count());
    }
    worst = std::max(worst, static_cast<double>((before - (end.deadline - now)).count()) + work / speed);
  }
  return worst;
}

TEST_CASE("DemandAgreesWithTheProcessorDemandCriterion") {
  size_t fits = 0, does_not = 0;
  for (unsigned seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto pick = [&](int64_t low, int64_t high) {
      return std::uniform_int_distribution<int64_t>(low, high)(random);
    };
    Demand demand;
    std::vector<Demand::Job> jobs;
    TimePoint now = kStart;
    for (int step = 0; step < 60; ++step) {
      now += Duration(pick(0, 3000000));
      const Demand::Job job = Demand::JobOf(Duration(pick(0, 20000000)), now + Duration(pick(-5, 900) * 1000000), now);
      const Duration before(pick(0, 50000000));
      const double speed = static_cast<double>(pick(1, 40)) / 10;
      const Duration excess = demand.Excess(job, before, speed, now);
      const double expected = ExcessByDefinition(jobs, job, before, speed, now);
      REQUIRE(static_cast<double>(excess.count()) == Approx(expected).margin(2));
      ++(expected > 0 ? does_not : fits);
      if (!jobs.empty() && pick(0, 2) == 0) {
        const auto gone = jobs.begin() + pick(0, static_cast<int64_t>(jobs.size()) - 1);
        demand.Remove(*gone);
        jobs.erase(gone);
      }
      demand.Add(job);
      jobs.push_back(job);
      Duration total{0};
      for (const Demand::Job& each : jobs) total += each.work;
      REQUIRE(demand.total() == total);
    }
    for (const Demand::Job& each : jobs) demand.Remove(each);
    CHECK(demand.total() == Duration::zero());
  }
  CHECK(fits > 1000);  // both answers were tried
  CHECK(does_not > 1000);
}

TEST_CASE("ARoundedDeadlineIsNeverLaterAndEarlierByAnEighthOfWhatWasLeftOrAMillisecond") {
  std::mt19937_64 random(1);
  for (int i = 0; i < 10000; ++i) {
    const TimePoint now = kStart + Duration(random() % 1000000000);
    const Duration left(random() % (int64_t{1} << (10 + i % 35)));
    const TimePoint rounded = Demand::JobOf(Duration(1), now + left, now).deadline;
    CHECK(rounded <= now + left);
    CHECK(now + left - rounded <= std::max<Duration>(Duration(1 << 20), left / 8));
  }
}

TEST_CASE("DeadlinesBeforeTheNewOneDoNotWaitForIt") {
  Demand demand;
  demand.Add(Demand::JobOf(seconds(2), kStart + seconds(1), kStart));  // late already
  CHECK(demand.Excess(Demand::JobOf(seconds(1), kStart + seconds(10), kStart), Duration(0), 1, kStart) <=
        Duration::zero());
}

TEST_CASE("TwoWorkersDoTwiceAsMuch") {
  Demand demand;
  demand.Add(Demand::JobOf(milliseconds(800), kStart + seconds(1), kStart));
  const Demand::Job job = Demand::JobOf(milliseconds(800), kStart + seconds(1), kStart);
  CHECK(demand.Excess(job, Duration(0), 1, kStart) > Duration::zero());
  CHECK(demand.Excess(job, Duration(0), 2, kStart) <= Duration::zero());
}

}  // namespace
}  // namespace bertha::batcher
