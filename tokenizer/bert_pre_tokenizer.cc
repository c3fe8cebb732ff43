#include "tokenizer/bert_pre_tokenizer.h"

#include "tokenizer/unicode_tables.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {

void BertPreTokenizer::Split(absl::string_view text, std::vector<ByteRange>& words) const {
  words.clear();
  size_t word = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const uint8_t cls = unicode::ClassOf(DecodeUtf8(text, &at));
    if ((cls & (unicode::kWhitespace | unicode::kPunctuation)) == 0) continue;
    if (word < begin) words.push_back({word, begin});
    if ((cls & unicode::kPunctuation) != 0) words.push_back({begin, at});
    word = at;
  }
  if (word < text.size()) words.push_back({word, text.size()});
}

absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakeBertPreTokenizer(const JsonValue&) {
  return std::make_unique<const BertPreTokenizer>();
}

}  // namespace bertha::tokenizer
