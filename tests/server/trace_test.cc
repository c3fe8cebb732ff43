#include "server/trace.h"

#include <string>

#include "tests/catch.h"

namespace bertha::server {
namespace {

constexpr char kGood[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST_CASE("TraceparentsAreTakenAsTheRecommendationSays") {
  CHECK(IsTraceparent(kGood));
  CHECK(IsTraceparent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes-later"));
  for (const char* bad : {
           "",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
           "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.more",
           "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
           "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
           "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
       }) {
    INFO(bad);
    CHECK_FALSE(IsTraceparent(bad));
  }
}

TEST_CASE("ARequestIdIsTheCallersIfItIsFitForALog") {
  CHECK(RequestIdFor("order-17/retry=2", kGood) == "order-17/retry=2");
  CHECK(RequestIdFor(std::string(128, 'a'), "") == std::string(128, 'a'));
  for (const std::string& bad : {std::string(129, 'a'), std::string("a b"), std::string("a\nb"), std::string("\"")}) {
    CHECK(RequestIdFor(bad, kGood) == "4bf92f3577b34da6a3ce929d0e0e4736");
  }
}

TEST_CASE("WithoutATraceARequestIdIsNewEachTime") {
  const std::string first = RequestIdFor("", ""), second = RequestIdFor("", "no trace");
  CHECK(first.size() == 32);
  CHECK(first.find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(first != second);
}

}  // namespace
}  // namespace bertha::server
