#include "bench/load/http_transport.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "bench/load/calls_under_way.h"
#include "bench/load/complaints.h"
#include "nlohmann/json.hpp"

namespace bertha::load {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

/// What all channels send, and where.
struct Target {
  tcp::endpoint endpoint;
  HttpOptions options;
  std::vector<Plan::Model> models;
  const std::vector<std::string>& texts;

  http::request<http::string_body> Request(const Call& call) const {
    const std::string& model = models[call.model].name;
    http::request<http::string_body> request(http::verb::post, absl::StrReplaceAll(options.path, {{"{model}", model}}),
                                             11);
    request.set(http::field::host, options.address);
    request.set(http::field::content_type, "application/json");
    if (!options.authorization.empty()) request.set(http::field::authorization, options.authorization);
    // One pass: braces of a text stay what they are.
    request.body() =
        absl::StrReplaceAll(options.body, {{"{text}", nlohmann::json(texts[call.text]).dump()}, {"{model}", model}});
    request.prepare_payload();
    return request;
  }
};

class Connection;
/// How a call ended, and in words what was wrong.
using Done = std::function<void(absl::StatusCode, const std::string& error)>;

/// A thread and its connections. All methods but Send and Cancel run on the thread.
class Channel {
 public:
  explicit Channel(const Target& target)
      : target_(target), work_(context_.get_executor()), thread_([this] { context_.run(); }) {}
  ~Channel() {
    work_.reset();
    thread_.join();
  }

  void Send(const Call& call, Done done);
  /// Posts; the connections' calls end soon.
  void Cancel();

  void Return(std::shared_ptr<Connection> connection) { idle_.push_back(std::move(connection)); }
  void Begin(Connection* connection) { busy_.insert(connection); }
  void End(Connection* connection) { busy_.erase(connection); }

  const Target& target() const { return target_; }
  asio::io_context& context() { return context_; }

 private:
  const Target& target_;
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::vector<std::shared_ptr<Connection>> idle_;
  std::unordered_set<Connection*> busy_;
  std::thread thread_;
};

/// One call at a time.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  explicit Connection(Channel& channel) : channel_(channel), stream_(channel.context()) {}

  void Start(const Call& call, Done done) {
    request_ = channel_.target().Request(call);
    done_ = std::move(done);
    cancelled_ = false;
    channel_.Begin(this);
    if (call.left) {
      stream_.expires_after(*call.left);
    } else {
      stream_.expires_never();
    }
    reused_ = connected_;
    if (connected_) return Write();
    Connect();
  }

  /// Not stream_.cancel(): a step that has ended, but whose handler has not run, would be followed by the next one.
  void Cancel() {
    cancelled_ = true;
    Close();
  }

 private:
  void Connect() {
    stream_.async_connect(channel_.target().endpoint, [self = shared_from_this()](error_code error) {
      if (error) return self->Fail(error);
      self->connected_ = true;
      error_code ignored;
      self->stream_.socket().set_option(tcp::no_delay(true), ignored);
      self->Write();
    });
  }

  void Write() {
    http::async_write(stream_, request_, [self = shared_from_this()](error_code error, size_t) {
      if (error) return self->Retry(error);
      self->Read();
    });
  }

  void Read() {
    response_ = {};
    buffer_.clear();
    http::async_read(stream_, buffer_, response_, [self = shared_from_this()](error_code error, size_t bytes) {
      if (error && bytes == 0) return self->Retry(error);
      if (error) return self->Fail(error);
      const auto status = static_cast<int>(self->response_.result_int());
      self->Finish(CodeOfHttp(status), absl::StrCat("HTTP status ", status),
                   self->response_.keep_alive() && !self->cancelled_);
    });
  }

  /// A server may close a connection that nobody uses while a request is on its way to it: once, on a new one.
  void Retry(error_code error) {
    if (!std::exchange(reused_, false) || cancelled_ || error == beast::error::timeout) return Fail(error);
    Close();
    Connect();
  }

  void Fail(error_code error) {
    const bool late = error == beast::error::timeout;
    Finish(cancelled_ ? absl::StatusCode::kCancelled
           : late     ? absl::StatusCode::kDeadlineExceeded
                      : absl::StatusCode::kUnavailable,
           error.message(), false);
  }

  void Close() {
    connected_ = false;
    stream_.close();
  }

  void Finish(absl::StatusCode code, const std::string& error, bool keep) {
    channel_.End(this);
    if (keep) {
      channel_.Return(shared_from_this());
    } else {
      Close();
    }
    std::exchange(done_, nullptr)(code, error);
  }

  Channel& channel_;
  beast::tcp_stream stream_;
  bool connected_ = false, reused_ = false, cancelled_ = false;
  http::request<http::string_body> request_;
  http::response<http::string_body> response_;
  beast::flat_buffer buffer_;
  Done done_;
};

void Channel::Send(const Call& call, Done done) {
  asio::post(context_, [this, call, done = std::move(done)]() mutable {
    std::shared_ptr<Connection> connection;
    if (idle_.empty()) {
      connection = std::make_shared<Connection>(*this);
    } else {
      connection = std::move(idle_.back());
      idle_.pop_back();
    }
    connection->Start(call, std::move(done));
  });
}

void Channel::Cancel() {
  asio::post(context_, [this] {
    for (Connection* connection : busy_) connection->Cancel();
  });
}

class HttpTransport final : public Transport {
 public:
  explicit HttpTransport(Target target) : target_(std::move(target)) {
    for (size_t i = 0; i < target_.options.channels; ++i) channels_.push_back(std::make_unique<Channel>(target_));
  }

  void Send(size_t channel, const Call& call, Receiver& receiver) override {
    calls_.Begin();
    const Sender sender = {call.number, &receiver};
    channels_[channel]->Send(
        call, [this, sender](absl::StatusCode code, const std::string& error) { calls_.End(sender, code, error); });
  }

  size_t channels() const override { return channels_.size(); }

  void CancelAll() override {
    for (auto& channel : channels_) channel->Cancel();
    calls_.Wait(batcher::TimePoint::max());
  }

  std::map<absl::StatusCode, std::string> complaints() const override { return complaints_.first(); }

 private:
  const Target target_;
  Complaints complaints_;
  CallsUnderWay calls_{complaints_};
  std::vector<std::unique_ptr<Channel>> channels_;
};

absl::StatusOr<tcp::endpoint> Resolve(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat("\"", address, "\" is not host:port"));
  }
  asio::io_context context;
  tcp::resolver resolver(context);
  error_code error;
  const auto found = resolver.resolve(address.substr(0, colon), address.substr(colon + 1), error);
  tcp::socket probe(context);
  if (!error) {
    for (const auto& entry : found) {
      probe.close(error);
      probe.connect(entry.endpoint(), error);
      if (!error) return entry.endpoint();
    }
  }
  return absl::UnavailableError(absl::StrCat("cannot reach ", address, ": ", error.message()));
}

}  // namespace

absl::StatusCode CodeOfHttp(int status) {
  if (status >= 200 && status < 300) return absl::StatusCode::kOk;
  switch (status) {
    case 400:
    case 413:
    case 422:
      return absl::StatusCode::kInvalidArgument;
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kNotFound;
    case 408:
    case 504:
      return absl::StatusCode::kDeadlineExceeded;
    case 429:
      return absl::StatusCode::kResourceExhausted;
    case 502:
    case 503:
      return absl::StatusCode::kUnavailable;
    default:
      return status >= 500 ? absl::StatusCode::kInternal : absl::StatusCode::kUnknown;
  }
}

absl::StatusOr<std::unique_ptr<Transport>> OpenHttp(HttpOptions options, std::vector<Plan::Model> models,
                                                    const std::vector<std::string>& texts) {
  if (options.body.find("{text}") == std::string::npos) {
    return absl::InvalidArgumentError("the HTTP body has no {text} where the text belongs");
  }
  auto endpoint = Resolve(options.address);
  if (!endpoint.ok()) return endpoint.status();
  return std::make_unique<HttpTransport>(Target{*endpoint, std::move(options), std::move(models), texts});
}

}  // namespace bertha::load
