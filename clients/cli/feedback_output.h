// Votes for programs that train, and the report on them for people. Pure.
#ifndef BERTHA_CLIENTS_CLI_FEEDBACK_OUTPUT_H_
#define BERTHA_CLIENTS_CLI_FEEDBACK_OUTPUT_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "server/feedback/report.h"
#include "server/feedback/vote.h"

namespace bertha::cli {

/// "2026-11-23T10:00:00.123456Z" (RFC 3339).
std::string FormatTime(int64_t micros);

/// The label to train with: the predicted one if it was right, the right one if the person knew it, else empty.
absl::string_view TargetLabel(const feedback::Vote& vote);

/// One cell of RFC 4180, in quotes where it needs them. `spreadsheet`: what a spreadsheet would take for a formula (it
/// begins with = + - @, a tab or a line end) gets a ' in front, which changes the text.
std::string CsvCell(absl::string_view text, bool spreadsheet);

/// Lines end with CR LF, as RFC 4180 wants. Columns: id, time, text, text_pair, model, version, label, score, verdict,
/// correct_label, target, client, request_id. No second text is an empty cell, an empty second text is "".
std::string CsvHeader();
std::string CsvLine(const feedback::StoredVote& stored, bool spreadsheet);

/// An object with the same members, as a line; without `text_pair` if there is none.
std::string VoteJson(const feedback::StoredVote& stored);

/// `width`: cells of a line; texts are shortened to fit.
std::string ReportTables(const feedback::Report& report, size_t width);

/// One object, as a line.
std::string ReportJson(const feedback::Report& report);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_FEEDBACK_OUTPUT_H_
