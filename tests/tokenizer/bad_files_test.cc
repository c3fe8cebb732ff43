// Files that are made to break a loader: too large, too deep, numbers at the borders of their types.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/tokenizer/allocations.h"
#include "tests/tokenizer/support.h"
#include "tokenizer/read_file.h"

namespace bertha::tokenizer {
namespace {

class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& content)
      : path_(std::filesystem::temp_directory_path() / ("tokenizer_test." + std::to_string(getpid()))) {
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  std::string path() const { return path_.string(); }
  /// Lengthens it by zeros that take no space on the disk.
  void Grow(size_t size) const { std::filesystem::resize_file(path_, size); }

 private:
  const std::filesystem::path path_;
};

absl::Status LoadStatus(const std::string& text) { return Tokenizer::FromJson(text).status(); }

TEST_CASE("AFileBeyondTheLimitIsRefusedUnread") {
  const TemporaryFile file("{\"model\": \"");
  file.Grow(size_t{1} << 30);
  ResetPeakBytes();
  const size_t before = LiveBytes();
  const absl::Status status = Tokenizer::FromFile(file.path()).status();
  CHECK(PeakBytes() - before < 100'000);
  CHECK(status == absl::InvalidArgumentError(file.path() + ": has more than 67108864 bytes, which is the limit"));
}

TEST_CASE("WhatHasNoSizeIsReadUpToTheLimit") {
  CHECK(ReadFile("/dev/zero", 1'000'000).status() ==
        absl::InvalidArgumentError("/dev/zero: has more than 1000000 bytes, which is the limit"));
  CHECK(*ReadFile("/dev/null", 10) == "");
}

TEST_CASE("AFileOfExactlyTheLimitIsRead") {
  const TemporaryFile file("12345");
  CHECK(*ReadFile(file.path(), 5) == "12345");
  CHECK(ReadFile(file.path(), 4).status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("TextBeyondTheLimitIsRefusedUnread") {
  std::string text = "{\"model\": \"";
  text.resize((size_t{64} << 20) + 1, 'x');
  ResetPeakBytes();
  const size_t before = LiveBytes();
  CHECK(LoadStatus(text) == absl::InvalidArgumentError("$: has 67108865 bytes; the limit is 67108864"));
  CHECK(PeakBytes() - before < 100'000);
}

TEST_CASE("DeepNestingOfEveryKindIsRefused") {
  for (const std::string level : {"[", "{\"a\":", "[{\"\":", "[[],"}) {
    std::string text;
    for (int i = 0; i < 100'000; ++i) text += level;
    const absl::Status status = LoadStatus(text);
    INFO(status.ToString());
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK_THAT(std::string(status.message()), Catch::Contains(": nested deeper than 64 levels"));
    CHECK(status.message().size() < 1000);
  }
}

TEST_CASE("NumbersAtTheBordersOfTheirTypes") {
  const auto message = [](const std::string& number) {
    std::string text = SmallJson().dump();
    const std::string member = "\"foo\":";
    const size_t at = text.find(member) + member.size();
    text.replace(at, text.find_first_of(",}", at) - at, number);
    return std::string(LoadStatus(text).message());
  };
  const std::string path = R"($.model.vocab["foo"]: )";
  CHECK(message("2147483647") == "");
  CHECK(message("2147483648") == path + "2147483648 is too large for a token id");
  CHECK(message("9223372036854775808") == path + "9223372036854775808 is too large for a token id");
  CHECK(message("18446744073709551615") == path + "18446744073709551615 is too large for a token id");
  CHECK(message("18446744073709551616") == path + "must be an integer from 0 up, is 1.8446744073709552e+19");
  CHECK(message("-9223372036854775808") == path + "must be an integer from 0 up, is -9223372036854775808");
  CHECK(message("-1") == path + "must be an integer from 0 up, is -1");
  CHECK(message("-0") == path + "must be an integer from 0 up, is -0");
  CHECK(message("19.0") == path + "must be an integer from 0 up, is 19.0");
  CHECK(message("1e2") == path + "must be an integer from 0 up, is 100.0");
  CHECK_THAT(message("1e999"), Catch::StartsWith(R"($["model"]["vocab"]["foo"]: number out of range before byte )"));
  CHECK_THAT(message("NaN"), Catch::StartsWith(R"($["model"]["vocab"]["foo"]: not valid JSON at byte )"));
}

TEST_CASE("AnIdOfTwoBillionTakesNoRoom") {
  json content = SmallJson();
  content["model"]["vocab"] = {{"[UNK]", 2147483646}, {"a", 2147483647}};
  content["added_tokens"] = json::array();
  content["post_processor"] = nullptr;
  ResetPeakBytes();
  const size_t before = LiveBytes();
  const auto tokenizer = Load(content);
  CHECK(EncodeWith(*tokenizer, "a b").ids == std::vector<int32_t>{2147483647, 2147483646});
  CHECK(PeakBytes() - before < 1'000'000);
}

TEST_CASE("ManyAddedTokensLoadInLinearTime") {
  // Compared each with each, as they once were, these would take minutes.
  json content = BareJson();
  const size_t first = content["model"]["vocab"].size();
  for (size_t i = 0; i < 200'000; ++i) {
    content["added_tokens"].push_back({{"id", first + i},
                                       {"content", "<" + std::to_string(i) + ">"},
                                       {"single_word", false},
                                       {"lstrip", false},
                                       {"rstrip", false},
                                       {"normalized", false},
                                       {"special", false}});
  }
  CHECK(TokensOf(*Load(content), "a<199999>b") == "a <199999> b");
}

}  // namespace
}  // namespace bertha::tokenizer
