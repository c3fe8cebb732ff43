#include "bench/load/texts.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "bench/load/table.h"
#include "tests/catch.h"

namespace bertha::load {
namespace {

using Fields = std::vector<std::vector<std::string>>;

Fields FieldsOf(const absl::StatusOr<std::vector<Row>>& rows) {
  CAPTURE(rows.status().ToString());
  REQUIRE(rows.ok());
  Fields fields;
  for (const Row& row : *rows) fields.push_back(row.fields);
  return fields;
}

TEST_CASE("CSV is read as RFC 4180 has it", "[load][texts]") {
  const auto text = [](const std::string& content) {
    return FieldsOf(CsvColumns({"f.csv", content}, {"text", "label"}));
  };
  CHECK(text("text,label\na,1\nb,2\n") == Fields{{"a", "1"}, {"b", "2"}});
  CHECK(text("id,label,text\r\n7,1,a\r\n8,2,b") == Fields{{"a", "1"}, {"b", "2"}});
  CHECK(text("\xEF\xBB\xBFtext,label\na,1") == Fields{{"a", "1"}});
  CHECK(text("\"text\",label\n\"one, two\",1\n") == Fields{{"one, two", "1"}});
  CHECK(text("text,label\n\"two\nlines\r\nor three\",1\nb,2\n") == Fields{{"two\nlines\r\nor three", "1"}, {"b", "2"}});
  CHECK(text("text,label\n\"say \"\"yes\"\"\",\"\"\n\"\"\"\",x\n") == Fields{{"say \"yes\"", ""}, {"\"", "x"}});
  CHECK(text("text,label\n5\" pipe,1\n") == Fields{{"5\" pipe", "1"}});
  CHECK(text("text,label\n\n,\n\r\na,1\n\n") == Fields{{"", ""}, {"a", "1"}});
  CHECK(text("text,label\nzwölf,1") == Fields{{"zwölf", "1"}});
}

TEST_CASE("rows know where they begin", "[load][texts]") {
  const auto rows = CsvColumns({"f.csv", "text\n\"a\nb\"\n\nc\n"}, {"text"});
  REQUIRE(rows.ok());
  CHECK(rows->at(0).line == 2);
  CHECK(rows->at(1).line == 5);
}

TEST_CASE("CSV that is not as it should be is refused with its line", "[load][texts]") {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"", "f.csv, line 1: is empty"},
      {"id,sentence\n1,a\n", "there is no column \"text\"; the columns are \"id\", \"sentence\""},
      {"text,text\na,b\n", "more than one column \"text\""},
      {"text,label\na,1\nb\n", "f.csv, line 3: has 1 fields, but the header has 2"},
      {"text\n\"a\nb\n", "f.csv, line 2: a quoted field begins here and never ends"},
      {"text\n\"a\n\"b\n", "f.csv, line 3: text follows a closing quote"},
  };
  for (const auto& [content, message] : wrong) {
    CAPTURE(content);
    CHECK(absl::StrContains(CsvColumns({"f.csv", content}, {"text"}).status().message(), message));
  }
}

TEST_CASE("JSON lines give strings, and numbers and booleans as they are written", "[load][texts]") {
  const std::string content = "{\"text\": \"a\\nb\", \"label\": 1}\r\n\n{\"label\": true, \"text\": \"\", \"id\": 3}";
  const auto rows = JsonlColumns({"f.jsonl", content}, {"text", "label"});
  CHECK(FieldsOf(rows) == Fields{{"a\nb", "1"}, {"", "true"}});
  CHECK(rows->at(1).line == 3);
}

TEST_CASE("JSON lines that are not as they should be are refused with their number", "[load][texts]") {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"{\"text\": \"a\"}\n{\"sentence\": \"b\", \"id\": 1}\n",
       "f.jsonl, line 2: has no \"text\"; it has \"id\", \"sentence\""},
      {"{}\n", "f.jsonl, line 1: has no \"text\"; it has nothing"},
      {"{\"text\": \"a\"}\n\n{\"text\": \"a\"\n", "f.jsonl, line 3: is not a JSON object"},
      {"[\"a\"]\n", "line 1: is not a JSON object"},
      {"{\"text\": [\"a\"]}\n", "line 1: \"text\" is array; wanted a string"},
      {"{\"text\": null}\n", "line 1: \"text\" is null"},
  };
  for (const auto& [content, message] : wrong) {
    CAPTURE(content);
    CHECK(absl::StrContains(JsonlColumns({"f.jsonl", content}, {"text"}).status().message(), message));
  }
}

TEST_CASE("what is not UTF-8 is refused with its line", "[load][texts]") {
  CHECK(Source::Of("f", "fine ü\n").ok());
  const auto refused = Source::Of("f.txt", "a\nb\nM\xFCller\n");
  CHECK(absl::StrContains(refused.status().message(), "f.txt, line 3: is not UTF-8, at byte 5"));
}

/// A file that lives as long as this.
class File {
 public:
  File(const std::string& name, const std::string& content)
      : path_(std::filesystem::temp_directory_path() / ("bertha_texts_test_" + name)) {
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~File() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

TEST_CASE("the name of a file says how its texts are read", "[load][texts]") {
  using Texts = std::vector<std::string>;
  const File lines("a.txt", "\xEF\xBB\xBFone\r\n\ntwo, \"2\"\n");
  CHECK(ReadTexts(lines.path(), "").value() == Texts{"one", "two, \"2\""});
  CHECK(absl::StrContains(ReadTexts(lines.path(), "text").status().message(), "only .csv and .jsonl"));
  const File csv("a.csv", "id,text,other\n1,one,eins\n");
  CHECK(ReadTexts(csv.path(), "").value() == Texts{"one"});
  CHECK(ReadTexts(csv.path(), "other").value() == Texts{"eins"});
  const File jsonl("a.jsonl", "{\"text\": \"one\", \"q\": \"eins\"}\n");
  CHECK(ReadTexts(jsonl.path(), "q").value() == Texts{"eins"});
  const File empty("empty.txt", "\n\n");
  CHECK(absl::StrContains(ReadTexts(empty.path(), "").status().message(), "no texts"));
  CHECK(absl::IsNotFound(ReadTexts("/nowhere/texts.txt", "").status()));
}

TEST_CASE("labelled texts come with their lines", "[load][texts]") {
  const File csv("labelled.csv", "label,sentence\npos,\"a\nb\"\nneg,c\n");
  const auto labelled = ReadLabelled(csv.path(), "sentence", "label");
  REQUIRE(labelled.ok());
  REQUIRE(labelled->size() == 2);
  CHECK(labelled->at(1).line == 4);
  CHECK(labelled->at(1).text == "c");
  CHECK(labelled->at(1).label == "neg");
  const File lines("labelled.txt", "a\n");
  CHECK_FALSE(ReadLabelled(lines.path(), "text", "label").ok());
}

std::vector<double> WordCounts(const std::string& lengths, size_t count = 4000) {
  const auto parsed = ParseLengths(lengths);
  REQUIRE(parsed.ok());
  std::vector<double> counts;
  for (const std::string& text : SyntheticTexts(*parsed, count, 1)) {
    counts.push_back(1 + static_cast<double>(std::ranges::count(text, ' ')));
  }
  std::ranges::sort(counts);
  return counts;
}

TEST_CASE("synthetic texts have the lengths that were asked for", "[load][texts]") {
  const auto fixed = WordCounts("fixed:7");
  CHECK(fixed.front() == 7);
  CHECK(fixed.back() == 7);
  const auto uniform = WordCounts("uniform:3,12");
  CHECK(uniform.front() == 3);
  CHECK(uniform.back() == 12);
  CHECK(uniform[2000] == Approx(7.5).margin(0.6));
  const auto lognormal = WordCounts("lognormal:32,0.8");
  CHECK(lognormal[2000] == Approx(32).epsilon(0.06));
  CHECK(lognormal[static_cast<size_t>(4000 * 0.841)] == Approx(32 * std::exp(0.8)).epsilon(0.08));
  const auto wild = WordCounts("lognormal:9000,5", 20);
  CHECK(wild.front() >= 1);
  CHECK(wild.back() == Lengths::kMost);
}

TEST_CASE("synthetic texts are those of their seed", "[load][texts]") {
  const Lengths lengths{Lengths::Kind::kFixed, 20, 0};
  CHECK(SyntheticTexts(lengths, 50, 1) == SyntheticTexts(lengths, 50, 1));
  CHECK(SyntheticTexts(lengths, 50, 1) != SyntheticTexts(lengths, 50, 2));
}

TEST_CASE("lengths that make no sense are refused", "[load][texts]") {
  for (const char* wrong :
       {"", "fixed", "fixed:0", "fixed:1.5", "fixed:1,2", "uniform:5", "uniform:5,4", "uniform:0,4", "uniform:1,10001",
        "lognormal:32", "lognormal:0,1", "lognormal:32,-1", "lognormal:32,nan", "normal:32,1", "fixed:x"}) {
    CAPTURE(wrong);
    CHECK_FALSE(ParseLengths(wrong).ok());
  }
}

}  // namespace
}  // namespace bertha::load
