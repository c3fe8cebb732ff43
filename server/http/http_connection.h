// One connection: requests in, answers out, one after the other, so that pipelined ones are answered in order.
//
//   handshake ─▶ idle ─▶ header ─▶ body ─▶ handling ─▶ (answer written) ─▶ idle … or lingering ─▶ closed
//                              └─▶ streaming ───────────────┘
//
// While a request is handled the connection goes on reading, to see whether the client is still there; what comes is
// kept, up to a limit, for the next request. Before it closes it lingers: it says that nothing more comes and reads on
// for a moment, since closing with unread bytes would destroy the answer on its way (RFC 9112 section 9.6).
//
// Thread-safety: all on the thread of its loop, except what is posted there by HttpReply and HttpStream.
#ifndef BERTHA_SERVER_HTTP_HTTP_CONNECTION_H_
#define BERTHA_SERVER_HTTP_HTTP_CONNECTION_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "batcher/clock.h"
#include "server/http/byte_stream.h"
#include "server/http/http_error.h"
#include "server/http/http_limits.h"
#include "server/http/http_parser.h"
#include "server/http/http_reply.h"
#include "server/http/http_router.h"
#include "server/http/io_loop.h"
#include "server/http/rate_watch.h"
#include "server/http/response_head.h"

namespace bertha::server {

/// Since the start; a connection or request that ended otherwise is counted where it ended.
struct HttpCounters {
  std::atomic<uint64_t> open{0};
  std::atomic<uint64_t> accepted{0};
  /// Turned away for the limits on connections.
  std::atomic<uint64_t> refused{0};
  std::atomic<uint64_t> requests{0};
  /// Requests answered here and not by a handler: not HTTP, or too large.
  std::atomic<uint64_t> malformed{0};
  /// Connections closed for being too slow, idle ones not counted.
  std::atomic<uint64_t> timed_out{0};
};

class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  /// What all connections of a server use; outlives them.
  struct Context {
    HttpLimits limits;
    std::function<HttpRoute(HttpRequest&)> route;
    HttpRefuse refuse;
    std::atomic<bool> draining{false};
    HttpCounters counters;
  };
  using OnClosed = std::function<void(const std::shared_ptr<HttpConnection>&)>;

  HttpConnection(std::unique_ptr<ByteStream> stream, HttpPeer peer, std::shared_ptr<IoLoop> loop,
                 std::shared_ptr<Context> context, OnClosed on_closed);

  void Start();
  /// Called every now and then: looks at the time limits.
  void Sweep(batcher::TimePoint now);
  /// Closes it unless a request is under way.
  void CloseIfIdle();
  void Close();

  const std::string& peer_address() const { return peer_.address; }

 private:
  enum class Phase { kHandshake, kIdle, kHeader, kBody, kHandling, kStreaming, kLinger, kClosed };
  class StreamBackend;
  /// Bytes to write, and what happens then.
  struct Outgoing {
    std::string head;
    HttpBody body;
    std::function<void(bool ok)> done;
  };

  // Reading.
  void ContinueHandshake();
  void Pump();
  bool Advance();
  void WaitForPeer();
  void ReadHeader();
  void NameRequest();
  void BeginRequest();
  void ReadBody();
  void DispatchRequest();
  void DispatchStream();
  void OnEnd();
  size_t pending() const { return in_.size(); }

  // Answering.
  void Fail(const HttpParser::Failure& failure);
  void OnResponse(uint64_t serial, HttpResponse response);
  void SetAlarm(uint64_t serial, batcher::TimePoint when);
  void Respond(const HttpResponse& response);
  void SendContinue();
  void Push(Outgoing outgoing);
  void Flush();
  void EndExchange();
  void Linger();
  bool KeepAlive() const;

  // Streams; from posted work.
  bool IsStream(uint64_t serial) const { return phase_ == Phase::kStreaming && serial == serial_; }
  void StreamRead(uint64_t serial, HttpStream::OnRead done);
  void StreamBegin(uint64_t serial, const HttpResponse& head);
  void StreamWrite(uint64_t serial, std::string bytes, HttpStream::OnWrite done);
  void StreamFinish(uint64_t serial);
  void StreamDrop(uint64_t serial);
  void DeliverPiece();
  void FailRead(const absl::Status& status);

  void Abandon();
  void SetDeadline(std::chrono::milliseconds limit) { deadline_ = std::chrono::steady_clock::now() + limit; }

  const std::unique_ptr<ByteStream> stream_;
  HttpPeer peer_;
  const std::shared_ptr<IoLoop> loop_;
  const std::shared_ptr<Context> context_;
  OnClosed on_closed_;

  Phase phase_ = Phase::kHandshake;
  batcher::TimePoint deadline_{};  // of the phases that have one
  RateWatch body_watch_, write_watch_;
  bool pumping_ = false;
  bool waiting_read_ = false;
  bool flushing_ = false;
  bool waiting_write_ = false;
  bool ended_ = false;  // the client sends no more

  std::string in_;  // read, not parsed
  std::list<Outgoing> out_;
  size_t written_ = 0;  // of out_.front()

  // The request under way.
  uint64_t serial_ = 0;
  std::unique_ptr<HttpParser> parser_;
  HttpRoute route_;
  std::string body_;
  bool head_only_ = false;
  bool broken_ = false;  // its body cannot be read to the end
  std::string broken_message_;
  bool begun_ = false;  // of a stream: the head is on its way
  bool continue_sent_ = false;
  BodyEnd body_end_ = BodyEnd::kLength;
  std::weak_ptr<HttpReply> reply_;
  std::unique_ptr<IoLoop::Timer> alarm_;  // of reply_
  std::weak_ptr<HttpStream> http_stream_;
  HttpStream::OnRead stream_read_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_HTTP_CONNECTION_H_
