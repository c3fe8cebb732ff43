// Accepts the connections of a gRPC server, hands them over to it, and ends those that abuse it.
//
// Why gRPC (1.51) does not do it itself: its listener stops for good when the process runs out of file descriptors, it
// has no limit on connections, and a client that resets its streams as fast as it opens them makes it queue more than a
// gigabyte in ten seconds.
//
// Thread-safety: thread-compatible, but for StopAccepting. One thread accepts, and looks at the connections that have
// received something as often as LookSchedule says; while there are none it sleeps.
#ifndef BERTHA_SERVER_GRPC_LISTENER_H_
#define BERTHA_SERVER_GRPC_LISTENER_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "batcher/clock.h"
#include "server/channelz.h"
#include "server/connection_table.h"
#include "server/listening_sockets.h"
#include "server/look_schedule.h"

namespace bertha::server {

class GrpcListener {
 public:
  /// Listens on `address`, without accepting yet: callers wait. UNAVAILABLE if it cannot be had. To be called before
  /// `builder` builds the server. `clock` outlives the listener.
  static absl::StatusOr<std::unique_ptr<GrpcListener>> Open(const std::string& address,
                                                            const ConnectionTable::Options& limits,
                                                            std::shared_ptr<grpc::ServerCredentials> credentials,
                                                            const batcher::Clock& clock, grpc::ServerBuilder& builder);
  /// Listens no more; the connections stay.
  ~GrpcListener();

  /// Begins to accept; once, after the server has been built.
  void Start();

  /// From now on who connects is refused; who has connected is let in. The connections stay. From any thread.
  void StopAccepting();

 private:
  using Acceptor = grpc::experimental::ExternalConnectionAcceptor;
  GrpcListener(ListeningSockets sockets, const ConnectionTable::Options& limits, std::unique_ptr<Acceptor> acceptor,
               const batcher::Clock& clock);

  void Loop();
  /// What StopAccepting asked for.
  void CloseListeners();
  /// False if the process has no descriptor left.
  bool AcceptAll(int listener);
  void HandOver(int listener, int fd);
  void Sweep();
  void Look(int fd, uint64_t bytes_received, ConnectionTable::Connection& connection);

  const batcher::Clock& clock_;
  const ListeningSockets sockets_;
  const std::unique_ptr<Acceptor> acceptor_;
  const int wake_;  // an eventfd: there is something new in the two below
  std::atomic<bool> accepting_ = true, ended_ = false;
  ConnectionTable table_;
  Channelz channelz_;
  LookSchedule schedule_;
  batcher::TimePoint next_warning_{};
  std::thread thread_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_GRPC_LISTENER_H_
