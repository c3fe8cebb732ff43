// What the bytes of an input of fuzz_tokenizer_text mean. test_fuzz_corpus.py reads them in the same way.
//
//   byte 0  bits 0-3: which tokenizer, modulo their number; bits 4-7: options of a BertNormalizer, in their order
//   byte 1  bit 0: truncate on the left; bits 1-2: strategy longest_first, only_first, only_second, longest_first;
//           bit 3: a pair
//   byte 2  bits 0-5: ask for special_tokens_mask, offsets, char_offsets, word_ids, tokens, sequence_ids
//   byte 3  max_length
//   byte 4  stride
//   rest    the text; of a pair up to the first NUL, and after it the second text
#ifndef BERTHA_TESTS_FUZZ_TEXT_INPUT_H_
#define BERTHA_TESTS_FUZZ_TEXT_INPUT_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "tokenizer/bert_normalizer.h"
#include "tokenizer/tokenizer.h"

namespace bertha::tokenizer::fuzz {

inline constexpr size_t kTextInputHeader = 5;

struct TextInput {
  size_t tokenizer = 0;
  BertNormalizer::Options normalizer;
  EncodeOptions options;
  std::string text;
  std::optional<std::string> pair;

  std::optional<absl::string_view> pair_view() const {
    return pair ? std::optional<absl::string_view>(*pair) : std::nullopt;
  }
};

/// nullopt if `data` is too short.
std::optional<TextInput> ParseTextInput(absl::string_view data);

/// Where `text` stops being UTF-8; its size if it is all UTF-8. Decodes by arithmetic, unlike the tokenizer's tables.
size_t WellFormedSize(absl::string_view text);

/// `text` without the bytes that do not belong to a well-formed sequence.
std::string Repaired(absl::string_view text);

}  // namespace bertha::tokenizer::fuzz

#endif  // BERTHA_TESTS_FUZZ_TEXT_INPUT_H_
