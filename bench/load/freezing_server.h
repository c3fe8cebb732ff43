// A server of bertha.v1 that answers every Classify at once, unless it is frozen: for tests of what measures servers.
#ifndef BERTHA_BENCH_LOAD_FREEZING_SERVER_H_
#define BERTHA_BENCH_LOAD_FREEZING_SERVER_H_

#include <grpcpp/channel.h>

#include <memory>

namespace bertha::load {

/// Thread-safe.
class FreezingServer {
 public:
  /// On a free port of the loopback interface.
  FreezingServer();
  /// Thaws it; what is in flight is answered.
  ~FreezingServer();

  /// False: no port could be had.
  bool listens() const;
  /// A connection of its own.
  std::shared_ptr<grpc::Channel> Connect() const;

  /// Calls that come from now on are answered when it thaws.
  void Freeze();
  void Thaw();

 private:
  class Service;
  const std::unique_ptr<Service> service_;
};

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_FREEZING_SERVER_H_
