// The part of HttpConnection that serves HttpStream.
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/http/http_connection.h"
#include "server/http/http_error.h"

namespace bertha::server {

/// Passes calls on to the connection's thread.
class HttpConnection::StreamBackend final : public HttpStream::Backend {
 public:
  StreamBackend(std::weak_ptr<HttpConnection> connection, std::shared_ptr<IoLoop> loop, uint64_t serial)
      : connection_(std::move(connection)), loop_(std::move(loop)), serial_(serial) {}

  void Read(HttpStream::OnRead done) override {
    loop_->Post([weak = connection_, serial = serial_, done = std::move(done)]() mutable {
      if (const auto self = weak.lock()) return self->StreamRead(serial, std::move(done));
      done(absl::CancelledError("the client closed the connection"));
    });
  }
  void Begin(HttpResponse head) override {
    loop_->Post([weak = connection_, serial = serial_, head = std::move(head)] {
      if (const auto self = weak.lock()) self->StreamBegin(serial, head);
    });
  }
  void Write(std::string bytes, HttpStream::OnWrite done) override {
    loop_->Post([weak = connection_, serial = serial_, bytes = std::move(bytes), done = std::move(done)]() mutable {
      if (const auto self = weak.lock()) return self->StreamWrite(serial, std::move(bytes), std::move(done));
      done(false);
    });
  }
  void Finish() override {
    loop_->Post([weak = connection_, serial = serial_] {
      if (const auto self = weak.lock()) self->StreamFinish(serial);
    });
  }
  void Drop() override {
    loop_->Post([weak = connection_, serial = serial_] {
      if (const auto self = weak.lock()) self->StreamDrop(serial);
    });
  }
  void Post(std::function<void()> work) override { loop_->Post(std::move(work)); }

 private:
  const std::weak_ptr<HttpConnection> connection_;
  const std::shared_ptr<IoLoop> loop_;
  const uint64_t serial_;
};

void HttpConnection::DispatchStream() {
  phase_ = Phase::kStreaming;
  SetDeadline(context_->limits.stream_idle_timeout);
  const auto stream = std::make_shared<HttpStream>(std::make_shared<StreamBackend>(weak_from_this(), loop_, serial_));
  http_stream_ = stream;
  route_.stream_handler(std::move(parser_->request()), stream);
}

void HttpConnection::StreamRead(uint64_t serial, HttpStream::OnRead done) {
  if (IsStream(serial) && broken_) return done(absl::InvalidArgumentError(broken_message_));
  if (!IsStream(serial) || (ended_ && !parser_->done() && in_.empty())) {
    return done(absl::CancelledError("the request's body cannot be read to its end"));
  }
  stream_read_ = std::move(done);
  if (in_.empty()) SendContinue();
  Pump();
  if (ended_ && stream_read_) FailRead(absl::CancelledError("the client closed the connection"));
}

/// Hands on what has come of the body, if somebody asks for it.
void HttpConnection::DeliverPiece() {
  if (!stream_read_) return;
  std::string piece;
  HttpParser::Failure failure;
  if (!parser_->done()) in_.erase(0, parser_->ParseBody(in_, ~uint64_t{0}, piece, failure));
  if (failure) {
    broken_ = true;
    broken_message_ = failure.message;
    context_->counters.malformed += 1;
    if (piece.empty()) return FailRead(absl::InvalidArgumentError(broken_message_));
  }
  if (piece.empty() && !parser_->done()) return;
  std::optional<std::string> out;
  if (!piece.empty()) out = std::move(piece);
  std::exchange(stream_read_, nullptr)(std::move(out));
}

void HttpConnection::FailRead(const absl::Status& status) {
  if (stream_read_) std::exchange(stream_read_, nullptr)(status);
}

void HttpConnection::StreamBegin(uint64_t serial, const HttpResponse& head) {
  if (!IsStream(serial) || std::exchange(begun_, true)) return;
  body_end_ = parser_->http_1_0() ? BodyEnd::kClose : BodyEnd::kChunked;
  // Whether the connection can be kept is not known before the body was read to its end; then it may close all the
  // same.
  const bool keep = parser_->keep_alive() && !parser_->http_1_0() && !context_->draining;
  Push({.head = ResponseHead(head, route_.headers,
                             {.http_1_0 = parser_->http_1_0(), .keep_alive = keep, .end = body_end_})});
}

void HttpConnection::StreamWrite(uint64_t serial, std::string bytes, HttpStream::OnWrite done) {
  if (!IsStream(serial)) return done(false);
  if (!begun_) StreamBegin(serial, HttpResponse{});
  if (head_only_ || bytes.empty()) return done(true);
  Outgoing outgoing;
  if (body_end_ == BodyEnd::kChunked) {
    outgoing.head = absl::StrFormat("%x\r\n", bytes.size());
    bytes.append("\r\n");
  }
  outgoing.body = std::move(bytes);
  outgoing.done = std::move(done);
  Push(std::move(outgoing));
}

void HttpConnection::StreamFinish(uint64_t serial) {
  if (!IsStream(serial)) return;
  if (!begun_) StreamBegin(serial, HttpResponse{});
  FailRead(absl::CancelledError("the stream was finished"));
  const bool keep = KeepAlive() && body_end_ == BodyEnd::kChunked;
  phase_ = Phase::kHandling;
  Push({.head = body_end_ == BodyEnd::kChunked && !head_only_ ? "0\r\n\r\n" : "",
        .done = [self = shared_from_this(), keep](bool ok) {
          if (ok) keep ? self->EndExchange() : self->Linger();
        }});
}

void HttpConnection::StreamDrop(uint64_t serial) {
  if (!IsStream(serial)) return;
  if (begun_) return Close();
  FailRead(absl::CancelledError("the stream was dropped"));
  broken_ = true;
  phase_ = Phase::kHandling;
  Respond(ErrorResponse(absl::InternalError("the request was dropped without an answer")));
}

}  // namespace bertha::server
