#include "tokenizer/post_processor.h"

#include <algorithm>

namespace bertha::tokenizer {
namespace {

void Clear(Encoding& encoding) {
  encoding.ids.clear();
  encoding.type_ids.clear();
  encoding.special_tokens_mask.clear();
  encoding.offsets.clear();
  encoding.char_offsets.clear();
  encoding.word_ids.clear();
  encoding.tokens.clear();
}

void AppendSpecial(const TemplatePiece& piece, const EncodeOptions& options, Encoding& out) {
  out.ids.push_back(piece.id);
  out.type_ids.push_back(piece.type_id);
  if (options.special_tokens_mask) out.special_tokens_mask.push_back(1);
  if (options.offsets) out.offsets.push_back({0, 0});
  if (options.char_offsets) out.char_offsets.push_back({0, 0});
  if (options.word_ids) out.word_ids.push_back(-1);
  if (options.tokens) out.tokens.push_back(piece.token);
}

template <typename T>
void AppendRange(const std::vector<T>& from, const TokenRange& range, std::vector<T>& to) {
  to.insert(to.end(), from.begin() + static_cast<ptrdiff_t>(range.begin),
            from.begin() + static_cast<ptrdiff_t>(range.end));
}

void AppendText(const TokenRange& range, int32_t type_id, const EncodeOptions& options, Encoding& out) {
  AppendRange(range.tokens.ids, range, out.ids);
  out.type_ids.resize(out.ids.size(), type_id);
  if (options.special_tokens_mask) out.special_tokens_mask.resize(out.ids.size(), 0);
  if (options.offsets) AppendRange(range.tokens.offsets, range, out.offsets);
  if (options.char_offsets) AppendRange(range.tokens.char_offsets, range, out.char_offsets);
  if (options.word_ids) AppendRange(range.tokens.word_ids, range, out.word_ids);
  if (options.tokens) AppendRange(range.tokens.texts, range, out.tokens);
}

}  // namespace

size_t PostProcessor::SpecialTokens(bool is_pair) const { return Length(0, 0, is_pair); }

bool PostProcessor::SecondComesFirst() const {
  for (const TemplatePiece& piece : pair_) {
    if (piece.kind != TemplatePiece::Kind::kSpecial) return piece.kind == TemplatePiece::Kind::kSecond;
  }
  return false;
}

int32_t PostProcessor::LargestId() const {
  int32_t largest = -1;
  for (const Template* pieces : {&single_, &pair_}) {
    for (const TemplatePiece& piece : *pieces) {
      if (piece.kind == TemplatePiece::Kind::kSpecial) largest = std::max(largest, piece.id);
    }
  }
  return largest;
}

size_t PostProcessor::Length(size_t first, size_t second, bool is_pair) const {
  size_t length = 0;
  for (const TemplatePiece& piece : For(is_pair)) {
    switch (piece.kind) {
      case TemplatePiece::Kind::kSpecial:
        length += 1;
        break;
      case TemplatePiece::Kind::kFirst:
        length += first;
        break;
      case TemplatePiece::Kind::kSecond:
        length += second;
        break;
    }
  }
  return length;
}

void PostProcessor::Apply(const TokenRange& first, const TokenRange& second, bool is_pair, const EncodeOptions& options,
                          Encoding& out) const {
  Clear(out);
  for (const TemplatePiece& piece : For(is_pair)) {
    if (piece.kind == TemplatePiece::Kind::kSpecial) {
      AppendSpecial(piece, options, out);
    } else {
      const TokenRange& range = piece.kind == TemplatePiece::Kind::kFirst ? first : second;
      AppendText(range, range.is_overflow ? piece.overflow_type_id : piece.type_id, options, out);
    }
  }
}

}  // namespace bertha::tokenizer
