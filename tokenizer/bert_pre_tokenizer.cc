#include "tokenizer/bert_pre_tokenizer.h"

#include "tokenizer/unicode_tables.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {

void BertPreTokenizer::Split(absl::string_view text, const ByteRange& part, std::vector<ByteRange>& words) const {
  size_t word = part.begin;
  for (size_t at = part.begin; at < part.end;) {
    const size_t begin = at;
    const uint8_t cls = unicode::ClassOf(DecodeUtf8(text, &at));
    if ((cls & (unicode::kWhitespace | unicode::kPunctuation)) == 0) continue;
    if (word < begin) words.push_back({word, begin});
    if ((cls & unicode::kPunctuation) != 0) words.push_back({begin, at});
    word = at;
  }
  if (word < part.end) words.push_back({word, part.end});
}

absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakeBertPreTokenizer(const JsonValue&) {
  return std::make_unique<const BertPreTokenizer>();
}

}  // namespace bertha::tokenizer
