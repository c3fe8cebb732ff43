#include "bench/load/self_test.h"

#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/load/freezing_server.h"
#include "bench/load/grpc_transport.h"
#include "bench/load/sender_thread.h"
#include "bench/load/trials.h"

namespace bertha::load {
namespace {

using std::chrono::seconds;

constexpr double kRate = 200;
constexpr Duration kOpenLength = seconds(5), kClosedLength = seconds(2);
constexpr Duration kFrozenAfter = std::chrono::milliseconds(500), kFrozenFor = seconds(1);
/// A fifth of the open loop's calls meet the second, evenly: one in a hundred of all waits for 950 ms or more.
constexpr double kLeastOpenP99Ms = 500;
/// Of the closed loop's only one does.
constexpr double kMostClosedP99Ms = 500;

/// Freezes `server` for kFrozenFor, kFrozenAfter from now.
std::jthread FreezeSoon(FreezingServer& server) {
  const batcher::TimePoint freeze = std::chrono::steady_clock::now() + kFrozenAfter;
  return std::jthread([&server, freeze] {
    SleepUntil(freeze);
    server.Freeze();
    SleepUntil(freeze + kFrozenFor);
    server.Thaw();
  });
}

std::string Milliseconds(const std::optional<double>& value) {
  return value ? absl::StrFormat("%.0f ms", *value) : std::string("no value, since calls failed");
}

std::vector<std::string> FailuresOf(const SelfTest& test) {
  std::vector<std::string> failures;
  const auto expected = static_cast<size_t>(kRate) * kOpenLength / seconds(1);
  if (test.open.all.count != static_cast<size_t>(expected)) {
    failures.push_back(absl::StrCat("the open loop counts ", test.open.all.count, " calls of ", expected));
  }
  if (test.open.all.p99.value_or(0) < kLeastOpenP99Ms) {
    failures.push_back(absl::StrCat("the server stood still for a second, and the open loop's p99 is ",
                                    Milliseconds(test.open.all.p99)));
  }
  if (test.closed.all.p99.value_or(kMostClosedP99Ms) >= kMostClosedP99Ms) {
    failures.push_back(
        absl::StrCat("one call of a closed loop met the second, and its p99 is ", Milliseconds(test.closed.all.p99)));
  }
  return failures;
}

}  // namespace

absl::StatusOr<SelfTest> RunSelfTest(Watch& watch) {
  FreezingServer server;
  if (!server.listens()) return absl::UnavailableError("no port of 127.0.0.1 can be had for the server of the test");
  TrialOptions options = {.texts = {"a text"}, .models = {{}}, .plan = {.seed = 1}};
  options.plan.arrivals.kind = Arrivals::Kind::kConstant;
  absl::StatusOr<Protocol> protocol = BerthaProtocol(false, options.models, options.texts);
  if (!protocol.ok()) return protocol.status();
  GrpcTransport transport(*std::move(protocol), {server.Connect(), server.Connect()}, "");
  Trials trials(options, transport, nullptr, watch);
  SelfTest test;
  for (const bool closed : {false, true}) {
    const std::jthread freezer = FreezeSoon(server);
    absl::StatusOr<Trial> trial =
        closed ? trials.Closed({.in_flight = 1, .length = kClosedLength}) : trials.Open(kRate, kOpenLength);
    if (!trial.ok()) return trial.status();
    (closed ? test.closed : test.open) = std::move(trial->summary);
  }
  test.failures = FailuresOf(test);
  return test;
}

}  // namespace bertha::load
