#include "tokenizer/metaspace.h"

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tokenizer/status_macros.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {
namespace {

class Metaspace final : public PreTokenizer {
 public:
  Metaspace(std::string replacement, bool prepend, bool split)
      : replacement_(std::move(replacement)), prepend_(prepend), split_(split) {}

  void PreTokenize(PreTokenized& text) const override {
    for (const ByteRange& word : text.words()) AppendWord(word, text);
    text.TakeText();
  }

 private:
  void AppendWord(const ByteRange& word, PreTokenized& text) const {
    const absl::string_view from = text.text();
    size_t begin = text.next_text.size();  // of the word at work
    if (prepend_ && !IsMark(from, word.begin)) {
      size_t end = word.begin;
      DecodeUtf8(from, &end);
      Append(replacement_, {word.begin, end}, text);
    }
    for (size_t at = word.begin; at < word.end;) {
      const size_t mark = FindMark(from, at, word.end);
      Append(from.substr(at, mark - at), {at, mark}, text);
      if (mark == word.end) break;
      if (split_) begin = EndWord(begin, text);
      at = mark + (from[mark] == ' ' ? 1 : replacement_.size());
      Append(replacement_, {mark, at}, text);
    }
    EndWord(begin, text);
  }

  bool IsMark(absl::string_view text, size_t at) const {
    return text[at] == ' ' || absl::StartsWith(text.substr(at), replacement_);
  }

  size_t FindMark(absl::string_view text, size_t at, size_t end) const {
    const char lead = replacement_[0];
    while (at < end && !((text[at] == ' ' || text[at] == lead) && IsMark(text, at))) ++at;
    return at;
  }

  static void Append(absl::string_view piece, const ByteRange& source, PreTokenized& text) {
    if (piece.empty()) return;
    const size_t begin = text.next_text.size();
    text.next_text.append(piece.data(), piece.size());
    if (text.wants_alignment()) text.next_alignment.Append({begin, text.next_text.size()}, source);
  }

  /// Returns where the next word begins.
  static size_t EndWord(size_t begin, PreTokenized& text) {
    const size_t end = text.next_text.size();
    if (begin < end) text.next_words.push_back({begin, end});
    return end;
  }

  const std::string replacement_;
  const bool prepend_;
  const bool split_;
};

absl::StatusOr<bool> ReadPrepend(const JsonValue& json) {
  bool prepend = true;
  if (const auto scheme = json.Find("prepend_scheme")) {
    TOKENIZER_ASSIGN_OR_RETURN(const std::string name, scheme->AsString());
    if (name != "always" && name != "never") {
      return scheme->Unknown(absl::StrCat(Quoted(name), " is not supported; known here: always, never"));
    }
    prepend = name == "always";
  }
  bool add_prefix_space = true;
  if (json.Find("add_prefix_space")) TOKENIZER_RETURN_IF_ERROR(json.Read("add_prefix_space", &add_prefix_space));
  // As the reference library sees it: without a prefix, both must say so.
  if (!add_prefix_space && prepend) {
    return json.Invalid("add_prefix_space false needs prepend_scheme \"never\"");
  }
  return prepend;
}

}  // namespace

absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakeMetaspace(const JsonValue& json) {
  std::string replacement;
  TOKENIZER_RETURN_IF_ERROR(json.Read("replacement", &replacement));
  if (CountCodePoints(replacement) != 1) return json.Invalid("replacement must be one character");
  TOKENIZER_ASSIGN_OR_RETURN(const bool prepend, ReadPrepend(json));
  bool split = true;
  if (json.Find("split")) TOKENIZER_RETURN_IF_ERROR(json.Read("split", &split));
  return std::make_unique<const Metaspace>(std::move(replacement), prepend, split);
}

}  // namespace bertha::tokenizer
