// Looks on while `bertha load` runs: Ctrl-C, and a line on the terminal.
#ifndef BERTHA_CLIENTS_CLI_LOAD_WATCH_H_
#define BERTHA_CLIENTS_CLI_LOAD_WATCH_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "batcher/mutex.h"
#include "bench/load/histogram.h"
#include "bench/load/watch.h"

namespace bertha::cli {

/// One at a time in a process: it takes SIGINT and SIGTERM, of which the second ends the process as usual.
class LoadWatch final : public load::Watch {
 public:
  /// `quiet`: no line. There is none either where nobody watches.
  explicit LoadWatch(bool quiet);
  ~LoadWatch() override;

  bool stopped() const override;
  void OnReply(batcher::Duration latency, bool answered) override;
  void OnTick(batcher::Duration elapsed, batcher::Duration left) override;
  /// Before something else is written.
  void Erase();

 private:
  /// What came between two ticks.
  struct Slot {
    load::Histogram latencies;
    batcher::Duration length{};
  };
  static constexpr size_t kSlots = 5;  // a second

  const bool shown_;
  bool drawn_ = false;
  batcher::Duration last_tick_{};
  size_t tick_ = 0;
  std::array<Slot, kSlots> slots_;
  Mutex mutex_;
  load::Histogram now_ ABSL_GUARDED_BY(mutex_);
  uint64_t errors_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_LOAD_WATCH_H_
