#include "server/access.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/file_fingerprint.h"
#include "server/retry_after.h"

namespace bertha::server {
namespace {

constexpr batcher::Duration kLookEvery = std::chrono::seconds(1);
/// The same for a missing and an unknown token: who guesses learns nothing.
constexpr char kNoToken[] =
    "this server asks for a token, and this call carries none that it knows: send \"authorization: Bearer TOKEN\"";

absl::string_view BearerToken(absl::string_view authorization) {
  constexpr absl::string_view kScheme = "Bearer ";
  if (!absl::StartsWithIgnoreCase(authorization, kScheme)) return "";
  return absl::StripAsciiWhitespace(authorization.substr(kScheme.size()));
}

/// Takes as long for every token that is not there.
const Token* Find(const std::vector<Token>& tokens, absl::string_view sent) {
  const Digest digest = Sha256(sent);
  const Token* found = nullptr;
  for (const Token& token : tokens) {
    if (CRYPTO_memcmp(token.digest.data(), digest.data(), digest.size()) == 0) found = &token;
  }
  return found;
}

/// An IPv6 address as its first 64 bits, anything else as it is.
std::string Network(absl::string_view address) {
  in6_addr v6{};
  const std::string text(address);
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1 || IN6_IS_ADDR_V4MAPPED(&v6)) return text;
  return std::string(reinterpret_cast<const char*>(v6.s6_addr), 8);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Access>> Access::Open(const Options& options, const batcher::Clock& clock) {
  std::unique_ptr<Access> access(new Access(options, clock));
  if (!options.tokens_file.empty()) {
    if (absl::Status status = access->Reload(); !status.ok()) return status;
    access->next_look_ = (clock.Now() + kLookEvery).time_since_epoch().count();
  }
  return access;
}

absl::Status Access::Reload() {
  const std::string& path = options_.tokens_file;
  fingerprint_ = FingerprintOf(path);
  std::ifstream file(path);
  std::stringstream text;
  if (file) text << file.rdbuf();
  if (!file || text.fail()) return absl::InvalidArgumentError(absl::StrCat(path, " (auth.tokens_file) cannot be read"));
  absl::StatusOr<Tokens> tokens = ParseTokens(text.str(), path);
  if (!tokens.ok()) return tokens.status();
  if (tokens->empty()) return absl::InvalidArgumentError(absl::StrCat(path, " (auth.tokens_file) holds no tokens"));
  struct stat s {};
  if (stat(path.c_str(), &s) == 0 && (s.st_mode & S_IROTH)) {
    spdlog::warn("{} (auth.tokens_file) can be read by every user of this machine: chmod 600", path);
  }
  const auto shared = std::make_shared<const Tokens>(*std::move(tokens));
  spdlog::info("{}: {} tokens", path, shared->size());
  MutexLock lock(mutex_);
  tokens_ = shared;
  return absl::OkStatus();
}

void Access::ReloadIfDue() {
  const int64_t now = clock_.Now().time_since_epoch().count();
  int64_t due = next_look_.load(std::memory_order_relaxed);
  if (now < due || !next_look_.compare_exchange_strong(due, INT64_MAX, std::memory_order_acquire)) return;
  if (FingerprintOf(options_.tokens_file) != fingerprint_) {
    if (absl::Status status = Reload(); !status.ok()) {
      spdlog::error("{}; the tokens of before stay in force", std::string(status.message()));
    }
  }
  next_look_.store(now + kLookEvery.count(), std::memory_order_release);
}

std::shared_ptr<const Access::Tokens> Access::tokens() const {
  MutexLock lock(mutex_);
  return tokens_;
}

absl::StatusOr<std::string> Access::Authorize(Scope scope, Listener listener, absl::string_view authorization) const {
  if (options_.tokens_file.empty()) {
    if (scope != Scope::kAdmin || listener == Listener::kAdmin) return std::string();
    return absl::PermissionDeniedError("admin calls are answered on the admin listener (admin.address), not here");
  }
  const std::shared_ptr<const Tokens> tokens = this->tokens();
  const Token* token = Find(*tokens, BearerToken(authorization));
  if (!token) return absl::UnauthenticatedError(kNoToken);
  if (token->Allows(scope)) return token->name;
  return absl::PermissionDeniedError(
      absl::StrCat("the token \"", token->name, "\" does not have the scope ", NameOf(scope)));
}

absl::Status Access::Count(absl::string_view token_name, absl::string_view address) {
  if (!limiter_.enabled()) return absl::OkStatus();
  const std::string client =
      token_name.empty() ? absl::StrCat("address ", Network(address)) : absl::StrCat("token ", token_name);
  const batcher::Duration wait = limiter_.Acquire(client, clock_.Now());
  if (wait == batcher::Duration::zero()) return absl::OkStatus();
  const std::string who =
      token_name.empty() ? std::string("this address") : absl::StrCat("the token \"", token_name, "\"");
  return WithRetryAfter(
      absl::ResourceExhaustedError(absl::StrCat("more calls of ", who, " than limits.requests_per_second allows")),
      wait);
}

absl::StatusOr<std::string> Access::Check(Scope scope, Listener listener, absl::string_view authorization,
                                          absl::string_view address) {
  if (!options_.tokens_file.empty()) ReloadIfDue();
  absl::StatusOr<std::string> name = Authorize(scope, listener, authorization);
  if (name.ok() && scope == Scope::kAdmin) return name;
  if (absl::Status status = Count(name.ok() ? *name : std::string(), address); !status.ok()) return status;
  return name;
}

}  // namespace bertha::server
