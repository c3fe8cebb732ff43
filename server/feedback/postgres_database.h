// Votes in a PostgreSQL server (13 or newer, of encoding UTF8), in the tables bertha_votes and bertha_schema_version of
// the connection's search path. Several daemons may share them.
//
// No call blocks longer than its timeout, also when the server is frozen or the network swallows everything.
//
// The outcome of a commit whose answer was lost is unknown: it may or may not have happened. Insert then reconnects and
// asks the server (pg_xact_status). If even that is impossible in time, it answers UNAVAILABLE and remembers the ids;
// the next Open that succeeds makes that true and deletes the votes, should they be there after all, before anything
// else is stored. Only if the process ends before that does a vote stay whose caller was told UNAVAILABLE.
// https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT
#ifndef BERTHA_SERVER_FEEDBACK_POSTGRES_DATABASE_H_
#define BERTHA_SERVER_FEEDBACK_POSTGRES_DATABASE_H_

#include <libpq-fe.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/feedback/database.h"

namespace bertha::feedback {

struct PostgresOptions {
  /// For one address of the server; `connect_timeout` in the connection string wins.
  std::chrono::seconds connect_timeout{3};
  /// For one statement: the server gives up after it, and this side a second later.
  std::chrono::milliseconds statement_timeout{5'000};
};

/// INVALID_ARGUMENT if libpq does not understand it. The message does not quote it: it may hold a password.
absl::Status CheckPostgresUri(const std::string& uri);

class PostgresDatabase final : public Database {
 public:
  PostgresDatabase(std::string uri, Access access, PostgresOptions options = {});

  absl::Status Open() override;
  absl::StatusOr<std::vector<int64_t>> Insert(absl::Span<const Vote> votes) override;
  absl::StatusOr<size_t> DeleteOlderThan(int64_t time_us, size_t most) override;
  absl::StatusOr<std::vector<StoredVote>> Read(const VoteFilter& filter, int64_t after_id, size_t most) override;

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  using Result = std::unique_ptr<PGresult, Clear>;
  using Parameters = std::vector<std::string>;
  /// A transaction whose COMMIT was not answered.
  struct Unresolved {
    std::string xid;
    std::vector<int64_t> ids;
  };
  enum class Outcome { kCommitted, kAborted, kUnknown };

  absl::Status Connect();
  absl::Status Configure();
  absl::StatusOr<int> Version();
  absl::Status Migrate();
  absl::Status MigrateInTransaction();
  absl::StatusOr<Unresolved> InsertInTransaction(absl::Span<const Vote> votes);
  /// After the answer to COMMIT did not come, or was an error.
  absl::StatusOr<std::vector<int64_t>> Settle(const absl::Status& lost);
  Outcome AskOutcome(const std::string& xid);
  /// Takes out what was committed although its callers were told that it was not.
  absl::Status UndoUnresolved();

  /// One statement; without parameters it may be several.
  absl::StatusOr<Result> Run(const char* sql, const Parameters& parameters = {});
  /// Waits for the answer to what was sent. Gives the connection up if it does not come in time.
  absl::StatusOr<Result> Await();
  absl::Status Lost(const std::string& why);
  absl::Status Error(const PGresult* result) const;
  void Rollback();

  const std::string uri_;
  const std::string shown_;
  const Access access_;
  const PostgresOptions options_;
  std::unique_ptr<PGconn, Finish> connection_;
  std::optional<Unresolved> unresolved_;
};

}  // namespace bertha::feedback

#endif  // BERTHA_SERVER_FEEDBACK_POSTGRES_DATABASE_H_
