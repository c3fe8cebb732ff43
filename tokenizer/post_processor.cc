#include "tokenizer/post_processor.h"

#include <algorithm>

namespace bertha::tokenizer {

size_t PostProcessor::SpecialTokens(bool is_pair) const { return Length(0, 0, is_pair); }

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

void PostProcessor::Apply(IdRange first, IdRange second, bool is_pair, Encoding& out) const {
  out.ids.clear();
  out.type_ids.clear();
  for (const TemplatePiece& piece : For(is_pair)) {
    IdRange run = {&piece.id, 1};
    if (piece.kind == TemplatePiece::Kind::kFirst) run = first;
    if (piece.kind == TemplatePiece::Kind::kSecond) run = second;
    out.ids.insert(out.ids.end(), run.data, run.data + run.size);
    out.type_ids.insert(out.type_ids.end(), run.size, piece.type_id);
  }
}

}  // namespace bertha::tokenizer
