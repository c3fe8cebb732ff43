#include "server/feedback/database.h"

#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/feedback/postgres_database.h"
#include "server/feedback/sqlite_database.h"

namespace bertha::feedback {
namespace {

/// Votes in memory at a time; each may have a text of megabytes.
constexpr size_t kPortion = 100;
constexpr char kHidden[] = "***";

/// Replaces the value of each `name=value` of a URI's query.
void HideParameter(const std::string& name, std::string& uri) {
  const std::string wanted = absl::StrCat(name, "=");
  for (size_t at = uri.find('?'); at != std::string::npos; at = uri.find('&', at + 1)) {
    if (!absl::StartsWithIgnoreCase(absl::string_view(uri).substr(at + 1), wanted)) continue;
    const size_t begin = at + 1 + wanted.size();
    uri.replace(begin, std::min(uri.find('&', begin), uri.size()) - begin, kHidden);
  }
}

}  // namespace

bool IsPostgres(const std::string& where) {
  return absl::StartsWith(where, "postgresql://") || absl::StartsWith(where, "postgres://");
}

absl::Status CheckDatabase(const std::string& where) {
  return IsPostgres(where) ? CheckPostgresUri(where) : absl::OkStatus();
}

std::string WithoutPassword(const std::string& where) {
  if (!IsPostgres(where)) return where;
  std::string uri = where;
  const size_t user = uri.find("://") + 3;
  // A password with '@', '/' or '?' as they are is against the rules, but must not show either: the last '@' counts.
  const size_t host = uri.rfind('@');
  if (host != std::string::npos) {
    const size_t colon = uri.find(':', user);
    if (colon < host) uri.replace(colon + 1, host - colon - 1, kHidden);
  }
  for (const char* name : {"password", "sslpassword"}) HideParameter(name, uri);
  return uri;
}

std::unique_ptr<Database> MakeDatabase(const std::string& where, Access access) {
  if (IsPostgres(where)) return std::make_unique<PostgresDatabase>(where, access);
  return std::make_unique<SqliteDatabase>(where, access);
}

absl::Status ForEachVote(Database& database, const VoteFilter& filter,
                         absl::FunctionRef<absl::Status(const StoredVote&)> use) {
  int64_t last = 0;
  while (true) {
    absl::StatusOr<std::vector<StoredVote>> votes = database.Read(filter, last, kPortion);
    if (!votes.ok()) return votes.status();
    for (const StoredVote& vote : *votes) {
      if (absl::Status status = use(vote); !status.ok()) return status;
    }
    if (votes->size() < kPortion) return absl::OkStatus();
    last = votes->back().id;
  }
}

}  // namespace bertha::feedback
