// TCP sockets that listen on "host:port".
//
// Thread-safety: thread-compatible.
#ifndef BERTHA_SERVER_LISTENING_SOCKETS_H_
#define BERTHA_SERVER_LISTENING_SOCKETS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace bertha::server {

/// Closes them when it is destroyed.
class ListeningSockets {
 public:
  /// On every address of the host; "0.0.0.0" and "[::]" mean all addresses, IPv4 and IPv6. Port 0: any that is free. No
  /// other process can listen on the same port (no SO_REUSEPORT). UNAVAILABLE: none of the addresses can be had;
  /// the message says which address and why.
  static absl::StatusOr<ListeningSockets> Open(const std::string& address);

  ListeningSockets(ListeningSockets&& other) noexcept;
  ListeningSockets& operator=(ListeningSockets&& other) noexcept;
  ~ListeningSockets();

  /// Non-blocking.
  const std::vector<int>& fds() const { return fds_; }
  int port() const { return port_; }

 private:
  ListeningSockets() = default;
  std::vector<int> fds_;
  int port_ = 0;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_LISTENING_SOCKETS_H_
