#include "tokenizer/truncation.h"

#include <string>
#include <vector>

#include "tests/tokenizer/support.h"

namespace bertha::tokenizer {
namespace {

std::string Repeated(const std::string& word, size_t times) {
  std::string text;
  for (size_t i = 0; i < times; ++i) text += word + " ";
  return text;
}

TEST_CASE("LongestFirstKeepsTheShorterTextOrHalvesTheRoom") {
  struct Case {
    Lengths before;
    size_t room;
    Lengths after;
  };
  for (const Case& c : std::vector<Case>{{{6, 7}, 7, {3, 4}},
                                         {{7, 6}, 7, {4, 3}},
                                         {{6, 6}, 7, {3, 4}},
                                         {{2, 9}, 7, {2, 5}},
                                         {{9, 2}, 7, {5, 2}},
                                         {{3, 4}, 7, {3, 4}},
                                         {{3, 5}, 7, {3, 4}},
                                         {{0, 9}, 7, {0, 7}},
                                         {{9, 9}, 1, {0, 1}},
                                         {{10, 9}, 1, {1, 0}},
                                         {{9, 9}, 0, {0, 0}}}) {
    INFO(c.before.first << "+" << c.before.second << " in " << c.room);
    const Lengths after = TruncateLongestFirst(c.before, c.room);
    CHECK(after.first == c.after.first);
    CHECK(after.second == c.after.second);
  }
}

TEST_CASE("TruncationKeepsSpecialTokensAndReportsTheFullLength") {
  const auto tokenizer = Load(SmallJson());
  const Encoding encoding = EncodeWith(*tokenizer, "a b ab foo", std::nullopt, {4, TruncationSide::kRight});
  CHECK(encoding.ids == std::vector<int32_t>{2, 5, 6, 3});
  CHECK(encoding.type_ids == std::vector<int32_t>{0, 0, 0, 0});
  CHECK(encoding.full_length == 6);
  CHECK(encoding.truncated());
}

TEST_CASE("TruncationOnTheLeftKeepsTheEnd") {
  const auto tokenizer = Load(SmallJson());
  CHECK(EncodeWith(*tokenizer, "a b ab foo", std::nullopt, {4, TruncationSide::kLeft}).ids ==
        std::vector<int32_t>{2, 9, 19, 3});
  CHECK(EncodeWith(*tokenizer, "a b ab", "foo b a", {7, TruncationSide::kLeft}).ids ==
        std::vector<int32_t>{2, 6, 9, 3, 6, 5, 3});
}

TEST_CASE("ATextThatFitsIsNotTruncated") {
  const Encoding encoding = EncodeWith(*Load(SmallJson()), "a b", std::nullopt, {4, TruncationSide::kRight});
  CHECK(encoding.ids.size() == 4);
  CHECK_FALSE(encoding.truncated());
}

TEST_CASE("ALimitOfJustTheSpecialTokensLeavesNoText") {
  const auto tokenizer = Load(SmallJson());
  CHECK(EncodeWith(*tokenizer, "a b", std::nullopt, {2, TruncationSide::kRight}).ids == std::vector<int32_t>{2, 3});
  CHECK(EncodeWith(*tokenizer, "a b", "a", {3, TruncationSide::kRight}).ids == std::vector<int32_t>{2, 3, 3});
}

TEST_CASE("ALimitBelowTheSpecialTokensDoesNotTruncate") {
  const auto tokenizer = Load(SmallJson());
  for (const size_t limit : {0, 1}) {
    CHECK(EncodeWith(*tokenizer, "a b", std::nullopt, {limit, TruncationSide::kRight}).ids.size() == 4);
  }
  for (const size_t limit : {0, 1, 2}) {
    CHECK(EncodeWith(*tokenizer, "a b", "a", {limit, TruncationSide::kRight}).ids.size() == 6);
  }
}

TEST_CASE("LongTextsAreTruncatedInBothDirections") {
  const auto tokenizer = Load(SmallJson());
  const Encoding encoding =
      EncodeWith(*tokenizer, Repeated("a", 100000), Repeated("b", 100000), {512, TruncationSide::kLeft});
  CHECK(encoding.ids.size() == 512);
  CHECK(encoding.full_length == 200003);
}

/// max_length and stride, with a strategy; on the right.
EncodeOptions Limit(size_t max_length, TruncationStrategy strategy, size_t stride = 0) {
  EncodeOptions options;
  options.max_length = max_length;
  options.truncation_strategy = strategy;
  options.stride = stride;
  return options;
}

TEST_CASE("OnlyTheChosenTextIsCut") {
  const auto tokenizer = Load(SmallJson());
  CHECK(EncodeWith(*tokenizer, "a a a", "b b", Limit(7, TruncationStrategy::kOnlyFirst)).ids ==
        std::vector<int32_t>{2, 5, 5, 3, 6, 6, 3});
  CHECK(EncodeWith(*tokenizer, "a a a", "b b", Limit(7, TruncationStrategy::kOnlySecond)).ids ==
        std::vector<int32_t>{2, 5, 5, 5, 3, 6, 3});
  CHECK(EncodeWith(*tokenizer, "a a a", std::nullopt, Limit(4, TruncationStrategy::kOnlyFirst)).ids ==
        std::vector<int32_t>{2, 5, 5, 3});
}

absl::Status StatusOf(const EncodeOptions& options, std::optional<absl::string_view> pair) {
  Scratch scratch;
  Encoding encoding;
  return Load(SmallJson())->Encode("a a a", pair, options, scratch, encoding);
}

TEST_CASE("WhatCannotBeTruncatedAsToldIsRefusedWithTheNumbers") {
  struct Case {
    EncodeOptions options;
    std::optional<absl::string_view> pair;
    std::string error;
  };
  for (const Case& c : std::vector<Case>{
           {Limit(5, TruncationStrategy::kOnlyFirst), "b b",
            "truncation only_first: 3 tokens must go, but the first text has only 3"},
           {Limit(6, TruncationStrategy::kOnlySecond), "b b",
            "truncation only_second: 2 tokens must go, but the second text has only 2"},
           {Limit(4, TruncationStrategy::kOnlySecond), {}, "truncation only_second: there is no second text"},
           {Limit(4, TruncationStrategy::kLongestFirst, 2),
            {},
            "stride 2: must be less than the 2 tokens that truncation leaves of the first text"},
           {Limit(6, TruncationStrategy::kLongestFirst, 1), "b b",
            "stride 1: must be less than the 1 tokens that truncation leaves of the second text"},
           {Limit(9, TruncationStrategy::kLongestFirst, 8),
            {},
            "stride 8: must be less than max_length 9 without its 2 special tokens"}}) {
    CHECK(StatusOf(c.options, c.pair) == absl::InvalidArgumentError(c.error));
  }
}

TEST_CASE("StrategyAndStrideDoNotMatterToTextsThatFit") {
  CHECK(StatusOf(Limit(5, TruncationStrategy::kOnlySecond, 3), {}).ok());
  CHECK(StatusOf(Limit(1, TruncationStrategy::kOnlySecond, 3), {}).ok());
  CHECK(StatusOf(Limit(0, TruncationStrategy::kOnlySecond, 3), {}).ok());
}

TEST_CASE("WindowsShareTheStrideAndTheLastMayBeShort") {
  struct Case {
    size_t length, kept, stride;
    TruncationSide side;
    std::vector<Span> windows;
  };
  constexpr TruncationSide kRight = TruncationSide::kRight, kLeft = TruncationSide::kLeft;
  for (const Case& c : std::vector<Case>{{7, 3, 0, kRight, {{0, 3}, {3, 6}, {6, 7}}},
                                         {7, 3, 1, kRight, {{0, 3}, {2, 5}, {4, 7}}},
                                         {7, 3, 2, kRight, {{0, 3}, {1, 4}, {2, 5}, {3, 6}, {4, 7}}},
                                         {7, 3, 0, kLeft, {{4, 7}, {1, 4}, {0, 1}}},
                                         {6, 4, 1, kLeft, {{2, 6}, {0, 3}}},
                                         {7, 7, 1, kRight, {{0, 7}}},
                                         {0, 0, 0, kLeft, {{0, 0}}},
                                         {7, 0, 0, kRight, {{0, 0}, {0, 7}}}}) {
    INFO(c.length << " in " << c.kept << ", stride " << c.stride);
    std::vector<Span> windows = {{9, 9}};
    MakeWindows(c.length, c.kept, c.stride, c.side, windows);
    CHECK(windows == c.windows);
  }
}

TEST_CASE("OverflowIsEveryOtherCombinationOfWindowsWithItsSpecialTokens") {
  const auto tokenizer = Load(SmallJson());
  Scratch scratch;
  Encoding encoding;
  EncodingList overflow;
  EncodeOptions options = Limit(5, TruncationStrategy::kLongestFirst);
  options.offsets = true;
  REQUIRE(tokenizer->EncodeWithOverflow("a b", "b a", options, scratch, encoding, overflow).ok());
  CHECK(encoding.ids == std::vector<int32_t>{2, 5, 3, 6, 3});
  REQUIRE(overflow.size() == 3);
  CHECK(overflow[0].ids == std::vector<int32_t>{2, 6, 3, 6, 3});
  CHECK(overflow[1].ids == std::vector<int32_t>{2, 6, 3, 5, 3});
  CHECK(overflow[2].ids == std::vector<int32_t>{2, 5, 3, 5, 3});
  CHECK(overflow[1].type_ids == std::vector<int32_t>{0, 0, 0, 1, 1});
  CHECK(overflow[1].offsets == std::vector<Span>{{0, 0}, {2, 3}, {0, 0}, {2, 3}, {0, 0}});
  CHECK(overflow[1].full_length == 7);
  REQUIRE(tokenizer->EncodeWithOverflow("a", std::nullopt, options, scratch, encoding, overflow).ok());
  CHECK(overflow.size() == 0);
}

TEST_CASE("WithoutSpecialTokensALimitOfZeroLeavesNothing") {
  json content = SmallJson();
  content["post_processor"] = nullptr;
  const auto tokenizer = Load(content);
  Scratch scratch;
  Encoding encoding;
  EncodingList overflow;
  REQUIRE(tokenizer
              ->EncodeWithOverflow("a b", std::nullopt, Limit(0, TruncationStrategy::kLongestFirst), scratch, encoding,
                                   overflow)
              .ok());
  CHECK(encoding.ids.empty());
  CHECK(encoding.full_length == 2);
  REQUIRE(overflow.size() == 1);
  CHECK(overflow[0].ids == std::vector<int32_t>{5, 6});
}

TEST_CASE("MoreWindowsThanTheLimitAreRefused") {
  const auto tokenizer = Load(SmallJson());
  Scratch scratch;
  Encoding encoding;
  EncodingList overflow;
  EncodeOptions options = Limit(5, TruncationStrategy::kLongestFirst);
  const auto encode = [&](size_t limit) {
    options.max_overflow_tokens = limit;
    return tokenizer->EncodeWithOverflow("a a a", "b b b", options, scratch, encoding, overflow);
  };
  CHECK(encode(45).ok());
  CHECK(overflow.size() == 8);
  CHECK(encode(44) == absl::OutOfRangeError("overflow: there would be 9 windows of up to 5 tokens, and 44 tokens "
                                            "are the limit; raise max_length or lower stride"));
}

}  // namespace
}  // namespace bertha::tokenizer
