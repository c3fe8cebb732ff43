// Encode as a whole: post-processing, bad text, memory, threads.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/tokenizer/allocations.h"
#include "tests/tokenizer/support.h"

namespace bertha::tokenizer {
namespace {

TEST_CASE("BertProcessingPutsSpecialTokensAroundOneText") {
  const Encoding encoding = EncodeWith(*Load(SmallJson()), "a b");
  CHECK(encoding.ids == std::vector<int32_t>{2, 5, 6, 3});
  CHECK(encoding.type_ids == std::vector<int32_t>{0, 0, 0, 0});
  CHECK(encoding.full_length == 4);
}

TEST_CASE("BertProcessingGivesTheSecondTextOfAPairTypeOne") {
  const Encoding encoding = EncodeWith(*Load(SmallJson()), "a", "b a");
  CHECK(encoding.ids == std::vector<int32_t>{2, 5, 3, 6, 5, 3});
  CHECK(encoding.type_ids == std::vector<int32_t>{0, 0, 0, 1, 1, 1});
}

TEST_CASE("ATemplateMayUseSeveralIdsAndAnyTypes") {
  json content = SmallJson();
  content["post_processor"] = json::parse(R"({
      "type": "TemplateProcessing",
      "single": [{"Sequence": {"id": "A", "type_id": 2}}, {"SpecialToken": {"id": "end", "type_id": 7}}],
      "pair": [{"Sequence": {"id": "B", "type_id": 0}}, {"SpecialToken": {"id": "end", "type_id": 1}},
               {"Sequence": {"id": "A", "type_id": 5}}],
      "special_tokens": {"end": {"id": "end", "ids": [3, 4], "tokens": ["[SEP]", "[MASK]"]}}})");
  const auto tokenizer = Load(content);
  const Encoding single = EncodeWith(*tokenizer, "a");
  CHECK(single.ids == std::vector<int32_t>{5, 3, 4});
  CHECK(single.type_ids == std::vector<int32_t>{2, 7, 7});
  const Encoding pair = EncodeWith(*tokenizer, "a", "b b");
  CHECK(pair.ids == std::vector<int32_t>{6, 6, 3, 4, 5});
  CHECK(pair.type_ids == std::vector<int32_t>{0, 0, 1, 1, 5});
}

TEST_CASE("WithoutAPostProcessorThereAreNoSpecialTokens") {
  const Encoding encoding = EncodeWith(*Load(BareJson()), "a", "b");
  CHECK(encoding.ids == std::vector<int32_t>{5, 6});
  CHECK(encoding.type_ids == std::vector<int32_t>{0, 1});
}

TEST_CASE("SequenceIdsTellTheTextsApartWhateverTheirTypes") {
  EncodeOptions options;
  options.sequence_ids = true;
  const auto ids = [&](const json& content, const std::string& text, const std::optional<std::string>& pair) {
    return EncodeWith(*Load(content), text, pair, options).sequence_ids;
  };
  // As printed by the reference library for the same files.
  CHECK(ids(SmallJson(), "a b", std::nullopt) == std::vector<int32_t>{-1, 0, 0, -1});
  CHECK(ids(SmallJson(), "a", "b a") == std::vector<int32_t>{-1, 0, -1, 1, 1, -1});
  CHECK(ids(BareJson(), "a", "b a") == std::vector<int32_t>{0, 1, 1});
  json swapped = SmallJson();
  swapped["post_processor"] = json::parse(R"({
      "type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}],
      "pair": [{"Sequence": {"id": "B", "type_id": 3}}, {"Sequence": {"id": "A", "type_id": 3}}],
      "special_tokens": {}})");
  CHECK(ids(swapped, "a", "b b") == std::vector<int32_t>{1, 1, 0});
  options.sequence_ids = false;
  CHECK(ids(SmallJson(), "a", "b").empty());
}

TEST_CASE("OverflowWindowsHaveSequenceIds") {
  EncodeOptions options;
  options.sequence_ids = true;
  options.max_length = 5;
  options.truncation_strategy = TruncationStrategy::kOnlySecond;
  Scratch scratch;
  Encoding first;
  EncodingList others;
  REQUIRE(Load(SmallJson())->EncodeWithOverflow("a", "b a b", options, scratch, first, others).ok());
  CHECK(first.sequence_ids == std::vector<int32_t>{-1, 0, -1, 1, -1});
  REQUIRE(others.size() == 2);
  CHECK(others[1].sequence_ids == first.sequence_ids);
}

TEST_CASE("ATokenizerKnowsTheTokensThatTasksAskFor") {
  struct Case {
    std::string name, prefix;
    std::optional<int32_t> unknown_id, cls_id;
  };
  // What transformers' tokenizers of these families say with these files; it knows no <unk> of GPT-2.
  const std::vector<Case> cases = {
      {"uncased", "##", 1, 2}, {"cased", "##", 1, 2},
      {"roberta", "", 3, 0},   {"gpt2", "", std::nullopt, std::nullopt},
      {"xlnet_hub", "", 0, 3}, {"albert_converted", "", 1, 2},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    const auto tokenizer = Tokenizer::FromFile(DataFile(c.name + ".json"));
    REQUIRE(tokenizer.ok());
    CHECK((*tokenizer)->continuing_subword_prefix() == c.prefix);
    CHECK((*tokenizer)->unknown_id() == c.unknown_id);
    CHECK((*tokenizer)->cls_id() == c.cls_id);
  }
  json other_prefix = SmallJson();
  other_prefix["model"]["continuing_subword_prefix"] = "@@";
  CHECK(Load(other_prefix)->continuing_subword_prefix() == "@@");
  CHECK(Load(BareJson())->cls_id() == std::nullopt);
}

TEST_CASE("AnEmptyTextHasOnlySpecialTokens") {
  const auto tokenizer = Load(SmallJson());
  CHECK(EncodeWith(*tokenizer, "").ids == std::vector<int32_t>{2, 3});
  CHECK(EncodeWith(*tokenizer, " \u200b\u3000").ids == std::vector<int32_t>{2, 3});
  CHECK(EncodeWith(*tokenizer, "", "").ids == std::vector<int32_t>{2, 3, 3});
}

TEST_CASE("TextThatIsNotUtf8IsRefusedWithTheByteOffset") {
  const auto tokenizer = Load(SmallJson());
  Scratch scratch;
  Encoding encoding;
  const std::string ascii = "seventeen letters";
  const auto status = [&](const std::string& text, std::optional<absl::string_view> pair) {
    return tokenizer->Encode(text, pair, {}, scratch, encoding);
  };
  CHECK(status(ascii + "\xff", {}) == absl::InvalidArgumentError("text: invalid UTF-8 at byte 17"));
  CHECK(status("é\xc3", {}) == absl::InvalidArgumentError("text: invalid UTF-8 at byte 2"));
  CHECK(status("a", "b\x80") == absl::InvalidArgumentError("text_pair: invalid UTF-8 at byte 1"));
  CHECK(status("a", "b").ok());
}

TEST_CASE("TokensAndIdsMapBothWays") {
  const auto tokenizer = Load(SmallJson());
  CHECK(tokenizer->vocab_size() == 22);
  for (int32_t id = 0; id < 22; ++id) {
    const auto token = tokenizer->IdToToken(id);
    REQUIRE(token.has_value());
    CHECK(tokenizer->TokenToId(*token) == id);
  }
  CHECK_FALSE(tokenizer->TokenToId("fo").has_value());
  CHECK_FALSE(tokenizer->TokenToId("").has_value());
  CHECK_FALSE(tokenizer->IdToToken(22).has_value());
  CHECK_FALSE(tokenizer->IdToToken(-1).has_value());
}

TEST_CASE("IdsMayHaveGaps") {
  json content = SmallJson();
  content["model"]["vocab"]["far"] = 2147483647;
  const auto tokenizer = Load(content);
  CHECK(tokenizer->vocab_size() == 2147483648u);
  CHECK(tokenizer->IdToToken(2147483647) == "far");
  CHECK_FALSE(tokenizer->IdToToken(1000).has_value());
}

const char* const kMixed = "Don't PANIC, naïve café: [MASK] 한국어 中文字符 x\u08d5\u302e\u0301 e\u0301 fo\u200bo İ";

TEST_CASE("ASecondCallWithTheSameScratchAllocatesNothing") {
  const auto tokenizer = Tokenizer::FromFile(DataFile("uncased.json"));
  REQUIRE(tokenizer.ok());
  std::string text;
  for (int i = 0; i < 50; ++i) text += kMixed;
  for (int i = 0; i < 30; ++i) text += "\u08d5\u302e";
  Scratch scratch;
  Encoding encoding;
  EncodeOptions options = {600, TruncationSide::kLeft};
  SECTION("ids only") {}
  SECTION("everything") {
    options.stride = 250;
    options.special_tokens_mask = options.offsets = options.char_offsets = true;
    options.word_ids = options.sequence_ids = true;
  }
  EncodingList overflow;
  const auto encode = [&] {
    return options.stride == 0 ? (*tokenizer)->Encode(text, text, options, scratch, encoding)
                               : (*tokenizer)->EncodeWithOverflow(text, text, options, scratch, encoding, overflow);
  };
  REQUIRE(encode().ok());
  CHECK((overflow.size() > 2) == (options.stride != 0));
  if (!kAllocationsAreCounted) {
    WARN("allocations are not counted in this build");
    return;
  }
  const size_t before = Allocations();
  const absl::Status status = encode();
  const size_t after = Allocations();
  CHECK(status.ok());
  CHECK(after - before == 0);
  CHECK(before > 0);
}

TEST_CASE("ManyThreadsMayShareOneTokenizer") {
  const auto tokenizer = Tokenizer::FromFile(DataFile("uncased.json"));
  REQUIRE(tokenizer.ok());
  const std::vector<int32_t> expected = EncodeWith(**tokenizer, kMixed, "a").ids;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      Scratch scratch;
      Encoding encoding;
      for (int i = 0; i < 200; ++i) {
        if (!(*tokenizer)->Encode(kMixed, "a", {}, scratch, encoding).ok() || encoding.ids != expected) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("OneScratchServesDifferentTokenizersAndMoves") {
  const auto small = Load(SmallJson());
  const auto bare = Load(BareJson());
  Scratch first;
  Encoding encoding;
  REQUIRE(small->Encode("a b", std::nullopt, {}, first, encoding).ok());
  Scratch second = std::move(first);
  REQUIRE(bare->Encode("b", std::nullopt, {}, second, encoding).ok());
  CHECK(encoding.ids == std::vector<int32_t>{6});
}

}  // namespace
}  // namespace bertha::tokenizer
