// The certificate that new connections see, read again when its files change.
//
// Source: OpenSSL; TLS 1.2 and 1.3 only, ALPN http/1.1. Thread-safety: thread-safe.
#ifndef BERTHA_SERVER_HTTP_TLS_CONTEXT_H_
#define BERTHA_SERVER_HTTP_TLS_CONTEXT_H_

#include <openssl/ssl.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "batcher/mutex.h"
#include "server/tls_files.h"

namespace bertha::server {

/// Looks at the files every `poll` on a thread of its own. A pair that does not fit or cannot be read is logged, and
/// the one before it stays.
class TlsContext {
 public:
  /// INVALID_ARGUMENT names the file that is no use.
  static absl::StatusOr<std::unique_ptr<TlsContext>> Load(const TlsFiles& files, std::chrono::milliseconds poll);
  ~TlsContext();

  /// For the next connection; it keeps it for as long as it lives.
  std::shared_ptr<SSL_CTX> current() const;

 private:
  /// Of certificate, key and client CA: what they held, and when they were changed.
  struct Snapshot {
    std::array<std::string, 3> contents;
    std::array<std::filesystem::file_time_type, 3> times;
  };

  TlsContext(TlsFiles files, std::chrono::milliseconds poll);
  absl::StatusOr<Snapshot> Read() const;
  absl::StatusOr<std::shared_ptr<SSL_CTX>> Make(const Snapshot& snapshot) const;
  bool Unchanged() const;
  void Watch();
  void Reload();

  const TlsFiles files_;
  const std::chrono::milliseconds poll_;
  Snapshot snapshot_;           // of the watching thread, after Load
  std::string last_complaint_;  // likewise
  mutable Mutex mutex_;
  CondVar stop_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<SSL_CTX> context_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_TLS_CONTEXT_H_
