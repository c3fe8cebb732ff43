#include "tokenizer/byte_level.h"

#include <algorithm>

#include "tokenizer/status_macros.h"
#include "tokenizer/unicode_tables.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {
namespace {

using unicode::RegexClass;

constexpr bool IsIn(unsigned byte, char first, char last) {
  return byte >= static_cast<unsigned>(first) && byte <= static_cast<unsigned>(last);
}

struct AsciiClasses {
  RegexClass of[128];

  constexpr AsciiClasses() : of() {
    for (unsigned byte = 0; byte < 128; ++byte) {
      of[byte] = IsIn(byte, 'a', 'z') || IsIn(byte, 'A', 'Z')    ? RegexClass::kLetter
                 : IsIn(byte, '0', '9')                          ? RegexClass::kNumber
                 : byte == ' ' || (byte >= '\t' && byte <= '\r') ? RegexClass::kSpace
                                                                 : RegexClass::kOther;
    }
  }
};
constexpr AsciiClasses kAscii;

/// Appends a space that comes from the first character of `word`.
void AppendPrefixSpace(const ByteRange& word, PreTokenized& text) {
  const size_t at = text.next_text.size();
  text.next_text.push_back(' ');
  if (!text.wants_alignment()) return;
  size_t end = word.begin;
  DecodeUtf8(text.text(), &end);
  text.next_alignment.Append({at, at + 1}, {word.begin, end});
}

void Copy(const ByteRange& word, PreTokenized& text) {
  const size_t at = text.next_text.size();
  const absl::string_view copied = word.of(text.text());
  text.next_text.append(copied.data(), copied.size());
  if (text.wants_alignment()) text.next_alignment.Append({at, at + word.size()}, word);
}

/// Walks through the part of a text that ends at `end`, word by word.
class Scanner {
 public:
  Scanner(absl::string_view text, size_t end) : text_(text), end_(end) {}

  /// Where the word ends that begins at `at`, which is before the end.
  size_t WordEnd(size_t at) const {
    if (const size_t size = ContractionSize(at); size != 0) return at + size;
    size_t next = at;
    RegexClass cls = ClassAt(&next);
    if (text_[at] == ' ' && next < end_) cls = ClassAt(&next);
    return cls == RegexClass::kSpace ? SpaceEnd(at) : RunEnd(next, cls);
  }

 private:
  /// The class of the character at `*at`, which moves past it.
  RegexClass ClassAt(size_t* at) const {
    if (IsAscii(text_[*at])) return kAscii.of[static_cast<unsigned char>(text_[(*at)++])];
    return unicode::RegexClassOf(DecodeUtf8(text_, at));
  }

  size_t RunEnd(size_t at, RegexClass cls) const {
    for (size_t next = at; next < end_; at = next) {
      if (ClassAt(&next) != cls) break;
    }
    return at;
  }

  /// The end of the white space that begins at `begin`. Of several characters the last one is left for the word that
  /// follows, if one does.
  size_t SpaceEnd(size_t begin) const {
    size_t last = begin;
    size_t next = begin;
    for (size_t at = begin; at < end_; at = next) {
      if (ClassAt(&next) != RegexClass::kSpace) return last > begin ? last : at;
      last = at;
    }
    return end_;
  }

  /// Of 's, 't, 'm, 'd, 're, 've, 'll; 0 if there is none.
  size_t ContractionSize(size_t at) const {
    if (text_[at] != '\'' || at + 1 == end_) return 0;
    const char first = text_[at + 1];
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
    if (at + 2 == end_) return 0;
    const char second = text_[at + 2];
    const bool known =
        (first == 'r' && second == 'e') || (first == 'v' && second == 'e') || (first == 'l' && second == 'l');
    return known ? 3 : 0;
  }

  absl::string_view text_;
  size_t end_;
};

}  // namespace

void ByteLevel::PreTokenize(PreTokenized& text) const {
  const auto starts_with_space = [&](const ByteRange& word) { return text.text()[word.begin] == ' '; };
  const std::vector<ByteRange>& words = text.words();
  if (!options_.add_prefix_space || std::all_of(words.begin(), words.end(), starts_with_space)) {
    for (const ByteRange& word : words) Cut(text.text(), word, text.next_words);
    text.TakeWords();
    return;
  }
  for (const ByteRange& word : words) {
    const size_t begin = text.next_text.size();
    if (!starts_with_space(word)) AppendPrefixSpace(word, text);
    Copy(word, text);
    Cut(text.next_text, {begin, text.next_text.size()}, text.next_words);
  }
  text.TakeText();
}

void ByteLevel::Cut(absl::string_view text, const ByteRange& word, std::vector<ByteRange>& words) const {
  if (!options_.use_regex) {
    words.push_back(word);
    return;
  }
  const Scanner scanner(text, word.end);
  for (size_t at = word.begin; at < word.end;) {
    const size_t end = scanner.WordEnd(at);
    words.push_back({at, end});
    at = end;
  }
}

absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakeByteLevel(const JsonValue& json) {
  ByteLevel::Options options;
  bool trim_offsets = false;  // means something to the post-processor of this name only
  TOKENIZER_RETURN_IF_ERROR(json.Read("add_prefix_space", &options.add_prefix_space));
  TOKENIZER_RETURN_IF_ERROR(json.Read("trim_offsets", &trim_offsets));
  // The files of 2020 do not have it.
  if (json.Find("use_regex")) TOKENIZER_RETURN_IF_ERROR(json.Read("use_regex", &options.use_regex));
  return std::make_unique<const ByteLevel>(options);
}

}  // namespace bertha::tokenizer
