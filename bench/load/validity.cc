#include "bench/load/validity.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"

namespace bertha::load {
namespace {

double MostSendLagMs(const std::optional<Objective>& objective) {
  if (!objective.has_value()) return kMostSendLagMs;
  return std::min(kMostSendLagMs,
                  kMostSendLagOfObjective * std::chrono::duration<double, std::milli>(objective->latency).count());
}

}  // namespace

std::vector<std::string> WhyInvalid(const Summary& summary, const std::optional<Objective>& objective) {
  if (summary.calls == 0) return {"no call was made after the warm-up"};
  std::vector<std::string> reasons;
  const double lag = summary.send_lag.p99.value_or(0), most_lag = MostSendLagMs(objective);
  if (lag > most_lag) {
    reasons.push_back(
        absl::StrFormat("calls were sent late: by %.3g ms at the 99th percentile, and %.3g ms are allowed; "
                        "give this program a core of its own, or more channels",
                        lag, most_lag));
  }
  if (summary.cores_per_channel > kMostCoresPerChannel) {
    reasons.push_back(
        absl::StrFormat("this program was too busy: %.0f%% of a core for each channel, and %.0f%% are "
                        "allowed; take more channels, or several clients",
                        100 * summary.cores_per_channel, 100 * kMostCoresPerChannel));
  }
  const double error = std::abs(summary.offered_per_s - summary.planned_per_s);
  if (!summary.closed && error > kMostRateError * summary.planned_per_s) {
    reasons.push_back(absl::StrFormat("%.6g calls/s were sent where %.6g were planned: more than %.0f%% off",
                                      summary.offered_per_s, summary.planned_per_s, 100 * kMostRateError));
  }
  return reasons;
}

}  // namespace bertha::load
