#include "tokenizer/bpe.h"

#include <algorithm>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "tests/tokenizer/allocations.h"
#include "tests/tokenizer/bpe_support.h"

namespace bertha::tokenizer {
namespace {

absl::Status LoadStatus(const json& content) { return Tokenizer::FromJson(content.dump()).status(); }

TEST_CASE("TheFirstMergeOfTheListGoesFirstAndOfEqualOnesTheLeftmost") {
  CHECK(TokensOf(*Load(BpeJson({{"b", "c"}, {"a", "b"}})), "abc") == "a bc");
  CHECK(TokensOf(*Load(BpeJson({{"a", "b"}, {"b", "c"}})), "abc") == "ab c");
  CHECK(TokensOf(*Load(BpeJson({{"a", "a"}})), "aaa") == "aa a");
  CHECK(TokensOf(*Load(BpeJson({{"a", "a"}, {"aa", "a"}})), "aaaaa") == "aa aaa");
}

TEST_CASE("ATokenThatNoMergesLeadToIsNotFound") {
  json content = BpeJson({{"b", "c"}, {"a", "b"}, {"ab", "c"}});
  CHECK(TokensOf(*Load(content), "abc") == "a bc");
  content["model"]["ignore_merges"] = true;
  CHECK(TokensOf(*Load(content), "abc") == "abc");
  CHECK(TokensOf(*Load(content), "abcd") == "a bc d");
}

TEST_CASE("MergesMayBeSpelledAsOneStringEach") {
  json content = BpeJson({{"a", "b"}});
  content["model"]["merges"] = {"#version: 0.2", "a b"};
  CHECK(TokensOf(*Load(content), "ab") == "ab");
}

TEST_CASE("AFileOf2020NamesNoTypeOfItsMerges") {
  json content = BpeJson({{"a", "b"}});
  content["model"].erase("type");
  content["pre_tokenizer"].erase("use_regex");
  CHECK(TokensOf(*Load(content), "ab c") == "ab Ġ c");
}

TEST_CASE("BytesThatAreNoTokenAreUnknown") {
  json content = BpeJson({{"a", "b"}});
  content["model"]["vocab"].erase("x");
  CHECK(LoadStatus(content) == absl::InvalidArgumentError("$.model.merges: byte 120, \"x\", is not in the vocabulary, "
                                                          "and there is no unk_token"));
  content["model"]["unk_token"] = "?";
  CHECK(TokensOf(*Load(content), "abxxab") == "ab ? ? ab");
  content["model"]["fuse_unk"] = true;
  CHECK(TokensOf(*Load(content), "abxxab xx") == "ab ? ab Ġ ?");
  content["model"]["unk_token"] = "<none>";
  CHECK(LoadStatus(content) == absl::InvalidArgumentError("$.model.unk_token: \"<none>\" is not in the vocabulary"));
}

TEST_CASE("BrokenMergesAreNamed") {
  const auto status = [](const json& merge) {
    json content = BpeJson({{"a", "b"}});
    content["model"]["merges"].push_back(merge);
    return LoadStatus(content);
  };
  const auto invalid = [](const std::string& what) { return absl::InvalidArgumentError("$.model.merges" + what); };
  CHECK(status({"a", "xyz"}) == invalid("[1]: \"xyz\" is not in the vocabulary"));
  CHECK(status({"a", "c"}) == invalid("[1]: \"ac\" is not in the vocabulary"));
  CHECK(status({"a", "b"}) == invalid(": the pair \"a\" \"b\" is there twice"));
  CHECK(status({"a"}) == invalid("[1]: must be two tokens, is 1"));
  CHECK(status({"a", "b", "c"}) == invalid("[1]: must be two tokens, is 3"));
  CHECK(status("ab") == invalid("[1]: \"ab\" is not two tokens with a space between them"));
  CHECK(status("a b ") == invalid("[1]: \"a b \" is not two tokens with a space between them"));
  CHECK(status({"a", 1}) == invalid("[1][1]: must be a string, is number"));
  CHECK(status(7) == invalid("[1]: must be an array, is number"));
}

TEST_CASE("OptionsThatWouldChangeTheResultAreRefused") {
  const auto status = [](const char* option, const json& value) {
    json content = BpeJson();
    content["model"][option] = value;
    return LoadStatus(content);
  };
  CHECK(status("dropout", 0.0).ok());
  CHECK(status("dropout", 0.1) ==
        absl::UnimplementedError("$.model.dropout: is not supported; known here: null and 0"));
  CHECK(status("byte_fallback", false).ok());
  CHECK(status("byte_fallback", true) ==
        absl::UnimplementedError("$.model.byte_fallback: true is not supported; known here: false"));
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    CHECK(status(affix, "").ok());
    CHECK(status(affix, "##") == absl::UnimplementedError(std::string("$.model.") + affix +
                                                          ": \"##\" is not supported; known here: null and \"\""));
  }
}

/// Both encoders of the same merges.
struct Encoders {
  Vocabulary vocabulary;
  BytePairMerges merges;

  static Encoders Of(const JsonValue& model) {
    auto vocabulary = Vocabulary::FromJson(*model.Get("vocab"));
    REQUIRE(vocabulary.ok());
    auto merges = BytePairMerges::FromJson(*model.Get("merges"), *vocabulary, std::nullopt);
    REQUIRE(merges.ok());
    return {*std::move(vocabulary), *std::move(merges)};
  }
};

bool Same(const std::vector<WordToken>& a, const std::vector<WordToken>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const WordToken& x, const WordToken& y) { return x.id == y.id && x.end == y.end; });
}

void CheckThatBothEncodeAlike(const Encoders& encoders, const std::vector<std::string>& alphabet, std::mt19937& rng) {
  const auto backtracking = BytePairBacktracking::Make(encoders.merges);
  REQUIRE(backtracking.has_value());
  BytePairScratch scratch;
  std::vector<WordToken> merged, tracked;
  for (int i = 0; i < 3000; ++i) {
    std::string word;
    for (size_t left = 1 + rng() % (i % 100 == 0 ? 3000 : 24); left > 0; --left)
      word += alphabet[rng() % alphabet.size()];
    merged.clear();
    tracked.clear();
    encoders.merges.Encode(word, scratch, merged);
    backtracking->Encode(word, scratch, tracked);
    INFO(word);
    REQUIRE(Same(merged, tracked));
    REQUIRE(tracked.back().end == word.size());
  }
}

TEST_CASE("BacktrackingEncodesAsMergingDoesWithATrainedVocabulary") {
  std::ifstream file(DataFile("roberta.json"));
  std::stringstream text;
  text << file.rdbuf();
  const auto document = JsonDocument::Parse(text.str());
  REQUIRE(document.ok());
  const Encoders encoders = Encoders::Of(*document->root().Get("model"));
  std::mt19937 rng(3);
  std::vector<std::string> bytes, letters, tokens;
  for (int byte = 0; byte < 256; ++byte) bytes.push_back(std::string(1, static_cast<char>(byte)));
  for (const char letter : std::string("etaoinshrdlu ")) letters.push_back(std::string(1, letter));
  for (const char* token : {" the", "ing", " re", "tion", "    ", "s", "an", "é", "----", "er"})
    tokens.push_back(token);
  CheckThatBothEncodeAlike(encoders, bytes, rng);
  CheckThatBothEncodeAlike(encoders, letters, rng);
  CheckThatBothEncodeAlike(encoders, tokens, rng);
  CheckThatBothEncodeAlike(encoders, {" "}, rng);
}

TEST_CASE("BacktrackingEncodesAsMergingDoesWithRandomMerges") {
  // Tokens that merging never makes of their own bytes, dead ends and runs of one letter are common among these.
  std::mt19937 rng(4);
  for (int round = 0; round < 40; ++round) {
    std::vector<std::string> tokens = {"a", "b", "c"};
    Pairs pairs;
    json known = json::object();
    while (pairs.size() < 40) {
      const std::string left = tokens[rng() % tokens.size()], right = tokens[rng() % tokens.size()];
      if (left.size() + right.size() > 12 || known.contains(left + right)) continue;
      known[left + right] = true;
      pairs.push_back({left, right});
      tokens.push_back(left + right);
    }
    const auto document = JsonDocument::Parse(BpeJson(pairs).dump());
    const Encoders encoders = Encoders::Of(*document->root().Get("model"));
    CheckThatBothEncodeAlike(encoders, round % 2 == 0 ? std::vector<std::string>{"a", "b", "c"} : tokens, rng);
  }
}

TEST_CASE("MergesThatAreNotInOrderAreLeftToMerging") {
  const auto in_order = [](const Pairs& pairs) {
    const auto document = JsonDocument::Parse(BpeJson(pairs).dump());
    return Encoders::Of(*document->root().Get("model")).merges.are_in_order();
  };
  CHECK(in_order({{"a", "b"}, {"ab", "c"}}));
  CHECK_FALSE(in_order({{"ab", "c"}, {"a", "b"}}));
  CHECK_FALSE(in_order({{"a", "b"}, {"b", "c"}, {"ab", "c"}, {"a", "bc"}}));
  const auto tokenizer = Load(BpeJson({{"a", "b"}, {"b", "c"}, {"a", "bc"}, {"ab", "c"}}));
  CHECK(TokensOf(*tokenizer, "abc") == "abc");
}

TEST_CASE("ASecondCallOfByteLevelBpeAllocatesNothing") {
  json content = BpeJson({{"a", "b"}, {"Ġ", "ab"}});
  content["pre_tokenizer"]["add_prefix_space"] = true;
  content["post_processor"] = {{"type", "RobertaProcessing"},
                               {"sep", {"!", 33}},
                               {"cls", {"#", 35}},
                               {"trim_offsets", true},
                               {"add_prefix_space", true}};
  if (GENERATE(false, true)) {  // merges that are not in order
    content["model"]["vocab"]["abab"] = 300;
    content["model"]["vocab"]["aba"] = 301;
    content["model"]["merges"].insert(content["model"]["merges"].end(), {{"ab", "ab"}, {"ab", "a"}, {"aba", "b"}});
  }
  const auto tokenizer = Load(content);
  const std::string text = "ab 中文 it's" + std::string(5000, 'a') + " abababab \u3000x";
  Scratch scratch;
  Encoding encoding;
  EncodeOptions options;
  options.special_tokens_mask = options.offsets = options.char_offsets = options.word_ids = GENERATE(false, true);
  const auto encode = [&] { return tokenizer->Encode(text, text, options, scratch, encoding).ok(); };
  REQUIRE(encode());
  if (!kAllocationsAreCounted) return;
  const size_t before = Allocations();
  const bool ok = encode();
  const size_t after = Allocations();
  CHECK(ok);
  CHECK(after - before == 0);
}

TEST_CASE("OneScratchServesTwoModelsOfTheSameWords") {
  const auto first = Load(BpeJson({{"a", "b"}}));
  const auto second = Load(BpeJson({{"b", "a"}}));
  Scratch scratch;
  Encoding encoding;
  for (int round = 0; round < 3; ++round) {
    REQUIRE(first->Encode("aba aba", std::nullopt, {}, scratch, encoding).ok());
    CHECK(encoding.ids == EncodeWith(*first, "aba aba").ids);
    REQUIRE(second->Encode("aba aba", std::nullopt, {}, scratch, encoding).ok());
    CHECK(encoding.ids == EncodeWith(*second, "aba aba").ids);
  }
}

}  // namespace
}  // namespace bertha::tokenizer
