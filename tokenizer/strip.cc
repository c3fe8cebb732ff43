#include "tokenizer/strip.h"

#include <string>

#include "tokenizer/normalized_text.h"
#include "tokenizer/status_macros.h"
#include "tokenizer/unicode_tables.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {
namespace {

bool IsWhitespace(char32_t cp) { return (unicode::ClassOf(cp) & unicode::kWhitespace) != 0; }

class Strip final : public Normalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}

  bool Normalize(absl::string_view text, NormalizerScratch&, std::string& out, Alignment* alignment) const override {
    ByteRange kept = {0, text.size()};
    for (size_t next = 0; left_ && kept.begin < kept.end && IsWhitespace(DecodeUtf8(text, &next));) kept.begin = next;
    for (size_t last; right_ && kept.begin < kept.end && IsWhitespace(DecodeUtf8Before(text, kept.end, &last));) {
      kept.end = last;
    }
    if (kept.size() == text.size()) return false;
    NormalizedText(text, out, alignment).Copy(kept);
    return true;
  }

 private:
  const bool left_, right_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Normalizer>> MakeStrip(const JsonValue& json) {
  bool left = false, right = false;
  TOKENIZER_RETURN_IF_ERROR(json.Read("strip_left", &left));
  TOKENIZER_RETURN_IF_ERROR(json.Read("strip_right", &right));
  return std::make_unique<const Strip>(left, right);
}

}  // namespace bertha::tokenizer
