#include "tests/fuzz/tokenizer_properties.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/fuzz/check.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer::fuzz {
namespace {

bool StartsCharacter(const std::string& text, size_t at) { return at == text.size() || IsUtf8Start(text[at]); }

/// `text`: the only one, so that every offset is into it.
void CheckEncoding(const Tokenizer& tokenizer, const std::string& text, const Encoding& encoding) {
  const size_t size = encoding.ids.size();
  FUZZ_CHECK(encoding.type_ids.size() == size && encoding.special_tokens_mask.size() == size);
  FUZZ_CHECK(encoding.offsets.size() == size && encoding.char_offsets.size() == size);
  FUZZ_CHECK(encoding.word_ids.size() == size && encoding.tokens.size() == size);
  for (size_t i = 0; i < size; ++i) {
    const auto [begin, end] = encoding.offsets[i];
    const std::string& details = encoding.tokens[i];
    FUZZ_CHECK_THAT(encoding.ids[i] >= 0 && static_cast<size_t>(encoding.ids[i]) < tokenizer.vocab_size(), details);
    FUZZ_CHECK_THAT(begin <= end && end <= text.size(), details);
    FUZZ_CHECK_THAT(StartsCharacter(text, begin) && StartsCharacter(text, end), details);
    FUZZ_CHECK_THAT(encoding.char_offsets[i].begin == CountCodePoints(text.substr(0, begin)) &&
                        encoding.char_offsets[i].end == CountCodePoints(text.substr(0, end)),
                    details);
    FUZZ_CHECK_THAT(FindInvalidUtf8(encoding.tokens[i]) == absl::string_view::npos, details);
  }
}

const std::vector<std::string>& Texts() {
  static const std::vector<std::string> texts = {
      "",
      "Hello, World! The unaffable ab aab's naïve café: 3.14% [MASK]<mask>[UNK] ``it''  \t\n x",
      "e\u0301\u0323 İ ΑΣ 中文 한국어 ﷺ ㍿ ＜mask＞ 👩‍👦 \u00a0\u3000\u200b "
      "हिन्दी\u302e\u0301\u08d5\ufffd\U0010ffff",
      std::string(300, 'a') + std::string(40, ' ') + std::string(120, '.') + "▁▁ab",
  };
  return texts;
}

EncodeOptions Everything() {
  EncodeOptions options;
  options.special_tokens_mask = options.offsets = options.char_offsets = options.word_ids = options.tokens = true;
  return options;
}

}  // namespace

void CheckMessage(const absl::Status& status) {
  // A path has at most as many steps as a file may have levels, and a message shortens each of them.
  constexpr size_t kLongestMessage = 32 << 10;
  const absl::string_view message = status.message();
  FUZZ_CHECK_THAT(FindInvalidUtf8(message) == absl::string_view::npos, status.ToString());
  FUZZ_CHECK_THAT(message.find('\n') == absl::string_view::npos, status.ToString());
  FUZZ_CHECK_THAT(message.size() <= kLongestMessage, absl::StrCat(message.size(), " bytes: ", status.ToString()));
}

void CheckTokenizer(const Tokenizer& tokenizer) {
  static Scratch scratch;
  Encoding encoding, ids_only;
  EncodingList overflow;
  EncodeOptions limited = Everything();
  limited.max_length = 16;
  limited.stride = 1;
  for (const std::string& text : Texts()) {
    FUZZ_CHECK(tokenizer.Encode(text, std::nullopt, Everything(), scratch, encoding).ok());
    CheckEncoding(tokenizer, text, encoding);
    FUZZ_CHECK(tokenizer.Encode(text, std::nullopt, {}, scratch, ids_only).ok());
    FUZZ_CHECK(ids_only.ids == encoding.ids && ids_only.type_ids == encoding.type_ids);
    // Whether it can be cut so depends on the post-processor; it must come to an end.
    if (tokenizer.EncodeWithOverflow(text, std::nullopt, limited, scratch, encoding, overflow).ok()) {
      CheckEncoding(tokenizer, text, encoding);
      for (size_t i = 0; i < overflow.size(); ++i) CheckEncoding(tokenizer, text, overflow[i]);
    }
    tokenizer.EncodeWithOverflow(text, "ab [SEP] b", limited, scratch, encoding, overflow).IgnoreError();
  }
  for (const int32_t id : {std::numeric_limits<int32_t>::min(), -1, 0, 5, std::numeric_limits<int32_t>::max()}) {
    const auto token = tokenizer.IdToToken(id);
    if (!token) continue;
    FUZZ_CHECK(id >= 0 && static_cast<size_t>(id) < tokenizer.vocab_size());
    FUZZ_CHECK(tokenizer.TokenToId(*token).has_value());
  }
}

}  // namespace bertha::tokenizer::fuzz
