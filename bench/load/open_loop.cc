#include "bench/load/open_loop.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "bench/load/loop_monitor.h"
#include "bench/load/sender_thread.h"
#include "bench/load/wait_group.h"

namespace bertha::load {
namespace {

using batcher::TimePoint;

constexpr Duration kLead = std::chrono::milliseconds(20);        // for the threads to start
constexpr Duration kLongSleep = std::chrono::milliseconds(100);  // then a sender looks whether it shall stop

TimePoint Now() { return std::chrono::steady_clock::now(); }

class OpenLoop final : public Receiver {
 public:
  OpenLoop(const Plan& plan, Transport& transport, Watch& watch)
      : plan_(plan),
        transport_(transport),
        watch_(watch),
        begin_(Now() + kLead),
        monitor_(begin_, plan.warm_up, plan.length, watch),
        senders_(transport.channels()),
        outcomes_(plan.calls.size()) {}

  Record Run(Duration grace) {
    using enum LoopMonitor::Stopping;
    std::vector<std::jthread> threads;
    for (size_t channel = 0; channel < transport_.channels(); ++channel) {
      threads.emplace_back([this, channel] { SendAll(channel); });
    }
    std::optional<Duration> interrupted;
    if (!monitor_.Await(senders_, TimePoint::max(), kHeeded)) {
      interrupted = StopSoon();
      grace = std::min(grace, kGraceIfStopped);
    }
    threads.clear();
    monitor_.EndCount();
    if (!monitor_.Await(calls_, Now() + grace, kIgnored)) {
      over_ = true;
      transport_.CancelAll();
    }
    outcomes_.resize(begun_);
    return {
        .outcomes = std::move(outcomes_), .interrupted = interrupted, .client = monitor_.Cost(transport_.channels())};
  }

  void OnReply(uint32_t number, absl::StatusCode code, const std::optional<ServerSplit>& server) override {
    Outcome& outcome = outcomes_[number];
    outcome.ended = monitor_.Elapsed();
    outcome.finished = !over_;
    outcome.code = outcome.finished ? code : absl::StatusCode::kCancelled;
    outcome.server = server;
    if (outcome.planned >= plan_.warm_up) watch_.OnReply(outcome.latency(), outcome.answered());
    calls_.Done();
  }

 private:
  void SendAll(size_t channel) {
    BecomeSender();
    for (size_t i = channel; i < plan_.calls.size() && AwaitDue(plan_.calls[i].at); i += transport_.channels()) {
      Send(channel, static_cast<uint32_t>(i));
      ++begun_;
    }
    senders_.Done();
  }

  /// When the run ends. That is known before any call is due that comes later, so that every channel ends at the same
  /// one, and what was begun is the begin of the plan.
  Duration StopSoon() {
    Duration end{};
    do {
      end = monitor_.Elapsed() + kLongSleep;
      stop_at_ = end.count();
    } while (monitor_.Elapsed() >= end);
    return end;
  }

  /// False if the run ends before the call is due.
  bool AwaitDue(Duration at) const {
    const TimePoint due = begin_ + at;
    for (TimePoint now = Now(); due - now > kLongSleep && at.count() <= stop_at_; now = Now()) {
      SleepUntil(now + kLongSleep);
    }
    if (at.count() > stop_at_) return false;
    SleepUntil(due);
    return at.count() <= stop_at_;
  }

  void Send(size_t channel, uint32_t number) {
    const PlannedCall& call = plan_.calls[number];
    Outcome& outcome = outcomes_[number];
    outcome.planned = call.at;
    outcome.sent = monitor_.Elapsed();
    outcome.text = call.text;
    outcome.model = call.model;
    std::optional<Duration> left;
    if (call.deadline > Duration::zero()) left = call.deadline - outcome.lag();
    calls_.Add();
    transport_.Send(channel, {.number = number, .text = call.text, .model = call.model, .left = left}, *this);
  }

  const Plan& plan_;
  Transport& transport_;
  Watch& watch_;
  const TimePoint begin_;
  LoopMonitor monitor_;
  WaitGroup senders_, calls_;
  std::vector<Outcome> outcomes_;  // each written by its sender, then by its reply
  std::atomic<size_t> begun_ = 0;
  std::atomic<Duration::rep> stop_at_ = Duration::max().count();
  std::atomic<bool> over_ = false;
};

}  // namespace

Record RunOpenLoop(const Plan& plan, Transport& transport, Duration grace, Watch& watch) {
  return OpenLoop(plan, transport, watch).Run(grace);
}

}  // namespace bertha::load
