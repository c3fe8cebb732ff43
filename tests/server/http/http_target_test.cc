#include "server/http/http_target.h"

#include <string>
#include <utility>
#include <vector>

#include "tests/catch.h"

namespace bertha::server {
namespace {

using Strings = std::vector<std::string>;

TEST_CASE("TargetsAreTakenApart") {
  struct Case {
    std::string target, path;
    Strings segments;
    std::vector<std::pair<std::string, std::string>> query;
  };
  const std::vector<Case> cases = {
      {"/", "/", {""}, {}},
      {"/a/b", "/a/b", {"a", "b"}, {}},
      {"/a//b/", "/a//b/", {"a", "", "b", ""}, {}},
      {"/a%2Fb/%C3%BC", "/a%2Fb/%C3%BC", {"a/b", "\xC3\xBC"}, {}},  // the slash in a name parts nothing
      {"/..%2f..", "/..%2f..", {"../.."}, {}},
      {"/a+b?c+d=e+f", "/a+b", {"a+b"}, {{"c d", "e f"}}},
      {"/?a=1&b&=2&&c=3=4", "/", {""}, {{"a", "1"}, {"b", ""}, {"", "2"}, {"c", "3=4"}}},
      {"/?a=%0A%26", "/", {""}, {{"a", "\n&"}}},
      {"http://host:80/a?b=c", "/a", {"a"}, {{"b", "c"}}},
      {"HTTPS://host", "/", {""}, {}},
      {"*", "*", {}, {}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.target);
    HttpRequest request;
    REQUIRE(ParseTarget(c.target, request).ok());
    CHECK(request.path == c.path);
    CHECK(request.segments == c.segments);
    CHECK(request.query == c.query);
  }
}

TEST_CASE("TargetsThatMeanMischiefAreRefused") {
  const Strings targets = {"",           "a",    "?a",    "/%",           "/%2",           "/%zz",    "/%00",
                           "/a%0d%0ab",  "/%ff", "/%7f",  "/%c0%af",      "/a?b=%0",       "/?a=%00", "/?%ff=1",
                           "/%ed%a0%80", "/a#b", "//%1b", "ftp://host/a", "http://host?a", "host:443"};
  for (const std::string& target : targets) {
    CAPTURE(target);
    HttpRequest request;
    CHECK(ParseTarget(target, request).code() == absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace bertha::server
