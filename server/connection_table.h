// The open connections of a listener whose sockets belong to somebody else, who closes them when he likes: how many,
// whose, and how to end one from outside.
//
// A descriptor's number says nothing once its socket may have been closed: the kernel gives it to the next. So every
// socket is known by its cookie too (SO_COOKIE), which is never given again.
//
// Thread-safety: thread-compatible; the owner of the sockets may close them at any time.
#ifndef BERTHA_SERVER_CONNECTION_TABLE_H_
#define BERTHA_SERVER_CONNECTION_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>

#include "absl/status/status.h"
#include "server/connection_judge.h"

namespace bertha::server {

class ConnectionTable {
 public:
  struct Options {
    size_t max_connections = 16384;
    /// Of one address (IPv6: of one network of 64 bits); 0: any number.
    size_t max_per_client = 0;
    ConnectionJudge::Options judge;
  };

  struct Connection {
    uint64_t cookie = 0;
    /// "ipv4:10.0.0.7:5000" or "ipv6:[::1]:5000".
    std::string peer;
    /// Who counts as one client.
    std::string client;
    ConnectionJudge judge;
  };

  explicit ConnectionTable(const Options& options) : options_(options) {}

  /// Takes up a TCP socket. RESOURCE_EXHAUSTED, naming the setting, if there are too many; then it is the caller's to
  /// close.
  absl::Status Add(int fd);

  /// Forgets what has been closed, and calls `look` for each connection that is open and has received a few
  /// kilobytes since it was last judged, with the bytes that it has received in all.
  void Sweep(const std::function<void(int fd, uint64_t bytes_received, Connection& connection)>& look);

  /// Ends the connection in both directions; its owner sees it as closed by the peer.
  static void ShutDown(int fd, const Connection& connection);

  /// Null if it is none of these.
  const Connection* Find(int fd) const {
    const auto it = connections_.find(fd);
    return it == connections_.end() ? nullptr : &it->second;
  }

  size_t size() const { return connections_.size(); }

 private:
  using Iterator = std::unordered_map<int, Connection>::iterator;
  Iterator Forget(Iterator it);
  bool AtLimit(const std::string& client) const;

  const Options options_;
  std::unordered_map<int, Connection> connections_;
  std::unordered_map<std::string, size_t> per_client_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_CONNECTION_TABLE_H_
