// `bertha load-report`: reports of `bertha load`, one or several side by side.
#ifndef BERTHA_CLIENTS_CLI_LOAD_REPORT_COMMAND_H_
#define BERTHA_CLIENTS_CLI_LOAD_REPORT_COMMAND_H_

#include <optional>
#include <string>
#include <vector>

namespace bertha::cli {

struct LoadReportOptions {
  /// report.json files, or the folders that hold them.
  std::vector<std::string> reports;
  std::optional<std::string> html;
};

/// Returns the exit code.
int RunLoadReport(const LoadReportOptions& options);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_LOAD_REPORT_COMMAND_H_
