// Where votes are kept: one file of SQLite, or a PostgreSQL server.
//
//   MakeDatabase(where) ─ Open ─ Insert, DeleteOlderThan, Read ─ (an error) ─ Open ─ …
//
// Errors, of all methods:
//   UNAVAILABLE          the database does not answer, is locked, its disk is full: the same may work later.
//   INVALID_ARGUMENT     the database refuses this vote, whatever its state.
//   NOT_FOUND            there is no such database (kReadOnly).
//   FAILED_PRECONDITION  what is there is no feedback database, or a newer program's; nothing is written to it.
// Messages name the place without its password and never hold text of a vote.
//
// Thread-safety: thread-compatible; one thread at a time.
#ifndef BERTHA_SERVER_FEEDBACK_DATABASE_H_
#define BERTHA_SERVER_FEEDBACK_DATABASE_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/feedback/vote.h"

namespace bertha::feedback {

/// Which votes to read.
struct VoteFilter {
  /// Microseconds since 1970-01-01 UTC: from `since_us` on, before `until_us`.
  int64_t since_us = std::numeric_limits<int64_t>::min();
  int64_t until_us = std::numeric_limits<int64_t>::max();
  /// Empty: of all models.
  std::string model;
};

class Database {
 public:
  virtual ~Database() = default;

  /// Connects and brings the schema up to date, both only if needed. Call it before the first use and after an error.
  virtual absl::Status Open() = 0;

  /// Stores all or none, in one transaction. OK, with the ids in the order of the votes, means that they survive a
  /// crash of the machine. After an error they are not in the database, or are taken out again by the next Open that
  /// succeeds (see PostgresDatabase).
  virtual absl::StatusOr<std::vector<int64_t>> Insert(absl::Span<const Vote> votes) = 0;

  /// Deletes at most `most` of the votes given before `time_us`, the oldest first. Returns how many.
  virtual absl::StatusOr<size_t> DeleteOlderThan(int64_t time_us, size_t most) = 0;

  /// At most `most` votes that match, with ids beyond `after_id`, in the order of their ids.
  virtual absl::StatusOr<std::vector<StoredVote>> Read(const VoteFilter& filter, int64_t after_id, size_t most) = 0;
};

enum class Access {
  kReadWrite,
  /// Creates and changes nothing; the schema must be this program's.
  kReadOnly,
};

/// True for `postgresql://…` and `postgres://…`; anything else is the path of a file.
bool IsPostgres(const std::string& where);

/// INVALID_ARGUMENT if `where` is no connection string that PostgreSQL understands. Paths are not looked at.
absl::Status CheckDatabase(const std::string& where);

/// `where` without the password, for people to read.
std::string WithoutPassword(const std::string& where);

/// The database at `where`, not opened yet.
std::unique_ptr<Database> MakeDatabase(const std::string& where, Access access);

/// Hands all votes that match to `use`, in the order of their ids, in portions, each a transaction of its own: a slow
/// reader holds up nobody. Stops at the first error, also of `use`.
absl::Status ForEachVote(Database& database, const VoteFilter& filter,
                         absl::FunctionRef<absl::Status(const StoredVote&)> use);

}  // namespace bertha::feedback

#endif  // BERTHA_SERVER_FEEDBACK_DATABASE_H_
