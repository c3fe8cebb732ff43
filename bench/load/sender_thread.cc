#include "bench/load/sender_thread.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace bertha::load {
namespace {

constexpr int kNiceness = -10;

}  // namespace

void BecomeSender() {
  prctl(PR_SET_TIMERSLACK, 1);
  // On Linux niceness is each thread's own. Not a real-time class: a schedule that this machine cannot keep would take
  // a whole core from the server. Who may not do this is told by the send lag.
  (void)setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kNiceness);
}

void SleepUntil(batcher::TimePoint due) {
  const auto since = due.time_since_epoch();  // steady_clock is CLOCK_MONOTONIC
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  const timespec until = {.tv_sec = static_cast<time_t>(seconds.count()),
                          .tv_nsec = static_cast<long>((since - seconds).count())};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
  }
}

}  // namespace bertha::load
