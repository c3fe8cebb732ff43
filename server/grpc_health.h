// grpc.health.v1.Health: Check and Watch (https://github.com/grpc/grpc/blob/master/doc/health-checking.md).
//
// gRPC's built-in service answers SERVING from its first moment; this one says NOT_SERVING until told otherwise, which
// here means: until a real forward pass has succeeded (server/health_board.h).
//
// A model that is removed becomes SERVICE_UNKNOWN, as the protocol says of services that are not known at the moment;
// who watches it is told, and told again if it comes back.
//
// Services: "" (the whole server), "readiness" and "bertha.v1.Bertha" (the same), "liveness" (the process), and each
// model's name. A model that is called like one of these is not asked for.
// Thread-safety: thread-safe.
#ifndef BERTHA_SERVER_GRPC_HEALTH_H_
#define BERTHA_SERVER_GRPC_HEALTH_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "batcher/mutex.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "server/health_board.h"

namespace bertha::server {

/// How long whoever watches, or keeps a connection open, may take to be told that it is over.
inline constexpr std::chrono::milliseconds kClosePatience{500};

class GrpcHealth final : public grpc::health::v1::Health::CallbackService {
 public:
  explicit GrpcHealth(const HealthSnapshot& snapshot) { Set(snapshot); }
  ~GrpcHealth() override;

  /// Models that the snapshot does not have are unknown services from now on, also to those who watch them.
  void Set(const HealthSnapshot& snapshot);
  /// Ends all Watch streams, and waits for that as long as `patience` lasts.
  void EndWatches(std::chrono::milliseconds patience);

  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* context,
                                  const grpc::health::v1::HealthCheckRequest* request,
                                  grpc::health::v1::HealthCheckResponse* response) override;
  grpc::ServerWriteReactor<grpc::health::v1::HealthCheckResponse>* Watch(
      grpc::CallbackServerContext* context, const grpc::health::v1::HealthCheckRequest* request) override;

 private:
  using Status = grpc::health::v1::HealthCheckResponse::ServingStatus;
  class Watcher;

  Status StatusOf(const std::string& service) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NotifyAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Remove(const std::shared_ptr<Watcher>& watcher);

  Mutex mutex_;
  std::map<std::string, bool> serving_ ABSL_GUARDED_BY(mutex_);
  std::set<std::shared_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mutex_);
  CondVar ended_;  // a watcher
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_GRPC_HEALTH_H_
