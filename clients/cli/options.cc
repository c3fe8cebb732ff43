#include "clients/cli/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <sstream>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/exit_code.h"
#include "clients/cli/terminal.h"
#include "clients/cli/text.h"

namespace bertha::cli {
namespace {

constexpr char kExitCodes[] = R"(
Exit codes:
  0  all inputs answered; serving
  1  some inputs failed, or the server is not serving
  2  wrong usage, or an unreadable file
  3  cannot reach the server)";

constexpr char kTopExamples[] = R"(
Examples:
  bertha classify "I love it"                     one text: every label, and where the time went
  bertha classify --file reviews.txt --csv > out.csv
  tail -f app.log | bertha classify --json        live: one object a line
  bertha models                                   what the server has loaded
  bertha health --wait 60 && echo ready           wait for a server that is starting

`bertha COMMAND --help` explains a command.)";

constexpr char kClassifyExamples[] = R"(
Texts come from the arguments, from --file, or else from standard input. A line is a text; an empty line is an empty
text, so that output and input stay aligned. Output is in input order; `index` counts texts from 0. A text that fails
(not UTF-8, too long under --truncation error) gets an error in its place and spoils no other.

Examples:
  bertha classify "I love it" "I hate it"
  bertha classify --file reviews.txt --csv > labels.csv
  zcat big.txt.gz | bertha classify --json --batch 128 | jq -r .label
  bertha classify --model nli --pair "It is about sport." "The match ended 2-1."
  bertha classify --model nli --pair-separator '\t' --file pairs.tsv
  bertha classify -- "-- a text that begins with a dash")";

constexpr char kHealthExamples[] = R"(
Examples:
  bertha health                               SERVING once a model has answered a real text
  bertha health --model-name sentiment
  bertha health --wait 60 && run-my-tests     returns as soon as it serves; 1 or 3 if it does not within 60 s)";

constexpr char kModelsExamples[] = R"(
Shows each package that the server found: serving, loading, or refused with the reason. MAX |DIFF| OF PROBES is the
largest difference to the exporter's golden answers that the server saw when it loaded the model.

Examples:
  bertha models
  bertha models --json | jq -r 'select(.state == "FAILED") | .reason')";

/// CLI::Range without its contribution to the help text.
template <typename T>
CLI::Validator InRange(T low, T high) {
  return CLI::Range(low, high).description("");
}

void AddAddress(CLI::App& app, std::string& address) {
  app.add_option("--address", address, "Where berthad listens")
      ->envname("BERTHA_ADDRESS")
      ->capture_default_str()
      ->type_name("HOST:PORT");
}

void AddTimeout(CLI::App& app, double& seconds, const std::string& what) {
  app.add_option("--timeout", seconds, what)
      ->check(InRange(0.001, 86400.0))
      ->capture_default_str()
      ->type_name("SECONDS");
}

void CheckTexts(const ClassifyOptions& options) {
  const bool dash = std::find(options.texts.begin(), options.texts.end(), "-") != options.texts.end();
  if (dash && options.texts.size() > 1)
    throw CLI::ValidationError("TEXT", "- (standard input) cannot be mixed with texts");
  if (options.pair && FindInvalidUtf8(*options.pair)) throw CLI::ValidationError("--pair", "is not UTF-8");
}

void AddClassify(CLI::App& top, ClassifyOptions& o) {
  CLI::App* app = top.add_subcommand("classify", "Label texts");
  app->footer(absl::StrCat(kClassifyExamples, "\n", kExitCodes));
  auto* texts = app->add_option("TEXT", o.texts, "Texts; - is standard input")->type_name("");
  app->add_option("--file,-f", o.file, "Read texts from the lines of this file; - is standard input")
      ->type_name("FILE")
      ->excludes(texts);
  AddAddress(*app, o.address);

  app->add_option("--model,-m", o.model, "Model to ask; default: the server's default model")->type_name("NAME");
  app->add_option("--model-version", o.model_version, "Its version; 0: the newest")
      ->check(CLI::NonNegativeNumber.description(""))
      ->capture_default_str()
      ->type_name("N");
  app->add_option("--top-k,-k", o.top_k, "Only the k best labels; 0: all")->capture_default_str()->type_name("K");
  app->add_option("--threshold", o.threshold, "Only labels that score at least this, 0 to 1")
      ->check(InRange(0.0, 1.0))
      ->capture_default_str()
      ->type_name("SCORE");
  app->add_option("--truncation", o.truncation, "Where to cut a text longer than the model takes; error: fail instead")
      ->transform(CLI::CheckedTransformer(std::map<std::string, Truncation>{{"right", Truncation::kRight},
                                                                            {"left", Truncation::kLeft},
                                                                            {"error", Truncation::kError}})
                      .description(""))
      ->type_name("right|left|error")
      ->default_str("right");
  auto* pair = app->add_option("--pair", o.pair, "Second text of every text, for models that judge pairs");
  pair->type_name("TEXT");
  app->add_option_function<std::string>(
         "--pair-separator",
         [&o](const std::string& escaped) {
           std::string error;
           if (!absl::CUnescape(escaped, &o.pair_separator, &error) || o.pair_separator.empty()) {
             throw CLI::ValidationError("--pair-separator", "not a separator: " + escaped);
           }
         },
         "Each text is two, split at the first of these; '\\t' is a tab")
      ->type_name("SEP")
      ->excludes(pair);

  auto* json = app->add_flag_callback(
      "--json", [&o] { o.format = Format::kJson; }, "One JSON object for each text");
  app->add_flag_callback(
         "--csv", [&o] { o.format = Format::kCsv; }, "CSV with a header")
      ->excludes(json);
  app->add_flag("--logits", o.logits, "With --json: also the model's raw outputs")->needs(json);

  app->add_option("--batch", o.batch, "Texts in one call")
      ->check(InRange(1, 4096))
      ->capture_default_str()
      ->type_name("N");
  app->add_option("--in-flight", o.in_flight, "Calls at once")
      ->check(InRange(1, 256))
      ->capture_default_str()
      ->type_name("N");
  AddTimeout(*app, o.timeout_seconds, "Time for one call, retries included");
  app->final_callback([&o] { CheckTexts(o); });
}

void AddModels(CLI::App& top, ModelsOptions& o) {
  CLI::App* app = top.add_subcommand("models", "List the models of the server");
  app->footer(absl::StrCat(kModelsExamples, "\n", kExitCodes));
  AddAddress(*app, o.address);
  AddTimeout(*app, o.timeout_seconds, "Time to answer");
  app->add_flag("--json", o.json, "One JSON object for each model");
}

void AddHealth(CLI::App& top, HealthOptions& o) {
  CLI::App* app = top.add_subcommand("health", "Ask whether the server is serving");
  app->footer(absl::StrCat(kHealthExamples, "\n", kExitCodes));
  AddAddress(*app, o.address);
  AddTimeout(*app, o.timeout_seconds, "Time to answer");
  app->add_option("--model-name,--model", o.model, "Ask for one model; default: the server as a whole")
      ->type_name("NAME");
  app->add_option("--wait", o.wait_seconds, "Wait until it serves, at most so long")
      ->check(InRange(0.0, 86400.0))
      ->type_name("SECONDS");
  app->add_flag("--json", o.json, "A JSON object");
}

/// The deepest subcommand that the arguments reached, for "see ... --help".
std::string HelpCommand(const CLI::App& app) {
  const auto used = app.get_subcommands();
  return used.empty() ? "bertha --help" : absl::StrCat("bertha ", used.front()->get_name(), " --help");
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
  CLI::App app("Client of berthad, the server for BERT-family text classifiers.", "bertha");
  app.set_version_flag("--version", "bertha " BERTHA_VERSION, "Print the version");
  app.require_subcommand(1);
  app.footer(absl::StrCat(kTopExamples, "\n", kExitCodes));
  app.get_formatter()->column_width(34);

  ClassifyOptions classify;
  ModelsOptions models;
  HealthOptions health;
  AddClassify(app, classify);
  AddModels(app, models);
  AddHealth(app, health);
  app.add_subcommand("package", "Check or seal a model package: see `bertha package --help`");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return Explain(app, error);
  }
  if (app.got_subcommand("models")) return models;
  if (app.got_subcommand("health")) return health;
  return classify;
}

}  // namespace bertha::cli
