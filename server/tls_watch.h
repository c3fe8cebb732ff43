// The TLS files of the process while it runs: one place looks whether they have changed, and every listener, gRPC or
// HTTP, takes from here what it shows to the next connection.
//
// Certificate and key are rarely replaced at the same moment: new files that cannot be read, or do not fit together,
// are logged, once for each complaint, and those before them stay in use. Polling, not inotify: network volumes send no
// events.
//
// Thread-safety: thread-safe. One thread of its own looks at the files.
#ifndef BERTHA_SERVER_TLS_WATCH_H_
#define BERTHA_SERVER_TLS_WATCH_H_

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "batcher/mutex.h"
#include "server/tls_files.h"
#include "server/tls_material.h"

namespace bertha::server {

class TlsWatch {
 public:
  /// Looks at the files every `poll`. INVALID_ARGUMENT names the file that is no use to begin with.
  static absl::StatusOr<std::shared_ptr<TlsWatch>> Open(const TlsFiles& files,
                                                        std::chrono::milliseconds poll = std::chrono::seconds(1));
  ~TlsWatch();

  /// Never null; another pointer after a change.
  std::shared_ptr<const TlsMaterial> current() const;
  const TlsFiles& files() const { return files_; }

  /// Looks at the files now.
  void Look();

 private:
  TlsWatch(const TlsFiles& files, std::chrono::milliseconds poll) : files_(files), poll_(poll) {}

  std::string Fingerprint() const;
  void Take(TlsMaterial material);
  void Run();

  const TlsFiles files_;
  const std::chrono::milliseconds poll_;

  Mutex look_mutex_;
  /// Of the files that were read last and were good.
  std::string fingerprint_ ABSL_GUARDED_BY(look_mutex_);
  std::string last_complaint_ ABSL_GUARDED_BY(look_mutex_);

  mutable Mutex mutex_ ABSL_ACQUIRED_AFTER(look_mutex_);
  std::shared_ptr<const TlsMaterial> material_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  CondVar stop_;
  std::thread thread_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_TLS_WATCH_H_
