// A dispatcher with one model and one worker, and what tests take to make others.
#ifndef BERTHA_TESTS_BATCHER_DISPATCHER_FIXTURE_H_
#define BERTHA_TESTS_BATCHER_DISPATCHER_FIXTURE_H_

#include <memory>
#include <utility>
#include <vector>

#include "batcher/dispatcher.h"
#include "tests/batcher/fakes.h"
#include "tests/catch.h"

namespace bertha::batcher {

/// Identical requests are computed each for itself unless a test says otherwise: most tests use them.
inline DispatcherOptions Options(QueueOptions queue, size_t workers) {
  queue.workers = workers;
  queue.share_identical = false;
  return {.queue = queue};
}

/// The replicas of a model on one worker.
inline std::vector<std::unique_ptr<Encoder>> Only(std::unique_ptr<Encoder> encoder) {
  std::vector<std::unique_ptr<Encoder>> replicas;
  replicas.push_back(std::move(encoder));
  return replicas;
}

/// Makes forward passes wait at `gate`.
inline void WaitAt(Gate& gate, FakeEncoder& encoder) {
  encoder.on_run = [&gate](const std::vector<int32_t>&) {
    gate.Pass();
    return absl::OkStatus();
  };
}

inline std::unique_ptr<FakeEncoder> GatedEncoder(Gate& gate) {
  auto encoder = std::make_unique<FakeEncoder>();
  WaitAt(gate, *encoder);
  return encoder;
}

inline absl::Status Submit(Dispatcher& dispatcher, const std::vector<Request*>& call) {
  absl::StatusOr<Reservation> reservation = dispatcher.Reserve(call[0]->model, call.size());
  if (!reservation.ok()) return reservation.status();
  return dispatcher.Submit(*std::move(reservation), call);
}

/// One model and one worker, whose forward passes wait at `gate` if `gated`.
struct DispatcherFixture {
  explicit DispatcherFixture(bool gated = false, QueueOptions queue = {}, ModelLimits limits = {}) {
    auto owned = std::make_unique<FakeEncoder>();
    encoder = owned.get();
    if (gated) WaitAt(gate, *encoder);
    dispatcher = std::make_unique<Dispatcher>(Options(queue, 1), &clock);
    REQUIRE(dispatcher->AddModel(Only(std::move(owned)), limits).ok());
  }
  absl::Status Submit(const std::vector<Request*>& call) { return batcher::Submit(*dispatcher, call); }
  /// Occupies the worker, so that what comes next waits.
  void Occupy() {
    REQUIRE(Submit({blocker.get()}).ok());
    gate.AwaitArrivals(1);
  }

  FakeClock clock;
  Gate gate;
  Recorder recorder;
  TestRequest blocker{1, 1, &recorder};
  FakeEncoder* encoder;
  std::unique_ptr<Dispatcher> dispatcher;
};

}  // namespace bertha::batcher

#endif  // BERTHA_TESTS_BATCHER_DISPATCHER_FIXTURE_H_
