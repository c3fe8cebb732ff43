// OpenSSL's side of HTTP over TLS: 1.2 and 1.3 only, ALPN http/1.1.
//
// Thread-safety: thread-compatible.
#ifndef BERTHA_SERVER_HTTP_TLS_CONTEXT_H_
#define BERTHA_SERVER_HTTP_TLS_CONTEXT_H_

#include <openssl/ssl.h>

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "server/tls_watch.h"

namespace bertha::server {

/// Follows the files of a TlsWatch: it makes a new SSL_CTX whenever they have changed.
class TlsContext {
 public:
  static absl::StatusOr<std::unique_ptr<TlsContext>> Of(std::shared_ptr<const TlsWatch> watch);

  /// For the next connection, which keeps it for as long as it lives. Never null.
  std::shared_ptr<SSL_CTX> Current();

 private:
  explicit TlsContext(std::shared_ptr<const TlsWatch> watch) : watch_(std::move(watch)) {}

  absl::Status Follow();

  const std::shared_ptr<const TlsWatch> watch_;
  std::shared_ptr<const TlsMaterial> material_;  // what Follow saw last
  std::shared_ptr<SSL_CTX> context_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_TLS_CONTEXT_H_
