// The command line of `bertha tokenize`.
#include <string>

#include "clients/cli/option_parts.h"
#include "clients/cli/options.h"

namespace bertha::cli {
namespace {

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

void CheckTokenize(const TokenizeOptions& o, bool other_options) {
  if (o.tokenizer.empty() && o.package.empty()) {
    throw CLI::ValidationError("--tokenizer FILE or --package DIR", "is required");
  }
  CheckTexts(o.texts, o.pair);
  if (o.format == TokenizeOptions::Format::kRequests && (other_options || !o.texts.empty())) {
    throw CLI::ValidationError("--jsonl", "takes texts and their options from the lines of standard input only");
  }
}

}  // namespace

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

}  // namespace bertha::cli
