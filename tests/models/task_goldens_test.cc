// The committed answers of the pipelines of `transformers` (generate_task_goldens.py).
#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/tasks/question_answering.h"
#include "models/tasks/token_classification.h"
#include "tests/catch.h"
#include "tokenizer/tokenizer.h"

namespace bertha::models {
namespace {

using nlohmann::json;
using tokenizer::EncodeOptions;
using tokenizer::Encoding;
using tokenizer::EncodingList;
using tokenizer::Span;
using tokenizer::Tokenizer;
using tokenizer::TruncationStrategy;

constexpr double kTolerance = 1e-6;

const Tokenizer& TokenizerOf(const json& golden) {
  static auto& loaded = *new std::map<std::string, std::unique_ptr<const Tokenizer>>;
  const auto name = golden["tokenizer"].get<std::string>();
  std::unique_ptr<const Tokenizer>& tokenizer = loaded[name];
  if (tokenizer == nullptr) {
    auto read = Tokenizer::FromFile(std::string(TOKENIZER_TEST_DATA) + "/" + name + ".json");
    REQUIRE(read.ok());
    tokenizer = *std::move(read);
  }
  return *tokenizer;
}

size_t ForEachGolden(const std::string& file, const std::function<void(const json&)>& check) {
  std::ifstream lines(std::string(MODELS_TEST_DATA) + "/" + file);
  size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    INFO(line);
    check(json::parse(line));
  }
  return count;
}

EncodeOptions EverythingIn(const json& max_length, const json& stride) {
  EncodeOptions options;
  options.max_length = max_length.get<size_t>();
  options.stride = stride.get<size_t>();
  options.special_tokens_mask = options.offsets = options.char_offsets = true;
  options.word_ids = options.sequence_ids = true;
  return options;
}

/// The windows of a golden text, encoded, with the logits that the file has for them.
struct Windows {
  Encoding first;
  EncodingList others;
  std::vector<std::vector<float>> logits;

  Windows(const json& golden, const std::string& text, std::optional<absl::string_view> pair,
          const EncodeOptions& options, size_t width) {
    tokenizer::Scratch scratch;
    const absl::Status status = TokenizerOf(golden).EncodeWithOverflow(text, pair, options, scratch, first, others);
    INFO(status.ToString());
    REQUIRE(status.ok());
    logits = golden["windows"].get<std::vector<std::vector<float>>>();
    REQUIRE(logits.size() == others.size() + 1);
    for (size_t i = 0; i < logits.size(); ++i) REQUIRE(logits[i].size() == encoding(i).ids.size() * width);
  }

  const Encoding& encoding(size_t i) const { return i == 0 ? first : others[i - 1]; }
};

/// Bytes and code points name the same part of the text.
bool Agree(const std::string& text, const Span& bytes, const Span& chars) {
  const auto count = [&](size_t end) {
    size_t starts = 0;
    for (size_t i = 0; i < end; ++i) starts += (text[i] & 0xC0) != 0x80;
    return starts;
  };
  return bytes.end <= text.size() && count(bytes.begin) == chars.begin && count(bytes.end) == chars.end;
}

TEST_CASE("EntitiesAreThoseOfThePipelineForEveryStrategy") {
  const std::map<std::string, Aggregation> strategies = {{"none", Aggregation::kNone},
                                                         {"simple", Aggregation::kSimple},
                                                         {"first", Aggregation::kFirst},
                                                         {"average", Aggregation::kAverage},
                                                         {"max", Aggregation::kMax}};
  const size_t goldens = ForEachGolden("token_classification.jsonl", [&](const json& golden) {
    const auto text = golden["text"].get<std::string>();
    const auto labels = golden["labels"].get<std::vector<std::string>>();
    const Windows windows(golden, text, std::nullopt, EverythingIn(golden["max_length"], golden["stride"]),
                          labels.size());
    std::vector<TaggedWindow> tagged;
    for (size_t i = 0; i < windows.logits.size(); ++i) tagged.push_back({&windows.encoding(i), windows.logits[i]});
    const EntityTagger tagger(labels, TokenizerOf(golden));
    std::vector<Entity> entities = {{"left behind", 1, {0, 0}, {0, 0}}};
    for (const auto& [name, expected] : golden["results"].items()) {
      INFO(name);
      tagger.Tag(text, tagged, strategies.at(name), entities);
      REQUIRE(entities.size() == expected.size());
      for (size_t i = 0; i < entities.size(); ++i) {
        INFO(i << ": " << expected[i] << ", not " << entities[i].chars.begin << " " << entities[i].chars.end << " "
               << entities[i].label << " " << entities[i].score);
        REQUIRE(entities[i].chars == Span{expected[i][0].get<size_t>(), expected[i][1].get<size_t>()});
        REQUIRE(entities[i].label == expected[i][2].get<std::string>());
        REQUIRE(std::abs(entities[i].score - expected[i][3].get<double>()) <= kTolerance);
        REQUIRE(Agree(text, entities[i].bytes, entities[i].chars));
      }
    }
  });
  CHECK(goldens == 90);
}

TEST_CASE("AnswersAreThoseOfThePipelineWithAndWithoutNoAnswer") {
  const size_t goldens = ForEachGolden("question_answering.jsonl", [&](const json& golden) {
    const auto question = golden["question"].get<std::string>(), context = golden["context"].get<std::string>();
    // What pads on the left reads the context first.
    const bool context_first = golden["tokenizer"] == "xlnet_hub";
    EncodeOptions options = EverythingIn(golden["max_seq_len"], golden["doc_stride"]);
    options.truncation_strategy = context_first ? TruncationStrategy::kOnlyFirst : TruncationStrategy::kOnlySecond;
    const Windows windows(golden, context_first ? context : question, context_first ? question : context, options, 2);
    std::vector<AnswerWindow> read;
    for (size_t i = 0; i < windows.logits.size(); ++i) read.push_back({&windows.encoding(i), windows.logits[i]});
    std::vector<FoundAnswer> answers = {{1, {0, 0}, {0, 0}, true}};
    for (const bool allow_no_answer : {false, true}) {
      INFO("no answer allowed: " << allow_no_answer);
      const float no_answer = FindAnswers(
          context, read, {context_first ? 0 : 1, TokenizerOf(golden).cls_id()},
          {golden["top_k"].get<size_t>(), golden["max_answer_len"].get<size_t>(), allow_no_answer}, answers);
      CHECK(std::abs(no_answer - golden["no_answer"].get<double>()) <= kTolerance);
      const json& expected = golden[allow_no_answer ? "answers_or_none" : "answers"];
      REQUIRE(answers.size() == expected.size());
      for (size_t i = 0; i < answers.size(); ++i) {
        INFO(i << ": " << expected[i] << ", not " << answers[i].chars.begin << " " << answers[i].chars.end << " "
               << answers[i].score);
        REQUIRE(answers[i].chars == Span{expected[i][0].get<size_t>(), expected[i][1].get<size_t>()});
        REQUIRE(std::abs(answers[i].score - expected[i][2].get<double>()) <= kTolerance);
        REQUIRE(Agree(context, answers[i].bytes, answers[i].chars));
      }
    }
  });
  CHECK(goldens == 72);
}

}  // namespace
}  // namespace bertha::models
