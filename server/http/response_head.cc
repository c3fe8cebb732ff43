#include "server/http/response_head.h"

#include <algorithm>
#include <ctime>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/http/http_error.h"

namespace bertha::server {
namespace {

/// The Date line of this second.
const std::string& DateLine() {
  thread_local std::time_t second = 0;
  thread_local std::string line;
  const std::time_t now = std::time(nullptr);
  if (now != second) {
    second = now;
    std::tm utc{};
    gmtime_r(&now, &utc);
    char text[64];
    const size_t size = std::strftime(text, sizeof(text), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
    line.assign(text, size);
  }
  return line;
}

void AddLine(absl::string_view name, absl::string_view value, std::string& out) {
  absl::StrAppend(&out, name, ": ");
  for (const char c : value) out.push_back(absl::ascii_iscntrl(static_cast<unsigned char>(c)) ? ' ' : c);
  out.append("\r\n");
}

bool HasHeader(const HttpResponse& response, absl::string_view name) {
  return std::ranges::any_of(response.headers,
                             [&](const HttpHeader& h) { return absl::EqualsIgnoreCase(h.first, name); });
}

void AddFraming(const HttpResponse& response, const HeadOptions& options, std::string& out) {
  if (options.end == BodyEnd::kChunked) {
    out.append("Transfer-Encoding: chunked\r\n");
  } else if (options.end == BodyEnd::kLength && MayHaveBody(response.status)) {
    absl::StrAppend(&out, "Content-Length: ", response.body.view().size(), "\r\n");
  }
  if (!options.keep_alive) {
    out.append("Connection: close\r\n");
  } else if (options.http_1_0) {
    out.append("Connection: keep-alive\r\n");
  }
}

}  // namespace

bool MayHaveBody(int status) { return status >= 200 && status != 204 && status != 304; }

std::string ResponseHead(const HttpResponse& response, const std::vector<HttpHeader>& route_headers,
                         const HeadOptions& options) {
  std::string out = absl::StrCat("HTTP/1.1 ", response.status, " ", ReasonOf(response.status), "\r\n",
                                 "Server: bertha\r\n", DateLine());
  if (!response.content_type.empty()) AddLine("Content-Type", response.content_type, out);
  AddFraming(response, options, out);
  for (const auto& [name, value] : response.headers) AddLine(name, value, out);
  for (const auto& [name, value] : route_headers) AddLine(name, value, out);
  if (!HasHeader(response, "Cache-Control")) out.append("Cache-Control: no-store\r\n");
  out.append("\r\n");
  return out;
}

}  // namespace bertha::server
