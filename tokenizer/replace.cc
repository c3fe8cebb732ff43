#include "tokenizer/replace.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tokenizer/normalized_text.h"
#include "tokenizer/status_macros.h"

namespace bertha::tokenizer {
namespace {

class Replace final : public Normalizer {
 public:
  /// `repeats`: a match takes all the repetitions of the last byte of `pattern` along.
  Replace(std::string pattern, bool repeats, std::string content)
      : pattern_(std::move(pattern)), repeats_(repeats), content_(std::move(content)) {}

  bool Normalize(absl::string_view text, NormalizerScratch&, std::string& out, Alignment* alignment) const override {
    size_t match = text.find(pattern_);
    if (match == absl::string_view::npos) return false;
    NormalizedText normalized(text, out, alignment);
    size_t done = 0;
    for (; match != absl::string_view::npos; match = text.find(pattern_, done)) {
      normalized.Copy({done, match});
      done = MatchEnd(text, match);
      AppendContent(text, done, normalized);
    }
    normalized.Copy({done, text.size()});
    return true;
  }
  double growth() const override {
    return std::max(1.0, static_cast<double>(content_.size()) / static_cast<double>(pattern_.size()));
  }

 private:
  size_t MatchEnd(absl::string_view text, size_t match) const {
    const size_t end = match + pattern_.size();
    return repeats_ ? std::min(text.find_first_not_of(pattern_.back(), end), text.size()) : end;
  }

  void AppendContent(absl::string_view text, size_t match_end, NormalizedText& normalized) const {
    size_t last = match_end;
    DecodeUtf8Before(text, match_end, &last);
    for (size_t at = 0; at < content_.size();) normalized.Append(DecodeUtf8(content_, &at), {last, match_end});
  }

  const std::string pattern_;
  const bool repeats_;
  const std::string content_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Normalizer>> MakeReplace(const JsonValue& json) {
  constexpr char kSpaces[] = " {2,}";
  std::string content;
  TOKENIZER_RETURN_IF_ERROR(json.Read("content", &content));
  TOKENIZER_ASSIGN_OR_RETURN(const JsonValue pattern, json.Get("pattern"));
  if (const auto regex = pattern.Find("Regex")) {
    TOKENIZER_ASSIGN_OR_RETURN(const std::string expression, regex->AsString());
    if (expression == kSpaces) return std::make_unique<const Replace>("  ", true, std::move(content));
    return regex->Unknown(absl::StrCat(Quoted(expression), " is not supported; known here: ", Quoted(kSpaces)));
  }
  std::string text;
  TOKENIZER_RETURN_IF_ERROR(pattern.Read("String", &text));
  if (text.empty()) return pattern.Invalid("an empty text cannot be replaced");
  return std::make_unique<const Replace>(std::move(text), false, std::move(content));
}

}  // namespace bertha::tokenizer
