// The parts of berthad and the order in which they begin and end.
//
//   construction   what computes, then what answers, then what loads: each part refers only to earlier ones
//   start          look for packages, open the ports, load the packages, replay probes
//   end            health says NOT_SERVING and callers are asked to look elsewhere while they are still answered (lame
//                  duck), refuse new calls and finish accepted ones, write the votes, close connections, end loading,
//                  close the operators' ports, keep what was learnt of each model's speed
//
// docs/design.md, "Start and end", says what callers see of it.
#ifndef BERTHA_SERVER_DAEMON_H_
#define BERTHA_SERVER_DAEMON_H_

#include <signal.h>

#include <atomic>
#include <chrono>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "batcher/clock.h"
#include "batcher/dispatcher.h"
#include "server/access.h"
#include "server/call_observer.h"
#include "server/canary.h"
#include "server/config.h"
#include "server/feedback/feedback_store.h"
#include "server/gate.h"
#include "server/health_board.h"
#include "server/inference.h"
#include "server/model_table.h"
#include "server/model_watcher.h"
#include "server/package_scan.h"
#include "server/work_pool.h"

namespace bertha::server {

class Listeners;

/// Exit codes; --help explains them.
inline constexpr int kNothingServed = 1, kUsage = 2, kDeviceLost = 3;

/// Thread-safety: Run once, on the thread that constructed it; its parts call back on their own threads.
class Daemon {
 public:
  /// `config` is valid (Validate), `clock` outlives the daemon.
  Daemon(const Config& config, const batcher::Clock& clock, std::unique_ptr<Access> access);
  ~Daemon();

  /// Serves until one of `signals` comes, which are blocked in every thread; drains; and ends the process, since a
  /// forward pass may never return. Returns only if nothing could be served, with the exit code.
  int Run(const sigset_t& signals);

 private:
  // Options with the callbacks that tie the components together.
  batcher::DispatcherOptions WiredDispatcher();
  WatcherOptions WiredWatcher();
  LoaderOptions WiredLoader();

  absl::Status Start();
  absl::Status OpenListeners();
  /// Marks the packages that will be loaded; how many.
  size_t AnnouncePackages(const ScanResult& scan);

  void LameDuck(int signal, std::chrono::milliseconds time);
  /// True if everything that was accepted was finished in time.
  bool Drain(int signal);
  void Stop(bool drained);

  // Called by the components, on their threads.
  /// All packages of the start have been tried, or, if not `finished`, the daemon was stopped meanwhile.
  void OnLoaded(bool finished);
  /// A forward pass failed, or a package could not be read.
  void OnFailure(const absl::Status& status);
  /// To whoever asks over gRPC.
  void Publish(const HealthSnapshot& health);

  /// Nobody gains by a slow end.
  bool in_hurry() const { return nothing_serves_ || device_lost_; }

  const Config config_;
  const batcher::Clock& clock_;
  ModelTable table_;
  HealthBoard board_;
  batcher::Dispatcher dispatcher_;
  WorkPool pool_;
  const std::unique_ptr<feedback::FeedbackStore> feedback_;
  const Inference inference_;
  const std::unique_ptr<Access> access_;
  Gate gate_;
  CallObserver observer_;
  ModelWatcher watcher_;
  Canary canary_;
  std::unique_ptr<Listeners> listeners_;  // null until Start
  std::atomic<bool> nothing_serves_ = false;
  std::atomic<bool> device_lost_ = false;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_DAEMON_H_
