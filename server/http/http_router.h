// Which handler answers a request: by method and path, with {parameters}. Also what every path has in common: 404, 405
// with Allow, OPTIONS, and CORS.
//
// Source: RFC 9110 (methods), the Fetch standard (CORS). Thread-safety: filled before the server starts; then const.
#ifndef BERTHA_SERVER_HTTP_HTTP_ROUTER_H_
#define BERTHA_SERVER_HTTP_HTTP_ROUTER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/http/http_error.h"
#include "server/http/http_reply.h"

namespace bertha::server {

/// What becomes of a request, decided when its header is there. One of the handlers is set.
struct HttpRoute {
  HttpHandler handler;
  HttpStreamHandler stream_handler;
  /// For the response, whatever it is.
  std::vector<HttpHeader> headers;
};

/// Web pages of other origins that may call this server; without any, browsers keep them from it.
class CorsOrigins {
 public:
  /// Origins like https://example.org:8443, separated by commas, or "*" for all; empty: none. INVALID_ARGUMENT names
  /// the entry that is none.
  static absl::StatusOr<CorsOrigins> Parse(absl::string_view list);
  bool enabled() const { return any_ || !origins_.empty(); }
  /// The value of Access-Control-Allow-Origin; empty if the origin is not allowed.
  std::string Allowed(absl::string_view origin) const;

 private:
  bool any_ = false;
  std::vector<std::string> origins_;
};

class HttpRouter {
 public:
  /// `refuse` answers where there is nothing, or another method.
  explicit HttpRouter(CorsOrigins cors = {}, HttpRefuse refuse = RefusePlainly)
      : cors_(std::move(cors)), refuse_(std::move(refuse)) {}

  /// `pattern`: like "/v2/models/{model}/infer" or "/v1/models/{model}:classify". A parameter takes part of one
  /// segment, at least one byte. Where several patterns fit, text wins over a parameter, from left to right. GET
  /// answers HEAD too.
  void Add(absl::string_view method, absl::string_view pattern, HttpHandler handler);
  void AddStream(absl::string_view method, absl::string_view pattern, HttpStreamHandler handler);

  struct Pattern {
    std::string method, text;
  };
  /// What was added.
  std::vector<Pattern> patterns() const;

  /// Fills the request's parameters.
  HttpRoute Route(HttpRequest& request) const;

 private:
  /// prefix{name}suffix, or the prefix alone.
  struct Segment {
    std::string prefix, name, suffix;
    bool Matches(absl::string_view text, std::string* value) const;
  };
  struct Entry {
    std::string method, pattern;
    std::vector<Segment> segments;
    HttpHandler handler;
    HttpStreamHandler stream_handler;
  };
  using Parameters = std::vector<std::pair<std::string, std::string>>;

  void Insert(absl::string_view method, absl::string_view pattern, HttpHandler handler, HttpStreamHandler stream);
  static bool Matches(const Entry& entry, const HttpRequest& request, Parameters* parameters);
  std::vector<HttpHeader> CorsHeaders(const HttpRequest& request) const;
  HttpRoute Refusal(const HttpRequest& request, HttpFailure failure, std::vector<HttpHeader> headers = {}) const;
  HttpRoute Preflight(const HttpRequest& request, const std::string& methods) const;

  const CorsOrigins cors_;
  const HttpRefuse refuse_;
  std::vector<Entry> entries_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_HTTP_ROUTER_H_
