// Where tokens stand in the text. The expected values are those of the reference library.
#include <string>
#include <vector>

#include "tests/tokenizer/support.h"
#include "tokenizer/alignment.h"

namespace bertha::tokenizer {
namespace {

using Spans = std::vector<Span>;

EncodeOptions Everything() {
  EncodeOptions options;
  options.special_tokens_mask = options.offsets = options.char_offsets = options.word_ids = true;
  return options;
}

/// The parts of the text that the tokens stand for, in brackets; cut by byte offsets.
std::string PartsOf(const Tokenizer& tokenizer, const std::string& text) {
  std::string parts;
  for (const Span& span : EncodeWith(tokenizer, text, std::nullopt, Everything()).offsets) {
    parts += "<" + text.substr(span.begin, span.end - span.begin) + ">";
  }
  return parts;
}

TEST_CASE("NothingIsReportedThatWasNotAskedFor") {
  const Encoding encoding = EncodeWith(*Load(SmallJson()), "a b");
  CHECK(encoding.offsets.empty());
  CHECK(encoding.char_offsets.empty());
  CHECK(encoding.word_ids.empty());
  CHECK(encoding.special_tokens_mask.empty());
}

TEST_CASE("EachKindOfOffsetsCanBeHadAlone") {
  EncodeOptions options;
  options.char_offsets = true;
  const Encoding encoding = EncodeWith(*Load(BareJson()), "é b", std::nullopt, options);
  CHECK(encoding.char_offsets == Spans{{0, 1}, {2, 3}});
  CHECK(encoding.offsets.empty());
  CHECK(encoding.word_ids.empty());
}

TEST_CASE("OffsetsCountBytesAndCodePoints") {
  const Encoding encoding = EncodeWith(*Load(SmallJson()), "é unaffable", "b", Everything());
  CHECK(encoding.offsets == Spans{{0, 0}, {0, 2}, {3, 5}, {5, 8}, {8, 12}, {0, 0}, {0, 1}, {0, 0}});
  CHECK(encoding.char_offsets == Spans{{0, 0}, {0, 1}, {2, 4}, {4, 7}, {7, 11}, {0, 0}, {0, 1}, {0, 0}});
  CHECK(encoding.word_ids == std::vector<int32_t>{-1, 0, 1, 1, 1, -1, 0, -1});
  CHECK(encoding.special_tokens_mask == std::vector<int32_t>{1, 0, 0, 0, 0, 1, 0, 1});
}

TEST_CASE("SpecialTokensThatTheTextSpellsOutAreOrdinaryWords") {
  const Encoding encoding = EncodeWith(*Load(SmallJson()), "a[SEP] b", std::nullopt, Everything());
  CHECK(encoding.offsets == Spans{{0, 0}, {0, 1}, {1, 6}, {7, 8}, {0, 0}});
  CHECK(encoding.word_ids == std::vector<int32_t>{-1, 0, 1, 2, -1});
  CHECK(encoding.special_tokens_mask == std::vector<int32_t>{1, 0, 0, 0, 1});
}

TEST_CASE("AnUnknownWordIsOneSpan") { CHECK(PartsOf(*Load(BareJson()), "ab xyzÉ b") == "<ab><xyzÉ><b>"); }

TEST_CASE("OffsetsIncludeWhatNormalizationTookAwayInsideAToken") {
  const auto tokenizer = Load(BareJson());
  CHECK(PartsOf(*tokenizer, "f\u200boo\u200b b") == "<f\u200boo><b>");
  CHECK(PartsOf(*tokenizer, "u\u0007n\u0007affable") == "<u\u0007n><aff><able>");
  CHECK(PartsOf(*tokenizer, "\u0301e\u0301 b") == "<e><b>");  // a stripped mark at either end is outside
}

/// A tokenizer without post-processor whose vocabulary is [UNK] and `tokens`.
json WithVocabulary(const std::vector<std::string>& tokens) {
  json content = BareJson();
  content["added_tokens"] = json::array();
  json vocab = {{"[UNK]", 0}};
  for (const std::string& token : tokens) vocab[token] = vocab.size();
  content["model"]["vocab"] = vocab;
  return content;
}

TEST_CASE("WhatOneCharacterBecameStandsWhereItStood") {
  json content = WithVocabulary({"\u1112", "##\u1161", "##\u11ab", "中", "i", "##\u0307"});
  CHECK(PartsOf(*Load(content), "한 中中") == "<한><한><한><中><中>");
  CHECK(PartsOf(*Load(content), "한中") == "<한><한><한><中>");
  content["normalizer"]["strip_accents"] = false;
  CHECK(PartsOf(*Load(content), "İ") == "<İ><İ>");
}

TEST_CASE("ReorderedMarksTakeThePlacesOfTheTextInTheirNewOrder") {
  const auto tokenizer = Load(WithVocabulary({"x", "e", "##\u08d5", "##\u302e"}));
  const auto characters = [&](const std::string& text) {
    return EncodeWith(*tokenizer, text, std::nullopt, Everything()).char_offsets;
  };
  CHECK(characters("x\u08d5\u302e") == Spans{{0, 1}, {1, 2}, {2, 3}});
  CHECK(characters("x\u08d5\u0301\u302e") == Spans{{0, 1}, {1, 2}, {2, 3}});
  CHECK(characters("\u00e9\u08d5\u302e") == Spans{{0, 1}, {1, 2}, {2, 3}});
  CHECK(characters("x\u0301\u08d5\u0316\u302e\u302e") == Spans{{0, 1}, {2, 3}, {3, 4}, {5, 6}});
}

TEST_CASE("AddedTokensStandForTheSpaceThatTheyTakeAlong") {
  json content = BareJson();
  content["added_tokens"].push_back({{"id", 22},
                                     {"content", "<x>"},
                                     {"single_word", false},
                                     {"lstrip", true},
                                     {"rstrip", true},
                                     {"normalized", true},
                                     {"special", false}});
  CHECK(PartsOf(*Load(content), "a  <X>\u3000 b") == "<a><  <X>\u3000 ><b>");
}

TEST_CASE("AnAlignmentOfTextThatKeepsItsSizeIsOneRun") {
  Alignment alignment;
  alignment.Append({0, 5}, {2, 7});
  alignment.Append({5, 7}, {7, 9});
  alignment.Append({7, 8}, {9, 11});
  Alignment::Reader reader(alignment, 100);
  const auto source = [&](size_t begin, size_t end) {
    const ByteRange range = reader.SourceOf({begin, end});
    return Span{range.begin, range.end};
  };
  CHECK(source(1, 3) == Span{103, 105});
  CHECK(source(4, 7) == Span{106, 109});
  CHECK(source(7, 8) == Span{109, 111});
}

}  // namespace
}  // namespace bertha::tokenizer
