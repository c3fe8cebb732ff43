// How many calls each client may make: the generic cell rate algorithm (ITU-T I.371), which is a token bucket whose
// whole state is one time, that of when the bucket will be full again.
//
// A client whose bucket is full needs no memory: forgetting it changes nothing. So the table has a fixed size and is
// never swept: a newcomer takes the place of the client in its set whose bucket is full, or is nearest to full. Only
// when more than 8 clients of one set are busy at once does one of them get a bucket that is fuller than it should be.
//
// Thread-safety: thread-safe; a call holds one of 64 locks for the length of a look at 8 entries.
#ifndef BERTHA_SERVER_RATE_LIMITER_H_
#define BERTHA_SERVER_RATE_LIMITER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "batcher/clock.h"
#include "batcher/mutex.h"

namespace bertha::server {

class RateLimiter {
 public:
  struct Options {
    /// Calls of one client per second in the long run; 0: no limit.
    double per_second = 0;
    /// Calls that a client which has been quiet may make at once; at least 1.
    double burst = 1;
    /// Clients that are remembered, 16 bytes each; rounded up to a multiple of 512.
    size_t max_clients = 1 << 16;
  };

  explicit RateLimiter(const Options& options);

  /// Counts a call of `client`, any text, at `now`. Zero: it may proceed. Otherwise it may not, was not counted, and
  /// this is how long it has to wait.
  batcher::Duration Acquire(absl::string_view client, batcher::TimePoint now);

  bool enabled() const { return interval_ > 0; }

 private:
  static constexpr size_t kWays = 8, kShards = 64;
  struct Entry {
    uint64_t client = 0;
    /// When its bucket will be full again, in nanoseconds of the clock.
    int64_t full_at = INT64_MIN;
  };
  using Set = std::array<Entry, kWays>;
  struct Shard {
    Mutex mutex;
    std::vector<Set> sets ABSL_GUARDED_BY(mutex);
  };

  const int64_t interval_;   // ns between two calls in the long run
  const int64_t tolerance_;  // ns that full_at may lie ahead
  const size_t sets_per_shard_;
  std::array<Shard, kShards> shards_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_RATE_LIMITER_H_
