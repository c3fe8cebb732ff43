// A byte-level BPE tokenizer of few merges, for the tests.
#ifndef BERTHA_TESTS_TOKENIZER_BPE_SUPPORT_H_
#define BERTHA_TESTS_TOKENIZER_BPE_SUPPORT_H_

#include <string>
#include <utility>
#include <vector>

#include "tests/tokenizer/support.h"
#include "tokenizer/byte_alphabet.h"

namespace bertha::tokenizer {

using Pairs = std::vector<std::pair<std::string, std::string>>;

/// The bytes have the ids 0 to 255, the merges those that follow. No special tokens.
inline json BpeJson(const Pairs& pairs = {}) {
  json vocab = json::object(), merges = json::array();
  for (const std::string& character : ByteAlphabet()) vocab.emplace(character, vocab.size());
  for (const auto& [left, right] : pairs) {
    vocab.emplace(left + right, vocab.size());
    merges.push_back({left, right});
  }
  return {
      {"version", "1.0"},
      {"added_tokens", json::array()},
      {"normalizer", nullptr},
      {"pre_tokenizer",
       {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}}},
      {"post_processor", nullptr},
      {"model", {{"type", "BPE"}, {"unk_token", nullptr}, {"dropout", nullptr}, {"vocab", vocab}, {"merges", merges}}}};
}

}  // namespace bertha::tokenizer

#endif  // BERTHA_TESTS_TOKENIZER_BPE_SUPPORT_H_
