#include "clients/cli/encoding_view.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "clients/cli/text.h"

namespace bertha::cli {
namespace {

using tokenizer::Encoding;
using tokenizer::Span;

constexpr absl::string_view kDim = "\033[2m";
constexpr absl::string_view kRed = "\033[31m";
constexpr absl::string_view kUnknownSpan = "\033[37;41m";
constexpr std::array<absl::string_view, 2> kSpans = {"\033[30;46m", "\033[30;43m"};
constexpr size_t kMinTokenWidth = 8;
constexpr size_t kMaxTokenWidth = 32;
constexpr size_t kIndexWidth = 5;
constexpr size_t kIdWidth = 8;
constexpr size_t kTypeWidth = 6;
constexpr size_t kSpanWidth = 13;
constexpr size_t kWordWidth = 7;

struct KindStyle {
  absl::string_view name;
  absl::string_view color;
};
/// By EncodingView::Kind.
constexpr std::array<KindStyle, 4> kKinds = {
    {{"", ""}, {"special", "\033[35m"}, {"unknown", "\033[1;31m"}, {"continues", "\033[36m"}}};

/// As Python slices: [begin, end).
std::string Slice(const Span& span) { return absl::StrCat(span.begin, ":", span.end); }

/// "1 token", "2,000 tokens".
std::string Count(uint64_t n, absl::string_view what) {
  return absl::StrCat(FormatCount(n), " ", what, n == 1 ? "" : "s");
}

std::string Line(absl::string_view index, absl::string_view token, absl::string_view id, absl::string_view type,
                 absl::string_view chars, absl::string_view bytes, absl::string_view word, absl::string_view kind) {
  std::string line =
      absl::StrCat(PadLeft(index, kIndexWidth), "  ", token, PadLeft(id, kIdWidth), PadLeft(type, kTypeWidth),
                   PadLeft(chars, kSpanWidth), PadLeft(bytes, kSpanWidth), PadLeft(word, kWordWidth));
  if (!kind.empty()) absl::StrAppend(&line, "  ", kind);
  return line + "\n";
}

}  // namespace

void EncodingView::Sums::Add(const Sums& other) {
  texts += other.texts;
  shown += other.shown;
  tokens += other.tokens;
  special += other.special;
  unknown += other.unknown;
  bytes += other.bytes;
  time_us += other.time_us;
}

std::string EncodingView::Paint(absl::string_view escape, absl::string_view text) const {
  return color_ && !escape.empty() && !text.empty() ? absl::StrCat(escape, text, "\033[0m") : std::string(text);
}

std::vector<EncodingView::Kind> EncodingView::KindsOf(const Encoding& encoding) const {
  std::vector<Kind> kinds(encoding.ids.size(), Kind::kOrdinary);
  for (size_t i = 0; i < kinds.size(); ++i) {
    if (encoding.special_tokens_mask[i] == 1) {
      kinds[i] = Kind::kSpecial;
    } else if (std::count(unknown_ids_.begin(), unknown_ids_.end(), encoding.ids[i]) > 0) {
      kinds[i] = Kind::kUnknown;
    } else if (i > 0 && kinds[i - 1] != Kind::kSpecial && encoding.word_ids[i] == encoding.word_ids[i - 1] &&
               encoding.type_ids[i] == encoding.type_ids[i - 1]) {  // words of either text are numbered from 0
      kinds[i] = Kind::kContinuation;
    }
  }
  return kinds;
}

/// `text` with the tokens of `encoding` marked in it: after `skip` that are not special ones, `count` of them. Tokens
/// that share a character (of which each may be a byte) or that stand for none leave no mark of their own.
std::string EncodingView::Marked(absl::string_view text, const Encoding& encoding, const std::vector<Kind>& kinds,
                                 size_t skip, size_t count) const {
  std::string marked;
  size_t at = 0;
  size_t shown = 0;
  for (size_t i = 0, ordinary = 0; i < kinds.size(); ++i) {
    if (kinds[i] == Kind::kSpecial || ordinary++ < skip || ordinary > skip + count) continue;
    const size_t begin = std::max(encoding.offsets[i].begin, at);
    const size_t end = std::min(encoding.offsets[i].end, text.size());
    if (begin >= end) continue;
    marked += Paint(kDim, EscapeInvisible(text.substr(at, begin - at)));
    if (!color_ && begin == at && shown > 0) marked += '|';
    const absl::string_view color = kinds[i] == Kind::kUnknown ? kUnknownSpan : kSpans[shown % kSpans.size()];
    marked += Paint(color, EscapeInvisible(text.substr(begin, end - begin)));
    at = end;
    ++shown;
  }
  return marked + Paint(kDim, EscapeInvisible(text.substr(at)));
}

std::string EncodingView::MarkedTexts(const Tokenized& t, const std::vector<Kind>& kinds) const {
  const size_t all = kinds.size();
  if (!t.request.pair) return Marked(t.request.text, t.encoding, kinds, 0, all) + "\n";
  return absl::StrCat("text: ", Marked(t.request.text, t.encoding, kinds, 0, t.first_tokens),
                      "\npair: ", Marked(*t.request.pair, t.encoding, kinds, t.first_tokens, all), "\n");
}

std::string EncodingView::Table(const Encoding& encoding, const std::vector<Kind>& kinds) const {
  std::vector<std::string> tokens;
  size_t width = kMinTokenWidth;
  for (const std::string& token : encoding.tokens) {
    tokens.push_back(EscapeInvisible(token));
    width = std::max(width, std::min(DisplayWidth(tokens.back()), kMaxTokenWidth));
  }
  std::string lines = Paint(kDim, Line("#", PadRight("TOKEN", width), "ID", "TYPE", "CHARS", "BYTES", "WORD", ""));
  for (size_t i = 0; i < tokens.size(); ++i) {
    const KindStyle& kind = kKinds[static_cast<size_t>(kinds[i])];
    const bool special = kinds[i] == Kind::kSpecial;
    lines += Line(absl::StrCat(i), Paint(kind.color, PadRight(tokens[i], width)), absl::StrCat(encoding.ids[i]),
                  absl::StrCat(encoding.type_ids[i]), special ? "-" : Slice(encoding.char_offsets[i]),
                  special ? "-" : Slice(encoding.offsets[i]), special ? "-" : absl::StrCat(encoding.word_ids[i]),
                  Paint(kind.color, kind.name));
  }
  return lines;
}

std::string EncodingView::Window(size_t number, const Encoding& window) const {
  std::string line = Paint(kDim, absl::StrCat("window ", number, ":"));
  const std::vector<Kind> kinds = KindsOf(window);
  for (size_t i = 0; i < kinds.size(); ++i) {
    absl::StrAppend(&line, " ", Paint(kKinds[static_cast<size_t>(kinds[i])].color, EscapeInvisible(window.tokens[i])));
  }
  return line + "\n";
}

std::string EncodingView::Summary(const Sums& sums) const {
  const bool cut = sums.shown < sums.tokens;
  std::string line = absl::StrCat(cut ? FormatCount(sums.shown) + " of " : "", Count(sums.tokens, "token"), " (",
                                  FormatCount(sums.special), " special, ", FormatCount(sums.unknown), " unknown), ",
                                  Count(sums.bytes, "byte"));
  if (sums.tokens > sums.special) {
    const auto tokens_of_text = static_cast<double>(sums.tokens - sums.special);
    absl::StrAppendFormat(&line, ", %.2f bytes per token", static_cast<double>(sums.bytes) / tokens_of_text);
  }
  return absl::StrCat(line, ", ", FormatMicros(sums.time_us));
}

std::string EncodingView::Show(const Tokenized& t) {
  const std::vector<Kind> kinds = KindsOf(t.encoding);
  const auto count = [&](Kind kind) { return static_cast<uint64_t>(std::count(kinds.begin(), kinds.end(), kind)); };
  const Sums sums{.texts = 1,
                  .shown = kinds.size(),
                  .tokens = t.encoding.full_length,
                  .special = count(Kind::kSpecial),
                  .unknown = count(Kind::kUnknown),
                  .bytes = t.request.text.size() + (t.request.pair ? t.request.pair->size() : 0),
                  .time_us = t.time_us};
  all_.Add(sums);
  std::string shown = MarkedTexts(t, kinds) + Table(t.encoding, kinds);
  for (size_t i = 0; i < t.overflow.size(); ++i) shown += Window(i + 2, t.overflow[i]);
  return absl::StrCat(shown, Paint(kDim, Summary(sums)), "\n");
}

std::string EncodingView::ShowError(const absl::Status& error) const {
  return absl::StrCat(Paint(kRed, "error"), "  ", EscapeInvisible(error.message()), "\n");
}

std::string EncodingView::End() const {
  if (all_.texts < 2) return "";
  return absl::StrCat("\n", Paint(kDim, absl::StrCat(FormatCount(all_.texts), " texts: ", Summary(all_))), "\n");
}

}  // namespace bertha::cli
