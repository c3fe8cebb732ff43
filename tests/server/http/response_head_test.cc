#include "server/http/response_head.h"

#include <string>

#include "tests/catch.h"

namespace bertha::server {
namespace {

bool Has(const std::string& head, const std::string& line) {
  return head.find("\r\n" + line + "\r\n") != std::string::npos;
}

TEST_CASE("AHeadSaysWhereItsBodyEnds") {
  HttpResponse response = {.content_type = "text/plain", .body = "four"};
  const std::string head = ResponseHead(response, {{"X-Route", "r"}}, {});
  CHECK(head.substr(0, 17) == "HTTP/1.1 200 OK\r\n");
  CHECK(head.substr(head.size() - 4) == "\r\n\r\n");
  CHECK(Has(head, "Content-Length: 4"));
  CHECK(Has(head, "Content-Type: text/plain"));
  CHECK(Has(head, "X-Route: r"));
  CHECK(Has(head, "Server: bertha"));
  CHECK(Has(head, "Cache-Control: no-store"));
  CHECK(head.find("\r\nDate: ") != std::string::npos);
  CHECK(head.find("Connection") == std::string::npos);
  const std::string chunked = ResponseHead(response, {}, {.keep_alive = false, .end = BodyEnd::kChunked});
  CHECK(Has(chunked, "Transfer-Encoding: chunked"));
  CHECK(Has(chunked, "Connection: close"));
  CHECK(chunked.find("Content-Length") == std::string::npos);
  CHECK(Has(ResponseHead(response, {}, {.http_1_0 = true}), "Connection: keep-alive"));
  response = {.status = 304, .headers = {{"cache-control", "no-cache"}}};
  const std::string none = ResponseHead(response, {}, {});
  CHECK(none.find("Content-Length") == std::string::npos);
  CHECK(none.find("no-store") == std::string::npos);
}

TEST_CASE("AHeaderValueCannotBeginANewLine") {
  HttpResponse response;
  response.headers = {{"X-Echo", "a\r\nSet-Cookie: b\0c"}};
  const std::string head = ResponseHead(response, {}, {});
  CHECK(head.find("\r\nSet-Cookie") == std::string::npos);
  CHECK(head.find("X-Echo: a  Set-Cookie: b") != std::string::npos);
}

}  // namespace
}  // namespace bertha::server
