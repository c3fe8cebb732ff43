#include "tokenizer/lowercase.h"

#include <string>

#include "tokenizer/normalized_text.h"
#include "tokenizer/unicode_tables.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {
namespace {

bool IsUpperAscii(char c) { return c >= 'A' && c <= 'Z'; }

class Lowercase final : public Normalizer {
 public:
  bool Normalize(absl::string_view text, NormalizerScratch&, std::string& out, Alignment* alignment) const override {
    size_t upper = FindUpper(text, 0);
    if (upper == text.size()) return false;
    NormalizedText normalized(text, out, alignment);
    normalized.Copy({0, upper});
    for (size_t at = upper; at < text.size();) {
      const size_t begin = at;
      if (IsAscii(text[at])) {
        at += FindNonAscii(text.substr(at));
        normalized.Copy({begin, at});
        for (size_t i = out.size() - (at - begin); i < out.size(); ++i) out[i] = LowerAscii(out[i]);
      } else {
        const char32_t cp = DecodeUtf8(text, &at);
        if ((unicode::ClassOf(cp) & unicode::kLowers) == 0) {
          normalized.Copy({begin, at});
        } else {
          for (const char32_t lower : unicode::Lowercase(cp)) normalized.Append(lower, {begin, at});
        }
      }
    }
    return true;
  }

 private:
  static char LowerAscii(char c) { return static_cast<char>(c + (IsUpperAscii(c) ? 'a' - 'A' : 0)); }

  static size_t FindUpper(absl::string_view text, size_t at) {
    while (at < text.size()) {
      const size_t begin = at;
      if (IsAscii(text[at])) {
        if (IsUpperAscii(text[at++])) return begin;
      } else if ((unicode::ClassOf(DecodeUtf8(text, &at)) & unicode::kLowers) != 0) {
        return begin;
      }
    }
    return at;
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Normalizer>> MakeLowercase(const JsonValue&) {
  return std::make_unique<const Lowercase>();
}

}  // namespace bertha::tokenizer
