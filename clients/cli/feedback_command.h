// `bertha feedback export` and `bertha feedback report`: what people said about answers, from the database itself, no
// server needed.
#ifndef BERTHA_CLIENTS_CLI_FEEDBACK_COMMAND_H_
#define BERTHA_CLIENTS_CLI_FEEDBACK_COMMAND_H_

#include <cstddef>
#include <string>

#include "server/feedback/database.h"

namespace bertha::cli {

/// Which votes, and how they are printed.
struct FeedbackOptions {
  std::string database;
  feedback::VoteFilter filter;
  bool json = false;
};

struct FeedbackExportOptions : FeedbackOptions {
  /// See CsvCell.
  bool spreadsheet = false;
};

struct FeedbackReportOptions : FeedbackOptions {
  /// Disputed texts to show.
  size_t texts = 10;
};

/// Return the exit code.
int RunFeedbackExport(const FeedbackExportOptions& options);
int RunFeedbackReport(const FeedbackReportOptions& options);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_FEEDBACK_COMMAND_H_
