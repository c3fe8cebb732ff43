#include "server/tls_watch.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/file_fingerprint.h"

namespace bertha::server {

absl::StatusOr<std::shared_ptr<TlsWatch>> TlsWatch::Open(const TlsFiles& files, std::chrono::milliseconds poll) {
  std::shared_ptr<TlsWatch> watch(new TlsWatch(files, poll));
  const std::string fingerprint = watch->Fingerprint();
  absl::StatusOr<TlsMaterial> material = ReadTlsMaterial(files);
  if (!material.ok()) return material.status();
  {
    MutexLock lock(watch->look_mutex_);
    watch->fingerprint_ = fingerprint;
    watch->Take(*std::move(material));
  }
  watch->thread_ = std::thread([self = watch.get()] { self->Run(); });
  return watch;
}

TlsWatch::~TlsWatch() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  stop_.NotifyAll();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<const TlsMaterial> TlsWatch::current() const {
  MutexLock lock(mutex_);
  return material_;
}

void TlsWatch::Look() {
  MutexLock lock(look_mutex_);
  const std::string fingerprint = Fingerprint();  // before reading: a change meanwhile is found by the next look
  if (fingerprint == fingerprint_) return;
  absl::StatusOr<TlsMaterial> material = ReadTlsMaterial(files_);
  const std::string complaint(material.status().message());
  if (!complaint.empty() && complaint != last_complaint_) {
    spdlog::error("TLS files changed but cannot be used, keeping the old: {}", complaint);
  }
  last_complaint_ = complaint;
  if (!material.ok()) return;
  fingerprint_ = fingerprint;
  if (*material == *current()) return;
  Take(*std::move(material));
  spdlog::info("TLS files changed: new connections use them");
}

std::string TlsWatch::Fingerprint() const {
  return absl::StrCat(FingerprintOf(files_.certificate), "/", FingerprintOf(files_.key), "/",
                      FingerprintOf(files_.client_ca));
}

void TlsWatch::Take(TlsMaterial material) {
  auto taken = std::make_shared<const TlsMaterial>(std::move(material));
  MutexLock lock(mutex_);
  material_ = std::move(taken);
}

void TlsWatch::Run() {
  while (true) {
    {
      MutexLock lock(mutex_);
      const auto until = std::chrono::steady_clock::now() + poll_;
      while (!stopping_ && stop_.WaitUntil(mutex_, until)) {
      }
      if (stopping_) return;
    }
    Look();
  }
}

}  // namespace bertha::server
