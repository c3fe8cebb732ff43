// Replays the packages' probes through the ordinary queue, so that health knows of each model that it still answers,
// and answers rightly: when no caller has had a success for a third of HealthOptions::max_age, every canary_interval
// for wrong answers, and several times a second while a model is in trouble.
//
// Its requests are of low priority. A model that is busy needs none of them to be alive; if a model is alone idle while
// others fill the queue, the queue gives it its share, and before it would be called dead the priority is high.
//
// Thread-safety: Start and Stop of one thread; the rest belongs to the canary's own.
#ifndef BERTHA_SERVER_CANARY_H_
#define BERTHA_SERVER_CANARY_H_

#include <atomic>
#include <map>
#include <span>
#include <thread>

#include "absl/status/status.h"
#include "batcher/clock.h"
#include "batcher/dispatcher.h"
#include "models/probes.h"
#include "server/health_board.h"
#include "server/model_table.h"

namespace bertha::server {

/// FAILED_PRECONDITION if an answer to `probe` is not the exporter's within `tolerance`.
absl::Status CompareWithProbe(const models::Probe& probe, std::span<const float> answer, float tolerance);

class Canary {
 public:
  /// All of them outlive it. The dispatcher may still answer probes when the canary is gone.
  Canary(HealthBoard& board, const ModelTable& table, batcher::Dispatcher& dispatcher, const batcher::Clock& clock);
  /// Stops; see Stop.
  ~Canary();

  /// Looks whenever something is due or the board rings, on a thread of its own.
  void Start();
  /// Replays no more, and joins. Idempotent.
  void Stop();

  /// Refreshes the board, and replays what is due. Returns when it should look again.
  batcher::TimePoint Look();

 private:
  class Replay;

  void Run();
  void Send(const std::shared_ptr<const ServingModel>& model);
  void Forgive(batcher::Duration time) const;

  HealthBoard& board_;
  const ModelTable& table_;
  batcher::Dispatcher& dispatcher_;
  const batcher::Clock& clock_;
  std::map<batcher::ModelId, size_t> next_probe_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_CANARY_H_
