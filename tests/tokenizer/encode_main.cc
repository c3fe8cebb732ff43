// tokenizer_encode FILE: tokenizes JSON lines from standard input with the tokenizer.json FILE.
//
// Each line is {"text", "pair"?, "max_length"?, "side"?: "left" or "right", "strategy"?: "only_first" or "only_second",
// "stride"?, "details"?: true}; each answer one line of {"ids", "type_ids", "full_length"}, with details also
// {"special_tokens_mask", "offsets", "byte_offsets", "word_ids", "sequence_ids", "tokens"}, with a stride also
// {"overflow"}, a list of answers; or {"error"}. `offsets` count code points. For tests that compare with the reference
// library.
//
// tokenizer_encode FILE --time ROUNDS [WANT[:THREADS[:apart]]]...: encodes all the lines once in each round and prints
// a line "<speed> MB/s WANT[:THREADS[:apart]] wall <speed>" for each WANT:
//   ids      ids and type ids only (what is timed if nothing is named)
//   offsets  also offsets in bytes
//   chars    also offsets in code points
//   all      also offsets in bytes and in code points, word ids, special-token mask; no token texts
// Several are timed in turn within each round, so that they can be compared although the machine is noisy: `--time 21
// ids all ids:2`. With THREADS, so many threads encode all the lines each, and their bytes are added up; `apart` gives
// each a tokenizer of its own, which shows how much of what is lost is the machine's. Speeds are medians over the
// rounds in 10^6 bytes of text per second: the first of the processor time of the slowest thread, which other programs
// do not change much, the second of the time on the wall.
//
// tokenizer_encode FILE --load ROUNDS: loads the file so often and prints "<median> ms, <bytes> bytes, <bytes> peak":
// the time on the wall, what the tokenizer keeps allocated, and the most that is while it loads.
#include <absl/strings/match.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/tokenizer/allocations.h"
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
    input.options.special_tokens_mask = input.options.word_ids = input.options.sequence_ids = true;
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
  answer["sequence_ids"] = encoding.sequence_ids;
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

/// What --time measures: which parts of the result are asked for, how many threads ask, and whom.
struct Timed {
  std::string name;
  bool offsets = false, chars = false, rest = false;
  int threads = 1;
  bool apart = false;
  std::vector<double> seconds = {}, wall_seconds = {};  // of each round

  static std::optional<Timed> Parse(const std::string& name) {
    const size_t colon = name.find(':');
    const std::string want = name.substr(0, colon);
    const bool all = want == "all";
    if (want != "ids" && want != "offsets" && want != "chars" && !all) return std::nullopt;
    const int threads = colon == std::string::npos ? 1 : std::atoi(name.c_str() + colon + 1);
    if (threads < 1) return std::nullopt;
    return Timed{name, all || want == "offsets", all || want == "chars", all, threads, absl::EndsWith(name, ":apart")};
  }

  void AskFor(EncodeOptions& options) const {
    options.offsets = offsets;
    options.char_offsets = chars;
    options.word_ids = options.sequence_ids = options.special_tokens_mask = rest;
  }
};

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double ProcessorSeconds() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// The memory that one thread keeps from round to round; apart from the others', or they would share cache lines.
struct alignas(128) Memory {
  Scratch scratch;
  Encoding encoding;
};

/// The processor time that it takes.
double EncodeAll(const Tokenizer& tokenizer, const std::vector<Input>& inputs, Memory& memory) {
  const double start = ProcessorSeconds();
  for (const Input& input : inputs) {
    if (!Encode(tokenizer, input, memory.scratch, memory.encoding).ok()) std::abort();
  }
  return ProcessorSeconds() - start;
}

using Tokenizers = std::vector<std::unique_ptr<const Tokenizer>>;

/// `tokenizers` has one for each of the threads.
void TimeRound(const Tokenizers& tokenizers, const std::vector<Input>& inputs, std::vector<Memory>& memories,
               Timed& timed) {
  const auto of_thread = [&](size_t i) -> const Tokenizer& { return *tokenizers[timed.apart ? i : 0]; };
  const auto start = std::chrono::steady_clock::now();
  std::vector<double> seconds(memories.size());
  std::vector<std::thread> others;
  for (size_t i = 1; i < memories.size(); ++i) {
    others.emplace_back([&, i] { seconds[i] = EncodeAll(of_thread(i), inputs, memories[i]); });
  }
  seconds[0] = EncodeAll(of_thread(0), inputs, memories[0]);
  for (std::thread& other : others) other.join();
  timed.wall_seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  timed.seconds.push_back(*std::max_element(seconds.begin(), seconds.end()));
}

void PrintSpeed(const Tokenizers& tokenizers, int rounds, std::vector<Timed>& wanted) {
  std::vector<Input> inputs;
  size_t bytes = 0;
  for (std::string line; std::getline(std::cin, line);) {
    std::optional<Input> input = ParseLine(line);
    if (!input) continue;
    bytes += input->text.size() + (input->pair ? input->pair->size() : 0);
    input->options.tokens = false;
    inputs.push_back(*std::move(input));
  }
  std::vector<std::vector<Memory>> memories(wanted.size());
  for (int round = -1; round < rounds; ++round) {  // the first one only warms up
    for (size_t i = 0; i < wanted.size(); ++i) {
      memories[i].resize(static_cast<size_t>(wanted[i].threads));
      for (Input& input : inputs) wanted[i].AskFor(input.options);
      TimeRound(tokenizers, inputs, memories[i], wanted[i]);
    }
    if (round < 0) {
      for (Timed& timed : wanted) timed.seconds = timed.wall_seconds = {};
    }
  }
  for (const Timed& timed : wanted) {
    const double megabytes = static_cast<double>(bytes) * timed.threads / 1e6;
    std::cout << megabytes / Median(timed.seconds) << " MB/s " << timed.name << " wall "
              << megabytes / Median(timed.wall_seconds) << "\n";
  }
}

bool PrintLoading(const std::string& file, int rounds) {
  std::vector<double> milliseconds;
  size_t live = 0, peak = 0;
  for (int round = 0; round < rounds; ++round) {
    bertha::tokenizer::ResetPeakBytes();
    const size_t before = bertha::tokenizer::LiveBytes();
    const auto start = std::chrono::steady_clock::now();
    const auto tokenizer = Tokenizer::FromFile(file);
    const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
    if (!tokenizer.ok()) return false;
    milliseconds.push_back(elapsed.count());
    live = bertha::tokenizer::LiveBytes() - before;
    peak = bertha::tokenizer::PeakBytes() - before;
  }
  std::cout << Median(milliseconds) << " ms, " << live << " bytes, " << peak << " peak\n";
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::string mode = arguments.size() >= 2 ? arguments[1] : "";
  const int rounds = arguments.size() >= 3 ? std::atoi(argv[3]) : 0;
  std::vector<Timed> wanted;
  for (size_t i = 3; i < arguments.size(); ++i) {
    if (std::optional<Timed> parsed = Timed::Parse(arguments[i])) wanted.push_back(*std::move(parsed));
  }
  const bool understood = mode.empty() ? arguments.size() == 1 : (mode == "--time" || mode == "--load") && rounds > 0;
  if (!understood || (!mode.empty() && wanted.size() + 3 != arguments.size())) {
    std::cerr << "usage: tokenizer_encode FILE [--time ROUNDS [ids|offsets|chars|all[:THREADS[:apart]]]... | --load "
                 "ROUNDS]\n";
    return 2;
  }
  Tokenizers tokenizers;
  int needed = 1;
  for (const Timed& timed : wanted) needed = std::max(needed, timed.apart ? timed.threads : 1);
  while (needed-- > 0) {
    auto tokenizer = Tokenizer::FromFile(argv[1]);
    if (!tokenizer.ok()) {
      std::cerr << tokenizer.status() << "\n";
      return 1;
    }
    tokenizers.push_back(*std::move(tokenizer));
  }
  if (mode == "--load") return PrintLoading(argv[1], rounds) ? 0 : 1;
  if (mode == "--time") {
    if (wanted.empty()) wanted.push_back(*Timed::Parse("ids"));
    PrintSpeed(tokenizers, rounds, wanted);
    return 0;
  }
  Scratch scratch;
  Encoding encoding;
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << Answer(*tokenizers[0], line, scratch, encoding).dump() << "\n";
  }
  return 0;
}
