#include "clients/cli/options.h"

#include <CLI/CLI.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/exit_code.h"
#include "clients/cli/option_parts.h"
#include "clients/cli/terminal.h"

namespace bertha::cli {
namespace {

constexpr char kTopExamples[] = R"(
Examples:
  bertha classify "I love it"                     one text: every label, and where the time went
  bertha classify --file reviews.txt --csv > out.csv
  tail -f app.log | bertha classify --json        live: one object a line
  bertha tag --model dishes "Great pad thai!"     entities, marked in the text
  bertha answer --question "Who?" --context "Ada wrote the notes."
  bertha embed "I love it" "I like it"            vectors, and how similar the texts are
  bertha models                                   what the server has loaded
  bertha health --wait 60 && echo ready           wait for a server that is starting
  bertha tokenize --package my-models/mood/1 "I love it"    tokens, ids and offsets; needs no server
  bertha feedback report --database feedback.db   what people said about the answers; needs no server
  bertha load --rate 500                          latency at 500 calls a second; --find-capacity: how many it can do
  bertha eval --file labelled.csv                 which classifier is right how often, and how fast
  bertha load-report before/ after/ -o page.html  what two runs of `bertha load` measured; needs no server

`bertha COMMAND --help` explains a command.)";

constexpr char kHealthExamples[] = R"(
Examples:
  bertha health                               SERVING once a model has answered a real text
  bertha health --model-name sentiment
  bertha health --wait 60 && run-my-tests     returns as soon as it serves; 1 or 3 if it does not within 60 s)";

constexpr char kModelsExamples[] = R"(
Shows each package that the server found: serving, loading, or refused with the reason. MAX |DIFF| OF PROBES is the
largest difference to the exporter's golden answers that the server saw when it loaded the model. After a version stand
its labels, such as stable, which `--model NAME:LABEL` takes.

Examples:
  bertha models
  bertha models --json | jq -r 'select(.state == "FAILED") | .reason')";

void AddModels(CLI::App& top, ModelsOptions& o) {
  CLI::App* app = top.add_subcommand("models", "List the models of the server");
  app->footer(absl::StrCat(kModelsExamples, "\n", kExitCodes));
  AddServer(*app, o.server);
  AddTimeout(*app, o.timeout_seconds, "Time to answer");
  app->add_flag("--json", o.json, "One JSON object for each model");
}

void AddHealth(CLI::App& top, HealthOptions& o) {
  CLI::App* app = top.add_subcommand("health", "Ask whether the server is serving");
  app->footer(absl::StrCat(kHealthExamples, "\n", kExitCodes));
  AddServer(*app, o.server);
  AddTimeout(*app, o.timeout_seconds, "Time to answer");
  app->add_option("--model-name,--model", o.model, "Ask for one model; default: the server as a whole")
      ->type_name("NAME");
  app->add_option("--wait", o.wait_seconds, "Wait until it serves, at most so long")
      ->check(InRange(0.0, 86400.0))
      ->type_name("SECONDS");
  app->add_flag("--json", o.json, "A JSON object");
}

/// Keeps a text such as "[MASK]" from CLI11, which would take it for a list in brackets: it gets this mark in front.
constexpr char kMark = '\x1F';

/// The arguments in the order that CLI11 wants: the last one first, without the program's name.
std::vector<std::string> MarkBrackets(int argc, char** argv) {
  std::vector<std::string> arguments;
  for (int i = argc - 1; i > 0; --i) {
    const absl::string_view argument = argv[i];
    const bool bracketed = absl::StartsWith(argument, "[") && absl::EndsWith(argument, "]");
    const bool marked = bracketed || absl::StartsWith(argument, absl::string_view(&kMark, 1));
    arguments.push_back(absl::StrCat(absl::string_view(&kMark, marked ? 1 : 0), argument));
  }
  return arguments;
}

/// Takes the mark away again, before any other check.
void UnmarkValues(CLI::App& app) {
  const auto unmark = [](std::string& value) {
    if (!value.empty() && value.front() == kMark) value.erase(0, 1);
    return std::string();
  };
  for (CLI::Option* option : app.get_options()) option->transform(CLI::Validator(unmark, ""));
  for (CLI::App* command : app.get_subcommands({})) UnmarkValues(*command);
}

/// The deepest subcommand that the arguments reached, for "see ... --help".
std::string HelpCommand(const CLI::App& app) {
  std::string command = "bertha";
  for (auto used = app.get_subcommands(); !used.empty(); used = used.front()->get_subcommands()) {
    absl::StrAppend(&command, " ", used.front()->get_name());
  }
  return command + " --help";
}

int Explain(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
    std::ostringstream out, err;
    app.exit(error, out, err);
    WriteOut(out.str());
    return kExitOk;
  }
  const bool unknown = app.get_subcommands().empty() && app.remaining_size() > 0;
  const std::string what = unknown ? absl::StrCat("no such command: ", app.remaining().front()) : error.what();
  PrintError(absl::StrCat(what, "; see `", HelpCommand(app), "`"));
  return kExitUsage;
}

}  // namespace

Command ParseCommandLine(int argc, char** argv) {
  CLI::App app("Client of berthad, the server for BERT-family models.", "bertha");
  app.set_version_flag("--version", "bertha " BERTHA_VERSION, "Print the version");
  app.require_subcommand(1);
  app.footer(absl::StrCat(kTopExamples, "\n", kExitCodes));
  app.get_formatter()->column_width(34);

  ClassifyOptions classify;
  TagOptions tag;
  AnswerOptions answer;
  EmbedOptions embed;
  ModelsOptions models;
  HealthOptions health;
  TokenizeOptions tokenize;
  FeedbackExportOptions feedback_export;
  FeedbackReportOptions feedback_report;
  LoadOptions load;
  EvalOptions eval;
  LoadReportOptions load_report;
  AddClassify(app, classify);
  AddTag(app, tag);
  AddAnswer(app, answer);
  AddEmbed(app, embed);
  AddModels(app, models);
  AddHealth(app, health);
  AddTokenize(app, tokenize);
  AddFeedback(app, feedback_export, feedback_report);
  AddLoad(app, load, {argv, argv + argc});
  AddEval(app, eval, {argv, argv + argc});
  AddLoadReport(app, load_report);
  app.add_subcommand("package", "Check, seal or complete a model package: see `bertha package --help`");
  UnmarkValues(app);
  try {
    app.parse(MarkBrackets(argc, argv));
  } catch (const CLI::ParseError& error) {
    return Explain(app, error);
  }
  if (app.got_subcommand("tag")) return tag;
  if (app.got_subcommand("answer")) return answer;
  if (app.got_subcommand("embed")) return embed;
  if (app.got_subcommand("models")) return models;
  if (app.got_subcommand("health")) return health;
  if (app.got_subcommand("tokenize")) return tokenize;
  if (app.got_subcommand("load")) return load;
  if (app.got_subcommand("eval")) return eval;
  if (app.got_subcommand("load-report")) return load_report;
  if (app.got_subcommand("feedback")) {
    if (app.get_subcommand("feedback")->got_subcommand("export")) return feedback_export;
    return feedback_report;
  }
  return classify;
}

}  // namespace bertha::cli
