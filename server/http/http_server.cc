#include "server/http/http_server.h"

#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "batcher/mutex.h"
#include "server/http/asio_stream.h"
#include "server/http/http_connection.h"
#include "server/http/response_head.h"
#include "server/http/tls_context.h"
#include "server/trace.h"

namespace bertha::server {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using std::chrono::milliseconds;
using Error = boost::system::error_code;

constexpr int kBacklog = 4096;
/// After accept() failed, e.g. for want of a descriptor: until some connection may have ended.
constexpr milliseconds kAcceptPause{100};
constexpr std::chrono::minutes kComplainEvery{1};

/// Raises the soft limit on descriptors to the hard one; the limit.
size_t RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

absl::StatusOr<tcp::endpoint> Resolve(asio::io_context& io, const std::string& address) {
  const size_t colon = address.rfind(':');
  int port = -1;
  if (colon == std::string::npos || !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 0 || port > 65535) {
    return absl::InvalidArgumentError(absl::StrCat("\"", address, "\" is not host:port"));
  }
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  Error error;
  const auto found = tcp::resolver(io).resolve(host, absl::StrCat(port), tcp::resolver::numeric_service, error);
  if (error || found.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("\"", address, "\": no such host: ", error.message()));
  }
  return found.begin()->endpoint();
}

HttpPeer PeerOf(const tcp::socket& socket, bool tls) {
  Error error;
  const tcp::endpoint endpoint = socket.remote_endpoint(error);
  if (error) return {.tls = tls};
  const std::optional<IpAddress> address = IpAddress::Parse(endpoint.address().to_string());
  return {.address = address ? address->ToString() : "", .port = endpoint.port(), .tls = tls};
}

/// How often time limits are looked at: often enough to be a tenth off at most, rarely enough to cost nothing. One
/// timer for all connections of a loop costs less than one for each, whose every request would set it anew.
milliseconds SweepPeriod(const HttpLimits& limits) {
  const milliseconds shortest = std::min({limits.header_timeout, limits.idle_timeout, limits.rate_window});
  return std::clamp(shortest / 10, milliseconds(10), milliseconds(500));
}

}  // namespace

class HttpServer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(HttpServerOptions options, Route route) : options_(std::move(options)) {
    context_->limits = options_.limits;
    context_->route = std::move(route);
    context_->refuse = options_.refuse;
  }

  absl::Status Start() {
    const size_t descriptors = RaiseDescriptorLimit();
    if (options_.limits.max_connections > descriptors / 4 * 3) {
      options_.limits.max_connections = descriptors / 4 * 3;
      spdlog::warn("HTTP takes {} connections at most: the process may open {} files (ulimit -n)",
                   options_.limits.max_connections, descriptors);
    }
    if (options_.tls) {
      auto tls = TlsContext::Of(options_.tls);
      if (!tls.ok()) return tls.status();
      tls_ = *std::move(tls);
    }
    for (size_t i = 0; i < std::max<size_t>(1, options_.io_threads); ++i)
      workers_.push_back(std::make_unique<Worker>());
    if (absl::Status status = Listen(); !status.ok()) return status;
    for (const auto& worker : workers_) {
      worker->loop->Every(SweepPeriod(options_.limits), [&connections = worker->connections] { Sweep(connections); });
      worker->loop->Start();
    }
    workers_[0]->loop->Post([self = shared_from_this()] { self->Accept(); });
    return absl::OkStatus();
  }

  uint16_t port() const { return port_; }
  HttpConnection::Context& context() { return *context_; }
  void BeginDrain() { context_->draining = true; }

  void Stop(milliseconds grace) {
    if (std::exchange(stopped_, true)) return;
    BeginDrain();
    workers_[0]->loop->Post([self = shared_from_this()] { self->StopListening(); });
    ForEachWorker([](Worker& worker) { worker.CloseIdle(); });
    WaitUntilClosed(grace);
    ForEachWorker([](Worker& worker) { worker.CloseAll(); });
    for (const auto& worker : workers_) worker->loop->Stop();
  }

 private:
  using Connections = std::set<std::shared_ptr<HttpConnection>>;
  struct Worker {
    std::shared_ptr<IoLoop> loop = std::make_shared<IoLoop>();
    Connections connections;  // of the loop's thread
    bool closing = false;     // likewise

    void CloseIdle() {
      for (auto it = connections.begin(); it != connections.end();) (*it++)->CloseIfIdle();
    }
    void CloseAll() {
      closing = true;
      for (auto it = connections.begin(); it != connections.end();) (*it++)->Close();
    }
  };

  static void Sweep(const Connections& connections) {
    const batcher::TimePoint now = std::chrono::steady_clock::now();
    // A connection may close and leave the set.
    for (auto it = connections.begin(); it != connections.end();) (*it++)->Sweep(now);
  }

  void ForEachWorker(const std::function<void(Worker&)>& work) {
    for (const auto& worker : workers_) {
      worker->loop->Post([work, &worker = *worker] { work(worker); });
    }
  }

  absl::Status Listen() {
    asio::io_context& io = workers_[0]->loop->context();
    const absl::StatusOr<tcp::endpoint> endpoint = Resolve(io, options_.address);
    if (!endpoint.ok()) return endpoint.status();
    acceptor_ = std::make_unique<tcp::acceptor>(io);
    pause_ = std::make_unique<asio::steady_timer>(io);
    Error error;
    acceptor_->open(endpoint->protocol(), error);
    if (!error) acceptor_->set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_->bind(*endpoint, error);
    if (!error) acceptor_->listen(kBacklog, error);
    if (error) {
      return absl::UnavailableError(absl::StrCat("cannot listen on ", options_.address, ": ", error.message()));
    }
    port_ = acceptor_->local_endpoint(error).port();
    return absl::OkStatus();
  }

  void StopListening() {
    Error ignored;
    acceptor_->close(ignored);
    pause_->cancel();
  }

  void Accept() {
    if (!acceptor_->is_open()) return;
    Worker& worker = *workers_[next_worker_++ % workers_.size()];
    acceptor_->async_accept(worker.loop->context(), [self = shared_from_this(), &worker](Error error, tcp::socket s) {
      if (!error) self->Admit(worker, std::move(s));
      if (error && error != asio::error::operation_aborted && error != asio::error::connection_aborted) {
        return self->PauseAccepting(error);
      }
      self->Accept();
    });
  }

  void PauseAccepting(Error error) {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_complaint_ > kComplainEvery || last_complaint_ == decltype(last_complaint_){}) {
      last_complaint_ = now;
      spdlog::error("HTTP cannot accept connections: {}; trying again every {} ms", error.message(),
                    kAcceptPause.count());
    }
    pause_->expires_after(kAcceptPause);
    pause_->async_wait([self = shared_from_this()](Error) { self->Accept(); });
  }

  void Admit(Worker& worker, tcp::socket socket) {
    HttpPeer peer = PeerOf(socket, tls_ != nullptr);
    if (const int status = Count(peer.address); status != 0) return Refuse(std::move(socket), std::move(peer), status);
    auto stream =
        std::make_shared<std::unique_ptr<ByteStream>>(MakeStream(std::move(socket), tls_ ? tls_->Current() : nullptr));
    worker.loop->Post([self = shared_from_this(), &worker, stream, peer = std::move(peer)]() mutable {
      self->Begin(worker, std::move(*stream), std::move(peer));
    });
  }

  void Begin(Worker& worker, std::unique_ptr<ByteStream> stream, HttpPeer peer) {
    if (!stream || worker.closing) return Uncount(peer.address);
    const auto on_closed = [self = shared_from_this(), &worker](const std::shared_ptr<HttpConnection>& connection) {
      worker.connections.erase(connection);
      self->Uncount(connection->peer_address());
    };
    const auto connection =
        std::make_shared<HttpConnection>(std::move(stream), std::move(peer), worker.loop, context_, on_closed);
    worker.connections.insert(connection);
    connection->Start();
  }

  /// 0, or the HTTP status with which the connection is turned away.
  int Count(const std::string& address) {
    const size_t per_client = options_.limits.max_connections_per_client;
    const std::optional<IpAddress> ip = IpAddress::Parse(address);
    MutexLock lock(mutex_);
    if (open_ >= options_.limits.max_connections) return 503;
    size_t& mine = per_client_[address];
    if (per_client > 0 && mine >= per_client && !(ip && options_.trusted_proxies.Contains(*ip))) return 429;
    mine += 1;
    open_ += 1;
    context_->counters.open = open_;
    context_->counters.accepted += 1;
    return 0;
  }

  void Uncount(const std::string& address) {
    MutexLock lock(mutex_);
    const auto it = per_client_.find(address);
    if (--it->second == 0) per_client_.erase(it);
    open_ -= 1;
    context_->counters.open = open_;
    if (open_ == 0) closed_.NotifyAll();
  }

  /// Best effort: says why, if that needs no waiting.
  void Refuse(tcp::socket socket, HttpPeer peer, int status) {
    context_->counters.refused += 1;
    if (tls_) return;
    const HttpRequest unread = {.id = RequestIdFor("", ""), .peer = std::move(peer)};
    const HttpResponse response = context_->refuse(unread, {status, "too many connections are open; try again later"});
    const std::string head = ResponseHead(response, {{kRequestIdHeader, unread.id}}, {.keep_alive = false});
    const auto stream = MakeStream(std::move(socket), nullptr);
    if (!stream) return;
    stream->Write(head, response.body.view());
    stream->ShutdownWrite();
    char dropped[4096];  // unread bytes would destroy the answer on its way
    stream->Read(dropped, sizeof(dropped));
  }

  void WaitUntilClosed(milliseconds grace) {
    const auto until = std::chrono::steady_clock::now() + grace;
    MutexLock lock(mutex_);
    while (open_ > 0 && closed_.WaitUntil(mutex_, until)) {
    }
  }

  HttpServerOptions options_;
  const std::shared_ptr<HttpConnection::Context> context_ = std::make_shared<HttpConnection::Context>();
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<TlsContext> tls_;                         // of the first worker's thread, once started
  std::unique_ptr<tcp::acceptor> acceptor_;                 // likewise
  std::unique_ptr<asio::steady_timer> pause_;               // likewise
  size_t next_worker_ = 0;                                  // likewise
  std::chrono::steady_clock::time_point last_complaint_{};  // likewise
  uint16_t port_ = 0;
  bool stopped_ = false;

  Mutex mutex_;
  CondVar closed_;
  size_t open_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, size_t> per_client_ ABSL_GUARDED_BY(mutex_);
};

HttpServer::HttpServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() { impl_->Stop(milliseconds::zero()); }

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const HttpServerOptions& options, Route route) {
  auto impl = std::make_shared<Impl>(options, std::move(route));
  if (absl::Status status = impl->Start(); !status.ok()) return status;
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

uint16_t HttpServer::port() const { return impl_->port(); }
void HttpServer::BeginDrain() { impl_->BeginDrain(); }
void HttpServer::Stop(milliseconds grace) { impl_->Stop(grace); }

HttpStats HttpServer::stats() const {
  const HttpCounters& counters = impl_->context().counters;
  return {.open_connections = counters.open,
          .accepted_connections = counters.accepted,
          .refused_connections = counters.refused,
          .requests = counters.requests,
          .malformed_requests = counters.malformed,
          .timed_out_connections = counters.timed_out};
}

}  // namespace bertha::server
