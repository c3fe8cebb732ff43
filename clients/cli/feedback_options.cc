// The command line of `bertha feedback`.
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "clients/cli/option_parts.h"
#include "clients/cli/options.h"

namespace bertha::cli {
namespace {

constexpr char kDatabaseHelp[] = R"(
--database names what berthad's setting feedback.database does: the file of SQLite, or postgresql://...; better than a
password in it is ~/.pgpass. It is only read; a berthad may write meanwhile. Times are 2026-11-23 or
2026-11-23T10:00:00Z, UTC if they say nothing else.)";

constexpr char kFeedbackExitCodes[] = R"(

Exit codes:
  0  done
  1  the output could not be written
  2  wrong usage, no such file, or no feedback database of this version
  3  the database does not answer, or is locked)";

constexpr char kExportHelp[] = R"(
Writes CSV (RFC 4180: UTF-8, lines end with CR LF, quotes doubled) with the columns
  id, time, text, text_pair, model, version, label, score, verdict, correct_label, target, client, request_id
`label` is what the model said, `verdict` is right or wrong, `target` the label to train with: the model's if it was
right, the corrected one if the person gave it, else empty. --json writes one object a line instead.

The texts are those that were judged, to the byte, whoever wrote them. A spreadsheet takes a cell that begins with = + -
or @ for a formula: open the file there only if it was written with --spreadsheet, which puts a ' before such cells.

Examples:
  bertha feedback export --database feedback.db > votes.csv
  bertha feedback export --database feedback.db --since 2026-11-01 --model sentiment-bert --json |
    jq -r 'select(.target != "") | [.text, .target] | @tsv')";

constexpr char kReportHelp[] = R"(
For each model its votes, and the share of "right" with Wilson's 95% interval; for each two models the texts that both
were judged on, and who won how many (a larger share of "right" on that text); then the texts with most disagreement.

Examples:
  bertha feedback report --database feedback.db
  bertha feedback report --database feedback.db --json | jq '.models[] | {model, share_right}')";

/// A CLI11 validator that accepts a time and stores it in `micros`.
CLI::Validator TimeInto(int64_t& micros) {
  return CLI::Validator(
      [&micros](std::string& text) -> std::string {
        absl::Time time;
        std::string error;
        const bool good = absl::ParseTime("%Y-%m-%d", text, &time, &error) ||
                          absl::ParseTime("%Y-%m-%d%ET%H:%M:%E*S", text, &time, &error) ||
                          absl::ParseTime(absl::RFC3339_full, text, &time, &error);
        if (!good) return absl::StrCat("\"", text, "\" is no time such as 2026-11-23 or 2026-11-23T10:00:00Z");
        micros = absl::ToUnixMicros(time);
        return "";
      },
      "");
}

void AddVotes(CLI::App& app, FeedbackOptions& o) {
  app.add_option("--database", o.database, "File, or connection string of PostgreSQL")
      ->envname("BERTHA_FEEDBACK_DATABASE")
      ->required()
      ->check(CLI::Validator(
          [](const std::string& where) { return std::string(feedback::CheckDatabase(where).message()); }, ""))
      ->type_name("WHERE");
  app.add_option_function<std::string>(
         "--since", [](const std::string&) {}, "Only votes given from then on")
      ->check(TimeInto(o.filter.since_us))
      ->type_name("TIME");
  app.add_option_function<std::string>(
         "--until", [](const std::string&) {}, "Only votes given before")
      ->check(TimeInto(o.filter.until_us))
      ->type_name("TIME");
  app.add_option("--model", o.filter.model, "Only votes on this model, all versions")->type_name("NAME");
}

}  // namespace

void AddFeedback(CLI::App& top, FeedbackExportOptions& exported, FeedbackReportOptions& report) {
  CLI::App* app = top.add_subcommand("feedback", "Export or summarise what people said about answers; needs no server");
  app->require_subcommand(1);
  CLI::App* export_app = app->add_subcommand("export", "Write the votes as CSV or JSON lines, for retraining");
  export_app->footer(absl::StrCat(kExportHelp, "\n", kDatabaseHelp, kFeedbackExitCodes));
  AddVotes(*export_app, exported);
  auto* json = export_app->add_flag("--json", exported.json, "One JSON object for each vote");
  export_app->add_flag("--spreadsheet", exported.spreadsheet, "Disarm what a spreadsheet takes for formulas")
      ->excludes(json);
  CLI::App* report_app = app->add_subcommand("report", "Which model wins on which texts");
  report_app->footer(absl::StrCat(kReportHelp, "\n", kDatabaseHelp, kFeedbackExitCodes));
  AddVotes(*report_app, report);
  report_app->add_option("--texts", report.texts, "Most texts with disagreement to show")
      ->check(InRange(size_t{0}, size_t{1'000'000}))
      ->capture_default_str()
      ->type_name("N");
  report_app->add_flag("--json", report.json, "One JSON object");
}

}  // namespace bertha::cli
