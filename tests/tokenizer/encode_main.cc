// tokenizer_encode FILE: tokenizes JSON lines from standard input with the tokenizer.json FILE.
//
// Each line is {"text", "pair"?, "max_length"?, "side"?: "left" or "right", "strategy"?: "only_first" or "only_second",
// "stride"?, "details"?: true}; each answer one line of {"ids", "type_ids", "full_length"}, with details also
// {"special_tokens_mask", "offsets", "byte_offsets", "word_ids", "tokens"}, with a stride also {"overflow"}, a list of
// answers; or
// {"error"}. `offsets` count code points. For tests that compare with the reference library.
// tokenizer_encode FILE --time REPEATS: encodes all the lines so many times and prints megabytes of text per second.
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace {

using bertha::tokenizer::EncodeOptions;
using bertha::tokenizer::Encoding;
using bertha::tokenizer::EncodingList;
using bertha::tokenizer::Scratch;
using bertha::tokenizer::Span;
using bertha::tokenizer::Tokenizer;
using bertha::tokenizer::TruncationSide;
using bertha::tokenizer::TruncationStrategy;
using nlohmann::json;

struct Input {
  std::string text;
  std::optional<std::string> pair;
  EncodeOptions options;
  bool overflow = false;
};

std::optional<Input> ParseLine(const std::string& line) {
  const json parsed = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object() || !parsed.contains("text") || !parsed["text"].is_string()) return std::nullopt;
  Input input;
  input.text = parsed["text"].get<std::string>();
  if (parsed.contains("pair") && parsed["pair"].is_string()) input.pair = parsed["pair"].get<std::string>();
  if (parsed.contains("max_length") && parsed["max_length"].is_number_unsigned()) {
    input.options.max_length = parsed["max_length"].get<size_t>();
  }
  if (parsed.contains("side") && parsed["side"] == "left") input.options.truncation_side = TruncationSide::kLeft;
  if (parsed.contains("strategy")) {
    input.options.truncation_strategy = parsed["strategy"] == "only_first"    ? TruncationStrategy::kOnlyFirst
                                        : parsed["strategy"] == "only_second" ? TruncationStrategy::kOnlySecond
                                                                              : TruncationStrategy::kLongestFirst;
  }
  if (parsed.contains("stride") && parsed["stride"].is_number_unsigned()) {
    input.options.stride = parsed["stride"].get<size_t>();
    input.overflow = true;
  }
  if (parsed.contains("details") && parsed["details"] == true) {
    input.options.special_tokens_mask = input.options.word_ids = true;
    input.options.offsets = input.options.char_offsets = input.options.tokens = true;
  }
  return input;
}

json Pairs(const std::vector<Span>& spans) {
  json pairs = json::array();
  for (const Span& span : spans) pairs.push_back({span.begin, span.end});
  return pairs;
}

json AnswerOf(const Encoding& encoding, const EncodeOptions& options) {
  json answer = {{"ids", encoding.ids}, {"type_ids", encoding.type_ids}, {"full_length", encoding.full_length}};
  if (!options.offsets) return answer;
  answer["special_tokens_mask"] = encoding.special_tokens_mask;
  answer["word_ids"] = encoding.word_ids;
  answer["byte_offsets"] = Pairs(encoding.offsets);
  answer["offsets"] = Pairs(encoding.char_offsets);
  answer["tokens"] = encoding.tokens;
  return answer;
}

absl::Status Encode(const Tokenizer& tokenizer, const Input& input, Scratch& scratch, Encoding& encoding) {
  std::optional<absl::string_view> pair;
  if (input.pair) pair = *input.pair;
  return tokenizer.Encode(input.text, pair, input.options, scratch, encoding);
}

json AnswerWithOverflow(const Tokenizer& tokenizer, const Input& input, Scratch& scratch, Encoding& encoding) {
  EncodingList overflow;
  std::optional<absl::string_view> pair;
  if (input.pair) pair = *input.pair;
  const absl::Status status =
      tokenizer.EncodeWithOverflow(input.text, pair, input.options, scratch, encoding, overflow);
  if (!status.ok()) return {{"error", status.ToString()}};
  json answer = AnswerOf(encoding, input.options);
  answer["overflow"] = json::array();
  for (size_t i = 0; i < overflow.size(); ++i) answer["overflow"].push_back(AnswerOf(overflow[i], input.options));
  return answer;
}

json Answer(const Tokenizer& tokenizer, const std::string& line, Scratch& scratch, Encoding& encoding) {
  const std::optional<Input> input = ParseLine(line);
  if (!input) return {{"error", "not a JSON object with a text"}};
  if (input->overflow) return AnswerWithOverflow(tokenizer, *input, scratch, encoding);
  if (const absl::Status status = Encode(tokenizer, *input, scratch, encoding); !status.ok()) {
    return {{"error", status.ToString()}};
  }
  return AnswerOf(encoding, input->options);
}

int PrintSpeed(const Tokenizer& tokenizer, int repeats) {
  std::vector<Input> inputs;
  size_t bytes = 0;
  for (std::string line; std::getline(std::cin, line);) {
    if (std::optional<Input> input = ParseLine(line)) {
      bytes += input->text.size();
      inputs.push_back(*std::move(input));
    }
  }
  Scratch scratch;
  Encoding encoding;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < repeats; ++i) {
    for (const Input& input : inputs) {
      if (!Encode(tokenizer, input, scratch, encoding).ok()) return 1;
    }
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  std::cout << static_cast<double>(bytes) * repeats / elapsed.count() / 1e6 << " MB/s\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const bool timed = argc == 4 && std::string(argv[2]) == "--time";
  if (argc != 2 && !timed) {
    std::cerr << "usage: tokenizer_encode FILE [--time REPEATS] < JSON lines\n";
    return 2;
  }
  const auto tokenizer = Tokenizer::FromFile(argv[1]);
  if (!tokenizer.ok()) {
    std::cerr << tokenizer.status() << "\n";
    return 1;
  }
  if (timed) return PrintSpeed(**tokenizer, std::atoi(argv[3]));
  Scratch scratch;
  Encoding encoding;
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << Answer(**tokenizer, line, scratch, encoding).dump() << "\n";
  }
  return 0;
}
