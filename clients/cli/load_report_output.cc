#include "clients/cli/load_report_output.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/report/figures.h"
#include "clients/cli/figure_table.h"
#include "clients/cli/text.h"

namespace bertha::cli {
namespace {

using nlohmann::json;
using report::Figure;
using report::Unit;

constexpr size_t kMostOfReason = 400;  // cells
constexpr size_t kMostReasons = 6;

std::string Rate(double per_s) {
  if (per_s < 100) return absl::StrFormat("%.1f/s", per_s);
  return absl::StrCat(FormatCount(static_cast<uint64_t>(std::llround(per_s))), "/s");
}

std::string Value(const std::optional<double>& value, Unit unit) {
  if (!value) return "-";
  switch (unit) {
    case Unit::kPerSecond:
      return Rate(*value);
    case Unit::kMilliseconds:
      return FormatMicros(*value * 1000);
    case Unit::kShare:
      return absl::StrFormat("%.2f%%", *value * 100);
    case Unit::kRequests:
    case Unit::kCores:
      return absl::StrFormat("%.2f", *value);
  }
  return "";
}

/// "x0.71 better"; differences of 2% and less are no verdict.
std::string Ratio(const std::optional<double>& ratio, int better) {
  if (!ratio) return "";
  const bool differs = better != 0 && std::abs(*ratio - 1) > 0.02;
  const char* verdict = !differs ? "" : (*ratio > 1) == (better > 0) ? " better" : " worse";
  return absl::StrFormat("x%.2f%s", *ratio, verdict);
}

std::vector<std::string> Row(const Figure& figure) {
  std::vector<std::string> cells = {figure.title};
  for (size_t i = 0; i < figure.values.size(); ++i) {
    cells.push_back(Value(figure.values[i], figure.unit));
    if (i > 0) cells.push_back(Ratio(figure.ratios[i], figure.better));
  }
  return cells;
}

/// A line for each of the first reasons; empty if the report is valid.
std::string Reasons(const std::string& name, const json& report) {
  if (report.value("valid", json()) != false) return "";
  std::string lines = absl::StrCat(FitToWidth(name, kMostOfReason), ": INVALID, do not quote its figures\n");
  const json reasons = report.value("invalid", json::array());
  if (!reasons.is_array()) return lines;
  for (size_t i = 0; i < std::min(reasons.size(), kMostReasons); ++i) {
    if (!reasons[i].is_string()) continue;
    absl::StrAppend(&lines, "  ", FitToWidth(reasons[i].get<std::string>(), kMostOfReason), "\n");
  }
  if (reasons.size() > kMostReasons) absl::StrAppend(&lines, "  and ", reasons.size() - kMostReasons, " more\n");
  return lines;
}

}  // namespace

std::string LoadReportTable(const report::LoadReports& read) {
  std::string text;
  std::vector<std::string> heading = {""};
  for (size_t i = 0; i < read.names.size(); ++i) {
    text += Reasons(read.names[i], read.reports[i]);
    heading.push_back(read.names[i]);
    if (i > 0) heading.push_back("");
  }
  std::vector<std::vector<std::string>> rows = {heading};
  for (const Figure& figure : report::CompareFigures(read.reports)) rows.push_back(Row(figure));
  if (rows.size() == 1) return text + "no run in these reports has a figure\n";
  return text + FigureTable(rows);
}

}  // namespace bertha::cli
