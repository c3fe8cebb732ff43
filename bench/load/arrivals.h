// When calls come: at random, evenly, in bursts, or as they were recorded.
//
// Thread-safety: plain values and pure functions.
#ifndef BERTHA_BENCH_LOAD_ARRIVALS_H_
#define BERTHA_BENCH_LOAD_ARRIVALS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "batcher/clock.h"
#include "bench/load/table.h"

namespace bertha::load {

struct RecordedCall {
  batcher::Duration at{};
  /// Zero: none was recorded.
  batcher::Duration deadline{};
  std::optional<std::string> text;
};

struct Arrivals {
  enum class Kind { kPoisson, kConstant, kBursts, kRecorded };
  Kind kind = Kind::kPoisson;
  /// Calls at the same moment; the begins of bursts are a Poisson process of rate / burst.
  size_t burst = 1;
  /// Of kRecorded, in order of time, the first at 0.
  std::vector<RecordedCall> recorded;
};

/// "poisson", "constant", "bursts:N", or else the name of a file for ReadRecorded.
absl::StatusOr<Arrivals> ParseArrivals(const std::string& text);

/// Lines of SECONDS, SECONDS <tab> DEADLINE_MS, or SECONDS <tab> DEADLINE_MS <tab> TEXT, all of one kind; times since
/// any moment, such as those of a log. INVALID_ARGUMENT, with the number of the line, where time goes backwards or a
/// line is of another form; also if all have the same time, since that has no rate.
absl::StatusOr<std::vector<RecordedCall>> ReadRecorded(const std::string& path);
absl::StatusOr<std::vector<RecordedCall>> ParseRecorded(const Source& source);

/// Times from 0 on, below `length`, in order; of kRecorded those that were recorded, whatever rate and length are.
std::vector<batcher::Duration> ArrivalTimes(const Arrivals& arrivals, double rate, batcher::Duration length,
                                            uint64_t seed);

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_ARRIVALS_H_
