// Who looks on while a run goes: draws a line, presses Ctrl-C.
#ifndef BERTHA_BENCH_LOAD_WATCH_H_
#define BERTHA_BENCH_LOAD_WATCH_H_

#include "batcher/clock.h"

namespace bertha::load {

class Watch {
 public:
  virtual ~Watch() = default;
  /// Asked several times a second, by several threads. Once true, no more calls are sent and the run ends.
  virtual bool stopped() const { return false; }
  /// A call that counts has ended. From any thread; must be quick.
  virtual void OnReply(batcher::Duration /*latency*/, bool /*answered*/) {}
  /// About five times a second, from the thread that runs the loop. `left`: of the schedule; negative while the last
  /// replies are waited for.
  virtual void OnTick(batcher::Duration /*elapsed*/, batcher::Duration /*left*/) {}
};

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_WATCH_H_
