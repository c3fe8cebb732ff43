#include "tokenizer/whitespace_split.h"

#include <vector>

#include "tokenizer/unicode_tables.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {
namespace {

class WhitespaceSplit final : public Splitter {
 public:
  void Split(absl::string_view text, const ByteRange& part, std::vector<ByteRange>& words) const override {
    size_t word = part.begin;
    for (size_t at = part.begin; at < part.end;) {
      const size_t begin = at;
      if (!IsWhitespaceAt(text, &at)) continue;
      if (word < begin) words.push_back({word, begin});
      word = at;
    }
    if (word < part.end) words.push_back({word, part.end});
  }

 private:
  static bool IsWhitespaceAt(absl::string_view text, size_t* at) {
    if (text[*at] > ' ') return ++*at, false;
    return (unicode::ClassOf(DecodeUtf8(text, at)) & unicode::kWhitespace) != 0;
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakeWhitespaceSplit(const JsonValue&) {
  return std::make_unique<const WhitespaceSplit>();
}

}  // namespace bertha::tokenizer
