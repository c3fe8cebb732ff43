#include "tokenizer/bert_pre_tokenizer.h"

#include "tokenizer/byte_block.h"
#include "tokenizer/unicode_tables.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {

namespace {

/// Cuts words at the code points that it is shown, one after another.
class Cutter {
 public:
  Cutter(absl::string_view text, const ByteRange& part, std::vector<ByteRange>& words)
      : text_(text), part_(part), words_(words), word_(part.begin) {}

  /// Returns where the code point at `begin` ends.
  size_t See(size_t begin) {
    size_t end = begin;
    const uint8_t cls = unicode::ClassOf(DecodeUtf8(text_, &end));
    if ((cls & (unicode::kWhitespace | unicode::kPunctuation)) == 0) return end;
    if (word_ < begin) words_.push_back({word_, begin});
    if ((cls & unicode::kPunctuation) != 0) words_.push_back({begin, end});
    word_ = end;
    return end;
  }

  void Finish() {
    if (word_ < part_.end) words_.push_back({word_, part_.end});
  }

 private:
  const absl::string_view text_;
  const ByteRange part_;
  std::vector<ByteRange>& words_;
  size_t word_;  // where the current one began
};

}  // namespace

void BertPreTokenizer::Split(absl::string_view text, const ByteRange& part, std::vector<ByteRange>& words) const {
  constexpr size_t kBlock = 16;
  Cutter cutter(text, part, words);
  size_t at = part.begin;
  for (; part.end - at >= kBlock; at += kBlock) {
    for (uint32_t mask = MayEndWord(text.data() + at); mask != 0; mask &= mask - 1) {
      cutter.See(at + static_cast<size_t>(__builtin_ctz(mask)));
    }
  }
  while (at < part.end && !IsUtf8Start(text[at])) ++at;
  while (at < part.end) at = cutter.See(at);
  cutter.Finish();
}

void BertPreTokenizer::SplitPlainly(absl::string_view text, const ByteRange& part,
                                    std::vector<ByteRange>& words) const {
  Cutter cutter(text, part, words);
  for (size_t at = part.begin; at < part.end;) at = cutter.See(at);
  cutter.Finish();
}

absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakeBertPreTokenizer(const JsonValue&) {
  return std::make_unique<const BertPreTokenizer>();
}

}  // namespace bertha::tokenizer
