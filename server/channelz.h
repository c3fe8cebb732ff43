// What gRPC itself counts on each connection (its channelz interface), found by the peer.
//
// Thread-safety: thread-compatible.
#ifndef BERTHA_SERVER_CHANNELZ_H_
#define BERTHA_SERVER_CHANNELZ_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "server/connection_judge.h"

namespace bertha::server {

class Channelz {
 public:
  /// Of the connection of any server of this process that comes from `peer` ("ipv4:10.0.0.7:5000"), but for
  /// bytes_received, which gRPC does not count. Nothing while gRPC does not know it, e.g. before the hello.
  std::optional<Activity> ActivityOf(const std::string& peer);

  /// The connection is closed.
  void Forget(const std::string& peer) { sockets_.erase(peer); }

  /// Forgets those of all others: gRPC does not tell which are closed, and lists the ones of other servers too.
  void ForgetAllBut(const std::unordered_set<std::string_view>& peers) {
    std::erase_if(sockets_, [&](const auto& socket) { return !peers.contains(socket.first); });
  }

  /// Connections that are remembered.
  size_t size() const { return sockets_.size(); }

 private:
  /// Learns of connections that are younger than the last look.
  void FindNew();

  std::unordered_map<std::string, intptr_t> sockets_;  // by peer
  std::map<intptr_t, intptr_t> next_;                  // by server: the next socket to look for
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_CHANNELZ_H_
