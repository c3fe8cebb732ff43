// The schema of the feedback database, as the steps that led to it. Pure.
//
// A database says in `bertha_schema_version` which steps it has seen. A step that was released is never changed: what
// comes later is a new step at the end.
#ifndef BERTHA_SERVER_FEEDBACK_MIGRATIONS_H_
#define BERTHA_SERVER_FEEDBACK_MIGRATIONS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace bertha::feedback {

/// What leads from version i to i + 1, for its place i in Migrations(). Several statements, without parameters.
struct Migration {
  const char* sqlite;
  const char* postgres;
};

absl::Span<const Migration> Migrations();

/// The version that this program reads and writes.
inline int SchemaVersion() { return static_cast<int>(Migrations().size()); }

/// FAILED_PRECONDITION if a database of `version` is a newer program's.
absl::Status CheckNotNewer(int version, const std::string& where);

/// FAILED_PRECONDITION unless `version` is exactly this program's: for those who may only read.
absl::Status CheckSame(int version, const std::string& where);

}  // namespace bertha::feedback

#endif  // BERTHA_SERVER_FEEDBACK_MIGRATIONS_H_
