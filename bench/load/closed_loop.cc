#include "bench/load/closed_loop.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "bench/load/loop_monitor.h"
#include "bench/load/wait_group.h"

namespace bertha::load {
namespace {

using batcher::TimePoint;

class Loop final : public Receiver {
 public:
  Loop(const Plan& plan, const ClosedLoop& loop, Transport& transport, Watch& watch)
      : plan_(plan),
        transport_(transport),
        watch_(watch),
        requests_(loop.requests),
        ends_at_(loop.length < Duration::max() ? plan.warm_up + loop.length : Duration::max()),
        begin_(std::chrono::steady_clock::now()),
        monitor_(begin_, plan.warm_up, std::min<Duration>(ends_at_, std::chrono::hours(24)), watch),
        active_(loop.in_flight),
        slots_(loop.in_flight) {}

  Record Run(Duration grace) {
    using enum LoopMonitor::Stopping;
    for (size_t slot = 0; slot < slots_.size(); ++slot) Begin(slot);
    const TimePoint until = ends_at_ < Duration::max() ? begin_ + ends_at_ : TimePoint::max();
    std::optional<Duration> interrupted;
    if (!monitor_.Await(beginning_, until, kHeeded) && monitor_.Elapsed() < ends_at_) interrupted = monitor_.Elapsed();
    over_ = true;
    monitor_.EndCount();
    const Duration patience = interrupted ? std::min(grace, kGraceIfStopped) : grace;
    if (!monitor_.Await(active_, std::chrono::steady_clock::now() + patience, kIgnored)) {
      given_up_ = true;
      transport_.CancelAll();
    }
    return {.closed = true,
            .in_flight = slots_.size(),
            .outcomes = Merged(),
            .interrupted = interrupted,
            .client = monitor_.Cost(transport_.channels())};
  }

  void OnReply(uint32_t number, absl::StatusCode code, const std::optional<ServerSplit>& server) override {
    Outcome& outcome = slots_[number].back();
    outcome.ended = monitor_.Elapsed();
    outcome.finished = !given_up_;
    outcome.code = outcome.finished ? code : absl::StatusCode::kCancelled;
    outcome.server = server;
    if (outcome.planned >= plan_.warm_up) watch_.OnReply(outcome.latency(), outcome.answered());
    Begin(number);
  }

 private:
  void Begin(size_t slot) {
    const Duration now = monitor_.Elapsed();
    const bool counts = now >= plan_.warm_up;
    if (over_ || now >= ends_at_ || (counts && counted_++ >= requests_)) {
      if (!over_.exchange(true)) beginning_.Done();
      active_.Done();
      return;
    }
    const PlannedCall& call = plan_.calls[taken_++ % plan_.calls.size()];
    slots_[slot].push_back({.planned = now, .sent = now, .text = call.text, .model = call.model});
    std::optional<Duration> left;
    if (call.deadline > Duration::zero()) left = call.deadline;
    transport_.Send(slot % transport_.channels(),
                    {.number = static_cast<uint32_t>(slot), .text = call.text, .model = call.model, .left = left},
                    *this);
  }

  /// In the order in which they were begun.
  std::vector<Outcome> Merged() {
    std::vector<Outcome> all;
    for (std::vector<Outcome>& slot : slots_) std::move(slot.begin(), slot.end(), std::back_inserter(all));
    std::ranges::stable_sort(all, {}, &Outcome::planned);
    return all;
  }

  const Plan& plan_;
  Transport& transport_;
  Watch& watch_;
  const size_t requests_;
  const Duration ends_at_;
  const TimePoint begin_;
  LoopMonitor monitor_;
  WaitGroup beginning_{1};  // as long as calls are begun
  WaitGroup active_;        // slots that still have a call
  /// The calls of each slot; a call at a time, so that a slot is used by one thread at a time.
  std::vector<std::vector<Outcome>> slots_;
  std::atomic<size_t> taken_ = 0, counted_ = 0;
  std::atomic<bool> over_ = false, given_up_ = false;
};

}  // namespace

Record RunClosedLoop(const Plan& plan, const ClosedLoop& loop, Transport& transport, Duration grace, Watch& watch) {
  return Loop(plan, loop, transport, watch).Run(grace);
}

}  // namespace bertha::load
