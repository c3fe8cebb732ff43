#include "server/grpc_listener.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
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

constexpr char kThreadName[] = "grpc-accept";
constexpr batcher::Duration kWarnEvery = std::chrono::seconds(10);
/// Descriptors that are not for connections: models, logs, other listeners.
constexpr size_t kOtherDescriptors = 256;
/// Connections beside the open ones whose numbers in channelz may be remembered, before it is worth to forget them.
constexpr size_t kRemembered = 1024;

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

/// Milliseconds as poll() takes them.
int PollTimeout(batcher::TimePoint now, batcher::TimePoint until) {
  if (until == batcher::TimePoint::max()) return -1;
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(std::max({}, until - now)).count());
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
      wake_(eventfd(0, EFD_CLOEXEC)),
      table_(limits) {}

GrpcListener::~GrpcListener() {
  if (thread_.joinable()) {
    ended_ = true;
    eventfd_write(wake_, 1);
    thread_.join();
  }
  close(wake_);
}

void GrpcListener::Start() {
  thread_ = std::thread([this] { Loop(); });
}

void GrpcListener::StopAccepting() {
  accepting_ = false;
  eventfd_write(wake_, 1);
}

void GrpcListener::CloseListeners() {
  for (const int fd : sockets_.fds()) {
    AcceptAll(fd);
    shutdown(fd, SHUT_RDWR);
  }
}

void GrpcListener::Loop() {
  pthread_setname_np(pthread_self(), kThreadName);
  std::vector<pollfd> polled = {{.fd = wake_, .events = POLLIN, .revents = 0}};
  for (const int fd : sockets_.fds()) polled.push_back({.fd = fd, .events = POLLIN, .revents = 0});
  bool out_of_files = false;
  while (true) {
    // Without a free descriptor those who wait stay in the kernel's queue until the next look.
    const size_t count = out_of_files ? 1 : polled.size();
    poll(polled.data(), count, PollTimeout(clock_.Now(), schedule_.next()));
    eventfd_t unused = 0;
    if (polled[0].revents != 0) eventfd_read(wake_, &unused);
    if (ended_) return;
    if (!accepting_ && polled.size() > 1) {
      CloseListeners();
      polled.resize(1);
      continue;
    }
    for (size_t i = 1; i < count; ++i) {
      if (polled[i].revents == 0 || AcceptAll(polled[i].fd)) continue;
      out_of_files = true;
      schedule_.Soon(clock_.Now());
    }
    if (clock_.Now() < schedule_.next()) continue;
    out_of_files = false;
    Sweep();
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
  schedule_.Soon(clock_.Now());
  channelz_.Forget(table_.Find(fd)->peer);  // who had this address before is somebody else
  Acceptor::NewConnectionParameters connection;
  connection.listener_fd = listener;
  connection.fd = fd;
  acceptor_->HandleNewConnection(&connection);
}

void GrpcListener::Sweep() {
  const batcher::TimePoint began = clock_.Now();
  bool active = false;
  table_.Sweep([&](int fd, uint64_t bytes, ConnectionTable::Connection& connection) {
    active = true;
    Look(fd, bytes, connection);
  });
  if (channelz_.size() > 2 * table_.size() + kRemembered) channelz_.ForgetAllBut(table_.Peers());
  schedule_.OnLook(began, clock_.Now(), active, table_.size() > 0);
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
