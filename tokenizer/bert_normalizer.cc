#include "tokenizer/bert_normalizer.h"

#include <algorithm>

#include "tokenizer/byte_block.h"
#include "tokenizer/status_macros.h"
#include "tokenizer/unicode_tables.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {

namespace {

/// What CanonicalOrder remembers of a mark. The reference library reorders what a character turned into, but hands the
/// places in the source out in their old order: one to the first part of each character, in the new order of those.
enum MarkTag : uint8_t {
  kTakesSource = 1 << 0,  // the first part of a character
  kStripped = 1 << 1,     // counts for the order, but is not part of the result
};

}  // namespace

BertNormalizer::BertNormalizer(const Options& options) : options_(options) {
  NormalizerScratch scratch;
  std::string text;
  Output out = {scratch, text, nullptr};
  for (size_t c = 0; c < ascii_.size(); ++c) {
    text.clear();
    Append(static_cast<char32_t>(c), out);
    ascii_[c] = text.empty() ? kNothing : static_cast<int16_t>(text[0]);
  }
}

void BertNormalizer::Output::Clear() {
  text.clear();
  if (alignment != nullptr) alignment->Clear();
}

void BertNormalizer::Output::Append(char32_t cp, const ByteRange& from) {
  const size_t begin = text.size();
  AppendUtf8(cp, &text);
  if (alignment != nullptr) alignment->Append({begin, text.size()}, from);
}

void BertNormalizer::Output::AppendCopy(absl::string_view from, const ByteRange& range) {
  const size_t begin = text.size();
  text.append(from.data() + range.begin, range.size());
  if (alignment != nullptr) alignment->Append({begin, text.size()}, range);
}

bool BertNormalizer::Normalize(absl::string_view text, NormalizerScratch& scratch, std::string& normalized,
                               Alignment* alignment) const {
  Output out = {scratch, normalized, alignment};
  out.Clear();
  for (size_t at = 0; at < text.size();) {
    if (IsAscii(text[at])) {
      // A dropped control does not end a run of marks: it is gone before marks are ordered.
      if (ascii_[static_cast<unsigned char>(text[at])] != kNothing) FlushMarks(out);
      at = AppendAscii(text, at, out);
    } else if (const size_t end = EndOfUnchanged(text, at); end != at) {
      FlushMarks(out);
      out.AppendCopy(text, {at, end});
      at = end;
    } else {
      AppendNext(text, &at, out);
    }
  }
  FlushMarks(out);
  return true;
}

/// Where the run of characters beyond ASCII ends that no setting changes, and that are no marks.
size_t BertNormalizer::EndOfUnchanged(absl::string_view text, size_t at) {
  constexpr uint8_t kChanges = unicode::kDropped | unicode::kWhitespace | unicode::kCjk | unicode::kMark |
                               unicode::kDecomposes | unicode::kLowers;
  while (at < text.size() && !IsAscii(text[at])) {
    size_t next = at;
    const char32_t cp = DecodeUtf8(text, &next);
    if ((unicode::ClassOf(cp) & kChanges) != 0 || unicode::CombiningClass(cp) != 0) break;
    at = next;
  }
  return at;
}

void BertNormalizer::NormalizePlainly(absl::string_view text, NormalizerScratch& scratch, std::string& normalized,
                                      Alignment* alignment) const {
  Output out = {scratch, normalized, alignment};
  out.Clear();
  for (size_t at = 0; at < text.size();) AppendNext(text, &at, out);
  FlushMarks(out);
}

void BertNormalizer::AppendNext(absl::string_view text, size_t* at, Output& out) const {
  out.source.begin = *at;
  const char32_t cp = DecodeUtf8(text, at);
  out.source.end = *at;
  Append(cp, out);
}

/// Appends the run of ASCII at `at` and returns where it ended. A dropped character at `at` is a run of its own, so
/// that Normalize flushes pending marks just before the first character that stays.
size_t BertNormalizer::AppendAscii(absl::string_view text, size_t at, Output& out) const {
  if (ascii_[static_cast<unsigned char>(text[at])] == kNothing) return at + 1;
  const size_t begin = at;
  const size_t end = at + FindNonAscii(text.substr(at));
  const size_t old_size = out.text.size();
  out.text.resize(old_size + (end - at));
  char* to = &out.text[old_size];
  while (at < end) {
    constexpr size_t kBlock = 16;
    if (end - at >= kBlock && CopyPrintable(text.data() + at, to, options_.lowercase)) {
      at += kBlock;
      to += kBlock;
      continue;
    }
    for (const size_t limit = std::min(at + kBlock, end); at < limit; ++at) {
      const int16_t mapped = ascii_[static_cast<unsigned char>(text[at])];
      *to = static_cast<char>(mapped);
      to += mapped != kNothing;
    }
  }
  out.text.resize(static_cast<size_t>(to - out.text.data()));
  if (out.alignment != nullptr) AlignAscii(text, {begin, end}, {old_size, out.text.size()}, *out.alignment);
  return end;
}

/// Aligns the stretches between dropped characters; usually there is one, which is everything.
void BertNormalizer::AlignAscii(absl::string_view text, ByteRange source, ByteRange normalized,
                                Alignment& alignment) const {
  if (source.size() == normalized.size()) return alignment.Append(normalized, source);
  while (source.begin < source.end) {
    size_t end = source.begin;
    while (end < source.end && ascii_[static_cast<unsigned char>(text[end])] != kNothing) ++end;
    const size_t size = end - source.begin;
    if (size != 0) alignment.Append({normalized.begin, normalized.begin + size}, {source.begin, end});
    normalized.begin += size;
    source.begin = end + 1;
  }
}

void BertNormalizer::Append(char32_t cp, Output& out) const {
  const uint8_t cls = unicode::ClassOf(cp);
  if (!options_.clean_text) {
    AppendCleaned(cp, cls, out);
  } else if ((cls & unicode::kDropped) == 0) {
    AppendCleaned((cls & unicode::kWhitespace) != 0 ? U' ' : cp, cls, out);
  }
}

void BertNormalizer::AppendCleaned(char32_t cp, uint8_t cls, Output& out) const {
  const bool spaced = options_.handle_chinese_chars && (cls & unicode::kCjk) != 0;
  if (spaced) {
    FlushMarks(out);
    out.Append(U' ', out.source);
  }
  if (options_.strip_accents) {
    AppendDecomposed(cp, out);
  } else {
    AppendLowercased(cp, out.source, out);
  }
  if (spaced) out.Append(U' ', out.source);
}

void BertNormalizer::AppendDecomposed(char32_t cp, Output& out) const {
  if ((unicode::ClassOf(cp) & unicode::kDecomposes) == 0) {
    AppendPart(cp, true, out);
  } else if (unicode::Hangul::IsSyllable(cp)) {
    AppendPart(unicode::Hangul::Lead(cp), true, out);
    AppendPart(unicode::Hangul::Vowel(cp), false, out);
    if (unicode::Hangul::Trail(cp) != unicode::Hangul::kTrails) AppendPart(unicode::Hangul::Trail(cp), false, out);
  } else {
    const unicode::CodePoints parts = unicode::Decomposition(cp);
    for (size_t i = 0; i < parts.size; ++i) AppendPart(parts.data[i], i == 0, out);
  }
}

/// `part`: of the decomposition of a character, itself decomposed already.
void BertNormalizer::AppendPart(char32_t part, bool is_first, Output& out) const {
  const uint8_t combining_class = unicode::CombiningClass(part);
  const bool stripped = (unicode::ClassOf(part) & unicode::kMark) != 0;
  if (combining_class == 0) {
    FlushMarks(out);
    out.scratch.base_source = out.source;
    if (!stripped) AppendLowercased(part, out.source, out);
  } else if (out.alignment != nullptr) {
    if (is_first) out.scratch.mark_sources.push_back(out.source);
    const int tag = (is_first ? kTakesSource : 0) | (stripped ? kStripped : 0);
    out.scratch.marks.Add(part, combining_class, static_cast<uint8_t>(tag));
  } else if (!stripped) {
    out.scratch.marks.Add(part, combining_class);
  }
}

void BertNormalizer::AppendLowercased(char32_t cp, const ByteRange& source, Output& out) const {
  if (!options_.lowercase || (unicode::ClassOf(cp) & unicode::kLowers) == 0) {
    out.Append(cp, source);
  } else {
    for (const char32_t lower : unicode::Lowercase(cp)) out.Append(lower, source);
  }
}

void BertNormalizer::FlushMarks(Output& out) const {
  ByteRange source = out.scratch.base_source;
  size_t next = 0;
  out.scratch.marks.Flush([&](char32_t mark, uint8_t tag) {
    if ((tag & kTakesSource) != 0) source = out.scratch.mark_sources[next++];
    if ((tag & kStripped) == 0) AppendLowercased(mark, source, out);
  });
  out.scratch.mark_sources.clear();
}

absl::StatusOr<std::unique_ptr<const Normalizer>> MakeBertNormalizer(const JsonValue& json) {
  BertNormalizer::Options options;
  TOKENIZER_RETURN_IF_ERROR(json.Read("clean_text", &options.clean_text));
  TOKENIZER_RETURN_IF_ERROR(json.Read("handle_chinese_chars", &options.handle_chinese_chars));
  TOKENIZER_RETURN_IF_ERROR(json.Read("lowercase", &options.lowercase));
  // Null, the usual value, means: as lowercase says.
  options.strip_accents = options.lowercase;
  if (json.Find("strip_accents")) TOKENIZER_RETURN_IF_ERROR(json.Read("strip_accents", &options.strip_accents));
  return std::make_unique<const BertNormalizer>(options);
}

}  // namespace bertha::tokenizer
