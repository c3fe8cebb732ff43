#include "server/feedback/sqlite_database.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/feedback/migrations.h"

namespace bertha::feedback {
namespace {

constexpr char kInsert[] =
    "INSERT INTO bertha_votes (time_us, text, text_pair, model, version, label, score, verdict, correct_label, client, "
    "request_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
constexpr char kDelete[] =
    "DELETE FROM bertha_votes WHERE id IN (SELECT id FROM bertha_votes WHERE time_us < ?1 ORDER BY time_us LIMIT ?2)";
constexpr char kRead[] =
    "SELECT id, time_us, text, text_pair, model, version, label, score, verdict, correct_label, client, request_id "
    "FROM bertha_votes WHERE id > ?1 AND time_us >= ?2 AND time_us < ?3 AND (?4 = '' OR model = ?4) "
    "ORDER BY id LIMIT ?5";

/// SQLITE_STATIC: the text outlives the statement's run.
void BindText(sqlite3_stmt* statement, int at, absl::string_view text) {
  sqlite3_bind_text64(statement, at, text.empty() ? "" : text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

void BindVote(sqlite3_stmt* statement, const Vote& vote) {
  sqlite3_bind_int64(statement, 1, vote.time_us);
  BindText(statement, 2, vote.text);
  if (vote.text_pair) {
    BindText(statement, 3, *vote.text_pair);
  } else {
    sqlite3_bind_null(statement, 3);
  }
  BindText(statement, 4, vote.model);
  sqlite3_bind_int64(statement, 5, vote.version);
  BindText(statement, 6, vote.label);
  sqlite3_bind_double(statement, 7, vote.score);
  BindText(statement, 8, vote.verdict == Verdict::kRight ? "right" : "wrong");
  BindText(statement, 9, vote.correct_label);
  BindText(statement, 10, vote.client);
  BindText(statement, 11, vote.request_id);
}

std::string Text(sqlite3_stmt* statement, int column) {
  const void* bytes = sqlite3_column_text(statement, column);  // before its size
  return std::string(static_cast<const char*>(bytes), static_cast<size_t>(sqlite3_column_bytes(statement, column)));
}

StoredVote RowOf(sqlite3_stmt* s) {
  StoredVote row;
  row.id = sqlite3_column_int64(s, 0);
  row.vote.time_us = sqlite3_column_int64(s, 1);
  row.vote.text = Text(s, 2);
  if (sqlite3_column_type(s, 3) != SQLITE_NULL) row.vote.text_pair = Text(s, 3);
  row.vote.model = Text(s, 4);
  row.vote.version = sqlite3_column_int64(s, 5);
  row.vote.label = Text(s, 6);
  row.vote.score = static_cast<float>(sqlite3_column_double(s, 7));
  row.vote.verdict = Text(s, 8) == "right" ? Verdict::kRight : Verdict::kWrong;
  row.vote.correct_label = Text(s, 9);
  row.vote.client = Text(s, 10);
  row.vote.request_id = Text(s, 11);
  return row;
}

}  // namespace

SqliteDatabase::SqliteDatabase(std::string path, Access access, SqliteOptions options)
    : path_(std::move(path)), access_(access), options_(options) {}

absl::Status SqliteDatabase::Open() {
  if (db_ && CheckUsable().ok()) return absl::OkStatus();
  broken_ = false;
  if (absl::Status status = OpenFile(); !status.ok()) {
    db_.reset();
    return status;
  }
  return absl::OkStatus();
}

absl::Status SqliteDatabase::OpenFile() {
  if (absl::Status status = CreateFile(); !status.ok()) return status;
  sqlite3* db = nullptr;
  // Without URI names and links: `path` is a path, whatever is in it. FULLMUTEX is not needed: one thread at a time.
  const int flags = (access_ == Access::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX;
  // An absolute or "./" path: a leading ':' or "file:" would mean something else.
  const std::string path = path_.front() == '/' ? path_ : absl::StrCat("./", path_);
  const int code = sqlite3_open_v2(path.c_str(), &db, flags, nullptr);
  db_.reset(db);
  if (code != SQLITE_OK) return Error(code, "cannot be opened");
  sqlite3_extended_result_codes(db_.get(), 1);
  sqlite3_busy_timeout(db_.get(), static_cast<int>(options_.busy_timeout.count()));
  const absl::StatusOr<int> version = Version();
  if (!version.ok()) return version.status();
  if (access_ == Access::kReadOnly) return CheckSame(*version, path_);
  if (absl::Status status = CheckNotNewer(*version, path_); !status.ok()) return status;  // before a byte is written
  if (absl::Status status = Configure(); !status.ok()) return status;
  return Migrate();
}

absl::Status SqliteDatabase::CreateFile() const {
  const bool reads = access_ == Access::kReadOnly;
  const int file = open(path_.c_str(), (reads ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC, 0600);
  if (file >= 0) {
    close(file);
    return absl::OkStatus();
  }
  const std::string why = absl::StrCat(path_, reads ? ": cannot be read: " : ": cannot be opened or made: ");
  if (reads && errno == ENOENT) return absl::NotFoundError(absl::StrCat(path_, ": there is no such file"));
  return absl::UnavailableError(absl::StrCat(why, std::strerror(errno)));
}

absl::Status SqliteDatabase::Configure() {
  for (const char* sql : {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA secure_delete = ON"}) {
    if (absl::Status status = Exec(sql); !status.ok()) return status;
  }
  if (options_.max_pages == 0) return absl::OkStatus();
  return Exec(absl::StrCat("PRAGMA max_page_count = ", options_.max_pages).c_str());
}

absl::StatusOr<int> SqliteDatabase::Version() {
  absl::StatusOr<int64_t> tables = Number("SELECT count(*) FROM sqlite_master");
  if (!tables.ok()) return tables.status();
  if (*tables == 0 && access_ == Access::kReadWrite) return 0;
  const auto ours =
      Number("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'bertha_schema_version'");
  if (!ours.ok()) return ours.status();
  if (*ours == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(path_, ": is a database of SQLite, but not one of feedback; name another file"));
  }
  const auto version = Number("SELECT max(version) FROM bertha_schema_version");
  if (!version.ok()) return version.status();
  return static_cast<int>(*version);
}

absl::Status SqliteDatabase::Migrate() {
  if (absl::Status status = Exec("BEGIN IMMEDIATE"); !status.ok()) return status;  // nobody else migrates meanwhile
  absl::Status status = MigrateInTransaction();
  if (status.ok()) status = Exec("COMMIT");
  if (!status.ok()) Rollback();
  return status;
}

absl::Status SqliteDatabase::MigrateInTransaction() {
  const absl::StatusOr<int> version = Version();
  if (!version.ok()) return version.status();
  if (absl::Status status = CheckNotNewer(*version, path_); !status.ok()) return status;
  if (*version == SchemaVersion()) return absl::OkStatus();
  if (absl::Status status = Exec("CREATE TABLE IF NOT EXISTS bertha_schema_version (version INTEGER PRIMARY KEY)");
      !status.ok()) {
    return status;
  }
  for (int step = *version; step < SchemaVersion(); ++step) {
    if (absl::Status status = Exec(Migrations()[static_cast<size_t>(step)].sqlite); !status.ok()) return status;
    const std::string seen = absl::StrCat("INSERT INTO bertha_schema_version VALUES (", step + 1, ")");
    if (absl::Status status = Exec(seen.c_str()); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int64_t>> SqliteDatabase::Insert(absl::Span<const Vote> votes) {
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  std::vector<int64_t> ids;
  ids.reserve(votes.size());
  if (absl::Status status = InsertInTransaction(votes, ids); !status.ok()) {
    Rollback();
    return status;
  }
  return ids;
}

absl::Status SqliteDatabase::InsertInTransaction(absl::Span<const Vote> votes, std::vector<int64_t>& ids) {
  if (absl::Status status = Exec("BEGIN IMMEDIATE"); !status.ok()) return status;
  absl::StatusOr<Statement> insert = Prepare(kInsert);
  if (!insert.ok()) return insert.status();
  for (const Vote& vote : votes) {
    BindVote(insert->get(), vote);
    if (const int code = sqlite3_step(insert->get()); code != SQLITE_DONE) return Error(code, "cannot store a vote");
    sqlite3_reset(insert->get());
    ids.push_back(sqlite3_last_insert_rowid(db_.get()));
  }
  return Exec("COMMIT");
}

absl::StatusOr<size_t> SqliteDatabase::DeleteOlderThan(int64_t time_us, size_t most) {
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  absl::StatusOr<Statement> statement = Prepare(kDelete);
  if (!statement.ok()) return statement.status();
  sqlite3_bind_int64(statement->get(), 1, time_us);
  sqlite3_bind_int64(statement->get(), 2, static_cast<int64_t>(most));
  if (const int code = sqlite3_step(statement->get()); code != SQLITE_DONE) return Error(code, "cannot delete votes");
  return static_cast<size_t>(sqlite3_changes(db_.get()));
}

absl::StatusOr<std::vector<StoredVote>> SqliteDatabase::Read(const VoteFilter& filter, int64_t after_id, size_t most) {
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  absl::StatusOr<Statement> statement = Prepare(kRead);
  if (!statement.ok()) return statement.status();
  sqlite3_bind_int64(statement->get(), 1, after_id);
  sqlite3_bind_int64(statement->get(), 2, filter.since_us);
  sqlite3_bind_int64(statement->get(), 3, filter.until_us);
  BindText(statement->get(), 4, filter.model);
  sqlite3_bind_int64(statement->get(), 5, static_cast<int64_t>(most));
  std::vector<StoredVote> votes;
  int code = sqlite3_step(statement->get());
  for (; code == SQLITE_ROW; code = sqlite3_step(statement->get())) votes.push_back(RowOf(statement->get()));
  if (code != SQLITE_DONE) return Error(code, "cannot read votes");
  return votes;
}

absl::Status SqliteDatabase::CheckUsable() {
  if (!db_ || broken_) return absl::UnavailableError(absl::StrCat(path_, ": is not open"));
  int moved = 0;
  sqlite3_file_control(db_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  if (!moved) return absl::OkStatus();
  broken_ = true;
  return absl::UnavailableError(absl::StrCat(path_, ": was moved or removed while it was open; it is made anew"));
}

absl::Status SqliteDatabase::Exec(const char* sql) {
  const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : Error(code, "refuses a statement");
}

absl::StatusOr<SqliteDatabase::Statement> SqliteDatabase::Prepare(absl::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(db_.get(), sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
  if (code != SQLITE_OK) return Error(code, "refuses a statement");
  return Statement(statement);
}

absl::StatusOr<int64_t> SqliteDatabase::Number(absl::string_view sql) {
  absl::StatusOr<Statement> statement = Prepare(sql);
  if (!statement.ok()) return statement.status();
  if (const int code = sqlite3_step(statement->get()); code != SQLITE_ROW) return Error(code, "cannot be read");
  return sqlite3_column_int64(statement->get(), 0);
}

absl::Status SqliteDatabase::Error(int code, absl::string_view doing) {
  const char* said = db_ ? sqlite3_errmsg(db_.get()) : sqlite3_errstr(code);
  const std::string message = absl::StrCat(path_, ": ", doing, ": ", said);
  switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(absl::StrCat(path_, ": another process has locked it"));
    case SQLITE_FULL:
      return absl::UnavailableError(absl::StrCat(path_, ": the disk is full"));
    case SQLITE_TOOBIG:
    case SQLITE_CONSTRAINT:
      return absl::InvalidArgumentError(message);
    case SQLITE_NOTADB:
      broken_ = true;
      return absl::FailedPreconditionError(absl::StrCat(path_, ": is not a database of SQLite; name another file"));
    default:
      broken_ = true;
      return absl::UnavailableError(message);
  }
}

void SqliteDatabase::Rollback() {
  if (!db_ || sqlite3_get_autocommit(db_.get())) return;
  // What cannot be rolled back is never committed either: closing forgets it.
  if (sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr) != SQLITE_OK) broken_ = true;
}

}  // namespace bertha::feedback
