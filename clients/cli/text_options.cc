// The command lines of the four commands that send texts to a model.
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/option_parts.h"
#include "clients/cli/options.h"

namespace bertha::cli {
namespace {

constexpr char kTextsAndFailures[] = R"(
Texts come from the arguments, from --file, or else from standard input. A line is a text; an empty line is an empty
text, so that output and input stay aligned. Output is in input order; `index` counts texts from 0. A text that fails
(not UTF-8, too long under --truncation error) gets an error in its place and spoils no other.
)";

constexpr char kClassifyExamples[] = R"(
Examples:
  bertha classify "I love it" "I hate it"
  bertha classify --file reviews.txt --csv > labels.csv
  zcat big.txt.gz | bertha classify --json --batch 128 | jq -r .label
  bertha classify --model mood:stable --truncation window --file novels.txt
  bertha classify --model nli --pair "It is about sport." "The match ended 2-1."
  bertha classify --model nli --pair-separator '\t' --file pairs.tsv
  bertha classify -- "-- a text that begins with a dash")";

constexpr char kTagExamples[] = R"(
Shows each text with its entities marked in it, as [pad thai DISH] or in colours, and then each entity: its label and
score, where it stands (CHARS counts code points, as start:end), and its text. With --aggregation none each token stands
by itself, with its whole label; the others are those of the Hugging Face pipeline "token-classification".

Examples:
  bertha tag --model dishes "Great pad thai, poor service."
  bertha tag --model dishes --file reviews.txt --json | jq -r '.entities[].text' | sort | uniq -c
  bertha tag --model dishes:2 --aggregation none --threshold 0.5 "Great pad thai!"
  bertha tag --model dishes --truncation window --stride 32 --file articles.txt)";

constexpr char kAnswerExamples[] = R"(
Shows for each question the best answers: the score, and the answer marked in a little of the context around it. A
context that is longer than the model takes is searched in windows. Several questions may be asked of one context.
Without --question, lines of --file or of standard input are JSON objects {"question", "context"}; other keys are ignored.
Output is in input order; `index` counts questions from 0. A question that fails gets an error in its place and spoils
no other.

Examples:
  bertha answer --question "Who wrote the notes?" --context "Ada Lovelace wrote the notes in 1843."
  bertha answer -q "Who?" -q "When?" --context-file article.txt --top-k 3
  bertha answer -q "Why?" --context-file article.txt --no-answer
  bertha answer --file questions.jsonl --json | jq -r .answer)";

constexpr char kEmbedExamples[] = R"(
Shows of one text the first numbers of its vector, how many there are, and their Euclidean norm; of several texts also
their cosine similarities. --json and --npy give all numbers; row i of the NumPy array is text i, NaN if it failed.

Examples:
  bertha embed "I love it" "I like it" "It rains"
  bertha embed --file sentences.txt --npy vectors.npy      then: numpy.load("vectors.npy")
  bertha embed --json --no-normalize --pooling cls "I love it" | jq -c .vector
  bertha embed --tokens "I love it"                        a vector for each token)";

std::string Footer(const char* texts, const char* examples) { return absl::StrCat(texts, examples, "\n", kExitCodes); }

/// TEXT and --file.
void AddTexts(CLI::App& app, RunOptions& run) {
  auto* texts = app.add_option("TEXT", run.texts, "Texts; - is standard input")->type_name("");
  app.add_option("--file,-f", run.file, "Read texts from the lines of this file; - is standard input")
      ->type_name("FILE")
      ->excludes(texts);
}

void AddModel(CLI::App& app, ModelChoice& model) {
  app.add_option_function<std::string>(
         "--model,-m",
         [&model](const std::string& text) {
           auto choice = ParseModelChoice(text);
           if (!choice.ok()) throw CLI::ValidationError("--model", std::string(choice.status().message()));
           model = *std::move(choice);
         },
         "Model to ask, in one version or in that with a label such as stable; default: the server's default model")
      ->type_name("NAME[:VERSION|:LABEL]");
  // Options are looked at in the order in which they were added.
  app.add_option_function<int64_t>(
         "--model-version",
         [&model](int64_t version) {
           if (model.version != 0 || !model.label.empty()) {
             throw CLI::ValidationError("--model-version", "--model says which version already");
           }
           model.version = version;
         },
         "Its version; 0: the newest")
      ->check(CLI::NonNegativeNumber.description(""))
      ->default_str("0")
      ->type_name("N");
}

void AddThreshold(CLI::App& app, float& threshold, const std::string& what) {
  app.add_option("--threshold", threshold, what)->check(InRange(0.0, 1.0))->capture_default_str()->type_name("SCORE");
}

CLI::Option* AddJson(CLI::App& app, bool& json, const std::string& what) {
  return app.add_flag("--json", json, absl::StrCat("One JSON object for each ", what));
}

void CheckAnswer(const AnswerOptions& o) {
  const bool has_context = o.context || o.context_file;
  if (has_context && o.run.texts.empty()) throw CLI::ValidationError("--question", "is required with a context");
  if (!has_context && !o.run.texts.empty()) {
    throw CLI::ValidationError("--question", "needs its context: --context TEXT or --context-file FILE");
  }
  CheckTexts(o.run.texts, std::nullopt);
  if (o.context_file == "-" && o.run.texts == std::vector<std::string>{"-"}) {
    throw CLI::ValidationError("--context-file", "standard input cannot hold the questions too");
  }
}

}  // namespace

void AddClassify(CLI::App& top, ClassifyOptions& o) {
  CLI::App* app = top.add_subcommand("classify", "Label texts");
  app->footer(Footer(kTextsAndFailures, kClassifyExamples));
  AddTexts(*app, o.run);
  AddServer(*app, o.run.server);
  AddModel(*app, o.run.model);
  app->add_option("--top-k,-k", o.top_k, "Only the k best labels; 0: all")->capture_default_str()->type_name("K");
  AddThreshold(*app, o.threshold, "Only labels that score at least this, 0 to 1");
  AddLongTexts(*app, o.run);
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

  using Format = ClassifyOptions::Format;
  auto* json = app->add_flag_callback(
      "--json", [&o] { o.format = Format::kJson; }, "One JSON object for each text");
  app->add_flag_callback(
         "--csv", [&o] { o.format = Format::kCsv; }, "CSV with a header")
      ->excludes(json);
  app->add_flag("--logits", o.logits, "With --json: also the model's raw outputs")->needs(json);
  AddCalls(*app, o.run);
  app->final_callback([&o] {
    CheckTexts(o.run.texts, o.pair);
    CheckLongTexts(o.run);
  });
}

void AddTag(CLI::App& top, TagOptions& o) {
  using Aggregation = TagOptions::Aggregation;
  CLI::App* app = top.add_subcommand("tag", "Find entities in texts");
  app->footer(Footer(kTextsAndFailures, kTagExamples));
  AddTexts(*app, o.run);
  AddServer(*app, o.run.server);
  AddModel(*app, o.run.model);
  AddChoice<Aggregation>(*app, "--aggregation", o.aggregation,
                         {{"none", Aggregation::kNone},
                          {"simple", Aggregation::kSimple},
                          {"first", Aggregation::kFirst},
                          {"average", Aggregation::kAverage},
                          {"max", Aggregation::kMax}},
                         "How tokens become entities", "none|simple|first|average|max", "the model's own");
  AddThreshold(*app, o.threshold, "Only entities that score at least this, 0 to 1");
  AddLongTexts(*app, o.run);
  AddJson(*app, o.json, "text");
  AddCalls(*app, o.run);
  app->final_callback([&o] {
    CheckTexts(o.run.texts, std::nullopt);
    CheckLongTexts(o.run);
  });
}

void AddAnswer(CLI::App& top, AnswerOptions& o) {
  CLI::App* app = top.add_subcommand("answer", "Answer questions from a context");
  app->footer(Footer("", kAnswerExamples));
  auto* question = app->add_option("--question,-q", o.run.texts, "A question; may be repeated");
  question->type_name("TEXT")->allow_extra_args(false);
  auto* context = app->add_option("--context,-c", o.context, "The text that has the answer")->type_name("TEXT");
  app->add_option("--context-file", o.context_file, "The file that holds it; - is standard input")
      ->type_name("FILE")
      ->excludes(context);
  app->add_option("--file,-f", o.run.file, "Read questions with contexts from the JSON lines of this file")
      ->type_name("FILE")
      ->excludes(question);
  AddServer(*app, o.run.server);
  AddModel(*app, o.run.model);
  app->add_option("--top-k,-k", o.top_k, "The k best answers")
      ->check(CLI::PositiveNumber.description(""))
      ->capture_default_str()
      ->type_name("K");
  app->add_option("--max-answer-tokens", o.max_answer_tokens, "Longest answer, in tokens")
      ->check(CLI::PositiveNumber.description(""))
      ->default_str("15")
      ->type_name("N");
  app->add_flag("--no-answer", o.allow_no_answer,
                "There may be no answer in the context; for models that were trained with such questions");
  AddStride(*app, o.run, "128, or half of what the model takes");
  AddJson(*app, o.json, "question");
  AddCalls(*app, o.run);
  app->final_callback([&o] { CheckAnswer(o); });
}

void AddEmbed(CLI::App& top, EmbedOptions& o) {
  using Pooling = EmbedOptions::Pooling;
  CLI::App* app = top.add_subcommand("embed", "Turn texts into vectors");
  app->footer(Footer(kTextsAndFailures, kEmbedExamples));
  AddTexts(*app, o.run);
  AddServer(*app, o.run.server);
  AddModel(*app, o.run.model);
  AddChoice<Pooling>(*app, "--pooling", o.pooling,
                     {{"mean", Pooling::kMean},
                      {"cls", Pooling::kCls},
                      {"max", Pooling::kMax},
                      {"cls+mean", Pooling::kClsMean},
                      {"last", Pooling::kLast}},
                     "How the vectors of tokens become that of the text", "mean|cls|max|cls+mean|last",
                     "the model's own");
  auto* normalize = app->add_flag_callback(
      "--normalize", [&o] { o.normalize = true; }, "Scale vectors to length 1; default: the model's own");
  app->add_flag_callback(
         "--no-normalize", [&o] { o.normalize = false; }, "Leave vectors as they are")
      ->excludes(normalize);
  auto* tokens = app->add_flag_callback(
      "--tokens", [&o] { o.pooling = Pooling::kNone; }, "A vector for each token, none for the text");
  tokens->excludes("--pooling");
  AddLongTexts(*app, o.run);
  auto* json = AddJson(*app, o.json, "text");
  app->add_option("--npy", o.npy, "Write the vectors to this NumPy file, float32 [texts, dimension]")
      ->type_name("FILE")
      ->excludes(json)
      ->excludes(tokens);
  AddCalls(*app, o.run);
  app->final_callback([&o] {
    CheckTexts(o.run.texts, std::nullopt);
    CheckLongTexts(o.run);
    if (o.pooling == Pooling::kNone && o.run.long_texts == LongTexts::kWindow) {
      throw CLI::ValidationError("--tokens", "does not go with --truncation window, whose windows share tokens");
    }
  });
}

}  // namespace bertha::cli
