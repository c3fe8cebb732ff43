#include "server/health_board.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/batcher/fakes.h"
#include "tests/catch.h"

namespace bertha::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Verdict kWell = {true, ""};

struct Fixture {
  std::shared_ptr<ModelHealth> Add(const std::string& name, int64_t version = 1) {
    auto model = std::make_shared<ServingModel>();
    model->key = {name, version};
    auto health = std::make_shared<ModelHealth>(HealthOptions{.max_faults = 1}, clock);
    model->health = health;
    table.SetServing(std::move(model));
    board.Refresh();
    return health;
  }
  void Fail(ModelHealth& health) {
    health.OnPass(absl::InternalError("broken"), milliseconds(1));
    board.Refresh();
  }
  void Heal(ModelHealth& health) {
    health.OnPass(absl::OkStatus(), milliseconds(1));
    board.Refresh();
  }
  Verdict live() const { return board.Snapshot().live; }
  Verdict ready() const { return board.Snapshot().ready; }

  batcher::FakeClock clock;
  ModelTable table{""};
  std::vector<HealthSnapshot> changes;
  std::vector<std::string> lines;
  HealthBoard board{table,
                    clock,
                    {.on_change = [this](const HealthSnapshot& health) { changes.push_back(health); },
                     .log = [this](bool, const std::string& line) { lines.push_back(line); }}};
};

TEST_CASE("AServerThatStartsIsAliveAndNotReady") {
  Fixture f;
  CHECK(f.live() == kWell);
  CHECK(f.ready().reason == "packages are being loaded");
  f.table.SetLoading({"a", 1});
  f.board.Refresh();
  CHECK(f.board.Snapshot().names.at("a").reason == "being loaded");
  f.Add("a");
  CHECK(f.board.Snapshot().names.at("a") == kWell);
  CHECK_FALSE(f.ready().ok);
  f.board.SetStarted();
  CHECK(f.ready() == kWell);
  CHECK(f.lines.empty());
}

TEST_CASE("TheServerServesWhileAnyModelDoes") {
  Fixture f;
  const auto a = f.Add("a"), b = f.Add("b");
  f.board.SetStarted();
  f.Fail(*a);
  CHECK(f.board.Snapshot().names.at("a").reason == "1 forward passes in a row failed, the last: broken");
  CHECK(f.board.Snapshot().names.at("b") == kWell);
  CHECK(f.ready() == kWell);
  f.Fail(*b);
  CHECK(f.ready().reason == "no model serves");
  CHECK(f.live() == kWell);  // a restart would load the same models
  f.Heal(*b);
  CHECK(f.ready() == kWell);
}

TEST_CASE("ANamesHealthIsThatOfTheVersionThatRequestsGet") {
  Fixture f;
  const auto one = f.Add("a", 1), two = f.Add("a", 2);
  f.table.SetFailed({"a", 3}, "no sums");
  f.board.Refresh();
  CHECK(f.board.Snapshot().names.at("a") == kWell);
  CHECK(f.board.Snapshot().models.at({"a", 3}).reason == "no sums");
  f.Fail(*two);
  CHECK_FALSE(f.board.Snapshot().names.at("a").ok);
  CHECK(f.board.Snapshot().models.at({"a", 1}) == kWell);
  f.Heal(*two);
  f.Fail(*one);
  CHECK(f.board.Snapshot().names.at("a") == kWell);
}

TEST_CASE("StuckWorkersAndALostDeviceAreAReasonToRestart") {
  Fixture f;
  f.Add("a");
  f.board.SetStarted();
  f.board.SetWorkersStuck(true);
  CHECK(f.live().reason == "every worker is in a forward pass that does not return");
  CHECK(f.ready() == f.live());
  CHECK(f.board.Snapshot().names.at("a") == f.live());
  f.board.SetWorkersStuck(false);
  CHECK(f.live() == kWell);
  CHECK(f.ready() == kWell);
  f.board.SetDeviceLost();
  CHECK_FALSE(f.live().ok);
  CHECK_FALSE(f.ready().ok);
  CHECK(f.lines == std::vector<std::string>{
                       "the server: NOT_SERVING: every worker is in a forward pass that does not return",
                       "the server: SERVING again",
                       "the server: NOT_SERVING: the CUDA device is lost to this process",
                   });
}

TEST_CASE("AServerThatDrainsIsAliveAndNothingOfItServes") {
  Fixture f;
  f.Add("a");
  f.board.SetStarted();
  f.board.SetDraining();
  CHECK(f.live() == kWell);
  CHECK(f.ready().reason == "the server is shutting down");
  CHECK_FALSE(f.board.Snapshot().names.at("a").ok);
  CHECK(f.lines.empty());
}

TEST_CASE("OnlyChangesAreTold") {
  Fixture f;
  const auto a = f.Add("a");
  const size_t before = f.changes.size();
  for (int i = 0; i < 10; ++i) f.board.Refresh();
  CHECK(f.changes.size() == before);
  f.Fail(*a);
  CHECK(f.changes.size() == before + 1);
  CHECK(f.changes.back() == f.board.Snapshot());
  f.table.Remove({"a", 1});
  f.board.Refresh();
  CHECK(f.changes.back().names.empty());
}

TEST_CASE("AModelThatComesAndGoesFillsNoLog") {
  Fixture f;
  const auto a = f.Add("a");
  for (int i = 0; i < 100; ++i) {
    f.Fail(*a);
    f.Heal(*a);
  }
  REQUIRE(f.lines.size() == 6);
  CHECK(f.lines[0] == "a:1: NOT_SERVING: 1 forward passes in a row failed, the last: broken");
  CHECK(f.lines[1] == "a:1: SERVING again");
  f.clock.Advance(seconds(61));
  a->OnPass(absl::OkStatus(), milliseconds(1));
  f.board.Refresh();
  REQUIRE(f.lines.size() == 7);
  CHECK(f.lines[6] == "a:1: SERVING again (after 194 changes)");
}

TEST_CASE("ARingIsHeardEvenBeforeAnybodyListens") {
  Fixture f;
  f.board.Ring();
  f.board.AwaitRing(batcher::TimePoint::max());  // returns
  f.board.AwaitRing(batcher::TimePoint());       // so does this, at its time
  f.Add("a");
  f.board.AwaitRing(batcher::TimePoint::max());  // a change rings too
}

}  // namespace
}  // namespace bertha::server
