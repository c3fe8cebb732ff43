#include "clients/cli/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
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
  bertha tokenize --package my-models/mood/1 "I love it"    tokens, ids and offsets; needs no server

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

constexpr char kTokenizeExamples[] = R"(
Shows the text with its tokens marked, then each token: its id and type id, where it stands in the text (CHARS counts
code points, BYTES bytes of UTF-8, both as start:end), the number of its word, and whether it is a special token put
around the text, is unknown to the vocabulary, or continues a word. If --max-length cuts, the windows over the rest
follow. Ids are those of the Python library `tokenizers`; without --max-length nothing is cut, whatever the file says.
Texts come from the arguments or, a text a line, from standard input.

--jsonl is for programs. It reads one JSON object a line,
  {"text", "pair"?, "max_length"?, "truncation"?: {"strategy"?, "direction"?}, "stride"?}
and answers each, as soon as it is there, with one line,
  {"ids", "type_ids", "offsets", "byte_offsets", "tokens", "special_tokens_mask", "overflow"?} or {"error"}.
A bad line gets an error and does not end the stream. `overflow` is there if something was cut off.

Examples:
  bertha tokenize --package demo/models/sentiment-bert/1 "Tokenizers are unaffable"
  bertha tokenize --tokenizer tokenizer.json --pair "A man sleeps." "A man is awake."
  bertha tokenize --tokenizer tokenizer.json --max-length 8 --stride 2 "a text of more than eight tokens"
  bertha tokenize --tokenizer tokenizer.json --json < reviews.txt | jq -c .ids
  echo '{"text": "a long text", "max_length": 4, "truncation": {"direction": "left"}}' |
    bertha tokenize --tokenizer tokenizer.json --jsonl

Exit codes:
  0  all texts tokenized; with --jsonl: all lines answered, be it with errors
  1  some texts failed, or the input could not be read to its end
  2  wrong usage, or a tokenizer file that is missing, broken or of an unknown kind)";

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

template <typename T>
void AddChoice(CLI::App& app, const std::string& name, T& value, const std::map<std::string, T>& choices,
               const std::string& what, const std::string& shown, const std::string& preset) {
  app.add_option(name, value, what)
      ->transform(CLI::CheckedTransformer(choices).description(""))
      ->type_name(shown)
      ->default_str(preset);
}

void CheckTexts(const std::vector<std::string>& texts, const std::optional<std::string>& pair) {
  const bool dash = std::find(texts.begin(), texts.end(), "-") != texts.end();
  if (dash && texts.size() > 1) throw CLI::ValidationError("TEXT", "- (standard input) cannot be mixed with texts");
  if (pair && FindInvalidUtf8(*pair)) throw CLI::ValidationError("--pair", "is not UTF-8");
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
  AddChoice<Truncation>(*app, "--truncation", o.truncation,
                        {{"right", Truncation::kRight}, {"left", Truncation::kLeft}, {"error", Truncation::kError}},
                        "Where to cut a text longer than the model takes; error: fail instead", "right|left|error",
                        "right");
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
  app->final_callback([&o] { CheckTexts(o.texts, o.pair); });
}

void CheckTokenize(const TokenizeOptions& o, bool other_options) {
  if (o.tokenizer.empty() && o.package.empty()) {
    throw CLI::ValidationError("--tokenizer FILE or --package DIR", "is required");
  }
  CheckTexts(o.texts, o.pair);
  if (o.format == TokenizeOptions::Format::kRequests && (other_options || !o.texts.empty())) {
    throw CLI::ValidationError("--jsonl", "takes texts and their options from the lines of standard input only");
  }
}

void AddTokenize(CLI::App& top, TokenizeOptions& o) {
  using tokenizer::TruncationSide;
  using tokenizer::TruncationStrategy;
  CLI::App* app = top.add_subcommand("tokenize", "Show the tokens of texts; needs no server");
  app->footer(kTokenizeExamples);
  app->add_option("TEXT", o.texts, "Texts; - is standard input")->type_name("");
  auto* file = app->add_option("--tokenizer", o.tokenizer, "A tokenizer.json, vocab.txt, vocab.json or spiece.model")
                   ->type_name("FILE");
  app->add_option("--package", o.package, "A model package, of which tokenizer.json is used")
      ->type_name("DIR")
      ->excludes(file);
  app->add_option("--pair", o.pair, "Second text of every text")->type_name("TEXT");
  auto* max_length = app->add_option("--max-length", o.max_length, "Most tokens, special ones included; default: all");
  max_length->type_name("N")->check(InRange<int64_t>(0, 1000000000));
  auto* stride = app->add_option("--stride", o.stride, "Tokens that each window shares with the one before");
  stride->capture_default_str()->type_name("N")->check(InRange<int64_t>(0, 1000000000))->needs(max_length);
  AddChoice<TruncationStrategy>(*app, "--truncation-strategy", o.strategy,
                                {{"longest_first", TruncationStrategy::kLongestFirst},
                                 {"only_first", TruncationStrategy::kOnlyFirst},
                                 {"only_second", TruncationStrategy::kOnlySecond}},
                                "Which text of a pair --max-length cuts", "longest_first|only_first|only_second",
                                "longest_first");
  AddChoice<TruncationSide>(*app, "--truncation-side", o.side,
                            {{"right", TruncationSide::kRight}, {"left", TruncationSide::kLeft}},
                            "Where --max-length cuts", "right|left", "right");
  auto* json = app->add_flag_callback(
      "--json", [&o] { o.format = TokenizeOptions::Format::kJson; }, "One JSON object for each text");
  app->add_flag_callback(
         "--jsonl", [&o] { o.format = TokenizeOptions::Format::kRequests; }, "JSON lines in, JSON lines out")
      ->excludes(json);
  app->final_callback([&o, app] {
    bool other_options = false;
    for (const char* name : {"--pair", "--max-length", "--truncation-strategy", "--truncation-side"}) {
      other_options |= app->count(name) > 0;
    }
    CheckTokenize(o, other_options);
  });
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
  TokenizeOptions tokenize;
  AddClassify(app, classify);
  AddModels(app, models);
  AddHealth(app, health);
  AddTokenize(app, tokenize);
  app.add_subcommand("package", "Check, seal or complete a model package: see `bertha package --help`");
  UnmarkValues(app);
  try {
    app.parse(MarkBrackets(argc, argv));
  } catch (const CLI::ParseError& error) {
    return Explain(app, error);
  }
  if (app.got_subcommand("models")) return models;
  if (app.got_subcommand("health")) return health;
  if (app.got_subcommand("tokenize")) return tokenize;
  return classify;
}

}  // namespace bertha::cli
