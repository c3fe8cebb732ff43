// Reports of `bertha load` on the terminal. Pure.
#ifndef BERTHA_CLIENTS_CLI_LOAD_REPORT_OUTPUT_H_
#define BERTHA_CLIENTS_CLI_LOAD_REPORT_OUTPUT_H_

#include <string>

#include "bench/report/load_report.h"

namespace bertha::cli {

/// Their figures side by side, with ratios to the first; before them what is INVALID, and why.
std::string LoadReportTable(const report::LoadReports& read);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_LOAD_REPORT_OUTPUT_H_
