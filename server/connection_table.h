// The open connections of a listener whose sockets belong to somebody else, who closes them when he likes: how many,
// whose, and how to end one from outside.
//
// A descriptor's number says nothing once its socket may have been closed: the kernel gives it to the next. So every
// socket is known by its cookie too (SO_COOKIE), which is never given again.
//
// Thousands of quiet connections cost next to nothing: the kernel notes on which something came (an epoll that nobody
// sleeps on). To ask 5,000 for their counters one by one takes a core for 8 ms, and the calls of others wait behind it.
//
// Thread-safety: thread-compatible; the owner of the sockets may close them at any time.
#ifndef BERTHA_SERVER_CONNECTION_TABLE_H_
#define BERTHA_SERVER_CONNECTION_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

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

  /// Connections that a Sweep asks for their counters although nothing is known to have come.
  static constexpr size_t kVisitedAtOnce = 64;

  explicit ConnectionTable(const Options& options);
  ~ConnectionTable();
  ConnectionTable(const ConnectionTable&) = delete;
  ConnectionTable& operator=(const ConnectionTable&) = delete;

  /// Takes up a TCP socket. RESOURCE_EXHAUSTED, naming the setting, if there are too many, or if the system watches no
  /// more; then it is the caller's to close.
  absl::Status Add(int fd);

  using LookFunction = std::function<void(int fd, uint64_t bytes_received, Connection& connection)>;

  /// Calls `look` for each connection that is open and has received a few kilobytes since it was last judged, with the
  /// bytes that it has received in all; and visits the next kVisitedAtOnce in turn, to forget what has been closed.
  void Sweep(const LookFunction& look);

  /// Ends the connection in both directions; its owner sees it as closed by the peer.
  static void ShutDown(int fd, const Connection& connection);

  /// Null if it is none of these.
  const Connection* Find(int fd) const {
    const auto it = connections_.find(fd);
    return it == connections_.end() ? nullptr : &it->second;
  }

  /// Those that were closed since they were last visited are among them.
  size_t size() const { return connections_.size(); }

  /// Of all connections; valid until the table changes.
  std::unordered_set<std::string_view> Peers() const;

 private:
  using Iterator = std::map<int, Connection>::iterator;
  Iterator Forget(Iterator it);
  /// Forgets the connection if it is closed, calls `look` if it is worth one. Returns the next one.
  Iterator Visit(Iterator it, const LookFunction& look);
  /// Visits some, from descriptor `next` on, which becomes the one to go on from.
  void VisitSome(int& next, const LookFunction& look);
  bool AtLimit(const std::string& client) const;
  /// Forgets some of what has been closed, and counts against the limit that `client` is at.
  void MakeRoom(const std::string& client);

  const Options options_;
  const int received_;                     // an epoll: on which sockets something came
  std::map<int, Connection> connections_;  // by descriptor
  int next_looked_at_ = 0;
  int next_counted_ = 0;  // apart: who is refused again and again does not keep anybody from being looked at
  std::unordered_map<std::string, std::set<int>> per_client_;  // descriptors
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_CONNECTION_TABLE_H_
