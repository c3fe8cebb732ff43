// What TLS files hold, proven to fit together.
//
// Source: OpenSSL. Thread-safety: values and pure functions.
#ifndef BERTHA_SERVER_TLS_MATERIAL_H_
#define BERTHA_SERVER_TLS_MATERIAL_H_

#include <openssl/ssl.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/tls_files.h"

namespace bertha::server {

struct TlsMaterial {
  /// PEM, see TlsFiles.
  std::string certificate, key, client_ca;
  bool operator==(const TlsMaterial&) const = default;
};

/// INVALID_ARGUMENT names the file that cannot be read or used, and why: whatever it returns UseTlsMaterial takes.
absl::StatusOr<TlsMaterial> ReadTlsMaterial(const TlsFiles& files);

/// Makes `context` show the certificate, and demand one of clients if there are authorities for them. `files` are for
/// the message: INVALID_ARGUMENT names the one that is to blame.
absl::Status UseTlsMaterial(const TlsMaterial& material, const TlsFiles& files, SSL_CTX* context);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_TLS_MATERIAL_H_
