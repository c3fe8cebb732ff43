#include "tokenizer/decomposition.h"

#include <string>

#include "tokenizer/normalized_text.h"
#include "tokenizer/unicode_tables.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {
namespace {

using unicode::CodePoints;
using unicode::Hangul;

/// What CanonicalOrder remembers of a mark.
constexpr uint8_t kTakesSource = 1;  // the first part of a character

template <CodePoints (*DecompositionOf)(char32_t)>
class Decompose final : public Normalizer {
 public:
  bool Normalize(absl::string_view text, NormalizerScratch& scratch, std::string& out,
                 Alignment* alignment) const override {
    size_t at = FindAffected(text, FindNonAscii(text));
    if (at == text.size()) return false;
    NormalizedText normalized(text, out, alignment);
    normalized.Copy({0, at});
    while (at < text.size()) {
      const size_t begin = at;
      const char32_t cp = DecodeUtf8(text, &at);
      AppendDecomposed(cp, {begin, at}, scratch, normalized);
      const size_t next = FindAffected(text, at);
      if (next == at) continue;
      FlushMarks(scratch, normalized);
      normalized.Copy({at, next});
      at = next;
    }
    FlushMarks(scratch, normalized);
    return true;
  }

 private:
  /// Where the first character from `at` on stands that decomposes, or that might change places.
  static size_t FindAffected(absl::string_view text, size_t at) {
    while (at < text.size()) {
      if (IsAscii(text[at])) {
        ++at;
        continue;
      }
      size_t end = at;
      const char32_t cp = DecodeUtf8(text, &end);
      if (Hangul::IsSyllable(cp) || DecompositionOf(cp).size != 0 || unicode::CombiningClass(cp) != 0) return at;
      at = end;
    }
    return at;
  }

  static void AppendDecomposed(char32_t cp, const ByteRange& source, NormalizerScratch& scratch,
                               NormalizedText& normalized) {
    if (Hangul::IsSyllable(cp)) {
      FlushMarks(scratch, normalized);
      normalized.Append(Hangul::Lead(cp), source);
      normalized.Append(Hangul::Vowel(cp), source);
      if (Hangul::Trail(cp) != Hangul::kTrails) normalized.Append(Hangul::Trail(cp), source);
      return;
    }
    const CodePoints parts = DecompositionOf(cp);
    if (parts.size == 0) return AppendPart(cp, true, source, scratch, normalized);
    for (size_t i = 0; i < parts.size; ++i) AppendPart(parts.data[i], i == 0, source, scratch, normalized);
  }

  static void AppendPart(char32_t part, bool is_first, const ByteRange& source, NormalizerScratch& scratch,
                         NormalizedText& normalized) {
    const uint8_t combining_class = unicode::CombiningClass(part);
    if (combining_class == 0) {
      FlushMarks(scratch, normalized);
      normalized.Append(part, source);
      scratch.base_source = source;
      return;
    }
    if (is_first && normalized.is_aligned()) scratch.mark_sources.push_back(source);
    scratch.marks.Add(part, combining_class, is_first ? kTakesSource : 0);
  }

  static void FlushMarks(NormalizerScratch& scratch, NormalizedText& normalized) {
    ByteRange source = scratch.base_source;
    size_t next = 0;
    scratch.marks.Flush([&](char32_t mark, uint8_t tag) {
      if (tag == kTakesSource && normalized.is_aligned()) source = scratch.mark_sources[next++];
      normalized.Append(mark, source);
    });
    scratch.mark_sources.clear();
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Normalizer>> MakeNfd(const JsonValue&) {
  return std::make_unique<const Decompose<unicode::Decomposition>>();
}

absl::StatusOr<std::unique_ptr<const Normalizer>> MakeNfkd(const JsonValue&) {
  return std::make_unique<const Decompose<unicode::CompatibilityDecomposition>>();
}

}  // namespace bertha::tokenizer
