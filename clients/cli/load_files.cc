#include "clients/cli/load_files.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "bench/report/load_report.h"
#include "clients/cli/write_file.h"

namespace bertha::cli {

absl::Status LoadFiles::Open() {
  if (folder_.empty()) return absl::OkStatus();
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) return absl::InvalidArgumentError(absl::StrCat("--out ", folder_, ": ", error.message()));
  requests_.open(PathOf("requests.csv"), std::ios::binary | std::ios::trunc);
  requests_ << load::RequestsCsvHeader();
  return requests_ ? absl::OkStatus()
                   : absl::InvalidArgumentError(absl::StrCat("cannot write ", PathOf("requests.csv")));
}

absl::Status LoadFiles::Add(size_t run, const load::Trial& trial) {
  if (folder_.empty()) return absl::OkStatus();
  requests_ << load::RequestsCsv(run, trial.plan, trial.record) << std::flush;
  return requests_ ? absl::OkStatus()
                   : absl::InvalidArgumentError(absl::StrCat("cannot write ", PathOf("requests.csv")));
}

absl::Status LoadFiles::Finish(const load::Report& report, const load::Json& json) {
  if (folder_.empty()) return absl::OkStatus();
  const std::string text = json.dump(1, ' ', false, load::Json::error_handler_t::replace) + "\n";
  if (absl::Status status = WriteFile(PathOf("report.json"), text); !status.ok()) return status;
  if (absl::Status status = WriteFile(PathOf("report.html"), report::RenderHtml(json)); !status.ok()) return status;
  if (report.runs.empty()) return absl::OkStatus();
  return WriteFile(PathOf("latency.hgrm"), report.runs.back().summary.histogram.Hgrm());
}

std::string LoadFiles::PathOf(absl::string_view name) const { return absl::StrCat(folder_, "/", name); }

}  // namespace bertha::cli
