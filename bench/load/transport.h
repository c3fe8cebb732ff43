// How calls get to a server. What differs between protocols, and between calls and streams, is behind this; loops and
// statistics know none of it.
#ifndef BERTHA_BENCH_LOAD_TRANSPORT_H_
#define BERTHA_BENCH_LOAD_TRANSPORT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "bench/load/record.h"

namespace bertha::load {

struct Call {
  /// Of the run; comes back with the reply. No two calls in flight have the same.
  uint32_t number = 0;
  uint32_t text = 0;   ///< index into Plan::texts
  uint32_t model = 0;  ///< index into Plan::models
  /// Until its deadline; may have passed. Unset: it has none.
  std::optional<Duration> left;
};

class Receiver {
 public:
  virtual ~Receiver() = default;
  /// Once for each Send, on any thread, but never from within Send: it may send the next call. Must be quick.
  virtual void OnReply(uint32_t number, absl::StatusCode code, const std::optional<ServerSplit>& server) = 0;
};

/// Thread-safe.
class Transport {
 public:
  virtual ~Transport() = default;
  /// Starts a call and returns. `channel` is below channels(); `receiver` must live until it was told.
  virtual void Send(size_t channel, const Call& call, Receiver& receiver) = 0;
  virtual size_t channels() const = 0;
  /// Ends what is still in flight, as CANCELLED; returns when all receivers have been told.
  virtual void CancelAll() = 0;
  /// The first message of each code but OK so far.
  virtual std::map<absl::StatusCode, std::string> complaints() const { return {}; }
};

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_TRANSPORT_H_
