// One thread that does all input and output of its connections.
//
// Thread-safety: Post is thread-safe, and may be called for as long as somebody holds the loop: after Stop it does
// nothing. The rest belongs to the owner.
#ifndef BERTHA_SERVER_HTTP_IO_LOOP_H_
#define BERTHA_SERVER_HTTP_IO_LOOP_H_

#include <chrono>
#include <functional>
#include <memory>

#include "batcher/clock.h"

namespace boost::asio {
class io_context;
}

namespace bertha::server {

class IoLoop {
 public:
  /// Something that will happen. Destroying it calls it off: on the loop's thread, and before Stop, which waits for it.
  class Timer {
   public:
    virtual ~Timer() = default;
  };

  IoLoop();
  ~IoLoop();

  /// Starts the thread.
  void Start();
  /// Runs `work` on the loop's thread, never inside this call.
  void Post(std::function<void()> work);
  /// Runs `work` at `when`. On the loop's thread, never inside this call.
  std::unique_ptr<Timer> At(batcher::TimePoint when, std::function<void()> work);
  /// Calls `tick` every `period` on the loop's thread, until the loop stops. Before Start.
  void Every(std::chrono::milliseconds period, std::function<void()> tick);
  /// Ends the thread; not from it. What was posted before has run.
  void Stop();

  boost::asio::io_context& context();

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_IO_LOOP_H_
