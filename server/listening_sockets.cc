#include "server/listening_sockets.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace bertha::server {
namespace {

void SetOption(int fd, int level, int name, int value) { setsockopt(fd, level, name, &value, sizeof(value)); }

/// -1 and errno if the address cannot be had.
int Listen(const addrinfo& address, bool both_families) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);  // a restart need not wait for the connections of before to be forgotten
  if (address.ai_family == AF_INET6) SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, both_families ? 0 : 1);
  // Accepted sockets inherit these. Keepalive: a peer that vanished without a word is noticed after two minutes.
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, 20);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
  if (bind(fd, address.ai_addr, address.ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0) return fd;
  const int why = errno;
  close(fd);
  errno = why;
  return -1;
}

int PortOf(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

/// At least one socket. The error is what the last of the host's addresses says, without the address.
absl::StatusOr<std::vector<int>> ListenOnAll(const std::string& host, const std::string& port, bool both_families) {
  const addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                          .ai_family = AF_UNSPEC,
                          .ai_socktype = SOCK_STREAM,
                          .ai_protocol = 0,
                          .ai_addrlen = 0,
                          .ai_addr = nullptr,
                          .ai_canonname = nullptr,
                          .ai_next = nullptr};
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return absl::UnavailableError(gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  std::vector<int> fds;
  int why = 0;
  for (; found; found = found->ai_next) {
    if (const int fd = Listen(*found, both_families); fd >= 0) {
      fds.push_back(fd);
    } else {
      why = errno;
    }
  }
  if (fds.empty()) return absl::UnavailableError(std::strerror(why));
  return fds;
}

}  // namespace

absl::StatusOr<ListeningSockets> ListeningSockets::Open(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return absl::UnavailableError(absl::StrCat("\"", address, "\" is not host:port"));
  const std::string port = address.substr(colon + 1);
  absl::string_view host = absl::string_view(address).substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  const bool any = host == "0.0.0.0" || host == "::";
  absl::StatusOr<std::vector<int>> fds = ListenOnAll(any ? "::" : std::string(host), port, any);
  // Also where there is no IPv6. If the port was taken by IPv4 alone, this finds it taken again.
  if (any && !fds.ok()) fds = ListenOnAll("0.0.0.0", port, false);
  if (!fds.ok())
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address, ": ", fds.status().message()));
  ListeningSockets sockets;
  sockets.fds_ = *std::move(fds);
  sockets.port_ = PortOf(sockets.fds_.front());
  return sockets;
}

ListeningSockets::ListeningSockets(ListeningSockets&& other) noexcept
    : fds_(std::exchange(other.fds_, {})), port_(other.port_) {}

ListeningSockets& ListeningSockets::operator=(ListeningSockets&& other) noexcept {
  std::swap(fds_, other.fds_);
  std::swap(port_, other.port_);
  return *this;
}

ListeningSockets::~ListeningSockets() {
  for (const int fd : fds_) close(fd);
}

}  // namespace bertha::server
