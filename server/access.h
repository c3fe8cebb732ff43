// Who may call what, and how often: bearer tokens (RFC 6750) from a file that may change while the server runs, and a
// limit on the calls of each client.
//
// Without a file of tokens everybody may infer and give feedback, and whoever reaches the admin listener is admin.
//
// The file is looked at again by a call, a second after the last look at the earliest. A new file that is broken or
// gone leaves the old tokens in force, and is logged once.
//
// Thread-safety: thread-safe; a call holds a lock for as long as it takes to copy a pointer.
#ifndef BERTHA_SERVER_ACCESS_H_
#define BERTHA_SERVER_ACCESS_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "batcher/clock.h"
#include "batcher/mutex.h"
#include "server/rate_limiter.h"
#include "server/token_file.h"

namespace bertha::server {

/// Which door a call came through.
enum class Listener { kMain, kAdmin };

class Access {
 public:
  struct Options {
    /// Empty: no tokens.
    std::string tokens_file;
    RateLimiter::Options rate;
  };

  /// INVALID_ARGUMENT that names the file, the line and what is wrong if there are no good tokens to begin with.
  /// `clock` outlives this.
  static absl::StatusOr<std::unique_ptr<Access>> Open(const Options& options, const batcher::Clock& clock);

  /// The name of the token, empty without a file of tokens.
  /// `authorization`: the header's value; `address`: the client's. UNAUTHENTICATED: no token, or one that is not
  /// known. PERMISSION_DENIED: not for this scope, which it names. Does not count the call.
  absl::StatusOr<std::string> Authorize(Scope scope, Listener listener, absl::string_view authorization) const;

  /// Counts a call or a message of the client that is known by the token's name, or else by its address. Of IPv6
  /// addresses the first 64 bits count: that is what one customer gets. RESOURCE_EXHAUSTED that carries the time to
  /// wait, see retry.h.
  absl::Status Count(absl::string_view token_name, absl::string_view address);

  /// Both: what a call has to pass. Operators are not limited; wrong tokens are, by address.
  absl::StatusOr<std::string> Check(Scope scope, Listener listener, absl::string_view authorization,
                                    absl::string_view address);

 private:
  using Tokens = std::vector<Token>;
  Access(const Options& options, const batcher::Clock& clock)
      : options_(options), clock_(clock), limiter_(options.rate) {}

  absl::Status Reload();
  void ReloadIfDue();
  std::shared_ptr<const Tokens> tokens() const;

  const Options options_;
  const batcher::Clock& clock_;
  RateLimiter limiter_;
  std::atomic<int64_t> next_look_ = 0;  // nanoseconds of the clock; INT64_MAX while somebody looks
  /// What the file looked like when it was last read; written by whoever looks.
  std::string fingerprint_;
  mutable Mutex mutex_;
  std::shared_ptr<const Tokens> tokens_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_ACCESS_H_
