#include "server/gate.h"

#include <memory>

#include "tests/catch.h"

namespace bertha::server {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct FakeStream final : Drainable {
  void Drain() override { drained += 1; }
  int drained = 0;
};

TEST_CASE("CallsAreCountedUntilTheirTicketsAreGone") {
  Gate gate;
  absl::Status status;
  {
    const Gate::Ticket first = gate.Enter(status);
    Gate::Ticket second = gate.Enter(status);
    CHECK(gate.in_flight() == 2);
    second = {};
    CHECK(gate.in_flight() == 1);
  }
  CHECK(gate.in_flight() == 0);
  CHECK(status.ok());
}

TEST_CASE("AGateThatDrainsRefusesAndCountsWhatItRefuses") {
  Gate gate;
  gate.BeginDrain();
  absl::Status status;
  const Gate::Ticket ticket = gate.Enter(status);
  CHECK(status.code() == absl::StatusCode::kUnavailable);
  CHECK(gate.in_flight() == 1);
  CHECK_FALSE(gate.WaitUntilQuiet(SteadyClock::now()));
}

TEST_CASE("StreamsAreToldToDrainThoseOfBeforeAndThoseOfAfter") {
  Gate gate;
  const auto before = std::make_shared<FakeStream>(), after = std::make_shared<FakeStream>();
  gate.AddStream(before);
  CHECK(before->drained == 0);
  gate.BeginDrain();
  gate.AddStream(after);
  CHECK(before->drained == 1);
  CHECK(after->drained == 1);
  CHECK(gate.in_flight() == 2);
  gate.RemoveStream(before);
  gate.RemoveStream(after);
  CHECK(gate.WaitUntilQuiet(SteadyClock::now() + std::chrono::seconds(60)));
}

}  // namespace
}  // namespace bertha::server
