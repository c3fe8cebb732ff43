#include "server/log.h"

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tests/catch.h"

namespace bertha::server {
namespace {

TEST_CASE("AnyMessageBecomesValidJson") {
  for (const std::string text : {"plain", "a \"quote\" and a \\", "line\nbreak\ttab", "bad \xff byte", ""}) {
    CAPTURE(text);
    const auto parsed = nlohmann::json::parse(absl::StrCat("\"", JsonEscape(text), "\""), nullptr, false);
    REQUIRE(parsed.is_string());
    if (text.find('\xff') == std::string::npos) CHECK(parsed.get<std::string>() == text);
  }
}

}  // namespace
}  // namespace bertha::server
