#include "clients/cli/load_report_command.h"

#include "bench/report/load_report.h"
#include "clients/cli/exit_code.h"
#include "clients/cli/load_report_output.h"
#include "clients/cli/terminal.h"
#include "clients/cli/write_file.h"

namespace bertha::cli {

int RunLoadReport(const LoadReportOptions& options) {
  const auto read = report::ReadLoadReports(options.reports);
  if (!read.ok()) {
    PrintError(read.status().message());
    return kExitUsage;
  }
  WriteOut(LoadReportTable(*read));
  if (!options.html) return kExitOk;
  const absl::Status written = WriteFile(*options.html, report::RenderHtml(read->reports, read->names));
  if (written.ok()) return kExitOk;
  PrintError(written.message());
  return kExitFailed;
}

}  // namespace bertha::cli
