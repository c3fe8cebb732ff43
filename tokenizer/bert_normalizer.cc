#include "tokenizer/bert_normalizer.h"

#include "tokenizer/status_macros.h"
#include "tokenizer/unicode_tables.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {

BertNormalizer::BertNormalizer(const Options& options) : options_(options) {
  NormalizerScratch scratch;
  std::string out;
  for (size_t c = 0; c < ascii_.size(); ++c) {
    out.clear();
    Append(static_cast<char32_t>(c), scratch, out);
    ascii_[c] = out.empty() ? kNothing : static_cast<int16_t>(out[0]);
  }
}

void BertNormalizer::Normalize(absl::string_view text, NormalizerScratch& scratch, std::string& out) const {
  out.clear();
  for (size_t at = 0; at < text.size();) {
    if (IsAscii(text[at])) {
      // A dropped control does not end a run of marks: it is gone before marks are ordered.
      if (ascii_[static_cast<unsigned char>(text[at])] != kNothing) FlushMarks(scratch, out);
      at = AppendAscii(text, at, out);
    } else {
      Append(DecodeUtf8(text, &at), scratch, out);
    }
  }
  FlushMarks(scratch, out);
}

void BertNormalizer::NormalizePlainly(absl::string_view text, NormalizerScratch& scratch, std::string& out) const {
  out.clear();
  for (size_t at = 0; at < text.size();) Append(DecodeUtf8(text, &at), scratch, out);
  FlushMarks(scratch, out);
}

/// Appends the run of ASCII at `at` and returns where it ended. A dropped character at `at` is a run of its own, so
/// that Normalize flushes pending marks just before the first character that stays.
size_t BertNormalizer::AppendAscii(absl::string_view text, size_t at, std::string& out) const {
  if (ascii_[static_cast<unsigned char>(text[at])] == kNothing) return at + 1;
  size_t end = at + 1;
  while (end < text.size() && IsAscii(text[end])) ++end;
  const size_t old_size = out.size();
  out.resize(old_size + (end - at));
  char* to = &out[old_size];
  for (; at < end; ++at) {
    const int16_t mapped = ascii_[static_cast<unsigned char>(text[at])];
    *to = static_cast<char>(mapped);
    to += mapped != kNothing;
  }
  out.resize(static_cast<size_t>(to - out.data()));
  return end;
}

void BertNormalizer::Append(char32_t cp, NormalizerScratch& scratch, std::string& out) const {
  const uint8_t cls = unicode::ClassOf(cp);
  if (!options_.clean_text) {
    AppendCleaned(cp, cls, scratch, out);
  } else if ((cls & unicode::kDropped) == 0) {
    AppendCleaned((cls & unicode::kWhitespace) != 0 ? U' ' : cp, cls, scratch, out);
  }
}

void BertNormalizer::AppendCleaned(char32_t cp, uint8_t cls, NormalizerScratch& scratch, std::string& out) const {
  const bool spaced = options_.handle_chinese_chars && (cls & unicode::kCjk) != 0;
  if (spaced) {
    FlushMarks(scratch, out);
    out.push_back(' ');
  }
  if (options_.strip_accents) {
    AppendDecomposed(cp, scratch, out);
  } else {
    AppendLowercased(cp, out);
  }
  if (spaced) out.push_back(' ');
}

void BertNormalizer::AppendDecomposed(char32_t cp, NormalizerScratch& scratch, std::string& out) const {
  // A part of a decomposition: itself decomposed already.
  const auto append_part = [&](char32_t part) {
    const uint8_t combining_class = unicode::CombiningClass(part);
    const bool stripped = (unicode::ClassOf(part) & unicode::kMark) != 0;
    if (combining_class == 0) FlushMarks(scratch, out);
    if (stripped) return;
    if (combining_class != 0) {
      scratch.marks.Add(part, combining_class);
    } else {
      AppendLowercased(part, out);
    }
  };
  if ((unicode::ClassOf(cp) & unicode::kDecomposes) == 0) {
    append_part(cp);
  } else if (unicode::Hangul::IsSyllable(cp)) {
    append_part(unicode::Hangul::Lead(cp));
    append_part(unicode::Hangul::Vowel(cp));
    if (unicode::Hangul::Trail(cp) != unicode::Hangul::kTrails) append_part(unicode::Hangul::Trail(cp));
  } else {
    for (const char32_t part : unicode::Decomposition(cp)) append_part(part);
  }
}

void BertNormalizer::AppendLowercased(char32_t cp, std::string& out) const {
  if (!options_.lowercase || (unicode::ClassOf(cp) & unicode::kLowers) == 0) {
    AppendUtf8(cp, &out);
  } else {
    for (const char32_t lower : unicode::Lowercase(cp)) AppendUtf8(lower, &out);
  }
}

void BertNormalizer::FlushMarks(NormalizerScratch& scratch, std::string& out) const {
  scratch.marks.Flush([&](char32_t mark) { AppendLowercased(mark, out); });
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
