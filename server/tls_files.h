// The files that make a listener speak TLS, shared by the HTTP and the gRPC server.
//
// Thread-safety: a plain value.
#ifndef BERTHA_SERVER_TLS_FILES_H_
#define BERTHA_SERVER_TLS_FILES_H_

#include <string>

#include "absl/status/status.h"

namespace bertha::server {

/// Paths of PEM files; all empty: no TLS. They may be replaced while the server runs.
struct TlsFiles {
  /// The server's certificate, then those of its intermediate authorities.
  std::string certificate;
  /// Its private key, without a passphrase.
  std::string key;
  /// Authorities whose clients are let in (mutual TLS): a client without a certificate of theirs is turned away.
  /// Empty: clients are not asked for one.
  std::string client_ca;

  bool enabled() const { return !certificate.empty(); }
};

/// INVALID_ARGUMENT, naming the setting, if one file is named without the other that it needs.
inline absl::Status ValidateTlsFiles(const TlsFiles& files) {
  if (files.certificate.empty() != files.key.empty()) {
    return absl::InvalidArgumentError(files.key.empty() ? "tls.certificate is set but tls.key is not: TLS needs both"
                                                        : "tls.key is set but tls.certificate is not: TLS needs both");
  }
  if (!files.client_ca.empty() && !files.enabled()) {
    return absl::InvalidArgumentError(
        "tls.client_ca is set but tls.certificate is not: clients can only be checked over TLS");
  }
  return absl::OkStatus();
}

}  // namespace bertha::server

#endif  // BERTHA_SERVER_TLS_FILES_H_
