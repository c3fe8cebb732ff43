// The parts that every family shares: UTF-8, the trie, canonical ordering.
#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tokenizer/byte_block.h"
#include "tokenizer/canonical_order.h"
#include "tokenizer/double_array_trie.h"
#include "tokenizer/ranked_bits.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {
namespace {

constexpr size_t kValid = absl::string_view::npos;

TEST_CASE("EveryScalarValueSurvivesEncodingAndDecoding") {
  std::string text;
  for (char32_t cp = 0; cp < 0x110000; ++cp) {
    if (cp >= 0xD800 && cp <= 0xDFFF) continue;
    text.clear();
    AppendUtf8(cp, &text);
    size_t at = 0, start = 99;
    const bool same = DecodeUtf8(text, &at) == cp && at == text.size() &&
                      DecodeUtf8Before(text, text.size(), &start) == cp && start == 0 && CountCodePoints(text) == 1 &&
                      FindInvalidUtf8(text) == kValid;
    if (!same) FAIL("U+" << std::hex << static_cast<uint32_t>(cp));
  }
}

TEST_CASE("IllFormedSequencesAreFoundWhereTheyStart") {
  const std::string pad = "0123456789abcdef";
  for (const std::string bad : {"\x80",
                                "\xbf",
                                "\xc0\xaf",
                                "\xc1\xbf",
                                "\xc3",
                                "\xc3(",
                                "\xe0\x80\xaf",
                                "\xe0\x9f\xbf",
                                "\xe2\x82",
                                "\xe2(\xa1",
                                "\xed\xa0\x80",
                                "\xed\xbf\xbf",
                                "\xf0\x80\x80\xaf",
                                "\xf0\x8f\xbf\xbf",
                                "\xf0\x9f\x98",
                                "\xf4\x90\x80\x80",
                                "\xf5\x80\x80\x80",
                                "\xf8\x88\x80\x80\x80",
                                "\xfe",
                                "\xff"}) {
    for (size_t before = 0; before <= pad.size(); ++before) {
      CHECK(FindInvalidUtf8(pad.substr(0, before) + bad + pad) == before);
      CHECK(FindInvalidUtf8(pad.substr(0, before) + bad) == before);
    }
  }
  CHECK(FindInvalidUtf8("é中😀\xf0\x9f") == 9);
}

TEST_CASE("WellFormedTextHasNoInvalidByte") {
  CHECK(FindInvalidUtf8("") == kValid);
  CHECK(FindInvalidUtf8("plain text of more than eight bytes") == kValid);
  CHECK(FindInvalidUtf8("\u007f\u0080\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff") == kValid);
}

TEST_CASE("APrefixEndsBetweenCodePoints") {
  CHECK(Utf8Prefix("ab", 2) == "ab");
  CHECK(Utf8Prefix("a\u20ACb", 1) == "a");
  CHECK(Utf8Prefix("a\u20ACb", 3) == "a");
  CHECK(Utf8Prefix("a\u20ACb", 4) == "a\u20AC");
  CHECK(Utf8Prefix("\u20AC", 2).empty());
  CHECK(Utf8Prefix("\x80\x80\x80", 2).empty());
}

TEST_CASE("ATrieFindsExactlyItsKeys") {
  std::mt19937 rng(1);
  std::map<std::string, int32_t> keys;
  while (keys.size() < 3000) {
    std::string key;
    for (size_t length = rng() % 8; length > 0; --length) key.push_back(static_cast<char>(rng() % 2 ? rng() : 'a'));
    keys.emplace(key, static_cast<int32_t>(keys.size()));
  }
  std::vector<DoubleArrayTrie::Entry> entries;
  for (const auto& [key, value] : keys) entries.push_back({key, value});
  const DoubleArrayTrie trie = DoubleArrayTrie::Build(entries);
  for (const auto& [key, value] : keys) {
    REQUIRE(trie.Find(key) == value);
    const std::string longer = key + "a";
    REQUIRE(trie.Find(longer) == (keys.count(longer) ? keys[longer] : DoubleArrayTrie::kNoValue));
  }
}

TEST_CASE("ATrieFindsNothingElse") {
  // Few keys and all bytes: most probes lead to units that are no child.
  std::mt19937 rng(5);
  std::map<std::string, int32_t> keys;
  const auto random_key = [&] {
    std::string key;
    for (size_t length = rng() % 4; length > 0; --length) key.push_back(static_cast<char>(rng() % 3 ? rng() : 0));
    return key;
  };
  for (const size_t size : {0, 1, 2, 20, 400}) {
    while (keys.size() < size) keys.emplace(random_key(), static_cast<int32_t>(keys.size()));
    std::vector<DoubleArrayTrie::Entry> entries;
    for (const auto& [key, value] : keys) entries.push_back({key, value});
    const DoubleArrayTrie trie = DoubleArrayTrie::Build(entries);
    for (int i = 0; i < 20000; ++i) {
      const std::string probe = random_key();
      REQUIRE(trie.Find(probe) == (keys.count(probe) ? keys[probe] : DoubleArrayTrie::kNoValue));
    }
  }
}

TEST_CASE("TheLongestPrefixIsTheLongestKeyThatATextStartsWith") {
  const DoubleArrayTrie trie = DoubleArrayTrie::Build({{"", 7}, {"a", 0}, {"abc", 1}, {"abcdef", 2}, {"b", 3}});
  const auto longest = [&](absl::string_view text, absl::string_view from = "") {
    const DoubleArrayTrie::Prefix prefix = trie.LongestPrefix(trie.Walk(DoubleArrayTrie::kRoot, from), text);
    return std::pair(prefix.value, prefix.size);
  };
  CHECK(longest("abcde") == std::pair(1, size_t{3}));
  CHECK(longest("abcdefg") == std::pair(2, size_t{6}));
  CHECK(longest("ab") == std::pair(0, size_t{1}));
  CHECK(longest("bcd", "a") == std::pair(1, size_t{2}));
  CHECK(longest("x").second == 0);
  CHECK(longest("").second == 0);
  CHECK(longest("x", "abcdef").second == 0);
}

TEST_CASE("RankedBitsCountThoseBeforeAPlace") {
  std::mt19937_64 rng(6);
  std::vector<bool> bits;
  RankedBits ranked;
  for (int word = 0; word < 10; ++word) {
    const uint64_t value = word == 3 ? 0 : word == 4 ? ~uint64_t{0} : rng();
    for (int i = 0; i < 64; ++i) bits.push_back((value >> i & 1) != 0);
    ranked.Append(value);
  }
  for (size_t at = 0; at < bits.size(); ++at) {
    REQUIRE(ranked.CountBefore(at) ==
            static_cast<size_t>(std::count(bits.begin(), bits.begin() + static_cast<ptrdiff_t>(at), true)));
  }
}

TEST_CASE("BlocksOfBytesGiveWhatPlainCodeGives") {
  std::mt19937 rng(7);
  for (int i = 0; i < 20000; ++i) {
    char bytes[16], fast[16], plain[16];
    const bool printable = i % 2 == 0;
    for (char& byte : bytes) byte = static_cast<char>(printable ? ' ' + rng() % 95 : rng());
    if (i % 4 == 0) bytes[rng() % 16] = static_cast<char>(rng());
    REQUIRE(MayEndWord(bytes) == PlainMayEndWord(bytes));
    REQUIRE(StartCharacters(bytes) == PlainStartCharacters(bytes));
    for (const bool lowers : {false, true}) {
      const bool copied = CopyPrintable(bytes, fast, lowers);
      REQUIRE(copied == PlainCopyPrintable(bytes, plain, lowers));
      if (copied) REQUIRE(std::equal(fast, fast + 16, plain));
    }
  }
}

TEST_CASE("AnEmptyTrieFindsNothing") {
  CHECK(DoubleArrayTrie().Find("") == DoubleArrayTrie::kNoValue);
  CHECK(DoubleArrayTrie::Build({}).Find(std::string(1, '\0')) == DoubleArrayTrie::kNoValue);
}

TEST_CASE("MarksAreStableSortedByCombiningClassHoweverLongTheRun") {
  std::mt19937 rng(2);
  CanonicalOrder order;
  for (const size_t length : {0, 1, 2, 3, 16, 17, 100, 5000}) {
    std::vector<std::pair<uint8_t, char32_t>> marks;
    for (size_t i = 0; i < length; ++i) marks.push_back({1 + rng() % 255, static_cast<char32_t>(i)});
    std::vector<char32_t> emitted, expected;
    for (const auto& [combining_class, mark] : marks) order.Add(mark, combining_class);
    order.Flush([&](char32_t mark, uint8_t) { emitted.push_back(mark); });
    std::stable_sort(marks.begin(), marks.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& mark : marks) expected.push_back(mark.second);
    CHECK(emitted == expected);
  }
}

}  // namespace
}  // namespace bertha::tokenizer
