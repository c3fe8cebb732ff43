#include "server/connection_table.h"

// Not netinet/tcp.h: its tcp_info ends before the counters of bytes.
#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

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

bool ConnectionTable::AtLimit(const std::string& client) const {
  if (connections_.size() >= options_.max_connections) return true;
  const auto it = per_client_.find(client);
  return options_.max_per_client > 0 && it != per_client_.end() && it->second >= options_.max_per_client;
}

absl::Status ConnectionTable::Add(int fd) {
  const auto stale = connections_.find(fd);  // the number is the new socket's, so the old one is closed
  if (stale != connections_.end()) Forget(stale);
  Connection connection = {.cookie = CookieOf(fd), .judge = ConnectionJudge(options_.judge)};
  NamePeer(fd, connection);
  if (AtLimit(connection.client)) {
    Sweep([](int, uint64_t, Connection&) {});
    if (AtLimit(connection.client)) {
      const bool total = connections_.size() >= options_.max_connections;
      return absl::ResourceExhaustedError(
          total ? absl::StrCat("limits.max_connections: there are ", options_.max_connections, " connections")
                : absl::StrCat("limits.max_connections_per_client: ", options_.max_per_client,
                               " connections come from one address"));
    }
  }
  per_client_[connection.client] += 1;
  connections_.emplace(fd, std::move(connection));
  return absl::OkStatus();
}

ConnectionTable::Iterator ConnectionTable::Forget(Iterator it) {
  const auto client = per_client_.find(it->second.client);
  if (--client->second == 0) per_client_.erase(client);
  return connections_.erase(it);
}

void ConnectionTable::Sweep(const std::function<void(int, uint64_t, Connection&)>& look) {
  for (auto it = connections_.begin(); it != connections_.end();) {
    auto& [fd, connection] = *it;
    const uint64_t bytes = BytesReceived(fd);
    if (CookieOf(fd) != connection.cookie) {
      it = Forget(it);
      continue;
    }
    if (bytes > connection.judge.bytes_received() + kWorthALook) look(fd, bytes, connection);
    ++it;
  }
}

void ConnectionTable::ShutDown(int fd, const Connection& connection) {
  const int copy = dup(fd);  // keeps the socket from being another one between the check and the deed
  if (copy < 0) return;
  if (CookieOf(copy) == connection.cookie) shutdown(copy, SHUT_RDWR);
  close(copy);
}

}  // namespace bertha::server
