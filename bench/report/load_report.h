// Reports of `bertha load` (schema bertha.load/1) as people see them: one HTML file, for one report or for several side
// by side. Pure but for reading files.
#ifndef BERTHA_BENCH_REPORT_LOAD_REPORT_H_
#define BERTHA_BENCH_REPORT_LOAD_REPORT_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace bertha::report {

/// `reports`: an array, or a single report. `names`: what each is called; those that are missing are numbered.
std::string RenderHtml(const nlohmann::json& reports, const std::vector<std::string>& names = {});

struct LoadReports {
  nlohmann::json reports = nlohmann::json::array();
  /// Of each report, no two alike: its file's name without ".json", or of a "report.json" that of its folder.
  std::vector<std::string> names;
};

/// `paths`: files, or folders that `bertha load --out` made. Errors name the file.
absl::StatusOr<LoadReports> ReadLoadReports(absl::Span<const std::string> paths);

}  // namespace bertha::report

#endif  // BERTHA_BENCH_REPORT_LOAD_REPORT_H_
