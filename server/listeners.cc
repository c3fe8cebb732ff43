#include "server/listeners.h"

#include <chrono>
#include <utility>

#include "server/component_options.h"

namespace bertha::server {
namespace {

/// For the last replies to reach slow readers.
constexpr std::chrono::milliseconds kHttpGrace{500};

/// Puts what was started where it belongs.
template <class Listener>
absl::Status Keep(absl::StatusOr<std::unique_ptr<Listener>> started, std::unique_ptr<Listener>& place) {
  if (!started.ok()) return started.status();
  place = *std::move(started);
  return absl::OkStatus();
}

/// Null: plaintext.
absl::StatusOr<std::shared_ptr<TlsWatch>> OpenTls(const TlsFiles& files) {
  if (!files.enabled()) return nullptr;
  return TlsWatch::Open(files);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Listeners>> Listeners::Open(const Config& config, const PublicParts& callers,
                                                           const AdminParts& operators) {
  auto tls = OpenTls(TlsFilesOf(config));
  if (!tls.ok()) return tls.status();
  std::unique_ptr<Listeners> listeners(new Listeners());
  if (absl::Status status = listeners->OpenPublic(config, callers, *tls); !status.ok()) return status;
  const auto admin_tls = config.admin_tls ? *tls : nullptr;
  if (absl::Status status = listeners->OpenAdmin(config, operators, admin_tls); !status.ok()) return status;
  return listeners;
}

absl::Status Listeners::OpenPublic(const Config& config, const PublicParts& callers,
                                   const std::shared_ptr<const TlsWatch>& tls) {
  if (absl::Status status = Keep(GrpcServer::Start(config, callers, tls), grpc_); !status.ok()) return status;
  if (!config.http_address.empty()) {
    if (absl::Status status = Keep(HttpFront::Start(config, callers, tls), http_); !status.ok()) return status;
  }
  if (config.probe_address.empty()) return absl::OkStatus();
  return Keep(ProbeServer::Start(config.probe_address, callers.health.Snapshot()), probe_);
}

absl::Status Listeners::OpenAdmin(const Config& config, const AdminParts& operators,
                                  const std::shared_ptr<const TlsWatch>& tls) {
  if (!config.admin_http_address.empty()) {
    if (absl::Status status = Keep(HttpAdmin::Start(config, operators, tls), admin_http_); !status.ok()) return status;
  }
  if (config.admin_address.empty()) return absl::OkStatus();
  return Keep(AdminServer::Start(config, operators, tls), admin_grpc_);
}

void Listeners::SetHealth(const HealthSnapshot& health) {
  grpc_->SetHealth(health);
  if (probe_) probe_->SetHealth(health);
}

void Listeners::BeginLameDuck() {
  if (http_) http_->BeginDrain();
}

bool Listeners::Drain(batcher::Duration timeout) {
  const bool finished = grpc_->Drain(timeout);
  if (http_) http_->Stop(kHttpGrace);
  return finished;
}

void Listeners::ClosePublic() {
  grpc_->Close();
  if (probe_) probe_->Close();
}

void Listeners::CloseAdmin() {
  admin_http_.reset();
  admin_grpc_.reset();
}

}  // namespace bertha::server
