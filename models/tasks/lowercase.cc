#include "models/tasks/lowercase.h"

#include <cstddef>

#include "tokenizer/unicode_tables.h"
#include "tokenizer/utf8.h"

namespace bertha::models {
namespace {

constexpr char32_t kSigma = 0x3A3, kFinalSigma = 0x3C2;

bool IsPassedOver(char32_t cp) { return tokenizer::unicode::IsAccent(cp) || cp == '\'' || cp == '.' || cp == 0x2019; }

bool IsLetter(char32_t cp) { return tokenizer::unicode::RegexClassOf(cp) == tokenizer::unicode::RegexClass::kLetter; }

bool LetterBefore(absl::string_view text, size_t at) {
  while (at > 0) {
    const char32_t cp = tokenizer::DecodeUtf8Before(text, at, &at);
    if (!IsPassedOver(cp)) return IsLetter(cp);
  }
  return false;
}

bool LetterAfter(absl::string_view text, size_t at) {
  while (at < text.size()) {
    const char32_t cp = tokenizer::DecodeUtf8(text, &at);
    if (!IsPassedOver(cp)) return IsLetter(cp);
  }
  return false;
}

}  // namespace

void Lowercase(absl::string_view text, std::string& out) {
  out.clear();
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t cp = tokenizer::DecodeUtf8(text, &at);
    if (cp == kSigma && LetterBefore(text, begin) && !LetterAfter(text, at)) {
      tokenizer::AppendUtf8(kFinalSigma, &out);
    } else if ((tokenizer::unicode::ClassOf(cp) & tokenizer::unicode::kLowers) == 0) {
      out.append(text.data() + begin, at - begin);
    } else {
      for (const char32_t lower : tokenizer::unicode::Lowercase(cp)) tokenizer::AppendUtf8(lower, &out);
    }
  }
}

}  // namespace bertha::models
