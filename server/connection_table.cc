#include "server/connection_table.h"

// Not netinet/tcp.h: its tcp_info ends before the counters of bytes.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace bertha::server {
namespace {

/// Less than this since the last look cannot do harm: 150 resets, for example.
constexpr uint64_t kWorthALook = 4096;

/// 0: no socket.
uint64_t CookieOf(int fd) {
  uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

uint64_t BytesReceived(int fd) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_bytes_received : 0;
}

/// Sets `peer` and `client` of `connection`.
void NamePeer(int fd, ConnectionTable::Connection& connection) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return;
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    connection.client = inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    connection.peer = absl::StrCat("ipv4:", text, ":", ntohs(v4.sin_port));
  } else if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    const bool mapped = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr);
    if (mapped) {
      connection.client = inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text, sizeof(text));
      connection.peer = absl::StrCat("ipv4:", text, ":", ntohs(v6.sin6_port));
    } else {
      connection.client = std::string(reinterpret_cast<const char*>(v6.sin6_addr.s6_addr), 8);
      inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
      connection.peer = absl::StrCat("ipv6:[", text, "]:", ntohs(v6.sin6_port));
    }
  }
}

}  // namespace

ConnectionTable::ConnectionTable(const Options& options) : options_(options), received_(epoll_create1(EPOLL_CLOEXEC)) {}

ConnectionTable::~ConnectionTable() { close(received_); }

bool ConnectionTable::AtLimit(const std::string& client) const {
  if (connections_.size() >= options_.max_connections) return true;
  const auto it = per_client_.find(client);
  return options_.max_per_client > 0 && it != per_client_.end() && it->second.size() >= options_.max_per_client;
}

void ConnectionTable::MakeRoom(const std::string& client) {
  const LookFunction nothing = [](int, uint64_t, Connection&) {};
  if (connections_.size() >= options_.max_connections) return VisitSome(next_counted_, nothing);
  const std::set<int>& all = per_client_[client];
  std::vector<int> some;
  auto it = all.lower_bound(next_counted_);
  for (; it != all.end() && some.size() < kVisitedAtOnce; ++it) some.push_back(*it);
  next_counted_ = it == all.end() ? 0 : *it;
  for (const int fd : some) Visit(connections_.find(fd), nothing);
}

absl::Status ConnectionTable::Add(int fd) {
  const auto stale = connections_.find(fd);  // the number is the new socket's, so the old one is closed
  if (stale != connections_.end()) Forget(stale);
  Connection connection = {.cookie = CookieOf(fd), .judge = ConnectionJudge(options_.judge)};
  NamePeer(fd, connection);
  if (AtLimit(connection.client)) {
    MakeRoom(connection.client);
    if (AtLimit(connection.client)) {
      const bool total = connections_.size() >= options_.max_connections;
      return absl::ResourceExhaustedError(
          total ? absl::StrCat("limits.max_connections: there are ", options_.max_connections, " connections")
                : absl::StrCat("limits.max_connections_per_client: ", options_.max_per_client,
                               " connections come from one address"));
    }
  }
  // Edge-triggered, so that whatever comes is noted once more. What gRPC has read by the time of the Sweep is no longer
  // "in", and only what can be read or written is reported: therefore "out", which nearly always holds.
  epoll_event wanted = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.fd = fd}};
  if (epoll_ctl(received_, EPOLL_CTL_ADD, fd, &wanted) != 0) {
    return absl::ResourceExhaustedError(absl::StrCat("the system watches no more of them: ", strerror(errno)));
  }
  per_client_[connection.client].insert(fd);
  connections_.emplace(fd, std::move(connection));
  return absl::OkStatus();
}

ConnectionTable::Iterator ConnectionTable::Forget(Iterator it) {
  const auto client = per_client_.find(it->second.client);
  client->second.erase(it->first);
  if (client->second.empty()) per_client_.erase(client);
  return connections_.erase(it);
}

ConnectionTable::Iterator ConnectionTable::Visit(Iterator it, const LookFunction& look) {
  auto& [fd, connection] = *it;
  const uint64_t bytes = BytesReceived(fd);
  if (CookieOf(fd) != connection.cookie) return Forget(it);
  if (bytes > connection.judge.bytes_received() + kWorthALook) look(fd, bytes, connection);
  return std::next(it);
}

void ConnectionTable::VisitSome(int& next, const LookFunction& look) {
  auto it = connections_.lower_bound(next);
  for (size_t left = kVisitedAtOnce; left > 0 && it != connections_.end(); --left) it = Visit(it, look);
  next = it == connections_.end() ? 0 : it->first;
}

void ConnectionTable::Sweep(const LookFunction& look) {
  std::array<epoll_event, 256> received;
  // Who receives all the time comes again and again: not more rounds than show everybody once.
  for (size_t rounds = connections_.size() / received.size() + 1; rounds > 0; --rounds) {
    const int count = epoll_wait(received_, received.data(), received.size(), /*timeout=*/0);
    for (int i = 0; i < count; ++i) {
      const auto it = connections_.find(received[i].data.fd);
      if (it != connections_.end()) Visit(it, look);
    }
    if (count < static_cast<int>(received.size())) break;
  }
  // Closed sockets are not reported, and neither is one that takes in what it gets at once while its client takes
  // nothing of what it is sent.
  VisitSome(next_looked_at_, look);
}

std::unordered_set<std::string_view> ConnectionTable::Peers() const {
  std::unordered_set<std::string_view> peers;
  for (const auto& [fd, connection] : connections_) peers.insert(connection.peer);
  return peers;
}

void ConnectionTable::ShutDown(int fd, const Connection& connection) {
  const int copy = dup(fd);  // keeps the socket from being another one between the check and the deed
  if (copy < 0) return;
  if (CookieOf(copy) == connection.cookie) shutdown(copy, SHUT_RDWR);
  close(copy);
}

}  // namespace bertha::server
