#include "clients/cli/feedback_output.h"

#include <string>
#include <utility>
#include <vector>

#include "tests/catch.h"

namespace bertha::cli {
namespace {

using feedback::StoredVote;
using feedback::Verdict;

StoredVote Example() {
  return {.id = 7,
          .vote = {.time_us = 1'795'428'000'123'456,
                   .text = "I love it",
                   .model = "m",
                   .version = 2,
                   .label = "positive",
                   .score = 0.9309919f,
                   .verdict = Verdict::kWrong,
                   .correct_label = "negative",
                   .client = "",
                   .request_id = "r-1"}};
}

TEST_CASE("Cells are quoted as RFC 4180 says, and only then") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"plain", "plain"},       {"", ""},
      {" spaces ", " spaces "}, {"a,b", "\"a,b\""},
      {"a\"b", "\"a\"\"b\""},   {"a\nb", "\"a\nb\""},
      {"a\rb", "\"a\rb\""},     {"=1+1", "=1+1"},
  };
  for (const auto& [text, cell] : cases) CHECK(CsvCell(text, /*spreadsheet=*/false) == cell);
}

TEST_CASE("For a spreadsheet what it takes for a formula is disarmed") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"=1+1", "'=1+1"},   {"+1", "'+1"},
      {"-1", "'-1"},       {"@SUM(A1)", "'@SUM(A1)"},
      {"\tx", "'\tx"},     {"", ""},
      {"a=1", "a=1"},      {"=A1,B1", "\"'=A1,B1\""},
      {"\rx", "\"'\rx\""}, {"I love it", "I love it"},
  };
  for (const auto& [text, cell] : cases) CHECK(CsvCell(text, /*spreadsheet=*/true) == cell);
}

TEST_CASE("A line of CSV has the columns of the header") {
  CHECK(CsvHeader() ==
        "id,time,text,text_pair,model,version,label,score,verdict,correct_label,target,client,request_id\r\n");
  StoredVote stored = Example();
  CHECK(CsvLine(stored, false) ==
        "7,2026-11-23T10:00:00.123456Z,I love it,,m,2,positive,0.9309919,wrong,negative,negative,,r-1\r\n");
  stored.vote.text_pair = "";
  stored.vote.verdict = Verdict::kRight;
  stored.vote.correct_label = "";
  CHECK(CsvLine(stored, false) ==
        "7,2026-11-23T10:00:00.123456Z,I love it,\"\",m,2,positive,0.9309919,right,,positive,,r-1\r\n");
}

TEST_CASE("A vote as JSON has the same members, and no pair where there is none") {
  StoredVote stored = Example();
  CHECK(VoteJson(stored) ==
        R"({"id":7,"time":"2026-11-23T10:00:00.123456Z","text":"I love it","model":"m","version":2,)"
        R"("label":"positive","score":0.9309919,"verdict":"wrong","correct_label":"negative","target":"negative",)"
        R"("client":"","request_id":"r-1"})"
        "\n");
  stored.vote.text_pair = "p";
  CHECK(VoteJson(stored).find(R"("text":"I love it","text_pair":"p","model")") != std::string::npos);
}

TEST_CASE("The report shows models, pairs and disputed texts") {
  feedback::ReportBuilder builder;
  StoredVote stored = Example();
  builder.Add(stored.vote);
  stored.vote.model = "other";
  stored.vote.verdict = Verdict::kRight;
  stored.vote.label = "\033[31mneutral";
  builder.Add(stored.vote);
  const std::string tables = ReportTables(builder.Build(10), 80);
  INFO(tables);
  CHECK(tables.find("2 votes on 1 texts\n") != std::string::npos);
  CHECK(tables.find("other:2      1      1      0        1.000  0.207 to 1.000\n") != std::string::npos);
  CHECK(tables.find("m:2    other:2             1           0            1     0\n") != std::string::npos);
  CHECK(tables.find("I love it\n    m:2 said positive: 0 right, 1 wrong\n") != std::string::npos);
  CHECK(tables.find('\033') == std::string::npos);
  const std::string json = ReportJson(builder.Build(10));
  INFO(json);
  CHECK(json.find(R"({"model":"other","version":2,"right":1,"wrong":0,"share_right":1.0,"interval":[0.20654)") !=
        std::string::npos);
  CHECK(json.find(R"("first_wins":0,"second_wins":1,"ties":0)") != std::string::npos);
}

TEST_CASE("Without votes the report says so") {
  CHECK(ReportTables({}, 80) == "no votes\n");
  CHECK(ReportJson({}) == "{\"votes\":0,\"texts\":0,\"models\":[],\"pairs\":[],\"disputed\":[]}\n");
}

}  // namespace
}  // namespace bertha::cli
