#include "server/client_address.h"

#include <string>
#include <vector>

#include "tests/catch.h"

namespace bertha::server {
namespace {

constexpr char kProxies[] = "10.0.0.0/8, 192.0.2.1, 2001:db8:1::/48";

std::string Client(const std::string& peer, std::vector<std::string> values,
                   ForwardedHeader header = ForwardedHeader::kXForwardedFor) {
  return ClientAddress(peer, header, values, *TrustedProxies::Parse(kProxies));
}

TEST_CASE("AnAddressHasOneSpelling") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"192.0.2.7", "192.0.2.7"},         {"::ffff:192.0.2.7", "192.0.2.7"}, {"::FFFF:c000:207", "192.0.2.7"},
      {"2001:DB8:0:0::1", "2001:db8::1"}, {"fe80::1%eth0", "fe80::1"},       {"::", "::"},
  };
  for (const auto& [text, out] : cases) {
    CAPTURE(text);
    REQUIRE(IpAddress::Parse(text));
    CHECK(IpAddress::Parse(text)->ToString() == out);
  }
  for (const char* text : {"", "1.2.3", "1.2.3.4.5", "01.2.3.4x", "256.1.1.1", "unknown", ":::", "1.2.3.4 ", "[::1]"}) {
    CAPTURE(text);
    CHECK_FALSE(IpAddress::Parse(text));
  }
}

TEST_CASE("NetworksHoldTheirAddressesAndNoOthers") {
  const auto proxies = TrustedProxies::Parse(kProxies);
  REQUIRE(proxies.ok());
  for (const char* in : {"10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3", "192.0.2.1", "2001:db8:1:ffff::1"}) {
    CAPTURE(in);
    CHECK(proxies->Contains(*IpAddress::Parse(in)));
  }
  for (const char* out : {"11.0.0.0", "9.255.255.255", "192.0.2.2", "192.0.2.0", "2001:db8:2::1", "::1", "::a00:1"}) {
    CAPTURE(out);
    CHECK_FALSE(proxies->Contains(*IpAddress::Parse(out)));
  }
  CHECK(TrustedProxies::Parse("0.0.0.0/0")->Contains(*IpAddress::Parse("8.8.8.8")));
  CHECK_FALSE(TrustedProxies::Parse("0.0.0.0/0")->Contains(*IpAddress::Parse("2001:db8::1")));
  CHECK(TrustedProxies::Parse("::/0")->Contains(*IpAddress::Parse("2001:db8::1")));
  CHECK_FALSE(TrustedProxies::Parse("")->Contains(*IpAddress::Parse("127.0.0.1")));
  CHECK(TrustedProxies::Parse("10.0.0.4/31")->Contains(*IpAddress::Parse("10.0.0.5")));
  CHECK_FALSE(TrustedProxies::Parse("10.0.0.4/31")->Contains(*IpAddress::Parse("10.0.0.6")));
}

TEST_CASE("WhatIsNoNetworkIsRefusedByName") {
  for (const char* list :
       {"10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/-1", "10.0.0.0/", "proxy.example", "1.1.1.1/x"}) {
    CAPTURE(list);
    const auto status = TrustedProxies::Parse(list).status();
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(std::string(status.message()).find(list) != std::string::npos);
  }
}

TEST_CASE("OnlyTrustedProxiesAreBelieved") {
  struct Case {
    std::string peer;
    std::vector<std::string> values;
    std::string client;
  };
  const std::vector<Case> cases = {
      {"203.0.113.9", {}, "203.0.113.9"},
      {"203.0.113.9", {"1.1.1.1"}, "203.0.113.9"},  // nobody vouches for it
      {"10.0.0.1", {"203.0.113.9"}, "203.0.113.9"},
      {"10.0.0.1", {"1.1.1.1, 203.0.113.9"}, "203.0.113.9"},                // the client wrote the first
      {"10.0.0.1", {"10.9.9.9, 203.0.113.9"}, "203.0.113.9"},               // even if it is a proxy's
      {"10.0.0.1", {"203.0.113.9, 10.0.0.2, 192.0.2.1"}, "203.0.113.9"},    // through three proxies
      {"10.0.0.1", {"1.1.1.1", "203.0.113.9", "10.0.0.2"}, "203.0.113.9"},  // in several lines
      {"10.0.0.1", {"203.0.113.9, unknown"}, "10.0.0.1"},                   // the nearest proxy did not know
      {"10.0.0.1", {"203.0.113.9,, 10.0.0.2"}, "10.0.0.2"},
      {"10.0.0.1", {""}, "10.0.0.1"},
      {"10.0.0.1", {"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},  // a client inside
      {"::ffff:10.0.0.1", {"203.0.113.9:4711"}, "203.0.113.9"},
      {"2001:db8:1::5", {"[2001:db8:2::9]:80"}, "2001:db8:2::9"},
      {"2001:db8:1::5", {"2001:db8:2::9"}, "2001:db8:2::9"},
      {"10.0.0.1", {"203.0.113.9\t"}, "203.0.113.9"},
      {"10.0.0.1", {"127.0.0.1' OR 1=1"}, "10.0.0.1"},
      {"unix:", {"1.1.1.1"}, "unix:"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.peer, c.values);
    CHECK(Client(c.peer, c.values) == c.client);
  }
}

TEST_CASE("ForwardedIsReadAsRfc7239WritesIt") {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"for=203.0.113.9"}, "203.0.113.9"},
      {{"For=\"203.0.113.9:80\";proto=https;by=10.0.0.1"}, "203.0.113.9"},
      {{"proto=http;for=\"[2001:db8:cafe::17]:4711\""}, "2001:db8:cafe::17"},
      {{"for=1.1.1.1, for=203.0.113.9, for=10.0.0.2"}, "203.0.113.9"},
      {{"for=203.0.113.9, for=_hidden"}, "10.0.0.1"},
      {{"for=203.0.113.9, for=unknown"}, "10.0.0.1"},
      {{"for=203.0.113.9;for=1.1.1.1"}, "10.0.0.1"},               // twice: no telling which
      {{"for=203.0.113.9;by=\"x, for=1.1.1.1\""}, "203.0.113.9"},  // a comma in quotes parts nothing
      {{"203.0.113.9"}, "10.0.0.1"},
  };
  for (const auto& [values, client] : cases) {
    CAPTURE(values);
    CHECK(Client("10.0.0.1", values, ForwardedHeader::kForwarded) == client);
  }
}

TEST_CASE("PeersAsGrpcWritesThemAreUnderstood") {
  CHECK(AddressOfGrpcPeer("ipv4:192.0.2.7:5000") == "192.0.2.7");
  CHECK(AddressOfGrpcPeer("ipv6:%5B2001:db8::1%5D:5000") == "2001:db8::1");
  CHECK(AddressOfGrpcPeer("ipv6:[::ffff:192.0.2.7]:5000") == "192.0.2.7");
  CHECK(AddressOfGrpcPeer("ipv6:%5Bfe80::1%25eth0%5D:5000") == "fe80::1");
  CHECK(AddressOfGrpcPeer("unix:/tmp/x") == "unix:/tmp/x");
}

}  // namespace
}  // namespace bertha::server
