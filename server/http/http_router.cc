#include "server/http/http_router.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace bertha::server {
namespace {

constexpr char kAllowedHeaders[] =
    "authorization, content-type, inference-header-content-length, traceparent, tracestate, x-request-id, x-timeout-ms";
constexpr char kExposedHeaders[] = "inference-header-content-length, retry-after, traceparent, x-request-id";

HttpHandler Always(HttpResponse response) {
  return [response = std::move(response)](HttpRequest, std::shared_ptr<HttpReply> reply) { reply->Send(response); };
}

/// scheme://host[:port], as browsers write it.
bool IsOrigin(absl::string_view text) {
  const bool web = absl::StartsWith(text, "http://") || absl::StartsWith(text, "https://");
  const absl::string_view host = text.substr(std::min(text.size(), text.find("://") + 3));
  return web && !host.empty() && host.find_first_of("/?#@* \t") == absl::string_view::npos &&
         absl::AsciiStrToLower(text) == text;
}

}  // namespace

absl::StatusOr<CorsOrigins> CorsOrigins::Parse(absl::string_view list) {
  CorsOrigins out;
  for (absl::string_view item : absl::StrSplit(list, ',', absl::SkipWhitespace())) {
    item = absl::StripAsciiWhitespace(item);
    if (item == "*") {
      out.any_ = true;
    } else if (IsOrigin(item)) {
      out.origins_.emplace_back(item);
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", item, "\" is not an origin like https://example.org, in lower case and without a path"));
    }
  }
  return out;
}

std::string CorsOrigins::Allowed(absl::string_view origin) const {
  if (origin.empty()) return "";
  if (any_) return "*";
  return std::ranges::find(origins_, std::string(origin)) == origins_.end() ? "" : std::string(origin);
}

bool HttpRouter::Segment::Matches(absl::string_view text, std::string* value) const {
  if (name.empty()) return text == prefix;
  if (text.size() <= prefix.size() + suffix.size()) return false;
  if (!absl::StartsWith(text, prefix) || !absl::EndsWith(text, suffix)) return false;
  *value = std::string(text.substr(prefix.size(), text.size() - prefix.size() - suffix.size()));
  return true;
}

void HttpRouter::Insert(absl::string_view method, absl::string_view pattern, HttpHandler handler,
                        HttpStreamHandler stream) {
  Entry entry = {.method = std::string(method),
                 .pattern = std::string(pattern),
                 .handler = std::move(handler),
                 .stream_handler = std::move(stream)};
  for (const absl::string_view part : absl::StrSplit(pattern.substr(1), '/')) {
    const size_t open = part.find('{'), close = part.find('}');
    if (open == absl::string_view::npos) {
      entry.segments.push_back({.prefix = std::string(part)});
    } else {
      entry.segments.push_back({.prefix = std::string(part.substr(0, open)),
                                .name = std::string(part.substr(open + 1, close - open - 1)),
                                .suffix = std::string(part.substr(close + 1))});
    }
  }
  // Text before parameters, from left to right; of parameters, those with more text around them.
  const auto rank = [](const Entry& e) {
    std::vector<std::pair<bool, size_t>> key;
    for (const Segment& s : e.segments) key.emplace_back(!s.name.empty(), ~(s.prefix.size() + s.suffix.size()));
    return key;
  };
  const auto less = [&](const Entry& a, const Entry& b) { return rank(a) < rank(b); };
  entries_.insert(std::upper_bound(entries_.begin(), entries_.end(), entry, less), std::move(entry));
}

void HttpRouter::Add(absl::string_view method, absl::string_view pattern, HttpHandler handler) {
  Insert(method, pattern, std::move(handler), nullptr);
}

void HttpRouter::AddStream(absl::string_view method, absl::string_view pattern, HttpStreamHandler handler) {
  Insert(method, pattern, nullptr, std::move(handler));
}

std::vector<HttpRouter::Pattern> HttpRouter::patterns() const {
  std::vector<Pattern> patterns;
  for (const Entry& entry : entries_) patterns.push_back({entry.method, entry.pattern});
  return patterns;
}

bool HttpRouter::Matches(const Entry& entry, const HttpRequest& request, Parameters* parameters) {
  if (entry.segments.size() != request.segments.size()) return false;
  parameters->clear();
  for (size_t i = 0; i < entry.segments.size(); ++i) {
    std::string value;
    if (!entry.segments[i].Matches(request.segments[i], &value)) return false;
    if (!entry.segments[i].name.empty()) parameters->emplace_back(entry.segments[i].name, std::move(value));
  }
  return true;
}

std::vector<HttpHeader> HttpRouter::CorsHeaders(const HttpRequest& request) const {
  if (!cors_.enabled()) return {};
  std::vector<HttpHeader> headers = {{"Vary", "Origin"}};
  const std::string origin = cors_.Allowed(request.headers.Get("Origin"));
  if (origin.empty()) return headers;
  headers.emplace_back("Access-Control-Allow-Origin", origin);
  headers.emplace_back("Access-Control-Expose-Headers", kExposedHeaders);
  return headers;
}

HttpRoute HttpRouter::Refusal(const HttpRequest& request, HttpFailure failure, std::vector<HttpHeader> headers) const {
  for (HttpHeader& header : CorsHeaders(request)) headers.push_back(std::move(header));
  return {.handler = [this, failure = std::move(failure)](
                         const HttpRequest& asked,
                         const std::shared_ptr<HttpReply>& reply) { reply->Send(refuse_(asked, failure)); },
          .headers = std::move(headers)};
}

HttpRoute HttpRouter::Preflight(const HttpRequest& request, const std::string& methods) const {
  HttpRoute route = {.headers = CorsHeaders(request)};
  HttpResponse response = {.status = 204, .headers = {{"Allow", methods}}};
  const bool allowed = !cors_.Allowed(request.headers.Get("Origin")).empty();
  if (allowed && request.headers.Find("Access-Control-Request-Method")) {
    response.headers.emplace_back("Access-Control-Allow-Methods", methods);
    response.headers.emplace_back("Access-Control-Allow-Headers", kAllowedHeaders);
    response.headers.emplace_back("Access-Control-Max-Age", "600");
  }
  route.handler = Always(std::move(response));
  return route;
}

HttpRoute HttpRouter::Route(HttpRequest& request) const {
  std::set<std::string> methods;
  Parameters parameters;
  const absl::string_view wanted = request.method == "HEAD" ? absl::string_view("GET") : request.method;
  for (const Entry& entry : entries_) {
    if (!Matches(entry, request, &parameters)) continue;
    if (entry.method == wanted) {
      request.parameters = std::move(parameters);
      return {entry.handler, entry.stream_handler, CorsHeaders(request)};
    }
    methods.insert(entry.method);
    if (entry.method == "GET") methods.insert("HEAD");
  }
  const bool whole_server = request.path == "*" && wanted == "OPTIONS";
  if (methods.empty() && !whole_server) {
    return Refusal(request, {404, "there is nothing at this path"});
  }
  if (whole_server) methods = {"GET", "HEAD", "POST"};
  methods.insert("OPTIONS");
  const std::string allow = absl::StrJoin(methods, ", ");
  if (wanted == "OPTIONS") return Preflight(request, allow);
  return Refusal(request, {405, absl::StrCat("this path answers ", allow)}, {{"Allow", allow}});
}

}  // namespace bertha::server
