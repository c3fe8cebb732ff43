#include "server/http/http_connection.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/trace.h"

namespace bertha::server {
namespace {

using std::chrono::milliseconds;
using Result = ByteStream::Result;

constexpr size_t kReadBytes = 64 << 10;
/// So many reads, then the loop's other connections have their turn.
constexpr int kReadsPerTurn = 8;
/// Kept of what comes while a request is handled.
constexpr size_t kMostPipelinedBytes = 64 << 10;
constexpr milliseconds kLinger{2000};

}  // namespace

HttpConnection::HttpConnection(std::unique_ptr<ByteStream> stream, HttpPeer peer, std::shared_ptr<IoLoop> loop,
                               std::shared_ptr<Context> context, OnClosed on_closed)
    : stream_(std::move(stream)),
      peer_(std::move(peer)),
      loop_(std::move(loop)),
      context_(std::move(context)),
      on_closed_(std::move(on_closed)) {}

void HttpConnection::Start() {
  SetDeadline(context_->limits.header_timeout);
  ContinueHandshake();
}

void HttpConnection::ContinueHandshake() {
  if (phase_ != Phase::kHandshake) return;
  const auto again = [self = shared_from_this()] { self->ContinueHandshake(); };
  switch (stream_->Handshake()) {
    case Result::kWantRead:
      return stream_->WaitRead(again);
    case Result::kWantWrite:
      return stream_->WaitWrite(again);
    case Result::kDone:
      peer_.certificate_subject = stream_->CertificateSubject();
      phase_ = Phase::kIdle;
      SetDeadline(context_->limits.idle_timeout);
      return Pump();
    default:
      return Close();
  }
}

void HttpConnection::Sweep(batcher::TimePoint now) {
  const HttpLimits& limits = context_->limits;
  if (write_watch_.TooSlow(now, limits.rate_window, limits.min_bytes_per_second)) {
    context_->counters.timed_out += 1;
    return Close();
  }
  const bool late = now > deadline_;
  switch (phase_) {
    case Phase::kIdle:
    case Phase::kLinger:
      if (late) Close();
      return;
    case Phase::kHandshake:
    case Phase::kStreaming:
      if (late) context_->counters.timed_out += 1, Close();
      return;
    case Phase::kHeader:
      if (late) context_->counters.timed_out += 1, Fail({408, "the request's header did not come in time"});
      return;
    case Phase::kBody:
      if (!body_watch_.TooSlow(now, limits.rate_window, limits.min_bytes_per_second)) return;
      context_->counters.timed_out += 1;
      return Fail({408, "the request's body came too slowly"});
    case Phase::kHandling:
    case Phase::kClosed:
      return;
  }
}

void HttpConnection::CloseIfIdle() {
  if (phase_ == Phase::kIdle || phase_ == Phase::kHandshake) Close();
}

void HttpConnection::Close() {
  if (phase_ == Phase::kClosed) return;
  const auto self = shared_from_this();
  phase_ = Phase::kClosed;
  alarm_.reset();
  write_watch_.Stop();
  stream_->Close();
  Abandon();
  for (Outgoing& outgoing : std::exchange(out_, {})) {
    if (outgoing.done) outgoing.done(false);
  }
  if (on_closed_) std::exchange(on_closed_, nullptr)(self);
}

void HttpConnection::Abandon() {
  if (const auto reply = reply_.lock()) reply->Abandon();
  if (const auto stream = http_stream_.lock()) stream->Abandon();
  FailRead(absl::CancelledError("the client closed the connection"));
}

// --- reading ---

/// Reads and parses until there is nothing to read or no need to.
void HttpConnection::Pump() {
  if (std::exchange(pumping_, true)) return;
  const auto self = shared_from_this();
  thread_local char buffer[kReadBytes];
  bool wait = false, wait_write = false;
  for (int reads = 0; Advance(); ++reads) {
    wait = reads == kReadsPerTurn || waiting_read_;
    if (wait) break;
    const ByteStream::Io io = stream_->Read(buffer, sizeof(buffer));
    if (io.result == Result::kDone) {
      in_.append(buffer, io.bytes);
      if (phase_ == Phase::kBody) body_watch_.Add(io.bytes);
      if (phase_ == Phase::kStreaming) SetDeadline(context_->limits.stream_idle_timeout);
      continue;
    }
    wait = io.result == Result::kWantRead;
    wait_write = io.result == Result::kWantWrite;
    if (io.result == Result::kEnd) OnEnd();
    if (io.result == Result::kFailed) Close();
    break;
  }
  pumping_ = false;
  if (wait_write) stream_->WaitWrite([self] { self->Pump(); });
  if (wait) WaitForPeer();
}

void HttpConnection::WaitForPeer() {
  if (phase_ == Phase::kClosed || ended_ || std::exchange(waiting_read_, true)) return;
  const auto ready = [self = shared_from_this()] {
    self->waiting_read_ = false;
    self->Pump();
  };
  if (stream_->HasBuffered()) {
    loop_->Post(ready);
  } else {
    stream_->WaitRead(ready);
  }
}

/// Does what the bytes in hand allow. True: more should be read.
bool HttpConnection::Advance() {
  while (true) {
    const Phase before = phase_;
    switch (phase_) {
      case Phase::kIdle:
      case Phase::kHeader:
        ReadHeader();
        break;
      case Phase::kBody:
        ReadBody();
        break;
      case Phase::kStreaming:
        DeliverPiece();
        break;
      case Phase::kLinger:
        in_.clear();
        break;
      default:
        break;
    }
    if (phase_ == before) break;
  }
  if (ended_ || phase_ == Phase::kClosed) return false;
  const bool waits = phase_ == Phase::kHandling || (phase_ == Phase::kStreaming && !stream_read_);
  return !waits || pending() < kMostPipelinedBytes;
}

void HttpConnection::ReadHeader() {
  if (phase_ == Phase::kIdle) {
    while (absl::StartsWith(in_, "\r\n")) in_.erase(0, 2);  // RFC 9112 section 2.2
    if (in_.empty()) return;
    phase_ = Phase::kHeader;
    SetDeadline(context_->limits.header_timeout);
    parser_ = std::make_unique<HttpParser>(context_->limits);
  }
  HttpParser::Failure failure;
  const size_t used = parser_->ParseHeader(in_, failure);
  if (failure) return Fail(failure);
  in_.erase(0, used);
  if (parser_->has_header()) BeginRequest();
}

/// Says where the request comes from, and gives it its id, which every reply has, whoever makes it.
void HttpConnection::NameRequest() {
  HttpRequest& request = parser_->request();
  const absl::string_view traceparent = request.headers.Get(kTraceparentHeader);
  request.peer = peer_;
  request.id = RequestIdFor(request.headers.Get(kRequestIdHeader), traceparent);
  route_.headers.emplace_back(kRequestIdHeader, request.id);
  if (IsTraceparent(traceparent)) route_.headers.emplace_back(kTraceparentHeader, std::string(traceparent));
}

/// The header is there.
void HttpConnection::BeginRequest() {
  HttpRequest& request = parser_->request();
  context_->counters.requests += 1;
  serial_ += 1;
  head_only_ = request.method == "HEAD";
  route_ = context_->route(request);
  NameRequest();
  if (route_.stream_handler) return DispatchStream();
  const uint64_t most = context_->limits.max_body_bytes;
  if (parser_->content_length().value_or(0) > most) {
    return Fail({413, absl::StrCat("the body is longer than ", most, " bytes")});
  }
  phase_ = Phase::kBody;
  body_watch_.Start(std::chrono::steady_clock::now());
  if (in_.empty()) SendContinue();
}

void HttpConnection::ReadBody() {
  HttpParser::Failure failure;
  in_.erase(0, parser_->ParseBody(in_, context_->limits.max_body_bytes, body_, failure));
  if (failure) return Fail(failure);
  if (parser_->done()) DispatchRequest();
}

void HttpConnection::DispatchRequest() {
  phase_ = Phase::kHandling;
  body_watch_.Stop();
  HttpRequest request = std::move(parser_->request());
  request.body = std::exchange(body_, {});
  const auto respond = [weak = weak_from_this(), loop = loop_, serial = serial_](HttpResponse response) {
    auto shared = std::make_shared<HttpResponse>(std::move(response));
    loop->Post([weak, serial, shared] {
      if (const auto self = weak.lock()) self->OnResponse(serial, std::move(*shared));
    });
  };
  const auto alarm = [weak = weak_from_this(), loop = loop_, serial = serial_](std::chrono::nanoseconds after) {
    loop->Post([weak, serial, when = std::chrono::steady_clock::now() + after] {
      if (const auto self = weak.lock()) self->SetAlarm(serial, when);
    });
  };
  const auto reply = std::make_shared<HttpReply>(respond, alarm);
  reply_ = reply;
  route_.handler(std::move(request), reply);
}

/// The client sends no more. Some do so when they have asked and still read the answer, so it is sent if it comes.
void HttpConnection::OnEnd() {
  ended_ = true;
  switch (phase_) {
    case Phase::kHandling:
    case Phase::kStreaming:
      return Abandon();
    default:
      return Close();
  }
}

// --- answering ---

bool HttpConnection::KeepAlive() const {
  return parser_->done() && parser_->keep_alive() && !broken_ && !ended_ && !context_->draining &&
         serial_ < context_->limits.max_requests_per_connection;
}

/// The request cannot be understood, or breaks a limit; nothing behind it can be trusted.
void HttpConnection::Fail(const HttpParser::Failure& failure) {
  if (failure.status != 408) context_->counters.malformed += 1;
  broken_ = true;
  phase_ = Phase::kHandling;
  if (parser_->request().id.empty()) NameRequest();
  Respond(context_->refuse(parser_->request(), failure));
}

void HttpConnection::OnResponse(uint64_t serial, HttpResponse response) {
  if (phase_ == Phase::kHandling && serial == serial_) Respond(response);
}

void HttpConnection::SetAlarm(uint64_t serial, batcher::TimePoint when) {
  if (phase_ != Phase::kHandling || serial != serial_) return;
  alarm_ = loop_->At(when, [weak = reply_] {
    if (const auto reply = weak.lock()) reply->Expire();
  });
}

void HttpConnection::Respond(const HttpResponse& response) {
  alarm_.reset();
  const HeadOptions options = {.http_1_0 = parser_->has_header() && parser_->http_1_0(),
                               .keep_alive = parser_->has_header() && KeepAlive()};
  Outgoing outgoing = {.head = ResponseHead(response, route_.headers, options)};
  if (!head_only_ && MayHaveBody(response.status)) outgoing.body = response.body;
  outgoing.done = [self = shared_from_this(), keep = options.keep_alive](bool ok) {
    if (ok) keep ? self->EndExchange() : self->Linger();
  };
  Push(std::move(outgoing));
}

void HttpConnection::SendContinue() {
  if (!parser_->expects_continue() || std::exchange(continue_sent_, true)) return;
  Push({.head = "HTTP/1.1 100 Continue\r\n\r\n"});
}

void HttpConnection::Push(Outgoing outgoing) {
  out_.push_back(std::move(outgoing));
  if (!write_watch_.running()) write_watch_.Start(std::chrono::steady_clock::now());
  Flush();
}

/// Writes until the connection takes no more.
void HttpConnection::Flush() {
  if (waiting_write_ || std::exchange(flushing_, true)) return;
  const auto self = shared_from_this();
  while (!out_.empty()) {
    const absl::string_view head = out_.front().head, body = out_.front().body.view();
    if (written_ < head.size() + body.size()) {
      const ByteStream::Io io = stream_->Write(head.substr(std::min(written_, head.size())),
                                               body.substr(written_ - std::min(written_, head.size())));
      if (io.result == Result::kDone) {
        written_ += io.bytes;
        write_watch_.Add(io.bytes);
        if (phase_ == Phase::kStreaming) SetDeadline(context_->limits.stream_idle_timeout);
        continue;
      }
      flushing_ = false;
      if (io.result != Result::kWantRead && io.result != Result::kWantWrite) return Close();
      waiting_write_ = true;
      const auto ready = [self] {
        self->waiting_write_ = false;
        self->Flush();
      };
      return stream_->WaitWrite(ready);
    }
    Outgoing sent = std::move(out_.front());
    out_.pop_front();
    written_ = 0;
    if (out_.empty()) write_watch_.Stop();
    if (sent.done) sent.done(true);
  }
  flushing_ = false;
}

/// The answer is on its way; the next request may come.
void HttpConnection::EndExchange() {
  phase_ = Phase::kIdle;
  SetDeadline(context_->limits.idle_timeout);
  parser_.reset();
  route_ = {};
  head_only_ = begun_ = continue_sent_ = false;
  if (!in_.empty() || ended_) return Pump();
  std::string().swap(in_);
  WaitForPeer();
}

void HttpConnection::Linger() {
  if (ended_) return Close();
  phase_ = Phase::kLinger;
  SetDeadline(kLinger);
  stream_->ShutdownWrite();
  Pump();
}

}  // namespace bertha::server
