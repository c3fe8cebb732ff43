#include "clients/cli/load_watch.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/cli/load_output.h"

namespace bertha::cli {
namespace {

std::atomic<bool> interrupted = false;
static_assert(std::atomic<bool>::is_always_lock_free);  // a signal handler sets it

constexpr int kSignals[] = {SIGINT, SIGTERM};

void TakeSignals() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = true; };
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  for (const int signal : kSignals) sigaction(signal, &action, nullptr);
}

std::optional<double> Milliseconds(const std::optional<uint64_t>& us) {
  return us ? std::optional(static_cast<double>(*us) / 1e3) : std::nullopt;
}

}  // namespace

LoadWatch::LoadWatch(bool quiet) : shown_(!quiet && isatty(STDERR_FILENO)) { TakeSignals(); }

LoadWatch::~LoadWatch() {
  Erase();
  for (const int signal : kSignals) ::signal(signal, SIG_DFL);
}

bool LoadWatch::stopped() const { return interrupted; }

void LoadWatch::OnReply(batcher::Duration latency, bool answered) {
  if (!shown_) return;
  MutexLock lock(mutex_);
  if (answered) {
    now_.Add(static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(latency).count()));
  } else {
    ++errors_;
  }
}

void LoadWatch::OnTick(batcher::Duration elapsed, batcher::Duration left) {
  if (!shown_) return;
  if (elapsed < last_tick_) last_tick_ = {};  // another run
  Slot& slot = slots_[tick_++ % kSlots];
  slot.length = elapsed - std::exchange(last_tick_, elapsed);
  LoadProgress progress = {.elapsed = absl::FromChrono(elapsed), .left = absl::FromChrono(left)};
  {
    MutexLock lock(mutex_);
    slot.latencies = std::exchange(now_, {});
    progress.errors = errors_;
  }
  load::Histogram second;
  batcher::Duration length{};
  for (const Slot& one : slots_) {
    second.Merge(one.latencies);
    length += one.length;
  }
  progress.answered_per_s = static_cast<double>(second.total()) / std::chrono::duration<double>(length).count();
  progress.p50_ms = Milliseconds(second.Quantile(0.5));
  progress.p99_ms = Milliseconds(second.Quantile(0.99));
  drawn_ = true;
  std::fputs(absl::StrCat("\r\033[K", LoadProgressLine(progress)).c_str(), stderr);
}

void LoadWatch::Erase() {
  if (std::exchange(drawn_, false)) std::fputs("\r\033[K", stderr);
}

}  // namespace bertha::cli
