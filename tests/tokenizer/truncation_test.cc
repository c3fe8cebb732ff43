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

}  // namespace
}  // namespace bertha::tokenizer
