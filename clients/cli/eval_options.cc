// The command lines of `bertha eval` and `bertha load-report`.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "clients/cli/eval_choice.h"
#include "clients/cli/option_parts.h"
#include "clients/cli/options.h"

namespace bertha::cli {
namespace {

constexpr char kEvalExamples[] = R"(
Sends every text to every model, one model after the other, and compares the best label with the right one. Models are
ordered by accuracy, then MCC, then time; OF BEST, FASTER and SIZE are relative to the first. A text that fails counts as
wrong, and the exit code is 1. ECE: expected calibration error, how far scores are from the share that is right.
COMPUTE/TEXT: a text's part of its batch's forward pass, as the server measured it.

Examples:
  bertha eval --file reviews.csv                          every classifier that serves
  bertha eval --file reviews.jsonl -m mood -m mood:stable --markdown table.md --html study.html
  bertha eval --file imdb.csv --text-column review --label-column stars --label-map 0=negative,1=positive
  bertha eval --file reviews.csv --json | jq '.models[] | {name, accuracy, seconds}')";

constexpr char kLoadReportExamples[] = R"(
Shows the figures of each report and their ratios to the first's. Of a report with several runs the one speaks that has
the highest rate within the objective.

Examples:
  bertha load-report before/ after/ -o comparison.html     folders that `bertha load --out` made
  bertha load-report report.json

Exit codes:
  0  shown
  1  the page could not be written
  2  wrong usage, or a report that cannot be read)";

void AddModels(CLI::App& app, std::vector<ModelChoice>& models) {
  app.add_option_function<std::vector<std::string>>(
         "--model,-m",
         [&models](const std::vector<std::string>& texts) {
           for (const std::string& text : texts) {
             auto choice = ParseModelChoice(text);
             if (!choice.ok()) throw CLI::ValidationError("--model", std::string(choice.status().message()));
             models.push_back(*std::move(choice));
           }
         },
         "Model to judge, may be repeated; default: every classifier that serves and has a label of the file")
      ->allow_extra_args(false)
      ->type_name("NAME[:VERSION|:LABEL]");
}

}  // namespace

void AddEval(CLI::App& top, EvalOptions& o, const std::vector<std::string>& arguments) {
  CLI::App* app = top.add_subcommand("eval", "Compare classifiers on labelled texts");
  app->footer(absl::StrCat(kEvalExamples, "\n", kExitCodes));
  o.command = arguments;
  app->add_option("--file,-f", o.file, "Labelled texts: .csv with a header, or .jsonl")->required()->type_name("FILE");
  app->add_option("--text-column", o.text_column, "Column or member that holds the text")
      ->capture_default_str()
      ->type_name("NAME");
  app->add_option("--label-column", o.label_column, "Column or member that holds the right label")
      ->capture_default_str()
      ->type_name("NAME");
  app->add_option_function<std::string>(
         "--label-map",
         [&o](const std::string& text) {
           auto map = ParseLabelMap(text);
           if (!map.ok()) throw CLI::ValidationError("--label-map", std::string(map.status().message()));
           o.label_map = *std::move(map);
         },
         "What labels of the file are called by the models")
      ->type_name("OF_FILE=OF_MODEL,...");
  AddModels(*app, o.models);
  AddServer(*app, o.run.server);
  AddLongTexts(*app, o.run);
  AddCalls(*app, o.run);
  app->add_flag("--json", o.json, "One JSON object (schema bertha.eval/1)");
  app->add_option("--markdown", o.markdown, "Write the tables to this file too")->type_name("FILE");
  app->add_option("--html", o.html, "Write a page with tables and plots, which needs no network")->type_name("FILE");
  app->final_callback([&o] { CheckLongTexts(o.run); });
}

void AddLoadReport(CLI::App& top, LoadReportOptions& o) {
  CLI::App* app = top.add_subcommand("load-report", "Show or compare reports of `bertha load`");
  app->footer(kLoadReportExamples);
  app->add_option("REPORT", o.reports, "Files or folders of `bertha load --out`")->required()->type_name("");
  app->add_option("--html,-o", o.html, "Write a page with plots, which needs no network")->type_name("FILE");
}

}  // namespace bertha::cli
