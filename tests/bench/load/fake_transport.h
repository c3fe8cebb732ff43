// A transport without a wire: answers from a thread of its own, when it is told to.
#ifndef BERTHA_TESTS_BENCH_LOAD_FAKE_TRANSPORT_H_
#define BERTHA_TESTS_BENCH_LOAD_FAKE_TRANSPORT_H_

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "batcher/mutex.h"
#include "bench/load/transport.h"

namespace bertha::load {

class FakeTransport final : public Transport {
 public:
  struct Sent {
    size_t channel = 0;
    Call call;
  };

  /// `hold`: answers nothing before there have been so many calls.
  explicit FakeTransport(size_t channels, size_t hold = 0)
      : channels_(channels), hold_(hold), thread_([this](const std::stop_token& stop) { Answer(stop); }) {}
  ~FakeTransport() override {
    thread_.request_stop();
    MutexLock lock(mutex_);
    changed_.NotifyAll();
  }

  void Send(size_t channel, const Call& call, Receiver& receiver) override {
    if (on_send) on_send(call);
    MutexLock lock(mutex_);
    sent_.push_back({channel, call});
    open_.push_back({call.number, &receiver});
    most_open_ = std::max(most_open_, open_.size());
    changed_.NotifyAll();
  }
  size_t channels() const override { return channels_; }
  void CancelAll() override {
    std::deque<Open> cancelled;
    {
      MutexLock lock(mutex_);
      cancelled = std::exchange(open_, {});
    }
    for (const Open& call : cancelled) call.receiver->OnReply(call.number, absl::StatusCode::kCancelled, std::nullopt);
  }

  std::vector<Sent> sent() const {
    MutexLock lock(mutex_);
    return sent_;
  }
  size_t most_open() const {
    MutexLock lock(mutex_);
    return most_open_;
  }

  /// Called by Send, on the sender's thread. Set before the run.
  std::function<void(const Call&)> on_send;
  absl::StatusCode code = absl::StatusCode::kOk;

 private:
  struct Open {
    uint32_t number = 0;
    Receiver* receiver = nullptr;
  };

  void Answer(const std::stop_token& stop) {
    while (true) {
      Open call;
      {
        MutexLock lock(mutex_);
        while ((open_.empty() || sent_.size() < hold_) && !stop.stop_requested()) changed_.Wait(mutex_);
        if (stop.stop_requested()) return;
        call = open_.front();
        open_.pop_front();
      }
      call.receiver->OnReply(call.number, code, std::nullopt);
    }
  }

  const size_t channels_, hold_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<Sent> sent_ ABSL_GUARDED_BY(mutex_);
  std::deque<Open> open_ ABSL_GUARDED_BY(mutex_);
  size_t most_open_ ABSL_GUARDED_BY(mutex_) = 0;
  std::jthread thread_;
};

}  // namespace bertha::load

#endif  // BERTHA_TESTS_BENCH_LOAD_FAKE_TRANSPORT_H_
