// What `bertha load` shows to a person. Pure.
#ifndef BERTHA_CLIENTS_CLI_LOAD_OUTPUT_H_
#define BERTHA_CLIENTS_CLI_LOAD_OUTPUT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "bench/load/summary_json.h"
#include "clients/cli/view.h"

namespace bertha::cli {

/// The first lines of a result that is not to be trusted: "INVALID: ..." and each reason. Empty if there are none.
std::string InvalidLines(const std::vector<std::string>& reasons, const Painter& paint);

/// One run: what was sent, the quantiles, throughput, codes, batches, and what the measuring took.
std::string RunTable(const load::Report& report, const load::Report::Run& run, const Painter& paint);

/// Runs of a search or a sweep, a line each, and what the columns are.
std::string TrialHeading();
std::string TrialLine(const load::Report::Run& run, const Painter& paint);

/// The capacity that was found, or that none was.
std::string CapacityLine(const load::CapacitySearch::Result& result, const load::Objective& objective,
                         const Painter& paint);

/// "first NOT_FOUND: there is no model ...", a line for each code.
std::string ComplaintLines(const std::map<absl::StatusCode, std::string>& complaints);

/// What has come back lately, and what is left of the run.
struct LoadProgress {
  absl::Duration elapsed;
  /// Negative: the schedule is over, and the last replies are waited for.
  absl::Duration left;
  /// Of the last second.
  double answered_per_s = 0;
  std::optional<double> p50_ms, p99_ms;
  /// Since the begin.
  uint64_t errors = 0;
};
std::string LoadProgressLine(const LoadProgress& progress);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_LOAD_OUTPUT_H_
