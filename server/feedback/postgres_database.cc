#include "server/feedback/postgres_database.h"

#include <poll.h>

#include <array>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/feedback/migrations.h"
#include "server/feedback/postgres_array.h"

namespace bertha::feedback {
namespace {

using SteadyClock = std::chrono::steady_clock;

/// Any number that nobody else locks: the first bytes of "bertha's schema".
constexpr char kLockSchema[] = "SELECT pg_advisory_xact_lock(7094436871733897075)";
/// unnest() of one array for each column. Ids follow the order of the votes: identity columns are computed after the
/// sort (documentation of INSERT).
constexpr char kInsert[] =
    "INSERT INTO bertha_votes (time_us, text, text_pair, model, version, label, score, verdict, correct_label, client, "
    "request_id) SELECT time_us, text, text_pair, model, version, label, score, verdict, correct_label, client, "
    "request_id FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::real[], "
    "$8::text[], $9::text[], $10::text[], $11::text[]) WITH ORDINALITY AS t (time_us, text, text_pair, model, version, "
    "label, score, verdict, correct_label, client, request_id, place) ORDER BY place "
    "RETURNING id, pg_current_xact_id()";
constexpr char kDelete[] =
    "DELETE FROM bertha_votes WHERE id IN (SELECT id FROM bertha_votes WHERE time_us < $1::bigint ORDER BY time_us "
    "LIMIT $2::bigint)";
constexpr char kRead[] =
    "SELECT id, time_us, text, text_pair, model, version, label, score, verdict, correct_label, client, request_id "
    "FROM bertha_votes WHERE id > $1::bigint AND time_us >= $2::bigint AND time_us < $3::bigint "
    "AND ($4::text = '' OR model = $4::text) ORDER BY id LIMIT $5::bigint";
constexpr char kOutcome[] = "SELECT pg_xact_status($1::xid8)";
/// Our own backend that hangs in the commit, e.g. waiting for a replica: it ends either way then.
constexpr char kEndCommitting[] =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_xid = ($1::xid8)::xid";
constexpr char kUndo[] = "DELETE FROM bertha_votes WHERE id = ANY($1::bigint[])";
constexpr char kOldestServer[] = "PostgreSQL 13";
constexpr int kOldestVersion = 130'000;
constexpr std::chrono::milliseconds kGrace{1000};

std::vector<std::string> ColumnsOf(absl::Span<const Vote> votes) {
  std::array<PostgresArray, 11> columns;
  for (const Vote& vote : votes) {
    columns[0].Add(absl::StrCat(vote.time_us));
    columns[1].Add(vote.text);
    vote.text_pair ? columns[2].Add(*vote.text_pair) : columns[2].AddNull();
    columns[3].Add(vote.model);
    columns[4].Add(absl::StrCat(vote.version));
    columns[5].Add(vote.label);
    columns[6].Add(absl::StrFormat("%.9g", vote.score));
    columns[7].Add(vote.verdict == Verdict::kRight ? "right" : "wrong");
    columns[8].Add(vote.correct_label);
    columns[9].Add(vote.client);
    columns[10].Add(vote.request_id);
  }
  std::vector<std::string> parameters;
  for (PostgresArray& column : columns) parameters.push_back(std::move(column).Finish());
  return parameters;
}

std::string Text(const PGresult* result, int row, int column) {
  return std::string(PQgetvalue(result, row, column), static_cast<size_t>(PQgetlength(result, row, column)));
}

int64_t Number(const PGresult* result, int row, int column) {
  int64_t number = 0;
  (void)absl::SimpleAtoi(PQgetvalue(result, row, column), &number);
  return number;
}

StoredVote RowOf(const PGresult* r, int row) {
  StoredVote stored;
  stored.id = Number(r, row, 0);
  stored.vote.time_us = Number(r, row, 1);
  stored.vote.text = Text(r, row, 2);
  if (!PQgetisnull(r, row, 3)) stored.vote.text_pair = Text(r, row, 3);
  stored.vote.model = Text(r, row, 4);
  stored.vote.version = Number(r, row, 5);
  stored.vote.label = Text(r, row, 6);
  (void)absl::SimpleAtof(PQgetvalue(r, row, 7), &stored.vote.score);
  stored.vote.verdict = Text(r, row, 8) == "right" ? Verdict::kRight : Verdict::kWrong;
  stored.vote.correct_label = Text(r, row, 9);
  stored.vote.client = Text(r, row, 10);
  stored.vote.request_id = Text(r, row, 11);
  return stored;
}

/// libpq ends its messages with line ends, and some have several lines.
std::string OneLine(absl::string_view message) {
  return absl::StrJoin(absl::StrSplit(message, absl::ByAnyChar("\r\n\t"), absl::SkipWhitespace()), " ");
}

}  // namespace

absl::Status CheckPostgresUri(const std::string& uri) {
  char* error = nullptr;
  PQconninfoOption* parsed = PQconninfoParse(uri.c_str(), &error);
  PQfreemem(error);
  if (parsed == nullptr) {
    return absl::InvalidArgumentError(
        "is no connection string of PostgreSQL; expected postgresql://[user[:password]@][host][:port][/database]"
        "[?parameter=value&...], with %XX for special characters");
  }
  PQconninfoFree(parsed);
  return absl::OkStatus();
}

PostgresDatabase::PostgresDatabase(std::string uri, Access access, PostgresOptions options)
    : uri_(std::move(uri)), shown_(WithoutPassword(uri_)), access_(access), options_(options) {}

absl::Status PostgresDatabase::Open() {
  if (!connection_) {
    if (absl::Status status = Connect(); !status.ok()) {
      connection_.reset();
      return status;
    }
  }
  return UndoUnresolved();
}

absl::Status PostgresDatabase::Connect() {
  if (absl::Status status = CheckPostgresUri(uri_); !status.ok()) return status;
  const std::string timeout = absl::StrCat(options_.connect_timeout.count());
  const std::string user_timeout = absl::StrCat((options_.statement_timeout + kGrace).count());
  // What stands before "dbname" is a default, what stands after it holds whatever the string says.
  const char* keys[] = {"connect_timeout", "tcp_user_timeout", "application_name",
                        "dbname",          "client_encoding",  nullptr};
  const char* values[] = {timeout.c_str(), user_timeout.c_str(), "bertha", uri_.c_str(), "UTF8", nullptr};
  connection_.reset(PQconnectdbParams(keys, values, /*expand_dbname=*/1));
  if (PQstatus(connection_.get()) != CONNECTION_OK) return Lost(PQerrorMessage(connection_.get()));
  PQsetNoticeProcessor(
      connection_.get(), [](void*, const char*) {}, nullptr);
  PQsetnonblocking(connection_.get(), 1);
  if (absl::Status status = Configure(); !status.ok()) return status;
  if (access_ == Access::kReadWrite) return Migrate();
  const absl::StatusOr<int> version = Version();
  return version.ok() ? CheckSame(*version, shown_) : version.status();
}

absl::Status PostgresDatabase::Configure() {
  const char* encoding = PQparameterStatus(connection_.get(), "server_encoding");
  if (PQserverVersion(connection_.get()) < kOldestVersion) {
    return absl::FailedPreconditionError(absl::StrCat(shown_, ": the server is older than ", kOldestServer));
  }
  if (encoding == nullptr || absl::string_view(encoding) != "UTF8") {
    return absl::FailedPreconditionError(absl::StrCat(
        shown_, ": the database's encoding is not UTF8; make one with CREATE DATABASE ... ENCODING 'UTF8'"));
  }
  // An acknowledged vote must survive a crash of the server too: a synchronous_commit of off is raised to on.
  return Run(absl::StrCat("SET statement_timeout = ", options_.statement_timeout.count(),
                          "; SET idle_in_transaction_session_timeout = '60s'; "
                          "SET default_transaction_read_only = ",
                          access_ == Access::kReadOnly ? "on" : "off",
                          "; SELECT set_config('synchronous_commit', 'on', false) "
                          "WHERE current_setting('synchronous_commit') = 'off'")
                 .c_str())
      .status();
}

absl::StatusOr<int> PostgresDatabase::Version() {
  absl::StatusOr<Result> table = Run("SELECT to_regclass('bertha_schema_version') IS NOT NULL");
  if (!table.ok()) return table.status();
  if (Text(table->get(), 0, 0) != "t") {
    if (access_ == Access::kReadWrite) return 0;
    return absl::FailedPreconditionError(absl::StrCat(shown_, ": holds no feedback of bertha"));
  }
  absl::StatusOr<Result> version = Run("SELECT coalesce(max(version), 0) FROM bertha_schema_version");
  if (!version.ok()) return version.status();
  return static_cast<int>(Number(version->get(), 0, 0));
}

absl::Status PostgresDatabase::Migrate() {
  if (absl::Status status = Run("BEGIN").status(); !status.ok()) return status;
  absl::Status status = MigrateInTransaction();
  if (status.ok()) status = Run("COMMIT").status();
  if (!status.ok()) Rollback();
  return status;
}

absl::Status PostgresDatabase::MigrateInTransaction() {
  // The second of two daemons waits here until the first has committed, and then finds nothing to do.
  if (absl::Status status = Run(kLockSchema).status(); !status.ok()) return status;
  const absl::StatusOr<int> version = Version();
  if (!version.ok()) return version.status();
  if (absl::Status status = CheckNotNewer(*version, shown_); !status.ok()) return status;
  if (*version == SchemaVersion()) return absl::OkStatus();
  const auto create = Run("CREATE TABLE IF NOT EXISTS bertha_schema_version (version INTEGER PRIMARY KEY)");
  if (!create.ok()) return create.status();
  for (int step = *version; step < SchemaVersion(); ++step) {
    const std::string sql = absl::StrCat(Migrations()[static_cast<size_t>(step)].postgres,
                                         "; INSERT INTO bertha_schema_version VALUES (", step + 1, ")");
    if (absl::Status status = Run(sql.c_str()).status(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int64_t>> PostgresDatabase::Insert(absl::Span<const Vote> votes) {
  if (!connection_ || unresolved_) return Lost("is not connected");
  absl::StatusOr<Unresolved> transaction = InsertInTransaction(votes);
  if (!transaction.ok()) {
    Rollback();
    return transaction.status();
  }
  unresolved_ = *std::move(transaction);
  const absl::StatusOr<Result> commit = Run("COMMIT");
  if (!commit.ok()) return Settle(commit.status());
  std::vector<int64_t> ids = std::move(unresolved_->ids);
  unresolved_.reset();
  return ids;
}

absl::StatusOr<PostgresDatabase::Unresolved> PostgresDatabase::InsertInTransaction(absl::Span<const Vote> votes) {
  if (absl::Status status = Run("BEGIN").status(); !status.ok()) return status;
  const absl::StatusOr<Result> inserted = Run(kInsert, ColumnsOf(votes));
  if (!inserted.ok()) return inserted.status();
  const PGresult* rows = inserted->get();
  if (static_cast<size_t>(PQntuples(rows)) != votes.size()) {
    return absl::UnavailableError(absl::StrCat(shown_, ": stored ", PQntuples(rows), " of ", votes.size(), " votes"));
  }
  Unresolved transaction;
  for (int row = 0; row < PQntuples(rows); ++row) transaction.ids.push_back(Number(rows, row, 0));
  transaction.xid = Text(rows, 0, 1);
  return transaction;
}

absl::StatusOr<std::vector<int64_t>> PostgresDatabase::Settle(const absl::Status& lost) {
  Rollback();
  const bool connected = connection_ || Connect().ok();
  switch (connected ? AskOutcome(unresolved_->xid) : Outcome::kUnknown) {
    case Outcome::kCommitted: {
      std::vector<int64_t> ids = std::move(unresolved_->ids);
      unresolved_.reset();
      return ids;
    }
    case Outcome::kAborted:
      unresolved_.reset();
      return lost;
    case Outcome::kUnknown:
      break;
  }
  connection_.reset();
  return lost;  // Open() will make it true
}

PostgresDatabase::Outcome PostgresDatabase::AskOutcome(const std::string& xid) {
  absl::StatusOr<Result> answer = Run(kOutcome, {xid});
  if (answer.ok() && Text(answer->get(), 0, 0) == "in progress") {
    (void)Run(kEndCommitting, {xid});
    answer = Run(kOutcome, {xid});
  }
  // A number that the server has not reached: a replica took its place that never saw the transaction.
  if (absl::IsInvalidArgument(answer.status())) return Outcome::kAborted;
  if (!answer.ok()) return Outcome::kUnknown;
  const std::string status = Text(answer->get(), 0, 0);
  if (status == "aborted") return Outcome::kAborted;
  // None: so long ago that the server has forgotten how it ended; UndoUnresolved deletes what there is.
  return status == "committed" || status.empty() ? Outcome::kCommitted : Outcome::kUnknown;
}

absl::Status PostgresDatabase::UndoUnresolved() {
  if (!unresolved_) return absl::OkStatus();
  const Outcome outcome = AskOutcome(unresolved_->xid);
  if (outcome == Outcome::kUnknown) return Lost("an earlier commit has not ended yet");
  if (outcome == Outcome::kCommitted) {
    PostgresArray ids;
    for (const int64_t id : unresolved_->ids) ids.Add(absl::StrCat(id));
    if (absl::Status status = Run(kUndo, {std::move(ids).Finish()}).status(); !status.ok()) return status;
  }
  unresolved_.reset();
  return absl::OkStatus();
}

absl::StatusOr<size_t> PostgresDatabase::DeleteOlderThan(int64_t time_us, size_t most) {
  const absl::StatusOr<Result> result = Run(kDelete, {absl::StrCat(time_us), absl::StrCat(most)});
  if (!result.ok()) return result.status();
  int64_t deleted = 0;
  (void)absl::SimpleAtoi(PQcmdTuples(result->get()), &deleted);
  return static_cast<size_t>(deleted);
}

absl::StatusOr<std::vector<StoredVote>> PostgresDatabase::Read(const VoteFilter& filter, int64_t after_id,
                                                               size_t most) {
  const Parameters parameters = {absl::StrCat(after_id), absl::StrCat(filter.since_us), absl::StrCat(filter.until_us),
                                 filter.model, absl::StrCat(most)};
  const absl::StatusOr<Result> result = Run(kRead, parameters);
  if (!result.ok()) return result.status();
  std::vector<StoredVote> votes;
  for (int row = 0; row < PQntuples(result->get()); ++row) votes.push_back(RowOf(result->get(), row));
  return votes;
}

absl::StatusOr<PostgresDatabase::Result> PostgresDatabase::Run(const char* sql, const Parameters& parameters) {
  if (!connection_) return Lost("is not connected");
  std::vector<const char*> values;
  for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
  const int sent = parameters.empty() ? PQsendQuery(connection_.get(), sql)
                                      : PQsendQueryParams(connection_.get(), sql, static_cast<int>(values.size()),
                                                          nullptr, values.data(), nullptr, nullptr, 0);
  if (!sent) return Lost(PQerrorMessage(connection_.get()));
  return Await();
}

absl::StatusOr<PostgresDatabase::Result> PostgresDatabase::Await() {
  PGconn* const c = connection_.get();
  const auto deadline = SteadyClock::now() + options_.statement_timeout + kGrace;
  Result last, failed;
  while (true) {
    const int unsent = PQflush(c);
    if (unsent < 0) return Lost(PQerrorMessage(c));
    if (unsent == 0 && !PQisBusy(c)) {
      Result next(PQgetResult(c));
      if (!next) break;
      const ExecStatusType status = PQresultStatus(next.get());
      Result& slot = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? last : failed;
      slot = std::move(next);
      continue;
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now()).count();
    pollfd socket = {.fd = PQsocket(c), .events = static_cast<short>(unsent > 0 ? POLLIN | POLLOUT : POLLIN)};
    if (left <= 0 || poll(&socket, 1, static_cast<int>(left)) == 0) return Lost("the server does not answer");
    if (!PQconsumeInput(c)) return Lost(PQerrorMessage(c));
  }
  if (failed) {
    absl::Status status = Error(failed.get());
    if (PQstatus(c) != CONNECTION_OK) connection_.reset();
    return status;
  }
  if (!last || PQstatus(c) != CONNECTION_OK) return Lost(PQerrorMessage(c));
  return last;
}

absl::Status PostgresDatabase::Lost(const std::string& why) {
  absl::Status status = absl::UnavailableError(absl::StrCat(shown_, ": ", OneLine(why)));
  connection_.reset();
  return status;
}

absl::Status PostgresDatabase::Error(const PGresult* result) const {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const absl::string_view code = state == nullptr ? "" : state;
  // Class 22 and 23: about the data, which the message may quote.
  if (absl::StartsWith(code, "22") || absl::StartsWith(code, "23")) {
    return absl::InvalidArgumentError(absl::StrCat(shown_, ": refuses the data (SQLSTATE ", code, ")"));
  }
  const char* message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  return absl::UnavailableError(
      absl::StrCat(shown_, ": ", OneLine(message == nullptr ? "error" : message), " (SQLSTATE ", code, ")"));
}

void PostgresDatabase::Rollback() {
  if (connection_ && PQtransactionStatus(connection_.get()) != PQTRANS_IDLE) (void)Run("ROLLBACK");
}

}  // namespace bertha::feedback
