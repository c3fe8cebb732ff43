// The progress line of a run, on standard error.
#ifndef BERTHA_CLIENTS_CLI_PROGRESS_BAR_H_
#define BERTHA_CLIENTS_CLI_PROGRESS_BAR_H_

#include <cstdint>
#include <optional>

#include "absl/time/clock.h"
#include "clients/cli/progress.h"

namespace bertha::cli {

/// Thread-compatible. The line is erased at the end.
class ProgressBar {
 public:
  /// `shown`: false draws nothing. `total_bytes`: of the source, if somebody knows.
  ProgressBar(bool shown, std::optional<uint64_t> total_bytes);
  ~ProgressBar() { Erase(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// So many more inputs are through, so many of them failed; the source is consumed up to `end_bytes`.
  void Advance(uint64_t inputs, uint64_t failed, uint64_t end_bytes);
  void Erase();

 private:
  const bool shown_;
  const absl::Time start_ = absl::Now();
  ProgressState state_;
  ProgressPace pace_;
};

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_PROGRESS_BAR_H_
