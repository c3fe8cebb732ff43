// Is a peer too slow on purpose? Each window of time must carry its share of bytes.
//
// A limit on the whole average would let a client that was fast once be slow for hours; one on the pause between two
// bytes would let it send one byte at a time.
//
// Thread-safety: thread-compatible.
#ifndef BERTHA_SERVER_HTTP_RATE_WATCH_H_
#define BERTHA_SERVER_HTTP_RATE_WATCH_H_

#include <chrono>
#include <cstddef>

#include "batcher/clock.h"

namespace bertha::server {

class RateWatch {
 public:
  void Start(batcher::TimePoint now) {
    running_ = true;
    begin_ = now;
    bytes_ = 0;
  }
  void Stop() { running_ = false; }
  bool running() const { return running_; }
  void Add(size_t bytes) { bytes_ += bytes; }

  /// True if the last full window carried too little; otherwise begins the next one when the time has come.
  bool TooSlow(batcher::TimePoint now, std::chrono::milliseconds window, size_t min_bytes_per_second) {
    if (!running_ || now - begin_ < window) return false;
    if (bytes_ * 1000 < min_bytes_per_second * static_cast<size_t>(window.count()) || bytes_ == 0) return true;
    Start(now);
    return false;
  }

 private:
  bool running_ = false;
  batcher::TimePoint begin_{};
  size_t bytes_ = 0;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_RATE_WATCH_H_
