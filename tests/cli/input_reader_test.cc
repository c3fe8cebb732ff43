#include "clients/cli/input_reader.h"

#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "clients/cli/line_reader.h"
#include "tests/catch.h"
#include "tests/cli/sources.h"

namespace bertha::cli {
namespace {

std::vector<std::string> Lines(absl::string_view source, size_t limit = 1000) {
  const TempFile file(source);
  LineReader reader(file.fd(), limit);
  std::vector<std::string> lines;
  LineReader::Line line;
  while (true) {
    const auto more = reader.Next(&line);
    REQUIRE(more.ok());
    if (!*more) break;
    lines.push_back(line.size > limit ? absl::StrCat("<", line.size, " bytes>") : line.text);
  }
  CHECK(reader.consumed() == source.size());
  return lines;
}

using Texts = std::vector<std::string>;

TEST_CASE("Every line is a text, empty ones too, whatever ends it") {
  CHECK(Lines("") == Texts{});
  CHECK(Lines("a") == Texts{"a"});
  CHECK(Lines("a\n") == Texts{"a"});
  CHECK(Lines("a\n\nb\n\n") == Texts{"a", "", "b", ""});
  CHECK(Lines("a\r\nb\r\n") == Texts{"a", "b"});
  CHECK(Lines("a\rb\n") == Texts{"a\rb"});
  CHECK(Lines(absl::string_view("a\0b\nc", 5)) == Texts{std::string("a\0b", 3), "c"});
}

TEST_CASE("A byte-order mark counts only before the first line") {
  CHECK(Lines("\xEF\xBB\xBF"
              "a\n\xEF\xBB\xBF"
              "b\n") == Texts{"a",
                              "\xEF\xBB\xBF"
                              "b"});
}

TEST_CASE("Lines that span many reads arrive whole") {
  const std::string big(200'000, 'x');
  CHECK(Lines(big + "\nshort\n" + big, 1'000'000) == Texts{big, "short", big});
}

TEST_CASE("A line over the limit is skipped with its size; its neighbours are not") {
  CHECK(Lines("ok\n12345\n123456\nok\n", 5) == Texts{"ok", "12345", "<6 bytes>", "ok"});
  const std::string huge(500'000, 'x');
  CHECK(Lines("ok\n" + huge + "\nok\n" + huge, 5) == Texts{"ok", "<500000 bytes>", "ok", "<500000 bytes>"});
}

TEST_CASE("Chunks hold at most max_inputs, number all inputs, and end with an empty one") {
  const TempFile file("a\nb\nc\nd\ne\n");
  InputReader reader(file.fd(), {.max_inputs = 2});
  std::vector<Texts> chunks;
  uint64_t next_index = 0;
  for (auto chunk = reader.Next(); !chunk->inputs.empty(); chunk = reader.Next()) {
    chunks.emplace_back();
    for (const Input& input : chunk->inputs) {
      chunks.back().push_back(input.text);
      CHECK(input.index == next_index++);
    }
  }
  CHECK(chunks == std::vector<Texts>{{"a", "b"}, {"c", "d"}, {"e"}});
}

TEST_CASE("A large text travels alone rather than push a call over the limit in bytes") {
  InputReader reader(Texts{"aa", "bb", "cccccccc", "dd"}, {.max_bytes = 5});
  std::vector<size_t> sizes;
  for (auto chunk = reader.Next(); !chunk->inputs.empty(); chunk = reader.Next()) sizes.push_back(chunk->inputs.size());
  CHECK(sizes == std::vector<size_t>{2, 1, 1});
}

TEST_CASE("A live source is sent as lines come, without waiting for a full chunk") {
  alarm(10);  // a reader that waits for a full chunk must fail, not hang
  Pipe pipe;
  InputReader reader(pipe.fd(), {.max_inputs = 32});
  pipe.Write("first\nsecond\nthi");
  CHECK(reader.Next()->inputs.size() == 2);
  pipe.Write("rd\n");
  const auto chunk = reader.Next();
  REQUIRE(chunk->inputs.size() == 1);
  CHECK(chunk->inputs[0].text == "third");
  CHECK(chunk->inputs[0].index == 2);
  pipe.Close();
  CHECK(reader.Next()->inputs.empty());
  alarm(0);
}

TEST_CASE("A text that is not UTF-8 is refused with its offset; it keeps its number and spoils no other") {
  InputReader reader(Texts{"good",
                           "b\xFF"
                           "d",
                           "good"},
                     {});
  const auto chunk = reader.Next();
  REQUIRE(chunk->inputs.size() == 3);
  CHECK(chunk->inputs[0].problem.ok());
  CHECK(absl::IsInvalidArgument(chunk->inputs[1].problem));
  CHECK(chunk->inputs[1].problem.message() == "text is not UTF-8: bad byte at offset 1; convert it, e.g. with iconv");
  CHECK(chunk->inputs[2].problem.ok());
  CHECK(chunk->inputs[2].index == 2);
}

TEST_CASE("A text over the limit is refused with both sizes") {
  InputReader reader(Texts{"123456"}, {.max_text_bytes = 5});
  const auto chunk = reader.Next();
  CHECK(absl::IsInvalidArgument(chunk->inputs[0].problem));
  CHECK(chunk->inputs[0].problem.message() == "text has 6 bytes; at most 5 are sent; shorten it");
}

TEST_CASE("A separator splits at its first occurrence, and a text without it is refused") {
  InputReader reader(Texts{"a\tb\tc", "\t", "no pair"}, {.pair_separator = "\t"});
  const auto chunk = reader.Next();
  CHECK(chunk->inputs[0].text == "a");
  CHECK(chunk->inputs[0].pair == "b\tc");
  CHECK(chunk->inputs[1].text.empty());
  CHECK(chunk->inputs[1].pair == "");
  CHECK(chunk->inputs[2].problem.message() == "no pair: the separator '\\t' is not in the text");
}

TEST_CASE("A fixed pair goes with every text; without one there is none") {
  CHECK(InputReader(Texts{"a"}, {.pair = "p"}).Next()->inputs[0].pair == "p");
  CHECK_FALSE(InputReader(Texts{"a"}, {}).Next()->inputs[0].pair.has_value());
}

TEST_CASE("A line may be parsed into an input; what does not parse is refused, and bad UTF-8 never gets there") {
  const auto parse = [](Input& input) {
    if (input.text == "bad") return absl::InvalidArgumentError("does not parse");
    input.pair = "pair of " + input.text;
    return absl::OkStatus();
  };
  const auto chunk = InputReader(Texts{"a", "bad", "\xFF"}, {.parse = parse}).Next();
  REQUIRE(chunk->inputs.size() == 3);
  CHECK(chunk->inputs[0].pair == "pair of a");
  CHECK(chunk->inputs[1].problem.message() == "does not parse");
  CHECK(absl::StrContains(chunk->inputs[2].problem.message(), "not UTF-8"));
}

TEST_CASE("A context that goes with every question counts for each") {
  InputReader reader(Texts{"a", "b", "c"}, {.max_bytes = 10, .pair = "1234"});
  CHECK(reader.Next()->inputs.size() == 2);
  CHECK(reader.Next()->inputs.size() == 1);
}

TEST_CASE("A source that cannot be read is an error, after what was read before") {
  InputReader reader(-1, {});
  const auto chunk = reader.Next();
  REQUIRE_FALSE(chunk.ok());
  CHECK(absl::StrContains(chunk.status().message(), "Bad file descriptor"));
}

}  // namespace
}  // namespace bertha::cli
