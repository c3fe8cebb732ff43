// Small tokenizers for the tests: the fixtures in data/, and a hand-written one that tests change.
#ifndef BERTHA_TESTS_TOKENIZER_SUPPORT_H_
#define BERTHA_TESTS_TOKENIZER_SUPPORT_H_

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tokenizer/tokenizer.h"

namespace bertha::tokenizer {

using nlohmann::json;

inline std::string DataFile(const std::string& name) { return std::string(TOKENIZER_TEST_DATA) + "/" + name; }

/// A tokenizer of a few tokens, numbered in this order; the special ones are added tokens as in BERT.
inline json SmallJson() {
  json vocab = json::object();
  int32_t id = 0;
  for (const char* token : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "##a",  "##b", "ab", "##ab",
                            "é",     "e",     "un",    "##aff", "##able", "[", "]", "mask", "foo", ".",  "##²"}) {
    vocab[token] = id++;
  }
  json added = json::array();
  for (const char* token : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
    added.push_back({{"id", vocab[token]},
                     {"content", token},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added},
          {"normalizer",
           {{"type", "BertNormalizer"},
            {"clean_text", true},
            {"handle_chinese_chars", true},
            {"strip_accents", nullptr},
            {"lowercase", true}}},
          {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
          {"post_processor", {{"type", "BertProcessing"}, {"sep", {"[SEP]", 3}}, {"cls", {"[CLS]", 2}}}},
          {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}},
          {"model",
           {{"type", "WordPiece"},
            {"unk_token", "[UNK]"},
            {"continuing_subword_prefix", "##"},
            {"max_input_chars_per_word", 100},
            {"vocab", vocab}}}};
}

/// The small tokenizer without special tokens around the text.
inline json BareJson() {
  json bare = SmallJson();
  bare["post_processor"] = nullptr;
  return bare;
}

inline std::unique_ptr<const Tokenizer> Load(const json& content) {
  auto tokenizer = Tokenizer::FromJson(content.dump());
  INFO(tokenizer.status().ToString());
  REQUIRE(tokenizer.ok());
  return *std::move(tokenizer);
}

inline Encoding EncodeWith(const Tokenizer& tokenizer, const std::string& text,
                           const std::optional<std::string>& pair = std::nullopt, const EncodeOptions& options = {}) {
  Scratch scratch;
  Encoding encoding;
  std::optional<absl::string_view> second;
  if (pair) second = *pair;
  const absl::Status status = tokenizer.Encode(text, second, options, scratch, encoding);
  INFO(status.ToString());
  REQUIRE(status.ok());
  return encoding;
}

/// The texts of the tokens, separated by spaces.
inline std::string TokensOf(const Tokenizer& tokenizer, const std::string& text) {
  std::string joined;
  for (const int32_t id : EncodeWith(tokenizer, text).ids) {
    if (!joined.empty()) joined += ' ';
    joined += std::string(tokenizer.IdToToken(id).value_or("?"));
  }
  return joined;
}

}  // namespace bertha::tokenizer

#endif  // BERTHA_TESTS_TOKENIZER_SUPPORT_H_
