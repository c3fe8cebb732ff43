// Votes in one file of SQLite (beside it, while it is open, lie FILE-wal and FILE-shm).
//
// Write-ahead log with synchronous=FULL: a commit is on the disk when Insert returns. The file is made with mode 0600,
// since it holds what people wrote; deleted votes are overwritten, not only forgotten. Other processes may read
// meanwhile, and write: who finds the file locked waits up to `busy_timeout`.
// https://www.sqlite.org/wal.html, https://www.sqlite.org/pragma.html
#ifndef BERTHA_SERVER_FEEDBACK_SQLITE_DATABASE_H_
#define BERTHA_SERVER_FEEDBACK_SQLITE_DATABASE_H_

#include <sqlite3.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/feedback/database.h"

namespace bertha::feedback {

struct SqliteOptions {
  /// How long a statement waits for another process's lock before it gives up with UNAVAILABLE.
  std::chrono::milliseconds busy_timeout{2000};
  /// Most pages (4 KiB) of the file; beyond it the disk counts as full. 0: as many as fit the disk.
  int max_pages = 0;
};

class SqliteDatabase final : public Database {
 public:
  SqliteDatabase(std::string path, Access access, SqliteOptions options = {});

  absl::Status Open() override;
  absl::StatusOr<std::vector<int64_t>> Insert(absl::Span<const Vote> votes) override;
  absl::StatusOr<size_t> DeleteOlderThan(int64_t time_us, size_t most) override;
  absl::StatusOr<std::vector<StoredVote>> Read(const VoteFilter& filter, int64_t after_id, size_t most) override;

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

  absl::Status OpenFile();
  absl::Status CreateFile() const;
  absl::Status Configure();
  absl::Status Migrate();
  absl::Status MigrateInTransaction();
  /// 0 for an empty file. FAILED_PRECONDITION if it belongs to somebody else.
  absl::StatusOr<int> Version();
  absl::Status InsertInTransaction(absl::Span<const Vote> votes, std::vector<int64_t>& ids);
  /// UNAVAILABLE if there is no connection, or the file was moved or removed: what is written to it would be lost.
  absl::Status CheckUsable();

  absl::Status Exec(const char* sql);
  absl::StatusOr<Statement> Prepare(absl::string_view sql);
  absl::StatusOr<int64_t> Number(absl::string_view sql);
  /// What the last call's error `code` means; gives the connection up if it is of no use any more.
  absl::Status Error(int code, absl::string_view doing);
  /// Ends an open transaction, after an error of it.
  void Rollback();

  const std::string path_;
  const Access access_;
  const SqliteOptions options_;
  std::unique_ptr<sqlite3, Close> db_;
  /// The connection is no good; the next Open makes another.
  bool broken_ = false;
};

}  // namespace bertha::feedback

#endif  // BERTHA_SERVER_FEEDBACK_SQLITE_DATABASE_H_
