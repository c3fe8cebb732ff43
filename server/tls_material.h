// What TLS files hold, checked, and looked at again when they change.
//
// Thread-safety: thread-safe.
#ifndef BERTHA_SERVER_TLS_MATERIAL_H_
#define BERTHA_SERVER_TLS_MATERIAL_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "batcher/clock.h"
#include "batcher/mutex.h"
#include "server/tls_files.h"

namespace bertha::server {

/// PEM.
struct TlsMaterial {
  std::string certificate, key;
  /// Empty: clients are not asked for a certificate.
  std::string client_ca;
};

/// INVALID_ARGUMENT names the file that cannot be read or used; key and certificate must belong together.
absl::StatusOr<TlsMaterial> ReadTlsMaterial(const TlsFiles& files);

class TlsWatch {
 public:
  /// `clock` outlives this.
  TlsWatch(const TlsFiles& files, const batcher::Clock& clock) : files_(files), clock_(clock) {}

  /// The material, if it is not what was returned last; looks at the files once a second at most. What is broken is
  /// logged once and not returned.
  std::optional<TlsMaterial> TakeNew();

 private:
  const TlsFiles files_;
  const batcher::Clock& clock_;
  Mutex mutex_;
  batcher::TimePoint next_look_ ABSL_GUARDED_BY(mutex_){};
  std::string fingerprint_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_TLS_MATERIAL_H_
