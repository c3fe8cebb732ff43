#include "tokenizer/post_processor.h"

#include <algorithm>

#include "tokenizer/status_macros.h"

namespace bertha::tokenizer {
namespace {

void Clear(Encoding& encoding) {
  encoding.ids.clear();
  encoding.type_ids.clear();
  encoding.special_tokens_mask.clear();
  encoding.offsets.clear();
  encoding.char_offsets.clear();
  encoding.word_ids.clear();
  encoding.sequence_ids.clear();
  encoding.tokens.clear();
}

void AppendSpecial(const TemplatePiece& piece, const EncodeOptions& options, Encoding& out) {
  out.ids.push_back(piece.id);
  out.type_ids.push_back(piece.type_id);
  if (options.special_tokens_mask) out.special_tokens_mask.push_back(1);
  if (options.offsets) out.offsets.push_back({0, 0});
  if (options.char_offsets) out.char_offsets.push_back({0, 0});
  if (options.word_ids) out.word_ids.push_back(-1);
  if (options.sequence_ids) out.sequence_ids.push_back(-1);
  if (options.tokens) out.tokens.push_back(piece.token);
}

template <typename T>
void AppendRange(const std::vector<T>& from, const TokenRange& range, std::vector<T>& to) {
  to.insert(to.end(), from.begin() + static_cast<ptrdiff_t>(range.begin),
            from.begin() + static_cast<ptrdiff_t>(range.end));
}

void AppendText(const TokenRange& range, int32_t sequence_id, int32_t type_id, const EncodeOptions& options,
                Encoding& out) {
  AppendRange(range.tokens.ids, range, out.ids);
  out.type_ids.resize(out.ids.size(), type_id);
  if (options.special_tokens_mask) out.special_tokens_mask.resize(out.ids.size(), 0);
  if (options.offsets) AppendRange(range.tokens.offsets, range, out.offsets);
  if (options.char_offsets) range.tokens.AppendCharacterOffsets(range.begin, range.end, out.char_offsets);
  if (options.word_ids) AppendRange(range.tokens.word_ids, range, out.word_ids);
  if (options.sequence_ids) out.sequence_ids.resize(out.ids.size(), sequence_id);
  if (options.tokens) AppendRange(range.tokens.texts, range, out.tokens);
}

}  // namespace

absl::StatusOr<TemplatePiece> ReadSpecialPiece(const JsonValue& json, absl::string_view key) {
  TOKENIZER_ASSIGN_OR_RETURN(const JsonValue member, json.Get(key));
  size_t count = 0;
  TemplatePiece piece = TemplatePiece::Special(0, "", 0);
  TOKENIZER_RETURN_IF_ERROR(member.ForEachElement([&](const JsonValue& element) -> absl::Status {
    if (++count == 1) {
      TOKENIZER_ASSIGN_OR_RETURN(piece.token, element.AsString());
    } else {
      TOKENIZER_ASSIGN_OR_RETURN(piece.id, element.AsId());
    }
    return absl::OkStatus();
  }));
  if (count != 2) return member.Invalid("must be a token and its id");
  return piece;
}

absl::StatusOr<std::vector<OffsetTrim>> ReadOffsetTrims(const JsonValue& json) {
  bool trim_offsets = false, add_prefix_space = false;
  TOKENIZER_RETURN_IF_ERROR(json.Read("trim_offsets", &trim_offsets));
  TOKENIZER_RETURN_IF_ERROR(json.Read("add_prefix_space", &add_prefix_space));
  std::vector<OffsetTrim> trims;
  if (trim_offsets) trims.push_back({add_prefix_space});
  return trims;
}

size_t PostProcessor::SpecialTokens(bool is_pair) const { return Length(0, 0, is_pair); }

bool PostProcessor::SecondComesFirst() const {
  for (const TemplatePiece& piece : pair_) {
    if (piece.kind != TemplatePiece::Kind::kSpecial) return piece.kind == TemplatePiece::Kind::kSecond;
  }
  return false;
}

std::optional<int32_t> PostProcessor::IdOncePerPair() const {
  for (const TemplatePiece& piece : pair_) {
    if (piece.kind != TemplatePiece::Kind::kSpecial) continue;
    const auto is_same = [&](const TemplatePiece& other) {
      return other.kind == TemplatePiece::Kind::kSpecial && other.id == piece.id;
    };
    if (std::count_if(pair_.begin(), pair_.end(), is_same) == 1) return piece.id;
  }
  return std::nullopt;
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
      const bool is_first = piece.kind == TemplatePiece::Kind::kFirst;
      const TokenRange& range = is_first ? first : second;
      AppendText(range, is_first ? 0 : 1, range.is_overflow ? piece.overflow_type_id : piece.type_id, options, out);
      if (range.tokens.wants_spaces) Trim(range, options, out);
    }
  }
}

/// Trims the spans of `range`, which are the last ones of `out`.
void PostProcessor::Trim(const TokenRange& range, const EncodeOptions& options, Encoding& out) const {
  const size_t size = range.end - range.begin;
  const EndSpaces* const spaces = range.tokens.spaces.data() + range.begin;
  const absl::string_view text = range.tokens.text;
  Span* const bytes = options.offsets ? out.offsets.data() + (out.offsets.size() - size) : nullptr;
  Span* const chars = options.char_offsets ? out.char_offsets.data() + (out.char_offsets.size() - size) : nullptr;
  for (const OffsetTrim& trim : trims_) {
    for (size_t i = 0; bytes != nullptr && i < size; ++i) bytes[i] = trim.Bytes(bytes[i], spaces[i], i == 0, text);
    for (size_t i = 0; chars != nullptr && i < size; ++i) chars[i] = trim.Chars(chars[i], spaces[i], i == 0);
  }
}

}  // namespace bertha::tokenizer
