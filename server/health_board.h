// Is the process alive, can it be sent calls, and which models are well? The one place that decides it, for gRPC health
// and for HTTP.
//
//   ModelHealth of each model ┐
//   ModelTable                ├─▶ Refresh ─▶ HealthSnapshot ─▶ on_change, log
//   started, draining, stuck ─┘
//
// Live and ready are different questions. Not live: only a restart helps. Not ready: send calls elsewhere.
//
// Thread-safety: thread-safe.
#ifndef BERTHA_SERVER_HEALTH_BOARD_H_
#define BERTHA_SERVER_HEALTH_BOARD_H_

#include <functional>
#include <map>
#include <string>

#include "batcher/clock.h"
#include "batcher/mutex.h"
#include "server/model_health.h"
#include "server/model_table.h"

namespace bertha::server {

struct HealthSnapshot {
  /// False while no worker's forward pass returns, and once the device is lost.
  Verdict live = {true};
  /// Whether calls should come here: live, started, not draining, and a model serves.
  Verdict ready;
  /// Every version in the table.
  std::map<ModelKey, Verdict> models;
  /// By name: that of the version that a request gets which names none.
  std::map<std::string, Verdict> names;
  bool operator==(const HealthSnapshot&) const = default;
};

/// Decides which changes of a thing are told: all of a few in a minute, then only where it stands when the minute is
/// over. Thread-compatible.
class ChangeLog {
 public:
  /// What to say now, given that the state is `now_ok`; empty: nothing.
  std::string Say(const std::string& what, const Verdict& state, batcher::TimePoint now);

 private:
  bool last_ok_ = true;
  size_t said_ = 0, unsaid_ = 0;
  batcher::TimePoint window_end_ = batcher::TimePoint::min();
};

class HealthBoard {
 public:
  struct Options {
    /// The snapshot has changed. One at a time and in order, on whichever thread noticed; must not call the board.
    std::function<void(const HealthSnapshot&)> on_change = {};
    /// A line for the log, and whether it is bad news. Likewise.
    std::function<void(bool bad, const std::string& line)> log = {};
  };

  /// `table` and `clock` outlive it.
  HealthBoard(const ModelTable& table, const batcher::Clock& clock, Options options);

  // Each takes effect before it returns.
  /// The packages of the start have been tried.
  void SetStarted();
  /// For good.
  void SetDraining();
  /// For good: no later forward pass can succeed in this process.
  void SetDeviceLost();
  /// Whether every worker is in a forward pass that does not return.
  void SetWorkersStuck(bool stuck);
  /// Looks at the table and its models anew.
  void Refresh();

  /// As of the last change.
  HealthSnapshot Snapshot() const;

  /// Wakes whoever is in AwaitRing, or will be next; so does each change.
  void Ring();
  /// Returns after Ring, or at `until` in real time.
  void AwaitRing(batcher::TimePoint until);

 private:
  struct State {
    bool started = false, draining = false, device_lost = false, workers_stuck = false;
  };
  void Set(bool State::*member, bool value);
  HealthSnapshot Look(const State& state, const std::vector<ModelEntry>& entries) const;
  void Log(const HealthSnapshot& snapshot, const std::vector<ModelEntry>& entries)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(refresh_mutex_);

  const ModelTable& table_;
  const batcher::Clock& clock_;
  const Options options_;

  Mutex refresh_mutex_;  // held while the listeners are told
  std::map<ModelKey, ChangeLog> logs_ ABSL_GUARDED_BY(refresh_mutex_);
  ChangeLog server_log_ ABSL_GUARDED_BY(refresh_mutex_);
  mutable Mutex mutex_ ABSL_ACQUIRED_AFTER(refresh_mutex_);
  State state_ ABSL_GUARDED_BY(mutex_);
  HealthSnapshot snapshot_ ABSL_GUARDED_BY(mutex_);

  Mutex ring_mutex_;
  CondVar rung_;
  bool ring_ ABSL_GUARDED_BY(ring_mutex_) = false;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HEALTH_BOARD_H_
