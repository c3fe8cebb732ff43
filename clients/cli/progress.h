// The progress line of a long run. Pure: time and counts come in, text goes out.
#ifndef BERTHA_CLIENTS_CLI_PROGRESS_H_
#define BERTHA_CLIENTS_CLI_PROGRESS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace bertha::cli {

struct ProgressState {
  uint64_t inputs = 0;
  uint64_t failed = 0;
  uint64_t bytes = 0;
  /// Size of the source; unset if nobody knows (a pipe).
  std::optional<uint64_t> total_bytes;
  absl::Duration elapsed;
};

/// With a known size: bar, percent, count, rate, time left. Else: count, rate, time so far.
std::string ProgressLine(const ProgressState& state);

/// Decides when the line is worth (re)drawing: not before a run has taken half a second, then ten times a second.
class ProgressPace {
 public:
  bool IsDue(absl::Duration elapsed);
  bool started() const { return last_ > absl::ZeroDuration(); }

 private:
  absl::Duration last_ = absl::ZeroDuration();
};

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_PROGRESS_H_
