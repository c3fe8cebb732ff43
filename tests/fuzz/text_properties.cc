#include "tests/fuzz/text_properties.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/fuzz/check.h"
#include "tokenizer/bert_normalizer.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer::fuzz {
namespace {

/// Used for every input and every tokenizer of the run.
Scratch& UsedScratch() {
  static Scratch scratch;
  return scratch;
}

EncodeOptions Everything() {
  EncodeOptions options;
  options.special_tokens_mask = options.offsets = options.char_offsets = true;
  options.word_ids = options.sequence_ids = options.tokens = true;
  return options;
}

/// `input`'s limits, and everything is asked for.
EncodeOptions EverythingWithin(const EncodeOptions& limits) {
  EncodeOptions options = Everything();
  options.max_length = limits.max_length;
  options.truncation_side = limits.truncation_side;
  options.truncation_strategy = limits.truncation_strategy;
  options.stride = limits.stride;
  return options;
}

Encoding Encoded(const Subject& subject, absl::string_view text, std::optional<absl::string_view> pair,
                 const EncodeOptions& options, Scratch& scratch = UsedScratch()) {
  Encoding encoding;
  const absl::Status status = subject.tokenizer.Encode(text, pair, options, scratch, encoding);
  FUZZ_CHECK_THAT(status.ok(), status.ToString());
  return encoding;
}

struct Token {
  int32_t id;
  Span bytes, characters;
  int32_t word;
  std::string text;

  friend bool operator==(const Token& a, const Token& b) {
    return a.id == b.id && a.bytes == b.bytes && a.characters == b.characters && a.word == b.word && a.text == b.text;
  }
};
using TokenList = std::vector<Token>;

/// The tokens of an encoding that has everything: those of the texts, or the special ones around them.
TokenList TokensOf(const Encoding& encoding, bool special) {
  TokenList tokens;
  for (size_t i = 0; i < encoding.ids.size(); ++i) {
    if ((encoding.special_tokens_mask[i] == 1) != special) continue;
    tokens.push_back(
        {encoding.ids[i], encoding.offsets[i], encoding.char_offsets[i], encoding.word_ids[i], encoding.tokens[i]});
  }
  return tokens;
}

TokenList TextTokens(const Encoding& encoding) { return TokensOf(encoding, false); }
TokenList SpecialTokens(const Encoding& encoding) { return TokensOf(encoding, true); }

/// The tokens of both texts, each encoded alone; none of a second text that is not there.
struct Texts {
  TokenList first, second;
};

Texts Alone(const Subject& subject, const TextInput& input) {
  Texts texts;
  texts.first = TextTokens(Encoded(subject, input.text, std::nullopt, Everything()));
  if (input.pair) texts.second = TextTokens(Encoded(subject, *input.pair, std::nullopt, Everything()));
  return texts;
}

/// Tokens [first.begin, first.end) of the first text and [second.begin, second.end) of the second.
TokenList Part(const Texts& texts, const Span& first, const Span& second) {
  const auto at = [](const TokenList& tokens, size_t i) { return tokens.begin() + static_cast<ptrdiff_t>(i); };
  TokenList part(at(texts.first, first.begin), at(texts.first, first.end));
  part.insert(part.end(), at(texts.second, second.begin), at(texts.second, second.end));
  return part;
}

bool HasLength(const Encoding& e, const EncodeOptions& options) {
  const auto length = [&](bool wanted) { return wanted ? e.ids.size() : 0; };
  return e.type_ids.size() == e.ids.size() && e.special_tokens_mask.size() == length(options.special_tokens_mask) &&
         e.offsets.size() == length(options.offsets) && e.char_offsets.size() == length(options.char_offsets) &&
         e.word_ids.size() == length(options.word_ids) && e.sequence_ids.size() == length(options.sequence_ids) &&
         e.tokens.size() == length(options.tokens);
}

bool operator==(const Encoding& a, const Encoding& b) {
  return a.ids == b.ids && a.type_ids == b.type_ids && a.special_tokens_mask == b.special_tokens_mask &&
         a.offsets == b.offsets && a.char_offsets == b.char_offsets && a.word_ids == b.word_ids &&
         a.sequence_ids == b.sequence_ids && a.tokens == b.tokens && a.full_length == b.full_length;
}

std::string Described(const Encoding& e) {
  const auto spans = [](const std::vector<Span>& list) {
    return absl::StrJoin(list, " ",
                         [](std::string* out, const Span& span) { absl::StrAppend(out, span.begin, "-", span.end); });
  };
  return absl::StrCat("ids ", absl::StrJoin(e.ids, " "), "\nbytes ", spans(e.offsets), "\ncharacters ",
                      spans(e.char_offsets), "\nwords ", absl::StrJoin(e.word_ids, " "), "\ntokens ",
                      absl::StrJoin(e.tokens, " "), "\n");
}

/// `e`, which has everything, without what `options` do not ask for.
Encoding Projected(Encoding e, const EncodeOptions& options) {
  if (!options.special_tokens_mask) e.special_tokens_mask.clear();
  if (!options.offsets) e.offsets.clear();
  if (!options.char_offsets) e.char_offsets.clear();
  if (!options.word_ids) e.word_ids.clear();
  if (!options.sequence_ids) e.sequence_ids.clear();
  if (!options.tokens) e.tokens.clear();
  return e;
}

}  // namespace

void CheckUtf8Errors(const Subject& subject, const TextInput& input) {
  Encoding encoding;
  const absl::Status status = subject.tokenizer.Encode(input.text, input.pair_view(), {}, UsedScratch(), encoding);
  const size_t first = WellFormedSize(input.text);
  const size_t second = input.pair ? WellFormedSize(*input.pair) : 0;
  absl::Status expected;
  if (first < input.text.size()) {
    expected = absl::InvalidArgumentError(absl::StrCat("text: invalid UTF-8 at byte ", first));
  } else if (input.pair && second < input.pair->size()) {
    expected = absl::InvalidArgumentError(absl::StrCat("text_pair: invalid UTF-8 at byte ", second));
  }
  FUZZ_CHECK_THAT(status == expected, absl::StrCat(status.ToString(), " should be ", expected.ToString()));
}

void CheckRequests(const Subject& subject, const TextInput& input) {
  const Encoding everything = Encoded(subject, input.text, input.pair_view(), Everything());
  FUZZ_CHECK(HasLength(everything, Everything()));
  FUZZ_CHECK(everything.full_length == everything.ids.size());
  EncodeOptions some = input.options;
  some.max_length = EncodeOptions::kNoLimit;
  some.stride = 0;
  for (const EncodeOptions& options : {EncodeOptions(), some}) {
    const Encoding asked = Encoded(subject, input.text, input.pair_view(), options);
    FUZZ_CHECK_THAT(asked == Projected(everything, options), Described(asked) + Described(everything));
  }
  Scratch fresh;
  FUZZ_CHECK(Encoded(subject, input.text, input.pair_view(), Everything(), fresh) == everything);
  FUZZ_CHECK(Encoded(subject, input.text, input.pair_view(), some, fresh) == Projected(everything, some));
}

namespace {

std::string Described(const Token& token) {
  return absl::StrCat("token ", token.text, " at bytes ", token.bytes.begin, "-", token.bytes.end, ", characters ",
                      token.characters.begin, "-", token.characters.end, ", word ", token.word);
}

void CheckPlaces(const std::string& text, const TokenList& tokens) {
  const auto is_border = [&](size_t at) { return at == text.size() || (at < text.size() && IsUtf8Start(text[at])); };
  std::vector<size_t> characters(text.size() + 1);  // before each byte
  for (size_t i = 0; i < text.size(); ++i) characters[i + 1] = characters[i] + (IsUtf8Start(text[i]) ? 1 : 0);
  Span last = {0, 0};
  int32_t word = 0;
  for (const Token& token : tokens) {
    const auto [begin, end] = token.bytes;
    FUZZ_CHECK_THAT(begin <= end && is_border(begin) && is_border(end), Described(token));
    FUZZ_CHECK_THAT((token.characters == Span{characters[begin], characters[end]}), Described(token));
    FUZZ_CHECK_THAT(last.begin <= begin && last.end <= end, Described(token));
    // Words may be left out, where nothing stands for them; none comes back.
    FUZZ_CHECK_THAT(word <= token.word, Described(token));
    last = token.bytes;
    word = token.word;
  }
}

void CheckIds(const Subject& subject, const TokenList& tokens) {
  for (const Token& token : tokens) {
    const auto text = subject.tokenizer.IdToToken(token.id);
    FUZZ_CHECK(text.has_value());
    FUZZ_CHECK(subject.tokenizer.TokenToId(*text) == token.id);
    FUZZ_CHECK(static_cast<size_t>(token.id) < subject.tokenizer.vocab_size());
    if (subject.texts_are_those_of_ids) FUZZ_CHECK_THAT(token.text == *text, token.text);
  }
}

std::vector<int32_t> IdsOf(const TokenList& tokens) {
  std::vector<int32_t> ids;
  for (const Token& token : tokens) ids.push_back(token.id);
  return ids;
}

}  // namespace

void CheckTokens(const Subject& subject, const TextInput& input) {
  const Texts texts = Alone(subject, input);
  CheckPlaces(input.text, texts.first);
  CheckIds(subject, texts.first);
  if (!input.pair) return;
  CheckPlaces(*input.pair, texts.second);
  CheckIds(subject, texts.second);
  const TokenList together = TextTokens(Encoded(subject, input.text, *input.pair, Everything()));
  FUZZ_CHECK(together == Part(texts, {0, texts.first.size()}, {0, texts.second.size()}));
  if (!subject.words_stand_alone) return;
  const TokenList joined =
      TextTokens(Encoded(subject, absl::StrCat(input.text, " ", *input.pair), std::nullopt, Everything()));
  FUZZ_CHECK(IdsOf(joined) == IdsOf(together));
}

namespace {

/// How many tokens of each text stay.
struct Kept {
  size_t first, second;
};

/// The rules of the reference library, as its documentation and its behaviour tell them; nullopt where it refuses.
/// `specials`: special tokens around these texts; `single_specials`: around a single text.
std::optional<Kept> ExpectedKept(const TextInput& input, const Kept& size, size_t specials, size_t single_specials) {
  const EncodeOptions& options = input.options;
  const size_t limit = options.max_length;
  if (limit >= single_specials && options.stride > limit - single_specials) return std::nullopt;
  if (limit < specials || size.first + size.second + specials <= limit) return size;
  const size_t room = limit - specials;
  if (room == 0) return Kept{0, 0};
  const size_t excess = size.first + size.second - room;
  Kept kept = size;
  switch (options.truncation_strategy) {
    case TruncationStrategy::kOnlyFirst:
      if (excess >= size.first) return std::nullopt;
      kept.first -= excess;
      break;
    case TruncationStrategy::kOnlySecond:
      if (!input.pair || excess >= size.second) return std::nullopt;
      kept.second -= excess;
      break;
    case TruncationStrategy::kLongestFirst:
      if (!input.pair) {
        kept.first = room;
      } else if (size.first <= room / 2) {
        kept.second = room - size.first;
      } else if (size.second <= room / 2) {
        kept.first = room - size.second;
      } else {
        kept.first = size.first > size.second ? room - room / 2 : room / 2;
        kept.second = room - kept.first;
      }
  }
  const auto stands = [&](size_t before, size_t after) {
    return after < before && after != 0 && options.stride >= after;
  };
  if (stands(size.first, kept.first) || stands(size.second, kept.second)) return std::nullopt;
  return kept;
}

/// The windows over `size` tokens of which `kept` stay.
std::vector<Span> ExpectedWindows(size_t size, size_t kept, const EncodeOptions& options) {
  if (kept >= size) return {{0, size}};
  if (kept == 0) return {{0, 0}, {0, size}};
  std::vector<Span> windows;
  for (size_t begin = 0;; begin += kept - options.stride) {
    windows.push_back({begin, std::min(size, begin + kept)});
    if (begin + kept >= size) break;
  }
  if (options.truncation_side == TruncationSide::kLeft) {
    for (Span& window : windows) window = {size - window.end, size - window.begin};
  }
  return windows;
}

}  // namespace

void CheckTruncation(const Subject& subject, const TextInput& input) {
  const EncodeOptions options = EverythingWithin(input.options);
  const Texts texts = Alone(subject, input);
  const Encoding whole = Encoded(subject, input.text, input.pair_view(), Everything());
  const TokenList specials = SpecialTokens(whole);
  const size_t single_specials = SpecialTokens(Encoded(subject, "", std::nullopt, Everything())).size();
  const Kept size = {texts.first.size(), texts.second.size()};
  const std::optional<Kept> kept = ExpectedKept(input, size, specials.size(), single_specials);

  Encoding encoding;
  const absl::Status status = subject.tokenizer.Encode(input.text, input.pair_view(), options, UsedScratch(), encoding);
  FUZZ_CHECK_THAT(status.ok() == kept.has_value(), status.ToString());
  if (!kept) return;

  const std::vector<Span> first = ExpectedWindows(size.first, kept->first, options);
  const std::vector<Span> second = ExpectedWindows(size.second, kept->second, options);
  const auto is_window = [&](const Encoding& e, size_t i, size_t j) {
    return HasLength(e, options) && e.full_length == whole.ids.size() && SpecialTokens(e) == specials &&
           TextTokens(e) == Part(texts, first[i], second[j]);
  };
  FUZZ_CHECK(is_window(encoding, 0, 0));
  // What is asked for does not matter here either.
  FUZZ_CHECK(Encoded(subject, input.text, input.pair_view(), input.options) == Projected(encoding, input.options));

  // Windows are many where the stride is nearly the limit, and more for pairs.
  constexpr size_t kMostTokens = 20000;
  if (first.size() * second.size() * encoding.ids.size() > kMostTokens) return;
  Encoding with_overflow;
  EncodingList overflow;
  FUZZ_CHECK(subject.tokenizer
                 .EncodeWithOverflow(input.text, input.pair_view(), options, UsedScratch(), with_overflow, overflow)
                 .ok());
  FUZZ_CHECK(with_overflow == encoding);
  FUZZ_CHECK(overflow.size() == first.size() * second.size() - 1);
  size_t next = 0;
  for (size_t i = 1; i < first.size(); ++i) {
    for (size_t j = 0; j < second.size(); ++j) FUZZ_CHECK(is_window(overflow[next++], i, j));
  }
  for (size_t j = 1; j < second.size(); ++j) FUZZ_CHECK(is_window(overflow[next++], 0, j));
}

namespace {

/// Where each character of `normalized` comes from.
std::vector<Span> Sources(const std::string& normalized, const Alignment& alignment) {
  std::vector<Span> sources;
  Alignment::Reader reader(alignment, 0);
  for (size_t at = 0; at < normalized.size();) {
    const size_t begin = at;
    DecodeUtf8(normalized, &at);
    const ByteRange source = reader.SourceOf({begin, at});
    sources.push_back({source.begin, source.end});
  }
  return sources;
}

}  // namespace

void CheckNormalizers(const TextInput& input) {
  static NormalizerScratch scratch;
  const BertNormalizer normalizer(input.normalizer);
  const std::string& text = input.text;
  std::string fast, without_alignment, plain;
  Alignment fast_alignment, plain_alignment;
  if (!normalizer.Normalize(text, scratch, fast, &fast_alignment)) {
    fast = text;
    fast_alignment.Clear();
    fast_alignment.Append({0, text.size()}, {0, text.size()});
  }
  if (!normalizer.Normalize(text, scratch, without_alignment, nullptr)) without_alignment = text;
  normalizer.NormalizePlainly(text, scratch, plain, &plain_alignment);
  FUZZ_CHECK(fast == plain);
  FUZZ_CHECK(without_alignment == plain);
  FUZZ_CHECK(WellFormedSize(plain) == plain.size());
  FUZZ_CHECK(Sources(plain, fast_alignment) == Sources(plain, plain_alignment));
}

}  // namespace bertha::tokenizer::fuzz
