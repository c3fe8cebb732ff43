#include "server/canary.h"

#include <atomic>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/health_board.h"
#include "tests/batcher/fakes.h"
#include "tests/catch.h"

namespace bertha::server {
namespace {

using batcher::TimePoint;
using std::chrono::milliseconds;
using std::chrono::seconds;

models::Probe MakeProbe(std::vector<int32_t> ids) {
  models::Probe probe;
  for (const int32_t id : ids) probe.logits.resize(2), probe.logits[0] += static_cast<float>(id);
  probe.logits[1] = static_cast<float>(ids.size());
  probe.type_ids.assign(ids.size(), 0);
  probe.ids = std::move(ids);
  return probe;
}

/// A dispatcher with one worker and models over fake encoders.
struct Fixture {
  explicit Fixture(batcher::QueueOptions queue = {}) : dispatcher(Options(queue), &clock) {}

  static batcher::DispatcherOptions Options(batcher::QueueOptions queue) {
    queue.workers = 1;
    queue.share_identical = false;
    return {.queue = queue};
  }
  std::shared_ptr<ServingModel> Add(const std::string& name,
                                    std::function<absl::Status(const std::vector<int32_t>&)> on_run = {}) {
    auto model = std::make_shared<ServingModel>();
    model->key = {name, 1};
    model->canaries = {MakeProbe({1, 2}), MakeProbe({3})};
    model->probes.tolerance = 0.5;
    model->health = std::make_shared<ModelHealth>(HealthOptions{}, clock);
    auto encoder = std::make_unique<batcher::FakeEncoder>();
    encoder->on_run = std::move(on_run);
    std::vector<std::unique_ptr<batcher::Encoder>> replicas;
    replicas.push_back(std::move(encoder));
    model->id = *dispatcher.AddModel(std::move(replicas), {.max_batch_requests = 1}, {}, model->health);
    table.SetServing(model);
    return model;
  }
  /// Looks until no probe is under way or due.
  void Settle(const std::shared_ptr<ServingModel>& model) {
    canary.Look();
    while (model->health->CanaryDue(false) == TimePoint::max()) std::this_thread::yield();
    board.Refresh();
  }

  batcher::FakeClock clock;
  ModelTable table{""};
  HealthBoard board{table, clock, {}};
  batcher::Dispatcher dispatcher;
  Canary canary{board, table, dispatcher, clock};
};

TEST_CASE("AnAnswerIsRightWithinTheTolerance") {
  const models::Probe probe = MakeProbe({1, 2});
  const auto compare = [&](std::vector<float> answer) { return CompareWithProbe(probe, answer, 0.5); };
  CHECK(compare({3, 2}).ok());
  CHECK(compare({3.5, 1.5}).ok());
  CHECK(compare({3, 2.6F}).message() == "it differs from the exporter's by 0.6, more than 0.5");
  CHECK(compare({3, NAN}).message() == "NaN");
  CHECK(compare({3}).message() == "1 numbers instead of 2");
}

TEST_CASE("AnIdleModelIsKeptAliveByItsProbesInTurn") {
  Fixture f;
  std::atomic<int> passes = 0, first = 0;
  const auto model = f.Add("a", [&](const std::vector<int32_t>& ids) {
    passes += 1;
    first += ids.size() == 2 ? 1 : 0;
    return absl::OkStatus();
  });
  for (int i = 0; i < 10; ++i) {
    f.clock.Advance(seconds(10));
    f.Settle(model);
    CHECK(f.board.Snapshot().names.at("a").ok);
  }
  CHECK(passes == 10);
  CHECK(first == 5);
}

TEST_CASE("AModelWhoseAnswersDriftIsNotServingUntilTheyAreRightAgain") {
  Fixture f;
  const auto model = f.Add("a");
  auto& probe = model->canaries[0].logits[0];
  probe += 1;  // as if the engine answered something else
  f.clock.Advance(seconds(10));
  f.Settle(model);
  CHECK(f.board.Snapshot().names.at("a").reason ==
        "a probe gets a wrong answer: it differs from the exporter's by 1, more than 0.5");
  probe -= 1;
  for (int i = 0; i < 3; ++i) {
    CHECK_FALSE(f.board.Snapshot().names.at("a").ok);
    f.clock.Advance(milliseconds(250));
    f.Settle(model);
  }
  CHECK(f.board.Snapshot().names.at("a").ok);
}

TEST_CASE("OneFaultMakesProbesFindTheOthersInUnderASecond") {
  Fixture f;
  const auto broken = f.Add("broken", [](const std::vector<int32_t>&) { return absl::InternalError("broken"); });
  f.Add("well");
  f.clock.Advance(seconds(1));
  broken->health->OnPass(absl::InternalError("a caller's"), milliseconds(1));
  f.Settle(broken);
  f.clock.Advance(milliseconds(250));
  f.Settle(broken);
  CHECK_FALSE(f.board.Snapshot().names.at("broken").ok);
  CHECK(f.board.Snapshot().names.at("well").ok);
}

TEST_CASE("ABusyNeighbourDoesNotMakeAnIdleModelLookDead") {
  Fixture f({.max_requests = 8});
  batcher::Gate gate;
  const auto idle = f.Add("idle");
  const auto busy = f.Add("busy", [&](const std::vector<int32_t>&) {
    gate.Pass();
    return absl::OkStatus();
  });
  batcher::Recorder recorder;
  std::vector<std::unique_ptr<batcher::TestRequest>> flood;
  const auto submit = [&] {
    flood.push_back(std::make_unique<batcher::TestRequest>(7, 1, &recorder, busy->id));
    batcher::Request* request = flood.back()->get();
    request->priority = batcher::Priority::kHigh;
    auto reservation = f.dispatcher.Reserve(busy->id, 1, batcher::Priority::kHigh);
    return reservation.ok() && f.dispatcher.Submit(*std::move(reservation), std::span(&request, 1)).ok();
  };
  REQUIRE(submit());
  gate.AwaitArrivals(1);
  for (int i = 0; i < 20; ++i) submit();  // more than the queue takes
  f.clock.Advance(seconds(10));
  f.canary.Look();  // a place is made for it: that of one of the many
  gate.Open();
  while (idle->health->CanaryDue(true) == TimePoint::max()) std::this_thread::yield();
  CHECK(idle->health->StaleAt() > f.clock.Now() + seconds(29));
  f.dispatcher.Stop();
}

TEST_CASE("ACanaryMayGoBeforeItsProbesAreAnswered") {
  Fixture f;
  batcher::Gate gate;
  const auto model = f.Add("a", [&](const std::vector<int32_t>&) {
    gate.Pass();
    return absl::OkStatus();
  });
  f.clock.Advance(seconds(10));
  {
    Canary canary(f.board, f.table, f.dispatcher, f.clock);
    canary.Look();
  }
  gate.AwaitArrivals(1);
  gate.Open();
  while (model->health->CanaryDue(false) == TimePoint::max()) std::this_thread::yield();
  CHECK(model->health->Judge().ok);
}

TEST_CASE("ItsThreadAsksByItself") {
  const batcher::SteadyClock clock;
  ModelTable table{""};
  HealthBoard board{table, clock, {}};
  batcher::Gate asked;
  batcher::Dispatcher dispatcher(Fixture::Options({}), &clock);
  auto model = std::make_shared<ServingModel>();
  model->key = {"a", 1};
  model->canaries = {MakeProbe({1, 2})};
  model->health = std::make_shared<ModelHealth>(
      HealthOptions{.canary_interval = milliseconds(1), .on_trouble = [&] { board.Ring(); }}, clock);
  auto encoder = std::make_unique<batcher::FakeEncoder>();
  asked.Open();
  encoder->on_run = [&](const std::vector<int32_t>&) {
    asked.Pass();
    return absl::OkStatus();
  };
  std::vector<std::unique_ptr<batcher::Encoder>> replicas;
  replicas.push_back(std::move(encoder));
  model->id = *dispatcher.AddModel(std::move(replicas), {}, {}, model->health);
  table.SetServing(model);
  Canary canary(board, table, dispatcher, clock);
  canary.Start();
  asked.AwaitArrivals(2);
  canary.Stop();
  dispatcher.Stop();
  CHECK(board.Snapshot().names.at("a").ok);
}

}  // namespace
}  // namespace bertha::server
