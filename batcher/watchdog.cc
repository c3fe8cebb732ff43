#include "batcher/watchdog.h"

#include <algorithm>
#include <utility>

namespace bertha::batcher {
namespace {

constexpr Duration kMostBetween = std::chrono::milliseconds(100);

}  // namespace

Watchdog::Watchdog(Duration stuck_after, std::function<void(bool counts)> look)
    : between_(std::min(stuck_after / 4, kMostBetween)),
      enough_looks_((stuck_after + between_ - Duration(1)) / between_),
      look_(std::move(look)),
      thread_([this] { Loop(); }) {}

bool Watchdog::GivesUp(Pass& pass) const {
  if (!pass.busy || pass.given_up || ++pass.looks <= enough_looks_) return false;
  pass.given_up = true;
  return true;
}

void Watchdog::Wake() {
  MutexLock lock(mutex_);
  woken_ = true;
  changed_.NotifyAll();
}

void Watchdog::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

/// Looks come at fixed times, so that many of them make no delay.
void Watchdog::Loop() {
  auto next_look = std::chrono::steady_clock::now() + between_;
  while (true) {
    {
      MutexLock lock(mutex_);
      while (!woken_ && !stopping_ && changed_.WaitUntil(mutex_, next_look)) {
      }
      if (stopping_) return;
      woken_ = false;
    }
    const auto now = std::chrono::steady_clock::now();
    const bool counts = now >= next_look;
    if (counts) next_look = std::max(next_look, now - between_) + between_;
    look_(counts);
  }
}

}  // namespace bertha::batcher
