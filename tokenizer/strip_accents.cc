#include "tokenizer/strip_accents.h"

#include <string>

#include "tokenizer/normalized_text.h"
#include "tokenizer/unicode_tables.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {
namespace {

class StripAccents final : public Normalizer {
 public:
  bool Normalize(absl::string_view text, NormalizerScratch&, std::string& out, Alignment* alignment) const override {
    ByteRange accent = FindAccent(text, FindNonAscii(text));
    if (accent.begin == text.size()) return false;
    NormalizedText normalized(text, out, alignment);
    for (size_t done = 0; done < text.size(); accent = FindAccent(text, done)) {
      normalized.Copy({done, accent.begin});
      done = accent.end;
    }
    return true;
  }

 private:
  /// The first accent from `at` on, or an empty range at the end of the text.
  static ByteRange FindAccent(absl::string_view text, size_t at) {
    while (at < text.size()) {
      const size_t begin = at;
      if (IsAscii(text[at])) {
        ++at;
      } else if (unicode::IsAccent(DecodeUtf8(text, &at))) {
        return {begin, at};
      }
    }
    return {text.size(), text.size()};
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Normalizer>> MakeStripAccents(const JsonValue&) {
  return std::make_unique<const StripAccents>();
}

}  // namespace bertha::tokenizer
