#include "server/http_json.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "server/http/http_error.h"
#include "server/json_route.h"
#include "server/proto_json.h"

namespace bertha::server {
namespace {

constexpr char kJson[] = "application/json";

/// Other types are not only mistakes: pages of other origins may send plain text or forms without being asked, JSON
/// not.
bool IsJson(const HttpRequest& request) {
  const std::string* type = request.headers.Find("content-type");
  if (!type) return true;
  const absl::string_view media = absl::string_view(*type).substr(0, type->find(';'));
  return absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(media), kJson);
}

/// One call, kept alive by its operation until it has ended.
class HttpCall : public std::enable_shared_from_this<HttpCall> {
 public:
  HttpCall(const Method& method, const HttpForm& form, CallCounters& counters, const HttpEdge& edge,
           std::shared_ptr<HttpReply> reply)
      : method_(method),
        form_(form),
        counters_(counters),
        edge_(edge),
        began_(edge.clock.Now()),
        reply_(std::move(reply)),
        request_(method.request->New()),
        response_(method.response->New()) {}

  void Start(const HttpRequest& request) {
    caller_ = CallerOf(request, edge_);
    absl::Status status;
    ticket_ = edge_.gate.Enter(method_.scope, request.headers.Get("authorization"), caller_, status);
    if (!status.ok()) return Reply(status);
    if (form_.needs_json && !IsJson(request)) {
      return Send(absl::InvalidArgumentError("content-type"),
                  TransportError(415, "send JSON, with the header Content-Type: application/json (curl: --json)"));
    }
    auto deadline = DeadlineOf(request, edge_.clock);
    if (!deadline.ok()) return Reply(deadline.status());
    caller_.deadline = *deadline;
    status = form_.read(request, *request_);
    if (!status.ok()) return Reply(status);
    const auto operation = method_.start(caller_, *request_, *response_,
                                         [self = shared_from_this()](const absl::Status& ended) { self->End(ended); });
    if (operation) reply_->OnAbandoned([operation] { operation->Cancel(); });
    if (caller_.deadline == batcher::TimePoint::max()) return;
    reply_->OnLate(caller_.deadline - edge_.clock.Now(), [self = shared_from_this(), operation] {
      self->Reply(TooLate());
      if (operation) operation->Cancel();
    });
  }

 private:
  static absl::Status TooLate() {
    return absl::DeadlineExceededError(absl::StrCat("the deadline (", kTimeoutHeader, ") passed before the answer"));
  }

  /// The method has ended; perhaps long after its caller was told that it is too late.
  void End(const absl::Status& status) {
    // The timer may be late itself.
    Reply(status.ok() && edge_.clock.Now() > caller_.deadline ? TooLate() : status);
    ticket_ = {};
  }

  /// The first one counts. The method may still be at work on the response, unless `status` is its own.
  void Reply(const absl::Status& status) {
    if (replied_.exchange(true)) return;
    if (status.ok()) return Send(status, form_.write(*request_, *response_));
    Send(status, form_.error(status, ErrorResponse(status, std::chrono::milliseconds(edge_.retry_after_ms(status)))));
  }

  void Send(const absl::Status& status, HttpResponse response) {
    edge_.observer.OnEnd(counters_, caller_, status, edge_.clock.Now() - began_);
    reply_->Send(std::move(response));
  }

  const Method& method_;
  const HttpForm& form_;
  CallCounters& counters_;
  const HttpEdge& edge_;
  const batcher::TimePoint began_;
  const std::shared_ptr<HttpReply> reply_;
  Caller caller_;
  Gate::Ticket ticket_;  // kept until the method has ended
  std::atomic<bool> replied_ = false;
  const std::unique_ptr<google::protobuf::Message> request_;
  const std::unique_ptr<google::protobuf::Message> response_;
};

/// Messages as proto_json.h has them.
HttpForm JsonForm(const Method& method) {
  const bool has_body = method.descriptor->input_type()->field_count() > 0;
  return {.read = [has_body](const HttpRequest& request, google::protobuf::Message& message) -> absl::Status {
            return has_body ? FromJson(request.body, message) : absl::OkStatus();
          },
          .write =
              [](const google::protobuf::Message&, const google::protobuf::Message& response) {
                return HttpResponse{.content_type = kJson, .body = ToJson(response)};
              },
          .error = [](const absl::Status&, HttpResponse response) { return response; }};
}

}  // namespace

void AddRoute(const std::string& verb, const std::string& pattern, std::shared_ptr<const Method> method, HttpForm form,
              CallCounters& counters, const HttpEdge& edge, HttpRouter& router) {
  const auto shared = std::make_shared<const HttpForm>(std::move(form));
  router.Add(verb, pattern,
             [method, shared, &counters, &edge](const HttpRequest& request, std::shared_ptr<HttpReply> reply) {
               std::make_shared<HttpCall>(*method, *shared, counters, edge, std::move(reply))->Start(request);
             });
}

void AddJsonRoutes(std::vector<Method> methods, const HttpEdge& edge, HttpRouter& router) {
  for (Method& method : methods) {
    const JsonRoute route = JsonRouteOf(*method.descriptor);
    CallCounters& counters = edge.observer.Register("http", method.name());
    HttpForm form = JsonForm(method);
    AddRoute(route.verb, route.path, std::make_shared<const Method>(std::move(method)), std::move(form), counters, edge,
             router);
  }
}

}  // namespace bertha::server
