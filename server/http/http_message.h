// A request and a response as handlers see them: plain values, without the library that reads and writes them.
//
// Thread-safety: values; a request belongs to its handler.
#ifndef BERTHA_SERVER_HTTP_HTTP_MESSAGE_H_
#define BERTHA_SERVER_HTTP_HTTP_MESSAGE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace bertha::server {

using HttpHeader = std::pair<std::string, std::string>;

/// Header lines in the order in which they came; a name may stand there several times.
class HttpHeaders {
 public:
  void Add(std::string name, std::string value) { lines_.emplace_back(std::move(name), std::move(value)); }
  /// The first line's value, in whatever case the name is spelt; nullptr if there is none.
  const std::string* Find(absl::string_view name) const {
    for (const HttpHeader& line : lines_) {
      if (absl::EqualsIgnoreCase(line.first, name)) return &line.second;
    }
    return nullptr;
  }
  /// The same; empty if there is none.
  absl::string_view Get(absl::string_view name) const {
    const std::string* value = Find(name);
    return value ? absl::string_view(*value) : absl::string_view();
  }
  std::vector<std::string> GetAll(absl::string_view name) const {
    std::vector<std::string> values;
    for (const HttpHeader& line : lines_) {
      if (absl::EqualsIgnoreCase(line.first, name)) values.push_back(line.second);
    }
    return values;
  }
  const std::vector<HttpHeader>& lines() const { return lines_; }

 private:
  std::vector<HttpHeader> lines_;
};

/// The other end of the connection.
struct HttpPeer {
  /// Without port; IPv4 as such where the socket speaks both.
  std::string address;
  uint16_t port = 0;
  bool tls = false;
  /// Subject of the certificate that the client showed (RFC 2253); empty without mutual TLS.
  std::string certificate_subject;
};

struct HttpRequest {
  /// Names it in logs and in its reply (trace.h); set by the server, whether the rest could be read or not.
  std::string id;
  std::string method;
  /// As sent, without the query; starts with '/' or is "*".
  std::string path;
  /// What stands between the slashes, percent-decoded; "/" has one empty segment.
  std::vector<std::string> segments;
  /// Percent-decoded ('+' is a space), in order.
  std::vector<std::pair<std::string, std::string>> query;
  /// What the route's {parameters} stand for, decoded.
  std::vector<std::pair<std::string, std::string>> parameters;
  HttpHeaders headers;
  /// Empty for streams, which read it piece by piece.
  std::string body;
  HttpPeer peer;

  /// The value of a {parameter}; empty if the route has none of that name.
  absl::string_view parameter(absl::string_view name) const { return Find(parameters, name); }
  /// The first value in the query; empty if there is none.
  absl::string_view query_value(absl::string_view name) const { return Find(query, name); }

 private:
  static absl::string_view Find(const std::vector<std::pair<std::string, std::string>>& list, absl::string_view name) {
    for (const auto& [key, value] : list) {
      if (absl::string_view(key) == name) return value;
    }
    return {};
  }
};

/// Why a request reaches no handler.
struct HttpFailure {
  int status = 0;  // 0: there is none
  std::string message;
  explicit operator bool() const { return status != 0; }
};

/// Bytes of a response: its own, or some that outlive the server and are not copied.
class HttpBody {
 public:
  HttpBody() = default;
  HttpBody(std::string bytes) : bytes_(std::move(bytes)) {}  // NOLINT: text is a body
  HttpBody(const char* text) : bytes_(std::string(text)) {}  // NOLINT
  static HttpBody Static(absl::string_view bytes) {
    HttpBody body;
    body.bytes_ = bytes;
    return body;
  }
  absl::string_view view() const {
    return std::visit([](const auto& bytes) { return absl::string_view(bytes.data(), bytes.size()); }, bytes_);
  }

 private:
  std::variant<std::string, absl::string_view> bytes_;
};

/// The server adds Content-Length or Transfer-Encoding, Connection, Date and Server; Cache-Control: no-store, unless
/// there is one; the request's id and trace context; and the headers of the route.
struct HttpResponse {
  int status = 200;
  std::string content_type;
  std::vector<HttpHeader> headers;
  HttpBody body;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_HTTP_MESSAGE_H_
