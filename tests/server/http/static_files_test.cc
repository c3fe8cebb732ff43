#include "server/http/static_files.h"

#include <string>

#include "tests/catch.h"

namespace bertha::server {
namespace {

constexpr StaticFile kPage = {"index.html", "text/html; charset=utf-8", "abc", "<p>page", "packed"};
constexpr StaticFile kIcon = {"icon.png", "image/png", "def", "png", ""};

HttpResponse Get(const StaticFile& file, const std::string& encodings = "", const std::string& tag = "") {
  HttpRequest request;
  if (!encodings.empty()) request.headers.Add("accept-encoding", encodings);
  if (!tag.empty()) request.headers.Add("if-none-match", tag);
  return ServeStaticFile(file, request);
}

std::string Header(const HttpResponse& response, const std::string& name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "";
}

TEST_CASE("AFileIsSentWithoutBeingCopied") {
  const HttpResponse response = Get(kPage);
  CHECK(response.status == 200);
  CHECK(response.content_type == "text/html; charset=utf-8");
  CHECK(response.body.view().data() == kPage.bytes.data());
  CHECK(Header(response, "ETag") == "\"abc\"");
  CHECK(Header(response, "Vary") == "Accept-Encoding");
}

TEST_CASE("GzipGoesToThoseWhoTakeIt") {
  for (const char* encodings : {"gzip", "deflate, gzip;q=0.5", "GZIP", "br,gzip"}) {
    CAPTURE(encodings);
    CHECK(std::string(Get(kPage, encodings).body.view()) == "packed");
    CHECK(Header(Get(kPage, encodings), "Content-Encoding") == "gzip");
    CHECK(Header(Get(kPage, encodings), "ETag") == "\"abc-gzip\"");
  }
  for (const char* encodings : {"identity", "gzip;q=0", "gzip; q=0.0", "xgzip", "br"}) {
    CAPTURE(encodings);
    CHECK(std::string(Get(kPage, encodings).body.view()) == "<p>page");
    CHECK(Header(Get(kPage, encodings), "Content-Encoding").empty());
  }
  CHECK(std::string(Get(kIcon, "gzip").body.view()) == "png");
}

TEST_CASE("WhoHasTheFileIsNotSentItAgain") {
  for (const char* tag : {"\"abc\"", "\"x\", \"abc\"", "W/\"abc\"", "*"}) {
    CAPTURE(tag);
    CHECK(Get(kPage, "", tag).status == 304);
    CHECK(Get(kPage, "", tag).body.view().empty());
    CHECK(Header(Get(kPage, "", tag), "ETag") == "\"abc\"");
  }
  CHECK(Get(kPage, "", "\"abd\"").status == 200);
  CHECK(Get(kPage, "gzip", "\"abc\"").status == 200);
  CHECK(Get(kPage, "gzip", "\"abc-gzip\"").status == 304);
}

TEST_CASE("HtmlMayLoadNothingFromElsewhere") {
  CHECK(Header(Get(kPage), "Content-Security-Policy").find("default-src 'self'") == 0);
  CHECK(Header(Get(kPage), "Content-Security-Policy").find("frame-ancestors 'none'") != std::string::npos);
  CHECK(Header(Get(kPage), "Content-Security-Policy").find("unsafe") == std::string::npos);
  CHECK(Header(Get(kPage), "X-Frame-Options") == "DENY");
  CHECK(Header(Get(kPage), "Referrer-Policy") == "no-referrer");
  CHECK(Header(Get(kIcon), "X-Content-Type-Options") == "nosniff");
  CHECK(Header(Get(kIcon), "Content-Security-Policy").empty());
}

}  // namespace
}  // namespace bertha::server
