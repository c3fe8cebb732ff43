#include "server/feedback/report.h"

#include "server/feedback/database.h"
#include "tests/server/feedback_fakes.h"
#include "tests/server/statuses.h"

namespace bertha::feedback {
namespace {

constexpr Verdict kRight = Verdict::kRight, kWrong = Verdict::kWrong;

Report ReportOn(const std::vector<Vote>& votes, size_t most_texts = 10) {
  ReportBuilder builder;
  for (const Vote& vote : votes) builder.Add(vote);
  return builder.Build(most_texts);
}

TEST_CASE("WilsonIntervalsAreThoseOfTheLiterature") {
  const struct {
    uint64_t successes, trials;
    double low, high;
  } cases[] = {{0, 0, 0, 1},           {8, 10, 0.4901625, 0.9433178}, {0, 10, 0, 0.2775328},
               {10, 10, 0.7224672, 1}, {1, 2, 0.0945312, 0.9054688},  {500, 1000, 0.4690697, 0.5309303}};
  for (const auto& [successes, trials, low, high] : cases) {
    CAPTURE(successes, trials);
    const Interval interval = WilsonInterval(successes, trials);
    CHECK(interval.low == Approx(low).margin(1e-6));
    CHECK(interval.high == Approx(high).margin(1e-6));
  }
}

TEST_CASE("ModelsAreRankedByTheirShareOfRight") {
  const Report report = ReportOn({VoteOn("a", "poor", kWrong), VoteOn("b", "poor", kRight), VoteOn("a", "good", kRight),
                                  VoteOn("b", "good", kRight), VoteOn("c", "few", kRight)});
  CHECK(report.votes == 5);
  CHECK(report.texts == 3);
  REQUIRE(report.models.size() == 3);
  CHECK(report.models[0].model == ModelVersion{"good", 1});
  CHECK(report.models[0].tally.right == 2);
  CHECK(report.models[1].model.name == "few");
  CHECK(report.models[2].share_right == 0.5);
}

TEST_CASE("APairIsComparedOverItsCommonTexts") {
  const Report report = ReportOn({
      VoteOn("first wins", "a", kRight), VoteOn("first wins", "b", kWrong),                        //
      VoteOn("second wins", "a", kRight), VoteOn("second wins", "a", kWrong),                      //
      VoteOn("second wins", "b", kRight),                                                          //
      VoteOn("a tie", "a", kRight), VoteOn("a tie", "b", kRight), VoteOn("a tie", "b", kRight),    //
      VoteOn("only a", "a", kWrong), VoteOn("only b", "b", kWrong), VoteOn("alone", "c", kWrong),  //
  });
  REQUIRE(report.pairs.size() == 1);
  CHECK(report.pairs[0].first.name == "a");
  CHECK(report.pairs[0].second.name == "b");
  CHECK(report.pairs[0].first_wins == 1);
  CHECK(report.pairs[0].second_wins == 1);
  CHECK(report.pairs[0].ties == 1);
}

TEST_CASE("VersionsOfAModelAndPairsOfTextsAreToldApart") {
  Vote second = VoteOn("x", "m", kWrong), pair = VoteOn("x", "m", kWrong);
  second.version = 2;
  pair.text_pair = "";
  const Report report = ReportOn({VoteOn("x"), second, pair});
  CHECK(report.models.size() == 2);
  CHECK(report.texts == 2);
  REQUIRE(report.pairs.size() == 1);
  CHECK(report.pairs[0].first_wins == 1);
}

TEST_CASE("TheMostDisputedTextsComeFirst") {
  std::vector<Vote> votes = {VoteOn("agreed", "a", kRight), VoteOn("agreed", "b", kRight),
                             VoteOn("little", "a", kRight), VoteOn("little", "b", kWrong)};
  for (int i = 0; i < 3; ++i) {
    votes.push_back(VoteOn("much", "a", kRight));
    votes.push_back(VoteOn("much", "b", kWrong));
  }
  const Report report = ReportOn(votes);
  REQUIRE(report.disputed.size() == 2);
  CHECK(report.disputed[0].text == "much");
  CHECK(report.disputed[0].tally.right == 3);
  REQUIRE(report.disputed[0].answers.size() == 2);
  CHECK(report.disputed[0].answers[1].model.name == "b");
  CHECK(report.disputed[0].answers[1].tally.wrong == 3);
  CHECK(report.disputed[0].answers[1].label == "good");
  CHECK(report.disputed[1].text == "little");
  CHECK(ReportOn(votes, 1).disputed.size() == 1);
}

TEST_CASE("PasswordsOfConnectionStringsDoNotShow") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"feedback.db", "feedback.db"},
      {"a:b@c", "a:b@c"},
      {"postgresql://h/db", "postgresql://h/db"},
      {"postgresql://h:5432/db", "postgresql://h:5432/db"},
      {"postgresql://user@h:5432/db", "postgresql://user@h:5432/db"},
      {"postgresql://user:pass@h:5432/db", "postgresql://user:***@h:5432/db"},
      {"postgres://user:p%40ss@h,h2/db", "postgres://user:***@h,h2/db"},
      {"postgresql://user:p@s/s?s@h/db", "postgresql://user:***@h/db"},
      {"postgresql:///db?host=/tmp&user=u&password=pass&x=y", "postgresql:///db?host=/tmp&user=u&password=***&x=y"},
      {"postgresql:///db?password=pass", "postgresql:///db?password=***"},
      {"postgresql://u:a@h/db?sslpassword=b&PASSWORD=c", "postgresql://u:***@h/db?sslpassword=***&PASSWORD=***"},
  };
  for (const auto& [where, shown] : cases) CHECK(WithoutPassword(where) == shown);
}

TEST_CASE("AConnectionStringThatLibpqDoesNotReadIsRefusedWithoutQuotingIt") {
  CHECK(CheckDatabase("").ok());
  CHECK(CheckDatabase("any path").ok());
  CHECK(CheckDatabase("postgresql://u:p%40@h/db?host=/tmp").ok());
  for (const char* bad : {"postgresql://u:secret@h:5/db?nonsense=1", "postgresql://u:secret%zz@h/db"}) {
    const absl::Status status = CheckDatabase(bad);
    CHECK(server::Is(status, absl::StatusCode::kInvalidArgument, "no connection string of PostgreSQL"));
    CHECK(status.message().find("secret") == absl::string_view::npos);
  }
}

}  // namespace
}  // namespace bertha::feedback
