// Unigram, and the normalizers and pre-tokenizers around it; what they do with every text is in test_parity_unigram.py.
#include "tokenizer/unigram.h"

#include <algorithm>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "tests/tokenizer/allocations.h"
#include "tests/tokenizer/support.h"
#include "tokenizer/alignment.h"
#include "tokenizer/components.h"
#include "tokenizer/grapheme_clusters.h"
#include "tokenizer/json_number.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/precompiled.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {
namespace {

json UnigramJson(const json& vocab) {
  return {{"version", "1.0"}, {"model", {{"type", "Unigram"}, {"unk_id", 0}, {"vocab", vocab}}}};
}

json LoadedFile(const std::string& name) {
  std::ifstream file(DataFile(name));
  return json::parse(file);
}

// --- The model.

TEST_CASE("TheBestSumOfScoresWins") {
  const auto tokenizer =
      Load(UnigramJson(json::parse(R"([["<unk>", 0], ["a", -1], ["b", -1], ["c", -1], ["ab", -1.5], ["bc", -1.25]])")));
  CHECK(TokensOf(*tokenizer, "abc") == "a bc");
  CHECK(TokensOf(*tokenizer, "ab") == "ab");
}

TEST_CASE("OfEqualSumsTheFirstFoundWins") {
  const auto tokenizer = Load(UnigramJson(json::parse(R"([["<unk>", 0], ["a", -1], ["aa", -2]])")));
  CHECK(TokensOf(*tokenizer, "aa") == "aa");
  CHECK(TokensOf(*tokenizer, "aaa") == "a aa");  // the last token begins as early as it can
}

TEST_CASE("UnknownNeighboursAreOneTokenThatKeepsItsText") {
  const auto tokenizer = Load(UnigramJson(json::parse(R"([["<unk>", 0], ["a", -1]])")));
  EncodeOptions options;
  options.tokens = options.offsets = true;
  const Encoding encoding = EncodeWith(*tokenizer, "a中😀a", std::nullopt, options);
  CHECK(encoding.ids == std::vector<int32_t>{1, 0, 1});
  CHECK(encoding.tokens == std::vector<std::string>{"a", "中😀", "a"});
  CHECK(encoding.offsets == std::vector<Span>{{0, 1}, {1, 8}, {8, 9}});
}

TEST_CASE("TheFastPathAndThePlainOneAgree") {
  std::mt19937 rng(4);
  const std::vector<std::string> letters = {"a", "b", "é", "中", "😀", "▁", "x"};
  const auto word = [&](size_t longest) {
    std::string made;
    for (size_t size = 1 + rng() % longest; size > 0; --size) made += letters[rng() % letters.size()];
    return made;
  };
  for (int round = 0; round < 20; ++round) {
    std::vector<std::string> texts = {"<unk>", "a", "b", "é"};
    while (texts.size() < 60) {
      std::string text = word(5);
      if (std::find(texts.begin(), texts.end(), text) == texts.end()) texts.push_back(std::move(text));
    }
    std::vector<double> scores;
    for (size_t i = 0; i < texts.size(); ++i) scores.push_back(-static_cast<double>(rng() % 24) / 2);
    const Unigram model(*Vocabulary::FromTexts(texts), scores, 0);
    ModelScratch scratch;
    for (int i = 0; i < 300; ++i) {
      const std::string text = word(12);
      const std::vector<WordToken> expected = model.TokenizePlainly(text);
      for (int again = 0; again < 2; ++again) {  // the second time from the cache
        std::vector<int32_t> ids;
        std::vector<ByteRange> ranges;
        model.Tokenize(text, {{0, text.size()}}, scratch, ids, &ranges);
        bool same = ids.size() == expected.size();
        for (size_t t = 0; same && t < ids.size(); ++t) {
          same = ids[t] == expected[t].id && ranges[t].end == expected[t].end &&
                 ranges[t].begin == (t == 0 ? 0 : expected[t - 1].end);
        }
        if (!same) FAIL(text);
      }
    }
  }
}

TEST_CASE("BrokenUnigramModelsAreNamed") {
  const auto message = [](const std::function<void(json&)>& change) {
    json content = UnigramJson(json::parse(R"([["<unk>", 0], ["a", -1.5]])"));
    change(content["model"]);
    const absl::Status status = Tokenizer::FromJson(content.dump()).status();
    CHECK(!status.ok());
    return std::string(status.message());
  };
  CHECK(message([](json& model) { model.erase("unk_id"); }) == R"($.model: member "unk_id" is missing)");
  CHECK(message([](json& model) { model["unk_id"] = nullptr; }) ==
        "$.model.unk_id: null is not supported: what is unknown would have no id");
  CHECK(message([](json& model) { model["unk_id"] = 2; }) == "$.model: unk_id 2: the vocabulary has 2 tokens");
  CHECK(message([](json& model) { model["vocab"] = json::array(); }) ==
        "$.model: unk_id 0: the vocabulary has 0 tokens");
  CHECK(message([](json& model) { model["vocab"] = 3; }) == "$.model.vocab: must be an array, is number");
  CHECK(message([](json& model) { model["vocab"][1] = "a"; }) == "$.model.vocab[1]: must be an array of 2, is string");
  CHECK(message([](json& model) { model["vocab"][1] = {"a"}; }) ==
        "$.model.vocab[1]: must be an array of 2, is one of 1");
  CHECK(message([](json& model) { model["vocab"][1][0] = 1; }) == "$.model.vocab[1][0]: must be a string, is number");
  CHECK(message([](json& model) { model["vocab"][1][1] = nullptr; }) ==
        "$.model.vocab[1][1]: must be a number, is null");
  CHECK(message([](json& model) { model["vocab"][1][0] = "<unk>"; }) ==
        R"($.model.vocab: "<unk>" is there twice, as 0 and 1)");
  CHECK(message([](json& model) { model["byte_fallback"] = true; }) == "$.model: byte_fallback true is not supported");
  CHECK(Tokenizer::FromJson(R"({"model": {"unk_id": 0, "vocab": [["a", -1e999]]}})").status().message() ==
        "$[\"model\"][\"vocab\"][0][1]: number out of range before byte 46");
}

TEST_CASE("NumbersHaveTheValueThatTheReferenceLibraryReads") {
  CHECK(JsonNumber("-1.5") == -1.5);
  CHECK(JsonNumber("0.1") == 0.1);
  CHECK(JsonNumber("1e2") == 100);
  CHECK(JsonNumber("-12.5E-1") == -1.25);
  CHECK(JsonNumber("1e400") > 1e308);
  CHECK(JsonNumber("1e-400") == 0);
  CHECK(JsonNumber("0e999999999999") == 0);
  CHECK(JsonNumber("123456789012345678901234567890.0") == 1.2345678901234568e29);
  CHECK(JsonNumber("0.12345678901234567890123456789") == 0.12345678901234568);
  // 17 digits exceed 53 bits: rounded twice, to a neighbour of the nearest.
  CHECK(JsonNumber("-13.45190143585205") != -13.45190143585206);
}

// --- Alignments.

using Ranges = std::vector<std::pair<size_t, size_t>>;

/// The sources of the characters of a text of characters of one byte.
Ranges SourcesOf(const Alignment& alignment, size_t size) {
  Ranges sources;
  Alignment::Reader reader(alignment, 0);
  for (size_t i = 0; i < size; ++i) {
    const ByteRange source = reader.SourceOf({i, i + 1});
    sources.push_back({source.begin, source.end});
  }
  return sources;
}

TEST_CASE("ComposingAlignmentsGoesThroughTheTextBetween") {
  Alignment first, second, both;
  first.Append({0, 2}, {0, 2});  // ab, then one byte for three, then cd
  first.Append({2, 3}, {2, 5});
  first.Append({3, 5}, {5, 7});
  second.Append({0, 1}, {1, 2});  // of these five bytes the second, then the third twice, then the rest
  second.Append({1, 3}, {2, 3});
  second.Append({3, 5}, {3, 5});
  both.Compose(first, second, 5);
  CHECK(SourcesOf(both, 5) == Ranges{{1, 2}, {2, 5}, {2, 5}, {5, 6}, {6, 7}});
}

TEST_CASE("ComposingACopyKeepsTheOtherAlignment") {
  Alignment changes, copy, both;
  changes.Append({0, 1}, {1, 3});
  changes.Append({1, 4}, {3, 6});
  copy.Append({0, 4}, {0, 4});
  both.Compose(changes, copy, 4);
  CHECK(SourcesOf(both, 4) == SourcesOf(changes, 4));
  Alignment whole;
  whole.Append({0, 6}, {0, 6});
  both.Compose(whole, changes, 4);
  CHECK(SourcesOf(both, 4) == SourcesOf(changes, 4));
}

TEST_CASE("ComposedAlignmentsEqualTheirStepsOneByOne") {
  std::mt19937 rng(9);
  const auto random_alignment = [&](size_t source_size, size_t longest_source, size_t* size) {
    Alignment alignment;
    size_t at = 0;
    for (size_t source = 0; source < source_size;) {
      const size_t taken = std::min(1 + rng() % longest_source, source_size - source);
      const size_t made = rng() % 4;
      if (made != 0) alignment.Append({at, at + made}, {source, source + taken});
      at += made;
      source += taken;
    }
    *size = at;
    return alignment;
  };
  for (int round = 0; round < 2000; ++round) {
    size_t between = 0, size = 0;
    const Alignment first = random_alignment(12, 3, &between);
    const Alignment second = random_alignment(between, 1, &size);
    Alignment both;
    both.Compose(first, second, size);
    Ranges expected;
    for (const auto& [begin, end] : SourcesOf(second, size)) {
      const ByteRange source = Alignment::Reader(first, 0).SourceOf({begin, end});
      expected.push_back({source.begin, source.end});
    }
    REQUIRE(SourcesOf(both, size) == expected);
  }
}

// --- Normalizers and pre-tokenizers.

std::string Normalized(const json& normalizer, const std::string& text) {
  const auto document = JsonDocument::Parse(normalizer.dump());
  REQUIRE(document.ok());
  const auto made = MakeNormalizer(document->root());
  INFO(made.status().ToString());
  REQUIRE(made.ok());
  NormalizerScratch scratch;
  std::string out;
  return (*made)->Normalize(text, scratch, out, nullptr) ? out : text;
}

absl::Status NormalizerStatus(const json& normalizer) {
  return MakeNormalizer(JsonDocument::Parse(normalizer.dump())->root()).status();
}

TEST_CASE("NormalizersOfTheFamily") {
  CHECK(Normalized({{"type", "Replace"}, {"pattern", {{"String", "``"}}}, {"content", "\""}}, "``a```") == "\"a\"`");
  CHECK(Normalized({{"type", "Replace"}, {"pattern", {{"Regex", " {2,}"}}}, {"content", " "}}, "a  b c   ") ==
        "a b c ");
  CHECK(Normalized({{"type", "NFKD"}}, "ﬁÅ가") == "fiA\u030a\u1100\u1161");
  CHECK(Normalized({{"type", "NFD"}}, "ﬁÅ") == "ﬁA\u030a");
  CHECK(Normalized({{"type", "NFD"}}, "a\u0301\u0327") == "a\u0327\u0301");
  CHECK(Normalized({{"type", "StripAccents"}}, "e\u0301हि\u20dd") == "eह");
  CHECK(Normalized({{"type", "Lowercase"}}, "ÀΣ İ ok") == "àσ i\u0307 ok");
  CHECK(Normalized({{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}}, " \u3000a b\n") == "a b");
}

TEST_CASE("ANormalizerThatHasNothingToDoSaysSo") {
  for (const char* type : {"NFD", "NFKD", "StripAccents", "Lowercase"}) {
    const auto made = MakeNormalizer(JsonDocument::Parse(json({{"type", type}}).dump())->root());
    NormalizerScratch scratch;
    std::string out;
    INFO(type);
    CHECK_FALSE((*made)->Normalize("plain ascii, дом 中", scratch, out, nullptr));
  }
}

TEST_CASE("OtherPatternsAreRefusedByName") {
  const absl::Status status =
      NormalizerStatus({{"type", "Replace"}, {"pattern", {{"Regex", "\\s+"}}}, {"content", " "}});
  CHECK(status.code() == absl::StatusCode::kUnimplemented);
  CHECK(status.message() == R"($.pattern.Regex: "\\s+" is not supported; known here: " {2,}")");
  CHECK(NormalizerStatus({{"type", "Replace"}, {"pattern", {{"String", ""}}}, {"content", " "}}).message() ==
        "$.pattern: an empty text cannot be replaced");
  CHECK(NormalizerStatus({{"type", "NFC"}}).code() == absl::StatusCode::kUnimplemented);
}

TEST_CASE("ClustersEndWhereAnnex29Says") {
  const auto first = [](const std::string& text) { return text.substr(0, GraphemeClusterEnd(text, 0)); };
  for (const std::string cluster : {"\r\n", "e\u0301\u0308", "\u1100\u1161\u11a8", "가\u11a8", "각\u11a8", "क्क", "हि",
                                    "👨‍👩‍👧", "\u0600a", "a\u200d", "©\u0301\u200d©"}) {
    CHECK(first(cluster + "x") == cluster);
    CHECK(first(cluster + "\n") == cluster);
  }
  for (const std::string single : {"a", "\n", "\r", "中", "\u1161", "क"}) CHECK(first(single + "©") == single);
  CHECK(first("a\u200d©") == "a\u200d");
  CHECK(first("क\u200c्क") == "क\u200c्");
}

/// The charsmap of a file in data/.
std::string Charsmap() {
  const json content = LoadedFile("xlnet_hub.json");
  std::string charsmap;
  REQUIRE(absl::Base64Unescape(content["normalizer"]["normalizers"].back()["precompiled_charsmap"].get<std::string>(),
                               &charsmap));
  return charsmap;
}

TEST_CASE("PrecompiledIsTheSameWithoutItsFastPath") {
  const auto made = Precompiled::FromCharsmap(Charsmap());
  REQUIRE(made.ok());
  std::mt19937 rng(3);
  const std::vector<std::string> parts = {"a", "e", " ", "\x01", "\t", "\r", "\n", "\u0301", "é", "½", "ﬁ", "中", "㌄"};
  size_t changed = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string text;
    for (size_t size = rng() % 9; size > 0; --size) text += parts[rng() % parts.size()];
    NormalizerScratch scratch;
    std::string fast, plain;
    const bool changes = (*made)->Normalize(text, scratch, fast, nullptr);
    REQUIRE((*made)->NormalizePlainly(text, plain, nullptr) == changes);
    if (changes) REQUIRE(fast == plain);
    changed += changes;
  }
  CHECK(changed > 1000);
}

TEST_CASE("BrokenCharsmapsAreRefused") {
  const std::string good = Charsmap();
  REQUIRE(Precompiled::FromCharsmap(good).ok());
  CHECK(Precompiled::FromCharsmap("").status().message() == "has no size");
  CHECK(Precompiled::FromCharsmap(std::string(4, '\0')).status().message() == "a trie of 0 bytes in 0 bytes");
  CHECK(Precompiled::FromCharsmap(good.substr(0, 1000)).status().code() == absl::StatusCode::kInvalidArgument);
  CHECK_FALSE(Precompiled::FromCharsmap(good.substr(0, good.size() - 1) + "\xff").ok());
  const json encoded = {{"type", "Precompiled"}, {"precompiled_charsmap", "!"}};
  CHECK(NormalizerStatus(encoded).message() == "$.precompiled_charsmap: not base64");
  // Whatever the bytes are, a map that loads stays inside itself.
  std::mt19937 rng(8);
  size_t loaded = 0;
  for (int i = 0; i < 300; ++i) {
    std::string broken = good;
    for (int n = 0; n < 3; ++n) broken[4 + rng() % (broken.size() - 4)] = static_cast<char>(rng());
    const auto made = Precompiled::FromCharsmap(broken);
    if (!made.ok()) continue;
    ++loaded;
    NormalizerScratch scratch;
    std::string out;
    for (const char* text : {"aé½ﬁ\x01 \r\n", "ｆｕｌｌ ﷺ e\u0301"}) {
      if ((*made)->Normalize(text, scratch, out, nullptr)) CHECK(FindInvalidUtf8(out) == absl::string_view::npos);
    }
  }
  CHECK(loaded > 10);
}

std::vector<std::string> Words(const json& pre_tokenizer, const std::string& text) {
  const auto made = MakePreTokenizer(JsonDocument::Parse(pre_tokenizer.dump())->root());
  INFO(made.status().ToString());
  REQUIRE(made.ok());
  PreTokenized split;
  split.Start(text, true, false);
  (*made)->PreTokenize(split);
  std::vector<std::string> words;
  for (const ByteRange& word : split.words()) words.emplace_back(word.of(split.text()));
  return words;
}

using Texts = std::vector<std::string>;

TEST_CASE("MetaspaceInItsSpellings") {
  const json plain = {{"type", "Metaspace"}, {"replacement", "▁"}};
  const auto with = [&](const json& more) {
    json changed = plain;
    changed.update(more);
    return changed;
  };
  CHECK(Words(plain, "a  b▁c") == Texts{"▁a", "▁", "▁b", "▁c"});
  CHECK(Words(plain, " a") == Texts{"▁a"});
  CHECK(Words(with({{"add_prefix_space", true}, {"str_rep", "_"}}), "a b") == Texts{"▁a", "▁b"});
  CHECK(Words(with({{"prepend_scheme", "never"}, {"add_prefix_space", false}}), "a b") == Texts{"a", "▁b"});
  CHECK(Words(with({{"split", false}}), "a b") == Texts{"▁a▁b"});
  const json hub = {{"type", "Sequence"}, {"pretokenizers", {{{"type", "WhitespaceSplit"}}, plain}}};
  CHECK(Words(hub, " a\u3000 b▁c\n") == Texts{"▁a", "▁b", "▁c"});
  CHECK(Words(hub, " \t ").empty());
  const auto refused = [](const json& content) {
    return std::string(MakePreTokenizer(JsonDocument::Parse(content.dump())->root()).status().message());
  };
  CHECK(refused(with({{"prepend_scheme", "first"}})) ==
        R"($.prepend_scheme: "first" is not supported; known here: always, never)");
  CHECK(refused(with({{"add_prefix_space", false}})) == R"($: add_prefix_space false needs prepend_scheme "never")");
  CHECK(refused(with({{"replacement", "ab"}})) == "$: replacement must be one character");
}

// --- All of it.

TEST_CASE("NothingIsAllocatedOnceAUnigramTokenizerIsWarm") {
  for (const std::string name : {"xlnet_hub.json", "albert_converted.json"}) {
    const auto tokenizer = Tokenizer::FromFile(DataFile(name));
    REQUIRE(tokenizer.ok());
    const std::string text = "``The committee'' ÉCOLE ﷺ 한국어  2010, e\u0323\u0301 [MASK] <mask> हिन्दी ｆｕｌｌ";
    EncodeOptions options;
    options.offsets = options.char_offsets = options.word_ids = true;
    Scratch scratch;
    Encoding encoding;
    const auto encode = [&] { return (*tokenizer)->Encode(text, "b", options, scratch, encoding).ok(); };
    for (int i = 0; i < 4; ++i) REQUIRE(encode());  // buffers change places, so that each must have grown in each
    if (!kAllocationsAreCounted) return;
    const size_t before = Allocations();
    const bool ok = encode();
    const size_t after = Allocations();
    CHECK(ok);
    CHECK(after == before);
  }
}

}  // namespace
}  // namespace bertha::tokenizer
