#include "server/feedback/migrations.h"

#include "absl/strings/str_cat.h"

namespace bertha::feedback {
namespace {

constexpr Migration kMigrations[] = {
    // 1: the votes. AUTOINCREMENT and identity: an id that somebody was told is never given to another vote.
    {.sqlite = R"(CREATE TABLE bertha_votes (
                    id INTEGER PRIMARY KEY AUTOINCREMENT,
                    time_us INTEGER NOT NULL,
                    text TEXT NOT NULL,
                    text_pair TEXT,
                    model TEXT NOT NULL,
                    version INTEGER NOT NULL,
                    label TEXT NOT NULL,
                    score REAL NOT NULL,
                    verdict TEXT NOT NULL CHECK (verdict IN ('right', 'wrong')),
                    correct_label TEXT NOT NULL,
                    client TEXT NOT NULL,
                    request_id TEXT NOT NULL);)",
     .postgres = R"(CREATE TABLE bertha_votes (
                      id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                      time_us BIGINT NOT NULL,
                      text TEXT NOT NULL,
                      text_pair TEXT,
                      model TEXT NOT NULL,
                      version BIGINT NOT NULL,
                      label TEXT NOT NULL,
                      score REAL NOT NULL,
                      verdict TEXT NOT NULL CHECK (verdict IN ('right', 'wrong')),
                      correct_label TEXT NOT NULL,
                      client TEXT NOT NULL,
                      request_id TEXT NOT NULL);)"},
    // 2: retention finds the oldest without reading all.
    {.sqlite = "CREATE INDEX bertha_votes_by_time ON bertha_votes (time_us);",
     .postgres = "CREATE INDEX bertha_votes_by_time ON bertha_votes (time_us);"},
};

}  // namespace

absl::Span<const Migration> Migrations() { return kMigrations; }

absl::Status CheckNotNewer(int version, const std::string& where) {
  if (version <= SchemaVersion()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(where, ": has the schema of a newer bertha (version ", version,
                                                    ", this one knows up to ", SchemaVersion(),
                                                    "); update this program, or name another database"));
}

absl::Status CheckSame(int version, const std::string& where) {
  if (version >= SchemaVersion()) return CheckNotNewer(version, where);
  return absl::FailedPreconditionError(absl::StrCat(where, ": has the schema of an older bertha (version ", version,
                                                    ", this one reads ", SchemaVersion(),
                                                    "); a berthad of this version updates it when it starts"));
}

}  // namespace bertha::feedback
