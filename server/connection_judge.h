// Tells a connection that only makes work from one that works, by what it sent and what became of it.
//
// What it is for: HTTP/2 lets a client open a stream and reset it at once (CVE-2023-44487), or send SETTINGS, PING,
// WINDOW_UPDATE, PRIORITY, empty DATA or CONTINUATION frames without end; each costs the server far more than the
// client, and none counts against a limit on concurrent streams.
//
// Thread-safety: thread-compatible.
#ifndef BERTHA_SERVER_CONNECTION_JUDGE_H_
#define BERTHA_SERVER_CONNECTION_JUDGE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "batcher/clock.h"

namespace bertha::server {

/// Of one connection, since it began.
struct Activity {
  uint64_t bytes_received = 0;
  uint64_t streams_started = 0;
  /// Ended by the server with a status, whichever.
  uint64_t streams_succeeded = 0;
  /// Ended by the client before the status was sent, and let go of by the server, which can take a while.
  uint64_t streams_failed = 0;
  uint64_t messages_received = 0;
};

class ConnectionJudge {
 public:
  struct Options {
    /// Streams that the client may reset per second, and once as many at once. 0: any number.
    uint64_t max_resets_per_second = 2000;
    /// Streams that may be open at once. A stream that was reset counts as open until the server has let go of it, so
    /// as many more are forgiven as may be reset in a second.
    uint64_t max_open_streams = 4096;
    /// Bytes that may come without a message having become complete, or a stream having ended, since: these, and while
    /// streams are open a whole message for each, but for 3 at least and for 8 at most. 3 for a single stream, because
    /// gRPC reads a message that is too large to its end before it refuses it, and such a message should cost its own
    /// call, not those beside it. Not more, because what makes no message may grow in memory: gRPC 1.51 keeps some 15
    /// bytes for each byte of headers that do not end.
    uint64_t max_idle_bytes = 1 << 20;
    uint64_t max_message_bytes = 8 << 20;
  };

  explicit ConnectionJudge(const Options& options) : options_(options) {}

  /// What is wrong with the connection, for the log; nothing if it may go on. `activity`: as of `now`, with counts that
  /// only grow. To be asked often: what happened since the last time is taken as a whole.
  std::optional<std::string> Judge(const Activity& activity, batcher::TimePoint now);

  uint64_t bytes_received() const { return last_.bytes_received; }

 private:
  const Options options_;
  Activity last_;
  std::optional<batcher::TimePoint> last_time_;
  double resets_ = 0;  // above the rate that is allowed
  uint64_t bytes_at_progress_ = 0;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_CONNECTION_JUDGE_H_
