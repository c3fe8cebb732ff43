// The figures of reports of `bertha load` side by side, with their ratios to the first report's. Pure.
#ifndef BERTHA_BENCH_REPORT_FIGURES_H_
#define BERTHA_BENCH_REPORT_FIGURES_H_

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace bertha::report {

enum class Unit { kPerSecond, kMilliseconds, kShare, kRequests, kCores };

struct Figure {
  std::string title;
  Unit unit = Unit::kMilliseconds;
  /// What is better: 1: more; -1: less; 0: neither.
  int better = 0;
  /// One for each report; unset where it does not exist.
  std::vector<std::optional<double>> values;
  /// To the first; unset where either does not exist or the first is 0.
  std::vector<std::optional<double>> ratios;
};

/// The run that speaks for a report: of several the one of the highest rate that met the objective (without an
/// objective: that answered all its calls), or else the first. 0 also if there are none.
size_t ShownRun(const nlohmann::json& report);

/// Those that at least one report has. `reports`: an array of objects of the schema bertha.load/1; what is missing or
/// of another type is as if it were null.
std::vector<Figure> CompareFigures(const nlohmann::json& reports);

/// "per_s", "ms", "share", "requests", "cores".
absl::string_view UnitName(Unit unit);

}  // namespace bertha::report

#endif  // BERTHA_BENCH_REPORT_FIGURES_H_
