#include "server/feedback/feedback_writer.h"

#include "tests/batcher/fakes.h"
#include "tests/server/feedback_fakes.h"
#include "tests/server/statuses.h"

namespace bertha::feedback {
namespace {

using absl::StatusCode;
using server::Is;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int64_t kDay = int64_t{86'400} * 1'000'000;

struct Fixture {
  explicit Fixture(WriterOptions options = {})
      : writer(std::make_unique<FakeDatabase>(state), options, clock, [this] { return now_us; }) {}

  absl::StatusOr<int64_t> WriteOne(const std::string& text) {
    const Vote vote = VoteOn(text);
    return writer.Write({&vote, 1})[0];
  }
  int opened() {
    MutexLock lock(state.mutex);
    return state.opened;
  }

  batcher::FakeClock clock;
  FakeDatabase::State state;
  int64_t now_us = 1000 * kDay;
  FeedbackWriter writer;
};

const absl::Status kDown = absl::UnavailableError("/secret/path: is down");

TEST_CASE("AWriterOpensAtOnceAndThenHasNothingToDo") {
  Fixture f;
  CHECK(f.writer.Due() == f.clock.Now());
  f.writer.Maintain();
  CHECK(f.writer.open());
  CHECK(f.writer.Due() == batcher::TimePoint::max());
  CHECK(f.WriteOne("x").value() == 1);
}

TEST_CASE("AnOpeningThatFailsIsRepeatedEverMoreRarely") {
  Fixture f({.shortest_backoff = milliseconds(250), .longest_backoff = seconds(1)});
  f.state.opens.assign(5, kDown);
  f.writer.Maintain();
  for (const milliseconds wait : {milliseconds(250), milliseconds(500), milliseconds(1000), milliseconds(1000)}) {
    CAPTURE(wait.count());
    CHECK(f.writer.Due() == f.clock.Now() + wait);
    const int before = f.opened();
    f.clock.Advance(wait - milliseconds(1));
    f.writer.Maintain();
    CHECK(f.opened() == before);
    f.clock.Advance(milliseconds(1));
    f.writer.Maintain();
    CHECK(f.opened() == before + 1);
  }
  CHECK_FALSE(f.writer.open());
  CHECK(f.writer.error().message() == kDown.message());
  f.clock.Advance(seconds(1));
  f.writer.Maintain();
  CHECK(f.writer.open());
  CHECK(f.writer.error().ok());
}

TEST_CASE("WhileTheDatabaseIsDownVotesFailAtOnceAndSayNothingOfIt") {
  Fixture f;
  f.state.opens.assign(1, kDown);
  CHECK(Is(f.WriteOne("x").status(), StatusCode::kUnavailable, "the vote is not stored"));
  CHECK(f.opened() == 1);
  const absl::Status second = f.WriteOne("x").status();
  CHECK(Is(second, StatusCode::kUnavailable, "the vote is not stored"));
  CHECK(second.message().find("secret") == absl::string_view::npos);
  CHECK(f.opened() == 1);  // not before its time
  f.clock.Advance(seconds(1));
  CHECK(f.WriteOne("x").ok());
}

TEST_CASE("AGroupThatFailsIsTriedOnceMoreOnANewConnection") {
  Fixture f;
  f.writer.Maintain();
  f.state.inserts = {kDown};
  CHECK(f.WriteOne("x").ok());
  CHECK(f.opened() == 2);
  CHECK(f.state.votes.size() == 1);
  f.state.inserts = {kDown, kDown};
  CHECK(Is(f.WriteOne("y").status(), StatusCode::kUnavailable, "not stored"));
  CHECK(f.state.votes.size() == 1);
  CHECK_FALSE(f.writer.error().ok());
  CHECK(f.WriteOne("z").ok());
  CHECK(f.writer.error().ok());
}

TEST_CASE("AGroupIsNotTriedAgainWhereThereIsNoConnection") {
  Fixture f;
  f.writer.Maintain();
  f.state.inserts = {kDown};
  f.state.opens = {kDown};
  CHECK_FALSE(f.WriteOne("x").ok());
  CHECK(f.state.groups.size() == 1);
  CHECK_FALSE(f.writer.open());
}

TEST_CASE("AVoteThatTheDatabaseRefusesDoesNotFailItsNeighbours") {
  Fixture f;
  const std::vector<Vote> votes = {VoteOn("a"), VoteOn("poison"), VoteOn("b")};
  const auto outcomes = f.writer.Write(votes);
  REQUIRE(outcomes.size() == 3);
  CHECK(outcomes[0].value() == 1);
  CHECK(Is(outcomes[1].status(), StatusCode::kInvalidArgument, "refuses it"));
  CHECK(outcomes[2].value() == 2);
  CHECK(f.state.votes.size() == 2);
  CHECK(f.writer.open());
}

TEST_CASE("OldVotesAreDeletedInPortionsAndLookedForEveryHour") {
  Fixture f({.retention_days = 30, .delete_portion = 100, .retention_interval = hours(1)});
  f.state.old_votes = 250;
  f.writer.Maintain();  // opens
  for (const uint64_t deleted : {100, 200, 250}) {
    CHECK(f.writer.Due() <= f.clock.Now());
    f.writer.Maintain();
    CHECK(f.writer.deleted() == deleted);
  }
  CHECK(f.state.deletions.front() == f.now_us - 30 * kDay);
  CHECK(f.writer.Due() == f.clock.Now() + hours(1));
  f.clock.Advance(hours(1));
  f.now_us += kDay;
  f.writer.Maintain();
  CHECK(f.state.deletions.size() == 4);
  CHECK(f.state.deletions.back() == f.now_us - 30 * kDay);
}

TEST_CASE("WithoutRetentionNothingIsDeleted") {
  Fixture f;
  f.writer.Maintain();
  f.clock.Advance(hours(10'000));
  f.writer.Maintain();
  CHECK(f.state.deletions.empty());
}

}  // namespace
}  // namespace bertha::feedback
