#include "server/http/http_parser.h"

#include <string>
#include <utility>
#include <vector>

#include "tests/catch.h"

namespace bertha::server {
namespace {

const HttpLimits kLimits = {.max_header_bytes = 1000, .max_headers = 5, .max_target_bytes = 100};

struct Parsed {
  HttpParser::Failure failure;
  HttpRequest request;
  std::string body, rest;
  bool done = false;
};

/// Feeds `bytes`, `step` at a time.
Parsed Parse(const std::string& bytes, size_t step, uint64_t max_body = 1000) {
  HttpParser parser(kLimits);
  Parsed out;
  for (size_t at = 0; at < bytes.size() && !out.failure && !out.done; at += step) {
    out.rest += bytes.substr(at, step);
    if (!parser.has_header()) out.rest.erase(0, parser.ParseHeader(out.rest, out.failure));
    if (!parser.has_header() || out.failure) continue;
    if (!parser.done()) out.rest.erase(0, parser.ParseBody(out.rest, max_body, out.body, out.failure));
    out.done = parser.done();
  }
  out.request = std::move(parser.request());
  return out;
}

TEST_CASE("ARequestMayComeInAnyPieces") {
  const std::string text =
      "POST /a?b=c HTTP/1.1\r\nHost: h\r\nContent-Type:  text/plain \r\nTransfer-Encoding: Chunked\r\n\r\n"
      "4;x=\"y\"\r\nwiki\r\n00a\r\npedia 1234\r\n0\r\nTrailer: t\r\n\r\nGET /next";
  for (const size_t step : {1, 2, 3, 7, 1000}) {
    CAPTURE(step);
    const Parsed out = Parse(text, step);
    CHECK(out.failure.message == "");
    REQUIRE(out.done);
    CHECK(out.request.method == "POST");
    CHECK(out.request.path == "/a");
    CHECK(out.request.headers.Get("CONTENT-TYPE") == "text/plain");
    CHECK(out.request.headers.lines().size() == 3);  // without the trailer
    CHECK(out.body == "wikipedia 1234");
    CHECK(std::string("GET /next").find(out.rest) == 0);
  }
}

TEST_CASE("WhatTwoServersCouldReadInTwoWaysIsRefused") {
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\n";
  const std::vector<std::pair<std::string, int>> cases = {
      {post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400},
      {post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400},
      {post + "Content-Length: 5, 5\r\n\r\nhello", 400},
      {post + "Content-Length: +5\r\n\r\nhello", 400},
      {post + "Content-Length: 0x5\r\n\r\nhello", 400},
      {post + "Content-Length: -1\r\n\r\n", 400},
      {post + "Content-Length:\r\n\r\n", 400},
      {post + "Content-Length: 99999999999999999999\r\n\r\n", 400},
      {post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400},
      {post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400},
      {post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
      {post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 501},
      {post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
      {post + "Transfer-Encoding: \x0b"
              "chunked\r\n\r\n0\r\n\r\n",
       400},
      {post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
      {post + "X: a\r\n Content-Length: 5\r\n\r\n", 400},
      {post + "X: a\r\n\tb\r\n\r\n", 400},
      {" " + post + "\r\n", 400},
      {post + "X: a\nContent-Length: 5\r\n\r\n", 400},
      {post + "X: a\rContent-Length: 5\r\n\r\n", 400},
      {post + "X: a" + std::string(1, '\0') + "b\r\n\r\n", 400},
      {post + "X y: a\r\n\r\n", 400},
      {post + ": a\r\n\r\n", 400},
      {post + "Host: other\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n\r\n", 400},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n Host: h\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"GET / HTTP/1.1 \r\nHost: h\r\n\r\n", 505},
      {"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 505},
      {"GET /\r\n\r\n", 400},
      {"G@T / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"\x16\x03\x01\x02", 400},
      {"GET / HTTP/1.1\r\nHost: h\r\nExpect: 200-ok\r\n\r\n", 417},
      {"GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400},
  };
  for (const auto& [bytes, status] : cases) {
    for (const size_t step : {1, 1000}) {
      CAPTURE(bytes, step);
      CHECK(Parse(bytes, step).failure.status == status);
    }
  }
}

TEST_CASE("ChunksThatLieAreRefused") {
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::vector<std::pair<std::string, int>> cases = {
      {"x\r\n\r\n", 400},
      {"zz\r\n", 400},
      {"z", 400},
      {"5x", 400},
      {";\r\n", 400},
      {"\r\n", 400},
      {"1\r\na\r\nz", 400},
      {"1\r\na\rx", 400},
      {"-1\r\nx", 400},
      {"\r\n\r\n\r\n", 400},
      {"0x5\r\nhello\r\n0\r\n\r\n", 400},
      {"5\nhello\r\n0\r\n\r\n", 400},
      {"3\r\nhello\r\n0\r\n\r\n", 400},
      {"5 5\r\nhello\r\n", 400},
      {"ffffffffffffffffff\r\n", 400},
      {"ffffffffffffffff\r\n", 413},
      {"7fffffffffffffff\r\n", 413},
      {"3e9\r\n", 413},
      {"3e8\r\n" + std::string(1000, 'x') + "\r\n1\r\n", 413},
      {"5;" + std::string(2000, 'x'), 400},
      {"0\r\n" + std::string(2000, 'x'), 400},
      {"0\r\nContent-Length: 5\r\n\r\n", 400},
  };
  for (const auto& [bytes, status] : cases) {
    for (const size_t step : {1, 5000}) {
      CAPTURE(bytes.substr(0, 40), step);
      const Parsed out = Parse(post + bytes, step);
      CHECK(out.failure.status == status);
    }
  }
  CHECK(Parse(post + "3e8\r\n" + std::string(1000, 'x') + "\r\n0\r\n\r\n", 7).done);
}

TEST_CASE("ABodyInPiecesOfAnySizeIsNoLie") {
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string chunks : {"0\r\n\r\n", "0\r\nA: b\r\nC: d\r\n\r\n", "1\r\na\r\n0\r\nA: b\r\n\r\n",
                                   "1 ;x\r\na\r\n00\r\n\r\n", "A;x=1\r\n0123456789\r\n0\r\n\r\n"}) {
    for (size_t step = 1; step < 12; ++step) {
      CAPTURE(chunks, step);
      const Parsed out = Parse(post + chunks, step);
      CHECK(out.failure.message == "");
      CHECK(out.done);
    }
  }
}

TEST_CASE("TheTargetOfARequestThatIsRefusedIsKnown") {
  CHECK(Parse("POST /v2/models/m/infer HTTP/1.1\r\nHost: h\r\nX: " + std::string(2000, 'x'), 10).request.path ==
        "/v2/models/m/infer");
  CHECK(Parse("GET /v2/x HTTP/1.1\r\n\r\n", 100).request.path == "/v2/x");
  CHECK(Parse("nonsense\x01\r\n\r\n", 100).request.path == "");
}

TEST_CASE("HeadersHaveLimits") {
  const std::string get = "GET / HTTP/1.1\r\nHost: h\r\n";
  const auto lines = [](int n) {
    std::string out;
    for (int i = 0; i < n; ++i) out += "A: b\r\n";
    return out;
  };
  CHECK(Parse(get + lines(4) + "\r\n", 1).done);
  CHECK(Parse(get + lines(5) + "\r\n", 1).failure.status == 431);
  const std::string fits = get + "X: " + std::string(1000 - get.size() - 7, 'x') + "\r\n\r\n";
  REQUIRE(fits.size() == 1000);
  CHECK(Parse(fits, 1).done);
  CHECK(Parse(fits, 1000).done);
  const std::string longer = get + "X: " + std::string(1000 - get.size() - 6, 'x') + "\r\n\r\n";
  CHECK(Parse(longer, 1).failure.status == 431);
  CHECK(Parse(longer, 2000).failure.status == 431);
  CHECK(Parse(get + std::string(2000, 'x'), 1).failure.status == 431);
  const auto target = [](size_t n) { return "GET /" + std::string(n - 1, 'x') + " HTTP/1.1\r\nHost: h\r\n\r\n"; };
  CHECK(Parse(target(100), 1).done);
  CHECK(Parse(target(101), 1).failure.status == 414);
  CHECK(Parse(target(101), 500).failure.status == 414);
  CHECK(Parse("GET /" + std::string(5000, 'x'), 10).failure.status == 414);
}

TEST_CASE("KeepAliveIsAsTheVersionSays") {
  const auto keeps = [](const std::string& text) {
    HttpParser parser(kLimits);
    HttpParser::Failure failure;
    parser.ParseHeader(text, failure);
    return parser.keep_alive();
  };
  CHECK(keeps("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  CHECK_FALSE(keeps("GET / HTTP/1.1\r\nHost: h\r\nConnection: Close\r\n\r\n"));
  CHECK_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
  CHECK(keeps("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
}

}  // namespace
}  // namespace bertha::server
