#include "server/grpc_health.h"

#include <optional>
#include <utility>

namespace bertha::server {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

/// One Watch stream. Writes one status at a time; statuses that change faster than the client reads are skipped, the
/// last one is always sent. Removed from the table, and so freed, in OnDone.
class GrpcHealth::Watcher final : public grpc::ServerWriteReactor<HealthCheckResponse>,
                                  public std::enable_shared_from_this<Watcher> {
 public:
  Watcher(GrpcHealth& health, std::string service) : health_(health), service_(std::move(service)) {}

  const std::string& service() const { return service_; }

  void Send(Status status) {
    MutexLock lock(mutex_);
    wanted_ = status;
    Step();
  }
  void End() {
    MutexLock lock(mutex_);
    ending_ = true;
    Step();
  }
  void OnWriteDone(bool ok) override {
    MutexLock lock(mutex_);
    writing_ = false;
    if (!ok) ending_ = true;
    Step();
  }
  void OnCancel() override { End(); }
  void OnDone() override { health_.Remove(shared_from_this()); }

 private:
  /// gRPC never calls a reaction inline from these, so they may be called under the lock.
  void Step() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_ || finished_) return;
    if (wanted_ != sent_) {
      sent_ = wanted_;
      response_.set_status(*wanted_);
      writing_ = true;
      StartWrite(&response_);
    } else if (ending_) {
      finished_ = true;
      Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server is shutting down"));
    }
  }

  GrpcHealth& health_;
  const std::string service_;
  Mutex mutex_;
  HealthCheckResponse response_ ABSL_GUARDED_BY(mutex_);
  std::optional<Status> wanted_ ABSL_GUARDED_BY(mutex_), sent_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

GrpcHealth::~GrpcHealth() = default;

GrpcHealth::Status GrpcHealth::StatusOf(const std::string& service) const {
  const auto it = serving_.find(service);
  if (it == serving_.end()) return HealthCheckResponse::SERVICE_UNKNOWN;
  return it->second ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

void GrpcHealth::NotifyAll() {
  for (const auto& watcher : watchers_) watcher->Send(StatusOf(watcher->service()));
}

void GrpcHealth::Set(const HealthSnapshot& snapshot) {
  MutexLock lock(mutex_);
  serving_.clear();
  for (const auto& [name, verdict] : snapshot.names) serving_[name] = verdict.ok;
  for (const char* service : {"", "readiness", "bertha.v1.Bertha"}) serving_[service] = snapshot.ready.ok;
  serving_["liveness"] = snapshot.live.ok;
  NotifyAll();
}

void GrpcHealth::EndWatches(std::chrono::milliseconds patience) {
  MutexLock lock(mutex_);
  ending_ = true;
  for (const auto& watcher : watchers_) watcher->End();
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!watchers_.empty() && std::chrono::steady_clock::now() < until) ended_.WaitUntil(mutex_, until);
}

void GrpcHealth::Remove(const std::shared_ptr<Watcher>& watcher) {
  MutexLock lock(mutex_);
  watchers_.erase(watcher);
  ended_.NotifyAll();
}

grpc::ServerUnaryReactor* GrpcHealth::Check(grpc::CallbackServerContext* context, const HealthCheckRequest* request,
                                            HealthCheckResponse* response) {
  Status status;
  {
    MutexLock lock(mutex_);
    status = StatusOf(request->service());
  }
  response->set_status(status);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(
      status == HealthCheckResponse::SERVICE_UNKNOWN
          ? grpc::Status(grpc::StatusCode::NOT_FOUND,
                         "unknown service; known: \"\" (the whole server), readiness, liveness, bertha.v1.Bertha, "
                         "model names")
          : grpc::Status::OK);
  return reactor;
}

grpc::ServerWriteReactor<HealthCheckResponse>* GrpcHealth::Watch(grpc::CallbackServerContext*,
                                                                 const HealthCheckRequest* request) {
  auto watcher = std::make_shared<Watcher>(*this, request->service());
  MutexLock lock(mutex_);
  watchers_.insert(watcher);
  watcher->Send(StatusOf(request->service()));
  if (ending_) watcher->End();
  return watcher.get();
}

}  // namespace bertha::server
