#include "clients/cli/feedback_command.h"

#include <memory>

#include "absl/status/status.h"
#include "clients/cli/exit_code.h"
#include "clients/cli/feedback_output.h"
#include "clients/cli/terminal.h"

namespace bertha::cli {
namespace {

constexpr size_t kWriteBytes = 64 << 10;

int ExitCodeOf(const absl::Status& status) {
  if (status.ok()) return kExitOk;
  PrintError(std::string(status.message()));
  return absl::IsUnavailable(status) ? kExitUnreachable : kExitUsage;
}

absl::Status ReadVotes(const FeedbackOptions& options,
                       absl::FunctionRef<absl::Status(const feedback::StoredVote&)> use) {
  const auto database = feedback::MakeDatabase(options.database, feedback::Access::kReadOnly);
  if (absl::Status status = database->Open(); !status.ok()) return status;
  return feedback::ForEachVote(*database, options.filter, use);
}

}  // namespace

int RunFeedbackExport(const FeedbackExportOptions& options) {
  std::string out = options.json ? "" : CsvHeader();
  const absl::Status status = ReadVotes(options, [&](const feedback::StoredVote& vote) {
    out += options.json ? VoteJson(vote) : CsvLine(vote, options.spreadsheet);
    if (out.size() > kWriteBytes) {
      WriteOut(out);
      out.clear();
    }
    return absl::OkStatus();
  });
  if (status.ok()) WriteOut(out);
  return ExitCodeOf(status);
}

int RunFeedbackReport(const FeedbackReportOptions& options) {
  feedback::ReportBuilder builder;
  const absl::Status status = ReadVotes(options, [&](const feedback::StoredVote& vote) {
    builder.Add(vote.vote);
    return absl::OkStatus();
  });
  if (!status.ok()) return ExitCodeOf(status);
  const feedback::Report report = builder.Build(options.texts);
  WriteOut(options.json ? ReportJson(report) : ReportTables(report, TerminalWidth()));
  return kExitOk;
}

}  // namespace bertha::cli
