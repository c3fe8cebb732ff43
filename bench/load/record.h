// What became of the calls of a run.
#ifndef BERTHA_BENCH_LOAD_RECORD_H_
#define BERTHA_BENCH_LOAD_RECORD_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "batcher/clock.h"
#include "bench/load/plan.h"

namespace bertha::load {

/// Where the server says that the time of a call went.
struct ServerSplit {
  float tokenize_us = 0, queue_us = 0, compute_us = 0, total_us = 0;
  uint32_t batch_size = 0;
  uint32_t batch_tokens = 0;
  uint32_t tokens = 0;
};

struct Outcome {
  /// After the begin of the run.
  Duration planned{};
  Duration sent{};   ///< handed to the transport; == planned in a closed loop
  Duration ended{};  ///< answered, failed, or given up at the end of the run
  /// How it ended; of `code` kOk only if `finished`.
  absl::StatusCode code = absl::StatusCode::kUnknown;
  /// False: there was neither answer nor error when the run was over, `grace` after the last call was sent. The latency
  /// is longer than `ended - planned`.
  bool finished = false;
  uint32_t text = 0, model = 0;
  /// Of the reply, where the protocol tells it.
  std::optional<ServerSplit> server;

  /// From when the call was planned, not from when it was sent: time that this program lost counts as well.
  /// "How NOT to measure latency", Gil Tene, 2013 (coordinated omission).
  Duration latency() const { return ended - planned; }
  Duration lag() const { return sent - planned; }
  bool answered() const { return finished && code == absl::StatusCode::kOk; }
};

/// "OK", "RESOURCE_EXHAUSTED", ..., or "UNFINISHED".
inline std::string CodeName(const Outcome& outcome) {
  return outcome.finished ? absl::StatusCodeToString(outcome.code) : "UNFINISHED";
}

/// What the measuring itself took, while calls that count were sent.
struct ClientCost {
  Duration wall{};
  /// User and system time of the whole process.
  Duration cpu{};
  size_t channels = 1;
};

/// What only a server whose protocol has no split in its replies can tell: means over the run, from ModelStatistics of
/// the Open Inference Protocol before and after.
struct ServerMeans {
  double tokenize_us = 0, queue_us = 0, compute_us = 0, batch_size = 0;
};

struct Record {
  bool closed = false;
  size_t in_flight = 0;  ///< of a closed loop
  /// One for each call of the plan that was begun, in its order; those before the warm-up's end too.
  std::vector<Outcome> outcomes;
  /// When the user ended the run before the plan did, after its begin.
  std::optional<Duration> interrupted;
  ClientCost client;
  std::optional<ServerMeans> means;
};

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_RECORD_H_
