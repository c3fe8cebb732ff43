#include "bench/load/objective.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"

namespace bertha::load {

absl::StatusOr<Objective> ParseObjective(const std::string& text) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
  double percent = 0;
  absl::Duration latency;
  const bool read = absl::StartsWith(parts.first, "p") && absl::SimpleAtod(parts.first.substr(1), &percent) &&
                    absl::ParseDuration(parts.second, &latency);
  if (!read || !(percent > 0 && percent < 100) || latency <= absl::ZeroDuration() || latency > absl::Hours(1)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", text, "\" is no objective: wanted a percentile and a latency up to an hour, such as p99=50ms"));
  }
  return Objective{percent / 100, absl::ToChronoNanoseconds(latency)};
}

std::string Describe(const Objective& objective) {
  return absl::StrFormat("p%.6g=%s", objective.quantile * 100,
                         absl::FormatDuration(absl::FromChrono(objective.latency)));
}

}  // namespace bertha::load
