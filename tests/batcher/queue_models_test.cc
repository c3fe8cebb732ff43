// What the contract in batch_queue.h says of several models on one device.
#include "batcher/batch_queue.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <random>
#include <vector>

#include "tests/batcher/queue_fixture.h"
#include "tests/catch.h"

namespace bertha::batcher {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using Requests = std::vector<Request*>;

/// Serves `batches` batches, while each model of `served` always has work; adds the device time that each had.
void Saturate(QueueFixture& f, size_t workers, bool stage, int batches, TimePoint& now, const std::vector<Line>& lines,
              std::map<ModelId, double>& served, const std::function<size_t()>& next_length) {
  std::map<ModelId, size_t> waiting;
  const auto Refill = [&] {
    for (const auto& [model, time] : served) {
      for (; waiting[model] < 100; ++waiting[model]) f.Pushed({.length = next_length(), .model = model}, now);
    }
  };
  struct Worker {
    Batch running, next;
    TimePoint ends;
  };
  std::vector<Worker> all(workers);
  for (int i = 0; i < batches; ++i) {
    Refill();
    Worker& worker = *std::ranges::min_element(all, {}, &Worker::ends);
    now = std::max(now, worker.ends);
    if (!worker.running.requests.empty()) {
      f.queue.Finished(now, worker.running);
      served[worker.running.model] += static_cast<double>((now - worker.running.started).count());
    }
    if (worker.next.staged) {
      f.queue.Start(now, worker.next, f.ended);
      std::swap(worker.running, worker.next);
    } else {
      f.queue.NextBatch(now, worker.running, f.ended);
    }
    REQUIRE_FALSE(worker.running.requests.empty());
    waiting[worker.running.model] -= worker.running.requests.size();
    worker.ends = now + lines[worker.running.model](worker.running.stats.padded_tokens);
    if (stage) {
      Refill();
      f.queue.Stage(now, worker.next, f.ended);
    }
  }
  for (Worker& worker : all) f.queue.Finished(worker.ends, worker.running);
  now = std::ranges::max_element(all, {}, &Worker::ends)->ends;
}

/// 1 to 50, each as often as the others.
std::function<size_t()> EvenLengths() {
  return [turn = size_t{0}]() mutable { return 1 + turn++ * 7 % 50; };
}

const std::vector<Line> kTwoSpeeds = {{milliseconds(1), microseconds(20)}, {milliseconds(3), microseconds(35)}};

TEST_CASE("UnderSaturationEachModelGetsTimeInProportionToItsWeight") {
  for (const size_t workers : {1, 2, 3}) {
    for (const bool stage : {false, true}) {
      for (const bool known : {false, true}) {
        CAPTURE(workers, stage, known);
        QueueFixture f({.workers = workers}, {.max_batch_tokens = 300, .weight = 1},
                       known ? kTwoSpeeds[0].Table() : CostTable());
        const ModelId other =
            f.queue.AddModel({.max_batch_tokens = 300, .weight = 3}, known ? kTwoSpeeds[1].Table() : CostTable());
        TimePoint now = kStart;
        std::map<ModelId, double> served = {{0, 0.0}, {other, 0.0}};
        Saturate(f, workers, stage, 2000, now, kTwoSpeeds, served, EvenLengths());
        CHECK(served[other] / (served[0] + served[other]) == Approx(0.75).epsilon(0.05));
        CHECK(served[0] / (served[0] + served[other]) == Approx(0.25).epsilon(0.05));
      }
    }
  }
}

TEST_CASE("UnderSaturationRandomWeightsAreHonouredWithinFivePercentWhateverTheLengths") {
  double worst = 0;
  for (unsigned seed = 0; seed < (kSanitized ? 4 : 20); ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto pick = [&](size_t low, size_t high) { return std::uniform_int_distribution<size_t>(low, high)(random); };
    const size_t workers = pick(1, 3);
    const bool stage = pick(0, 1) == 1;
    QueueFixture f({.workers = workers}, {});
    f.queue.EraseModel(0);
    std::vector<Line> lines = {{}};
    std::vector<double> weights = {0};
    std::map<ModelId, double> served;
    for (size_t n = pick(2, 4); n > 0; --n) {
      lines.push_back({microseconds(pick(100, 3000)), microseconds(pick(1, 100))});
      weights.push_back(static_cast<double>(pick(5, 50)) / 10);
      const ModelLimits limits{.max_batch_requests = pick(1, 64),
                               .max_batch_tokens = pick(50, 500),
                               .pads = pick(0, 1) == 1,
                               .weight = weights.back()};
      served[f.queue.AddModel(limits, pick(0, 1) ? lines.back().Table() : CostTable())] = 0;
    }
    TimePoint now = kStart;
    Saturate(f, workers, stage, 4000, now, lines, served, [&] { return pick(0, 3) ? pick(1, 20) : pick(1, 200); });
    double time = 0, all = 0;
    for (const auto& [model, had] : served) {
      time += had;
      all += weights[model];
    }
    for (const auto& [model, had] : served) {
      const double ratio = had / time / (weights[model] / all);
      CAPTURE(model, ratio);
      CHECK(ratio == Approx(1).epsilon(0.05));
      worst = std::max(worst, std::abs(ratio - 1));
    }
  }
  WARN("at worst " << 100 * worst << "% off");
}

TEST_CASE("AnIdleModelsShareGoesToTheOthersAndIsNotSavedUp") {
  QueueFixture f({}, {.max_batch_tokens = 300}, kTwoSpeeds[0].Table());
  const ModelId other = f.queue.AddModel({.max_batch_tokens = 300}, kTwoSpeeds[0].Table());
  const std::vector<Line> lines = {kTwoSpeeds[0], kTwoSpeeds[0]};
  TimePoint now = kStart;
  std::map<ModelId, double> alone = {{0, 0.0}};
  Saturate(f, 1, false, 500, now, lines, alone, EvenLengths());
  CHECK(alone[0] >= 0.99 * static_cast<double>((now - kStart).count()));
  std::map<ModelId, double> both = {{0, 0.0}, {other, 0.0}};
  Saturate(f, 1, false, 40, now, lines, both, EvenLengths());
  CHECK(both[other] / (both[0] + both[other]) == Approx(0.5).epsilon(0.1));
}

TEST_CASE("AClosedModelTakesNoMoreAndKeepsWhatWaits") {
  QueueFixture f;
  const ModelId other = f.queue.AddModel({});
  Request* waiting = f.Pushed({.length = 3, .model = other});
  f.queue.CloseModel(other);
  CHECK(f.CodeOf({.model = other}) == absl::StatusCode::kUnavailable);
  CHECK(f.queue.size() == 1);
  CHECK(f.queue.Waits(other));
  CHECK_FALSE(f.queue.Waits(0));
  CHECK(f.NextRequests() == Requests{waiting});
  CHECK_FALSE(f.queue.Waits(other));
}

TEST_CASE("TheIdOfAnErasedModelIsNotGivenOutAgainAndTheOthersKeepTheirs") {
  QueueFixture f;
  const ModelId first = f.queue.AddModel({}), second = f.queue.AddModel({});
  f.queue.EraseModel(first);
  const ModelId third = f.queue.AddModel({});
  CHECK(third != first);
  CHECK(third != second);
  CHECK(f.CodeOf({.model = first}) == absl::StatusCode::kUnavailable);
  CHECK_FALSE(f.queue.Waits(first));
  f.Pushed({.model = second});
  f.Pushed({.model = third});
  CHECK(f.Next().model == second);
  CHECK(f.Next().model == third);
}

TEST_CASE("AModelMayGoWhileAStagedBatchOfItIsEmpty") {
  QueueFixture f;
  const ModelId other = f.queue.AddModel({});
  for (const bool next : {false, true}) {
    const ModelId gone = f.queue.AddModel({});
    Request* cancelled = f.Pushed({.model = gone});
    Batch batch;
    f.queue.Stage(kStart, batch, f.ended);
    REQUIRE(f.queue.Remove(*cancelled));
    REQUIRE_FALSE(f.queue.Waits(gone));
    f.queue.EraseModel(gone);
    Request* waiting = f.Pushed({.model = other});
    if (next) {
      CHECK(f.NextRequests() == Requests{waiting});
    } else {
      CHECK_FALSE(f.queue.Start(kStart, batch, f.ended));
      CHECK(batch.requests == Requests{waiting});
    }
  }
}

}  // namespace
}  // namespace bertha::batcher
