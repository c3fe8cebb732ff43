#include "server/grpc_listener.h"

#include <errno.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

namespace bertha::server {
namespace {

constexpr batcher::Duration kLookEvery = std::chrono::milliseconds(50);
constexpr int kMostOfACore = 40;  // 1/40
constexpr batcher::Duration kWarnEvery = std::chrono::seconds(10);
/// Descriptors that are not for connections: models, logs, other listeners.
constexpr size_t kOtherDescriptors = 256;

/// Raises the limit of open files as far as it may be, and leaves room for what is not a connection.
ConnectionTable::Options WithinFileLimit(ConnectionTable::Options limits) {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return limits;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  const size_t room = files.rlim_max - std::min<size_t>(files.rlim_max / 2, kOtherDescriptors);
  if (limits.max_connections > room) {
    spdlog::warn("limits.max_connections is {}, but the limit of open files (ulimit -n) is {}: at most {} connections",
                 limits.max_connections, files.rlim_max, room);
    limits.max_connections = room;
  }
  return limits;
}

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcListener>> GrpcListener::Open(const std::string& address,
                                                                 const ConnectionTable::Options& limits,
                                                                 std::shared_ptr<grpc::ServerCredentials> credentials,
                                                                 const batcher::Clock& clock,
                                                                 grpc::ServerBuilder& builder) {
  absl::StatusOr<ListeningSockets> sockets = ListeningSockets::Open(address);
  if (!sockets.ok()) return sockets.status();
  auto acceptor = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, std::move(credentials));
  return std::unique_ptr<GrpcListener>(
      new GrpcListener(*std::move(sockets), WithinFileLimit(limits), std::move(acceptor), clock));
}

GrpcListener::GrpcListener(ListeningSockets sockets, const ConnectionTable::Options& limits,
                           std::unique_ptr<Acceptor> acceptor, const batcher::Clock& clock)
    : clock_(clock),
      sockets_(std::move(sockets)),
      acceptor_(std::move(acceptor)),
      stop_(eventfd(0, EFD_CLOEXEC)),
      table_(limits) {}

GrpcListener::~GrpcListener() {
  if (thread_.joinable()) {
    eventfd_write(stop_, 1);
    thread_.join();
  }
  close(stop_);
}

void GrpcListener::Start() {
  thread_ = std::thread([this] { Loop(); });
}

void GrpcListener::Loop() {
  std::vector<pollfd> polled = {{.fd = stop_, .events = POLLIN, .revents = 0}};
  for (const int fd : sockets_.fds()) polled.push_back({.fd = fd, .events = POLLIN, .revents = 0});
  batcher::TimePoint next_look = clock_.Now() + kLookEvery;
  bool out_of_files = false;
  while (true) {
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(std::max({}, next_look - clock_.Now()));
    // Without a free descriptor those who wait stay in the kernel's queue until the next look.
    const size_t count = out_of_files ? 1 : polled.size();
    poll(polled.data(), count, static_cast<int>(wait.count()));
    if (polled[0].revents != 0) return;
    for (size_t i = 1; i < count; ++i) {
      if (polled[i].revents != 0 && !AcceptAll(polled[i].fd)) out_of_files = true;
    }
    const batcher::TimePoint now = clock_.Now();
    if (now < next_look) continue;
    out_of_files = false;
    Sweep();
    const batcher::TimePoint ended = clock_.Now();
    next_look = ended + std::max(kLookEvery, (ended - now) * kMostOfACore);
  }
}

bool GrpcListener::AcceptAll(int listener) {
  constexpr int kAtOnce = 64;  // then the connections that are open get their turn
  for (int i = 0; i < kAtOnce; ++i) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      HandOver(listener, fd);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      if (clock_.Now() >= next_warning_) spdlog::error("cannot accept connections: {}", strerror(errno));
      next_warning_ = std::max(next_warning_, clock_.Now() + kWarnEvery);
      return false;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return true;
    }
  }
  return true;
}

void GrpcListener::HandOver(int listener, int fd) {
  if (absl::Status status = table_.Add(fd); !status.ok()) {
    close(fd);
    if (clock_.Now() < next_warning_) return;
    next_warning_ = clock_.Now() + kWarnEvery;
    spdlog::warn("connections are refused, {}", std::string(status.message()));
    return;
  }
  channelz_.Forget(table_.Find(fd)->peer);  // who had this address before is somebody else
  Acceptor::NewConnectionParameters connection;
  connection.listener_fd = listener;
  connection.fd = fd;
  acceptor_->HandleNewConnection(&connection);
}

void GrpcListener::Sweep() {
  table_.Sweep(
      [this](int fd, uint64_t bytes, ConnectionTable::Connection& connection) { Look(fd, bytes, connection); });
}

void GrpcListener::Look(int fd, uint64_t bytes_received, ConnectionTable::Connection& connection) {
  Activity activity = channelz_.ActivityOf(connection.peer).value_or(Activity{});
  activity.bytes_received = bytes_received;
  const auto wrong = connection.judge.Judge(activity, clock_.Now());
  if (!wrong) return;
  spdlog::warn("ending the connection of {}: {}", connection.peer, *wrong);
  ConnectionTable::ShutDown(fd, connection);
}

}  // namespace bertha::server
