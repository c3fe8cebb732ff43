#include "server/feedback/sqlite_database.h"

#include <sys/stat.h>

#include <fstream>

#include "server/feedback/migrations.h"
#include "tests/server/feedback_fakes.h"
#include "tests/server/statuses.h"

namespace bertha::feedback {
namespace {

using absl::StatusCode;
using server::Is;

/// A connection of somebody else.
class Other {
 public:
  explicit Other(const std::string& path) { REQUIRE(sqlite3_open(path.c_str(), &db_) == SQLITE_OK); }
  ~Other() { sqlite3_close(db_); }
  void Run(const std::string& sql) {
    char* error = nullptr;
    const int code = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, &error);
    INFO(sql << ": " << (error ? error : ""));
    sqlite3_free(error);
    REQUIRE(code == SQLITE_OK);
  }
  int64_t Number(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    REQUIRE(sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr) == SQLITE_OK);
    REQUIRE(sqlite3_step(statement) == SQLITE_ROW);
    const int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
  }

 private:
  sqlite3* db_ = nullptr;
};

std::vector<StoredVote> All(Database& database, const VoteFilter& filter = {}) {
  std::vector<StoredVote> votes;
  const absl::Status status = ForEachVote(database, filter, [&](const StoredVote& vote) {
    votes.push_back(vote);
    return absl::OkStatus();
  });
  INFO(status.ToString());
  REQUIRE(status.ok());
  return votes;
}

/// A database of the given version of the schema, with one vote if it has a table for it.
void MakeOld(const std::string& path, int version) {
  Other db(path);
  db.Run("CREATE TABLE bertha_schema_version (version INTEGER PRIMARY KEY)");
  for (int step = 0; step < version; ++step) {
    db.Run(Migrations()[static_cast<size_t>(step)].sqlite);
    db.Run(absl::StrCat("INSERT INTO bertha_schema_version VALUES (", step + 1, ")"));
  }
  if (version == 0) return;
  db.Run(
      "INSERT INTO bertha_votes (time_us, text, model, version, label, score, verdict, correct_label, client, "
      "request_id) VALUES (5, 'old', 'm', 1, 'good', 0.5, 'wrong', 'bad', '', '')");
}

TEST_CASE("SqliteGivesBackWhatWasStored") {
  const TemporaryFolder folder;
  SqliteDatabase database(folder / "f.db", Access::kReadWrite);
  REQUIRE(database.Open().ok());
  const Vote full{.time_us = 1'234'567'890'123'456,
                  .text = "naïve \"text\",\n日本 'x'; --",
                  .text_pair = "pair",
                  .model = "m",
                  .version = 7,
                  .label = "negative",
                  .score = 0.9309919f,
                  .verdict = Verdict::kWrong,
                  .correct_label = "positive",
                  .client = "192.0.2.1",
                  .request_id = "r-1"};
  Vote empty_pair = VoteOn("second");
  empty_pair.text_pair = "";
  const auto ids = database.Insert({full, empty_pair, VoteOn("third")});
  REQUIRE(ids.ok());
  CHECK(*ids == std::vector<int64_t>{1, 2, 3});
  const std::vector<StoredVote> votes = All(database);
  REQUIRE(votes.size() == 3);
  CHECK(votes[0].vote == full);
  CHECK(votes[1].vote == empty_pair);
  CHECK(votes[2].vote == VoteOn("third"));
}

TEST_CASE("SqliteIsReadByTimeAndModelInPortions") {
  const TemporaryFolder folder;
  SqliteDatabase database(folder / "f.db", Access::kReadWrite);
  REQUIRE(database.Open().ok());
  std::vector<Vote> votes;
  for (int i = 0; i < 250; ++i) {
    votes.push_back(VoteOn(absl::StrCat(i), i % 2 ? "odd" : "even"));
    votes.back().time_us = i;
  }
  REQUIRE(database.Insert(votes).ok());
  CHECK(All(database).size() == 250);
  CHECK(All(database, {.model = "odd"}).size() == 125);
  CHECK(All(database, {.model = "nobody"}).empty());
  const std::vector<StoredVote> some = All(database, {.since_us = 10, .until_us = 12});
  REQUIRE(some.size() == 2);
  CHECK(some[0].vote.text == "10");
  CHECK(some[1].vote.text == "11");
}

TEST_CASE("OnlyTheOwnerMayReadTheFile") {
  const TemporaryFolder folder;
  SqliteDatabase database(folder / "f.db", Access::kReadWrite);
  REQUIRE(database.Open().ok());
  REQUIRE(database.Insert({VoteOn("x")}).ok());
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat status {};
    CAPTURE(suffix);
    REQUIRE(stat((folder / (std::string("f.db") + suffix)).c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
  }
}

TEST_CASE("EveryOlderSchemaIsBroughtUpToDateAndKeepsItsVotes") {
  for (int version = 0; version <= SchemaVersion(); ++version) {
    CAPTURE(version);
    const TemporaryFolder folder;
    MakeOld(folder / "f.db", version);
    SqliteDatabase database(folder / "f.db", Access::kReadWrite);
    const absl::Status status = database.Open();
    INFO(status.ToString());
    REQUIRE(status.ok());
    CHECK(All(database).size() == (version == 0 ? 0 : 1));
    REQUIRE(database.Insert({VoteOn("new")}).ok());
    Other other(folder / "f.db");
    CHECK(other.Number("SELECT max(version) FROM bertha_schema_version") == SchemaVersion());
    CHECK(other.Number("SELECT count(*) FROM bertha_schema_version") == SchemaVersion());
    CHECK(other.Number("SELECT count(*) FROM sqlite_master WHERE name = 'bertha_votes_by_time'") == 1);
  }
}

TEST_CASE("AMigrationThatFailsChangesNothing") {
  const TemporaryFolder folder;
  MakeOld(folder / "f.db", 1);
  Other(folder / "f.db").Run("CREATE TABLE bertha_votes_by_time (x)");  // in the way of step 2
  SqliteDatabase database(folder / "f.db", Access::kReadWrite);
  CHECK_FALSE(database.Open().ok());
  CHECK(Other(folder / "f.db").Number("SELECT max(version) FROM bertha_schema_version") == 1);
}

TEST_CASE("WhatIsNoFeedbackDatabaseOfThisVersionIsRefusedUnchanged") {
  const TemporaryFolder folder;
  MakeOld(folder / "newer", SchemaVersion());
  Other(folder / "newer").Run(absl::StrCat("INSERT INTO bertha_schema_version VALUES (", SchemaVersion() + 1, ")"));
  Other(folder / "foreign").Run("CREATE TABLE cookies (name TEXT)");
  std::ofstream(folder / "text") << std::string(5000, 'x');
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"newer", "schema of a newer bertha (version 3, this one knows up to 2)"},
      {"foreign", "not one of feedback"},
      {"text", "not a database of SQLite"},
  };
  for (const auto& [name, message] : cases) {
    for (const Access access : {Access::kReadWrite, Access::kReadOnly}) {
      CAPTURE(name);
      SqliteDatabase database(folder / name, access);
      CHECK(Is(database.Open(), StatusCode::kFailedPrecondition, message));
      CHECK_FALSE(std::filesystem::exists(folder / (name + "-wal")));
    }
  }
  CHECK(Other(folder / "foreign").Number("SELECT count(*) FROM sqlite_master") == 1);
}

TEST_CASE("AReaderMakesNothing") {
  const TemporaryFolder folder;
  SqliteDatabase missing(folder / "f.db", Access::kReadOnly);
  CHECK(Is(missing.Open(), StatusCode::kNotFound, "f.db: there is no such file"));
  CHECK_FALSE(std::filesystem::exists(folder / "f.db"));
  MakeOld(folder / "old", 1);
  SqliteDatabase old(folder / "old", Access::kReadOnly);
  CHECK(Is(old.Open(), StatusCode::kFailedPrecondition, "schema of an older bertha (version 1"));
}

TEST_CASE("AReaderSeesVotesWhileTheWriterIsOpen") {
  const TemporaryFolder folder;
  SqliteDatabase writer(folder / "f.db", Access::kReadWrite), reader(folder / "f.db", Access::kReadOnly);
  REQUIRE(writer.Open().ok());
  REQUIRE(writer.Insert({VoteOn("x")}).ok());
  REQUIRE(reader.Open().ok());
  CHECK(All(reader).size() == 1);
  REQUIRE(writer.Insert({VoteOn("y")}).ok());
  CHECK(All(reader).size() == 2);
  CHECK_FALSE(reader.Insert({VoteOn("z")}).ok());
}

TEST_CASE("AFullDiskFailsTheWholeGroupAndIsGotOver") {
  const TemporaryFolder folder;
  SqliteDatabase database(folder / "f.db", Access::kReadWrite, {.max_pages = 12});
  REQUIRE(database.Open().ok());
  REQUIRE(database.Insert({VoteOn("small")}).ok());
  const auto full = database.Insert({VoteOn("also small"), VoteOn(std::string(100'000, 'x'))});
  CHECK(Is(full.status(), StatusCode::kUnavailable, "f.db: the disk is full"));
  CHECK(full.status().message().find("xx") == absl::string_view::npos);
  CHECK(All(database).size() == 1);
  const auto after = database.Insert({VoteOn("small again")});
  REQUIRE(after.ok());
  CHECK(All(database).size() == 2);
}

TEST_CASE("AVoteThatIsRefusedTakesItsGroupBackAndLeavesNothingLocked") {
  const TemporaryFolder folder;
  SqliteDatabase database(folder / "f.db", Access::kReadWrite);
  REQUIRE(database.Open().ok());
  REQUIRE(database.Insert({VoteOn("before")}).ok());
  Other other(folder / "f.db");
  // An error of the statement, after which SQLite leaves the transaction open.
  other.Run(
      "CREATE TRIGGER refuse BEFORE INSERT ON bertha_votes WHEN NEW.text = 'poison' "
      "BEGIN SELECT RAISE(ABORT, 'no poison'); END");
  const auto refused = database.Insert({VoteOn("first"), VoteOn("poison"), VoteOn("last")});
  CHECK(Is(refused.status(), StatusCode::kInvalidArgument, "f.db: cannot store a vote: no poison"));
  CHECK(All(database).size() == 1);  // this connection would see its own open transaction
  other.Run("BEGIN IMMEDIATE");
  other.Run("ROLLBACK");
  REQUIRE(database.Insert({VoteOn("after")}).ok());
  const std::vector<StoredVote> votes = All(database);
  REQUIRE(votes.size() == 2);
  CHECK(votes[1].vote.text == "after");
}

TEST_CASE("ALockedFileIsUnavailableUntilItIsNot") {
  const TemporaryFolder folder;
  SqliteDatabase database(folder / "f.db", Access::kReadWrite, {.busy_timeout = std::chrono::milliseconds(1)});
  REQUIRE(database.Open().ok());
  Other other(folder / "f.db");
  other.Run("BEGIN IMMEDIATE");
  CHECK(Is(database.Insert({VoteOn("x")}).status(), StatusCode::kUnavailable, "another process has locked it"));
  other.Run("ROLLBACK");
  CHECK(database.Open().ok());
  CHECK(database.Insert({VoteOn("x")}).ok());
  CHECK(All(database).size() == 1);
}

TEST_CASE("AFileThatWasRemovedTakesNoVotesAndIsMadeAnew") {
  const TemporaryFolder folder;
  SqliteDatabase database(folder / "f.db", Access::kReadWrite);
  REQUIRE(database.Open().ok());
  REQUIRE(database.Insert({VoteOn("x")}).ok());
  for (const char* name : {"f.db", "f.db-wal", "f.db-shm"}) std::filesystem::remove(folder / name);
  CHECK(Is(database.Insert({VoteOn("y")}).status(), StatusCode::kUnavailable, "was moved or removed"));
  REQUIRE(database.Open().ok());
  REQUIRE(database.Insert({VoteOn("z")}).ok());
  CHECK(All(database).size() == 1);
}

TEST_CASE("AFolderThatIsMissingIsUnavailableUntilItIsThere") {
  const TemporaryFolder folder;
  SqliteDatabase database(folder / "later/f.db", Access::kReadWrite);
  CHECK(Is(database.Open(), StatusCode::kUnavailable, "later/f.db: cannot be opened or made: No such file"));
  CHECK(Is(database.Insert({VoteOn("x")}).status(), StatusCode::kUnavailable, "is not open"));
  std::filesystem::create_directory(folder / "later");
  REQUIRE(database.Open().ok());
  CHECK(database.Insert({VoteOn("x")}).ok());
}

TEST_CASE("AWordThatSqliteReadsInPathsMeansNothing") {
  const TemporaryFolder folder;
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder / "");
  for (const char* name : {":memory:", "file:x?mode=memory"}) {
    SqliteDatabase database(name, Access::kReadWrite);
    CHECK(database.Open().ok());
    CHECK(std::filesystem::exists(name));
  }
  std::filesystem::current_path(before);
}

TEST_CASE("TheOldestAreDeletedInPortionsAndIdsAreNotUsedAgain") {
  const TemporaryFolder folder;
  SqliteDatabase database(folder / "f.db", Access::kReadWrite);
  REQUIRE(database.Open().ok());
  std::vector<Vote> votes(5, VoteOn("x"));
  for (size_t i = 0; i < votes.size(); ++i) votes[i].time_us = static_cast<int64_t>(50 - 10 * i);  // 50, 40, … 10
  REQUIRE(database.Insert(votes).ok());
  CHECK(database.DeleteOlderThan(30, 1).value() == 1);
  CHECK(database.DeleteOlderThan(30, 100).value() == 1);
  CHECK(database.DeleteOlderThan(30, 100).value() == 0);
  const std::vector<StoredVote> left = All(database);
  REQUIRE(left.size() == 3);
  CHECK(left.back().vote.time_us == 30);
  CHECK(database.DeleteOlderThan(100, 100).value() == 3);
  const auto ids = database.Insert({VoteOn("y")});
  REQUIRE(ids.ok());
  CHECK(ids->front() == 6);
}

TEST_CASE("WhatIsDeletedIsGoneFromTheFile") {
  const TemporaryFolder folder;
  {
    SqliteDatabase database(folder / "f.db", Access::kReadWrite);
    REQUIRE(database.Open().ok());
    REQUIRE(database.Insert({VoteOn("xyzzycanary")}).ok());
    REQUIRE(database.DeleteOlderThan(INT64_MAX, 10).ok());
  }
  std::ifstream file(folder / "f.db", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  CHECK(bytes.size() > 1000);
  CHECK(bytes.find("xyzzycanary") == std::string::npos);
}

}  // namespace
}  // namespace bertha::feedback
