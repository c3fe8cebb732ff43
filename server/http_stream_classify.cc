#include "server/http_stream_classify.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/bertha_methods.h"
#include "server/http/http_error.h"
#include "server/json_route.h"
#include "server/proto_json.h"
#include "server/stream_session.h"

namespace bertha::server {
namespace {

constexpr char kLines[] = "application/x-ndjson";

/// The HTTP side of a StreamSession; alive until Finish. What reads runs on the stream's I/O thread.
class LineStream final : public StreamTransport, public std::enable_shared_from_this<LineStream> {
 public:
  LineStream(const HttpEdge& edge, CallCounters& counters, Caller caller, size_t max_line_bytes,
             std::shared_ptr<HttpStream> stream)
      : edge_(edge),
        counters_(counters),
        began_(edge.clock.Now()),
        caller_(std::move(caller)),
        max_line_bytes_(max_line_bytes),
        stream_(std::move(stream)) {}

  void Start(const Inference& inference, size_t max_in_flight) {
    self_ = shared_from_this();
    session_ = std::make_shared<StreamSession>(inference, *this, caller_.deadline, max_in_flight);
    stream_->Begin({.content_type = kLines});
    stream_->OnAbandoned([session = session_] { session->OnCancel(); });
    edge_.gate.AddStream(session_);
    session_->Start();
  }

 private:
  void StartRead() override {
    stream_->Post([self = shared_from_this()] { self->NextLine(); });
  }

  /// One line to the session, or more bytes first.
  void NextLine() {
    const size_t end = lines_.find('\n', begin_);
    if (end != std::string::npos) return TakeLine(end, end + 1);
    if (ended_ && begin_ < lines_.size()) return TakeLine(lines_.size(), lines_.size());
    if (ended_) return session_->OnReadsDone();
    lines_.erase(0, std::exchange(begin_, 0));
    if (lines_.size() > max_line_bytes_) {
      ended_ = true;  // where the next request begins cannot be told without reading on
      lines_.clear();
      return session_->OnRefused(
          0, absl::InvalidArgumentError(absl::StrCat("a line has more than ", max_line_bytes_, " bytes; split it")));
    }
    stream_->Read([self = shared_from_this()](absl::StatusOr<std::optional<std::string>> piece) {
      self->OnPiece(std::move(piece));
    });
  }

  void OnPiece(absl::StatusOr<std::optional<std::string>> piece) {
    if (piece.ok() && *piece) {
      lines_ += **piece;
    } else {
      ended_ = true;
      if (!piece.ok()) lines_.clear();  // cut off in the middle of a request
    }
    NextLine();
  }

  void TakeLine(size_t end, size_t next) {
    const std::string line(absl::StripAsciiWhitespace(absl::string_view(lines_).substr(begin_, end - begin_)));
    begin_ = next;
    if (line.empty()) return NextLine();
    v1::StreamClassifyRequest request;
    const absl::Status read = FromJson(line, request);
    if (absl::Status status = edge_.gate.CountMessage(caller_); !status.ok()) {
      return session_->OnRefused(request.id(), status);
    }
    read.ok() ? session_->OnRequest(std::move(request)) : session_->OnRefused(request.id(), read);
  }

  void StartWrite(const v1::StreamClassifyResponse& response) override {
    stream_->Write(absl::StrCat(ToJson(response), "\n"), [session = session_](bool) { session->OnWriteDone(); });
  }
  void OnEnd(const absl::Status& status) override {
    edge_.observer.OnEnd(counters_, caller_, status, edge_.clock.Now() - began_);
  }
  /// That the server stops is told by the stream's end before the client's.
  void Finish(const absl::Status&) override {
    edge_.gate.RemoveStream(session_);
    stream_->Finish();
    stream_->Post([self = std::move(self_)] {});  // not here: the caller is a method of the session
  }

  const HttpEdge& edge_;
  CallCounters& counters_;
  const batcher::TimePoint began_;
  const Caller caller_;
  const size_t max_line_bytes_;
  const std::shared_ptr<HttpStream> stream_;
  std::shared_ptr<StreamSession> session_;
  std::shared_ptr<LineStream> self_;
  std::string lines_;
  size_t begin_ = 0;  // of the next line
  bool ended_ = false;
};

void Refuse(const absl::Status& status, const HttpEdge& edge, HttpStream& stream) {
  HttpResponse response = ErrorResponse(status, std::chrono::milliseconds(edge.retry_after_ms(status)));
  std::string body(response.body.view());
  stream.Begin(std::move(response));
  stream.Write(std::move(body), [](bool) {});
  stream.Finish();
}

}  // namespace

void AddStreamClassify(const Inference& inference, const HttpEdge& edge, size_t max_in_flight, size_t max_line_bytes,
                       HttpRouter& router) {
  const google::protobuf::MethodDescriptor& method = StreamClassifyMethod();
  CallCounters& counters = edge.observer.Register("http", method.name());
  const JsonRoute route = JsonRouteOf(method);
  router.AddStream(route.verb, route.path,
                   [&inference, &edge, &counters, max_in_flight, max_line_bytes](
                       const HttpRequest& request, const std::shared_ptr<HttpStream>& stream) {
                     Caller caller = CallerOf(request, edge);
                     absl::Status status;
                     const Gate::Ticket ticket =
                         edge.gate.Enter(Scope::kInfer, request.headers.Get("authorization"), caller, status);
                     if (!status.ok()) {
                       edge.observer.OnEnd(counters, caller, status, {});
                       return Refuse(status, edge, *stream);
                     }
                     std::make_shared<LineStream>(edge, counters, std::move(caller), max_line_bytes, stream)
                         ->Start(inference, max_in_flight);
                   });
}

}  // namespace bertha::server
