// One chunk of inputs to one row each, whatever the server says: retries while the server asks for patience, and takes
// a refused call apart until only the inputs that are bad fail.
//
// Knows no gRPC: the call itself is a Caller, time and waiting are passed in. SendChunk is thread-safe if the
// Caller and the functions of the policy are.
#ifndef BERTHA_CLIENTS_CLI_SEND_CHUNK_H_
#define BERTHA_CLIENTS_CLI_SEND_CHUNK_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "clients/cli/row.h"

namespace bertha::cli {

struct CallResult {
  absl::Status status;
  /// One for each input of the call if `status` is OK.
  std::vector<Result> results;
  /// The server's wish: wait so long before the next attempt; negative: do not try again. Unset: it said nothing.
  std::optional<int64_t> pushback_ms;
  /// The call failed without having met a server.
  bool unreachable = false;
  /// No call of this run has met a server so far: waiting for it to come back makes no sense.
  bool never_reached = false;
};

/// Sends the inputs in one call and waits for its end, at the latest until `deadline`.
class Caller {
 public:
  virtual ~Caller() = default;
  virtual CallResult Call(absl::Span<const Input* const> inputs, absl::Time deadline) = 0;
};

struct RetryPolicy {
  /// Time for one call with all its retries.
  absl::Duration timeout = absl::Seconds(30);
  std::function<absl::Time()> now = [] { return absl::Now(); };
  std::function<void(absl::Duration)> wait = [](absl::Duration d) { absl::SleepFor(d); };
};

struct Outcome {
  /// In the order of the chunk's inputs; empty if `fatal` is set.
  std::vector<Row> rows;
  uint64_t end_bytes = 0;
  /// Set: the error is not one of these inputs but of the whole run (no such model, no server), which should stop.
  absl::Status fatal;
  bool unreachable = false;
};

/// How long to wait before attempt `attempt` + 1 (from 1) of a call that ended as `result`; nothing if trying again is
/// useless. Retried are UNAVAILABLE, unless no server has ever answered, and RESOURCE_EXHAUSTED if the server named a
/// time (without one it is a limit, such as the size of a message, that stays exceeded).
std::optional<absl::Duration> RetryDelay(const CallResult& result, int attempt);

Outcome SendChunk(Chunk chunk, Caller& caller, const RetryPolicy& policy);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_SEND_CHUNK_H_
