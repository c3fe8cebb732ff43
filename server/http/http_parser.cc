#include "server/http/http_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/http/http_target.h"

namespace bertha::server {
namespace {

namespace http = boost::beast::http;
using boost::beast::string_view;
using Error = boost::beast::error_code;
using Failure = HttpParser::Failure;

constexpr absl::string_view kEndOfHeader = "\r\n\r\n";
constexpr absl::string_view kLastChunk = "0\r\n\r\n";

Failure Bad(absl::string_view message) { return {400, std::string(message)}; }

/// A byte that may stand in a method (RFC 9110 section 5.6.2).
bool IsTokenByte(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || (c != '\0' && absl::StrContains("!#$%&'*+-.^_`|~", c));
}

/// What the header so far has of the request target.
absl::string_view TargetIn(absl::string_view data) {
  const size_t space = data.find(' ');
  const absl::string_view rest = space == absl::string_view::npos ? "" : data.substr(space + 1);
  return rest.substr(0, rest.find_first_of(" \r\n"));
}

Failure CheckTargetLength(absl::string_view data, const HttpLimits& limits) {
  if (TargetIn(data).size() <= limits.max_target_bytes) return {};
  return {414, absl::StrCat("the request target is longer than ", limits.max_target_bytes, " bytes")};
}

Failure TooMuchHeader(const HttpLimits& limits) {
  return {431, absl::StrCat("the header is longer than ", limits.max_header_bytes, " bytes")};
}

/// The header so far, its end not seen yet.
Failure CheckUnfinished(absl::string_view data, const HttpLimits& limits) {
  if (!data.empty() && !IsTokenByte(data[0])) return Bad("this is no HTTP request");
  if (Failure failure = CheckTargetLength(data, limits)) return failure;
  return data.size() >= limits.max_header_bytes ? TooMuchHeader(limits) : Failure{};
}

/// Whether `data`, which begins where a chunk does, can become a chunk. `first`: of the body; before the others stands
/// the end of the last one.
bool MayBeChunk(absl::string_view data, bool first) {
  constexpr absl::string_view kLineEnd = "\r\n";
  if (!first) {
    if (data.size() < kLineEnd.size()) return absl::StartsWith(kLineEnd, data);
    if (!absl::ConsumePrefix(&data, kLineEnd)) return false;
  }
  const size_t digits = std::min(data.size(), data.find_first_not_of("0123456789abcdefABCDEF"));
  if (digits == data.size()) return true;  // the rest of the line is still to come
  return digits > 0 && absl::StrContains("; \t\r", data[digits]);
}

/// What Beast would forgive. `header` ends in an empty line.
Failure CheckLines(absl::string_view header, const HttpLimits& limits) {
  size_t lines = 0;
  for (size_t i = 0; i < header.size(); ++i) {
    if (header[i] == '\0') return Bad("there is a NUL in the header");
    if (header[i] == '\n' && (i == 0 || header[i - 1] != '\r')) return Bad("a line of the header ends in LF alone");
    if (header[i] != '\r') continue;
    if (i + 1 == header.size() || header[i + 1] != '\n') return Bad("there is a CR without LF in the header");
    if (i + 2 < header.size() && (header[i + 2] == ' ' || header[i + 2] == '\t')) {
      return Bad("a line of the header is folded or begins with white space");
    }
    lines += 1;
  }
  if (lines < limits.max_headers + 3) return {};  // besides: the request line and the empty one
  return {431, absl::StrCat("there are more than ", limits.max_headers, " header lines")};
}

}  // namespace

class HttpParser::Impl : public http::basic_parser<true> {
 public:
  explicit Impl(const HttpLimits& limits) : limits_(limits) {
    // Lengths are checked here, where the answer can say more.
    body_limit(std::numeric_limits<uint64_t>::max());
    header_limit(static_cast<uint32_t>(std::min<size_t>(limits.max_header_bytes, 1 << 30)));
  }

  size_t ParseHeader(absl::string_view data, Failure& failure) {
    const size_t used = TakeHeader(data, failure);
    // For whoever answers: the path decides the form of an error.
    if (failure && request.path.empty()) request.path = std::string(TargetIn(data));
    return used;
  }

  size_t ParseBody(absl::string_view data, uint64_t max_bytes, std::string& body, Failure& failure) {
    body_ = &body;
    max_body_ = max_bytes;
    size_t used = 0;
    // Between chunks no message can go on with fewer bytes than the last chunk has, and Beast relies on it.
    const size_t least = chunked() ? kLastChunk.size() : 1;
    while (!is_done() && data.size() - used >= (in_chunk_ ? 1 : least)) {
      Error error;
      used += put(boost::asio::buffer(data.data() + used, data.size() - used), error);
      if (error == http::error::need_more) {
        // A chunk's header, or the trailer.
        if (data.size() - used > limits_.max_header_bytes) failure = Bad("a chunk's header or the trailer is too long");
        break;
      }
      if (error) {
        failure =
            too_large_ ? Failure{413, absl::StrCat("the body is longer than ", max_bytes, " bytes")} : Explain(error);
        break;
      }
    }
    // What is left is too little for Beast to look at.
    const absl::string_view rest = data.substr(used);
    const bool between_chunks = chunked() && !in_chunk_ && !is_done();
    if (!failure && between_chunks && rest.size() < least && !MayBeChunk(rest, chunked_bytes_ == 0)) {
      failure = Bad("a chunk does not begin with its size in hexadecimal");
    }
    return used;
  }

  HttpRequest request;
  bool http_1_0 = false;

 private:
  size_t TakeHeader(absl::string_view data, Failure& failure) {
    const size_t from = scanned_ < kEndOfHeader.size() ? 0 : scanned_ - kEndOfHeader.size();
    const size_t end = data.find(kEndOfHeader, from);
    scanned_ = data.size();
    const absl::string_view header = end == absl::string_view::npos ? data : data.substr(0, end + kEndOfHeader.size());
    failure = CheckUnfinished(header.substr(0, end), limits_);
    if (failure || end == absl::string_view::npos) return 0;
    failure = header.size() > limits_.max_header_bytes ? TooMuchHeader(limits_) : CheckLines(header, limits_);
    if (failure) return 0;
    Error error;
    const size_t used = put(boost::asio::buffer(header.data(), header.size()), error);
    if (error || used != header.size()) {
      failure = Explain(error);
      return 0;
    }
    failure = CheckHeader();
    return used;
  }

  void on_request_impl(http::verb, string_view method, string_view target, int version, Error&) override {
    request.method.assign(method.data(), method.size());
    target_.assign(target.data(), target.size());
    http_1_0 = version == 10;
  }
  void on_response_impl(int, string_view, int, Error&) override {}
  void on_field_impl(http::field, string_view name, string_view value, Error&) override {
    if (is_header_done()) return;  // a trailer: nobody here asks for one
    request.headers.Add({name.data(), name.size()}, {value.data(), value.size()});
  }
  void on_header_impl(Error&) override {}
  void on_body_init_impl(const boost::optional<uint64_t>&, Error&) override {}
  size_t on_body_impl(string_view bytes, Error&) override {
    body_->append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_chunk_header_impl(uint64_t size, string_view, Error& error) override {
    too_large_ = size > max_body_ - std::min(max_body_, chunked_bytes_);
    chunked_bytes_ += size;
    in_chunk_ = size > 0;
    if (too_large_) error = http::error::body_limit;
  }
  size_t on_chunk_body_impl(uint64_t remaining, string_view bytes, Error& error) override {
    in_chunk_ = remaining > bytes.size();
    return on_body_impl(bytes, error);
  }
  void on_finish_impl(Error&) override {}

  Failure Explain(const Error& error) const {
    if (error == http::error::bad_version) {
      return absl::StrContains(absl::AsciiStrToUpper(request.method), "PRI")
                 ? Failure{505, "HTTP/2 is not spoken here; use HTTP/1.1"}
                 : Failure{505, "the request line ends in no version that is spoken here; use HTTP/1.1"};
    }
    return Bad(absl::StrCat("the request breaks the rules of HTTP/1.1: ", error.message()));
  }

  /// Is it one request, whoever looks at it?
  Failure CheckHeader() {
    if (Failure failure = CheckFraming()) return failure;
    const size_t hosts = request.headers.GetAll("Host").size();
    if (hosts > 1 || (hosts == 0 && !http_1_0)) return Bad("there must be one Host line");
    const absl::string_view expect = request.headers.Get("Expect");
    if (!expect.empty() && !absl::EqualsIgnoreCase(expect, "100-continue")) {
      return {417, "the only expectation that can be met is 100-continue"};
    }
    if (absl::Status status = ParseTarget(target_, request); !status.ok()) return Bad(status.message());
    return {};
  }

  Failure CheckFraming() const {
    const std::vector<std::string> lengths = request.headers.GetAll("Content-Length");
    const std::vector<std::string> encodings = request.headers.GetAll("Transfer-Encoding");
    if (lengths.size() > 1) return Bad("there is more than one Content-Length");
    if (lengths.size() + encodings.size() > 1) {
      return Bad("there is a Content-Length beside a Transfer-Encoding, or more than one of these");
    }
    const auto is_digit = [](unsigned char c) { return absl::ascii_isdigit(c); };
    if (!lengths.empty() && (lengths[0].empty() || !std::ranges::all_of(lengths[0], is_digit))) {
      return Bad("Content-Length is no number");
    }
    if (encodings.empty()) return {};
    if (http_1_0) return Bad("HTTP/1.0 knows no Transfer-Encoding");
    if (!absl::EqualsIgnoreCase(encodings[0], "chunked")) return {501, "the only Transfer-Encoding here is chunked"};
    return {};
  }

  const HttpLimits& limits_;
  size_t scanned_ = 0;
  std::string target_;
  std::string* body_ = nullptr;
  uint64_t max_body_ = 0;
  uint64_t chunked_bytes_ = 0;
  bool in_chunk_ = false;
  bool too_large_ = false;
};

HttpParser::HttpParser(const HttpLimits& limits) : impl_(std::make_unique<Impl>(limits)) {}
HttpParser::~HttpParser() = default;

size_t HttpParser::ParseHeader(absl::string_view data, Failure& failure) { return impl_->ParseHeader(data, failure); }
bool HttpParser::has_header() const { return impl_->is_header_done(); }
HttpRequest& HttpParser::request() { return impl_->request; }
bool HttpParser::keep_alive() const { return impl_->keep_alive(); }
bool HttpParser::http_1_0() const { return impl_->http_1_0; }
bool HttpParser::chunked() const { return impl_->chunked(); }
std::optional<uint64_t> HttpParser::content_length() const {
  const auto length = impl_->content_length();
  return length ? std::optional<uint64_t>(*length) : std::nullopt;
}
bool HttpParser::expects_continue() const {
  return !impl_->http_1_0 && !impl_->is_done() && impl_->request.headers.Find("Expect");
}
size_t HttpParser::ParseBody(absl::string_view data, uint64_t max_bytes, std::string& body, Failure& failure) {
  return impl_->ParseBody(data, max_bytes, body, failure);
}
bool HttpParser::done() const { return impl_->is_done(); }

}  // namespace bertha::server
