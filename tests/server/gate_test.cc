#include "server/gate.h"

#include <memory>

#include "tests/batcher/fakes.h"
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
  Caller caller;
  {
    const Gate::Ticket first = gate.Enter(Scope::kInfer, "", caller, status);
    Gate::Ticket second = gate.Enter(Scope::kInfer, "", caller, status);
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
  Caller caller;
  const Gate::Ticket ticket = gate.Enter(Scope::kInfer, "", caller, status);
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

TEST_CASE("AGateWithAccessRulesRefusesWhoMayNotAndCountsMessagesOfStreams") {
  const batcher::FakeClock clock;
  const auto access = Access::Open({.rate = {.per_second = 1, .burst = 2}}, clock).value();
  Gate main(access.get()), admin(access.get(), Listener::kAdmin);
  Caller caller = {.address = "10.0.0.1"};
  absl::Status on_main, on_admin, stream;
  const Gate::Ticket first = main.Enter(Scope::kAdmin, "", caller, on_main);
  const Gate::Ticket second = admin.Enter(Scope::kAdmin, "", caller, on_admin);
  CHECK(on_main.code() == absl::StatusCode::kPermissionDenied);
  CHECK(on_admin.ok());
  const Gate::Ticket third = main.Enter(Scope::kInfer, "", caller, stream);
  CHECK(stream.ok());
  CHECK(main.CountMessage(caller).code() == absl::StatusCode::kResourceExhausted);
}

TEST_CASE("RefusalsAreCountedByWhyAndWhoIsLetInIsNot") {
  const batcher::FakeClock clock;
  const auto access = Access::Open({.rate = {.per_second = 1, .burst = 3}}, clock).value();
  Gate gate(access.get());
  Caller caller = {.address = "10.0.0.1"};
  const auto enter = [&](Scope scope) {
    absl::Status status;
    (void)gate.Enter(scope, "", caller, status);
    return status.code();
  };
  CHECK(enter(Scope::kInfer) == absl::StatusCode::kOk);
  CHECK(gate.CountMessage(caller).ok());
  CHECK(enter(Scope::kAdmin) == absl::StatusCode::kPermissionDenied);
  CHECK(enter(Scope::kInfer) == absl::StatusCode::kResourceExhausted);
  CHECK(gate.CountMessage(caller).code() == absl::StatusCode::kResourceExhausted);
  gate.BeginDrain();
  CHECK(enter(Scope::kInfer) == absl::StatusCode::kUnavailable);
  const Gate::Refusals refusals = gate.refusals();
  CHECK(refusals.forbidden == 1);
  CHECK(refusals.rate_limit == 2);
  CHECK(refusals.draining == 1);
  CHECK(refusals.unauthenticated == 0);
}

}  // namespace
}  // namespace bertha::server
