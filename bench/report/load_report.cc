#include "bench/report/load_report.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/report/figures.h"
#include "bench/report/page.h"

namespace bertha::report {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr char kSchema[] = "bertha.load/1";

json Numbers(const std::vector<std::optional<double>>& values) {
  json array = json::array();
  for (const auto& value : values) array.push_back(value ? json(*value) : json());
  return array;
}

json FiguresJson(const json& reports) {
  json figures = json::array();
  for (const Figure& figure : CompareFigures(reports)) {
    figures.push_back({{"title", figure.title},
                       {"unit", std::string(UnitName(figure.unit))},
                       {"better", figure.better},
                       {"values", Numbers(figure.values)},
                       {"ratios", Numbers(figure.ratios)}});
  }
  return figures;
}

absl::StatusOr<json> ReadReport(const fs::path& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot read ", path.string()));
  json report = json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (report.is_discarded()) return absl::InvalidArgumentError(absl::StrCat(path.string(), ": not JSON"));
  if (!report.is_object() || report.value("schema", json()) != kSchema) {
    return absl::InvalidArgumentError(
        absl::StrCat(path.string(), ": no report of `bertha load` (its \"schema\" is not \"", kSchema, "\")"));
  }
  return report;
}

fs::path FileOf(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored) ? fs::path(path) / "report.json" : fs::path(path);
}

std::string NameOf(const fs::path& file) {
  if (file.filename() != "report.json") return file.stem().string();
  const std::string folder = fs::absolute(file).lexically_normal().parent_path().filename().string();
  return folder.empty() ? "report" : folder;
}

std::string Unlike(const std::vector<std::string>& names, const std::string& name) {
  std::string made = name;
  for (int n = 2; std::find(names.begin(), names.end(), made) != names.end(); ++n) made = absl::StrCat(name, " ", n);
  return made;
}

}  // namespace

std::string RenderHtml(const json& reports, const std::vector<std::string>& names) {
  const json all = reports.is_array() ? reports : json::array({reports});
  json called = json::array(), shown = json::array();
  for (size_t i = 0; i < all.size(); ++i) {
    called.push_back(i < names.size() ? names[i] : absl::StrCat("report ", i + 1));
    shown.push_back(ShownRun(all[i]));
  }
  return RenderPage("load.html",
                    {{"reports", all}, {"names", called}, {"shown", shown}, {"figures", FiguresJson(all)}});
}

absl::StatusOr<LoadReports> ReadLoadReports(absl::Span<const std::string> paths) {
  LoadReports read;
  for (const std::string& path : paths) {
    const fs::path file = FileOf(path);
    auto report = ReadReport(file);
    if (!report.ok()) return report.status();
    read.reports.push_back(*std::move(report));
    read.names.push_back(Unlike(read.names, NameOf(file)));
  }
  return read;
}

}  // namespace bertha::report
