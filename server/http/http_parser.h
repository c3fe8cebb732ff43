// Bytes of one request -> its header, then its body. Beast's parser does the work; what it forgives and attackers use
// to make two servers see different requests (folded lines, bare CR or LF, repeated or contradicting lengths, encodings
// other than chunked) is refused here.
//
// Source: RFC 9112. Thread-safety: thread-compatible.
#ifndef BERTHA_SERVER_HTTP_HTTP_PARSER_H_
#define BERTHA_SERVER_HTTP_HTTP_PARSER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "server/http/http_limits.h"
#include "server/http/http_message.h"

namespace bertha::server {

class HttpParser {
 public:
  /// After a failure nothing more can be understood.
  using Failure = HttpFailure;

  explicit HttpParser(const HttpLimits& limits);
  ~HttpParser();

  /// `data`: all bytes of the request so far. Bytes consumed: 0 until the header is there as a whole.
  size_t ParseHeader(absl::string_view data, Failure& failure);
  bool has_header() const;
  /// Before the header is there, at most method and path are.
  HttpRequest& request();
  /// The client wants the connection kept.
  bool keep_alive() const;
  bool http_1_0() const;
  bool chunked() const;
  std::optional<uint64_t> content_length() const;
  bool expects_continue() const;

  /// After the header: appends what `data` holds of the body to `body`; bytes consumed. The rest must be there again in
  /// the next call. Bodies of more than `max_bytes` in all: 413.
  size_t ParseBody(absl::string_view data, uint64_t max_bytes, std::string& body, Failure& failure);
  /// The request was parsed to its end.
  bool done() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_HTTP_PARSER_H_
