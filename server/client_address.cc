#include "server/client_address.h"

#include <arpa/inet.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace bertha::server {
namespace {

constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/// "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]" or "[2001:db8::1]:80".
std::optional<IpAddress> ParseNode(absl::string_view text) {
  if (absl::ConsumePrefix(&text, "[")) return IpAddress::Parse(text.substr(0, text.find(']')));
  if (std::count(text.begin(), text.end(), ':') == 1) text = text.substr(0, text.find(':'));
  return IpAddress::Parse(text);
}

/// Splits at `separator` where it stands outside of double quotes.
std::vector<absl::string_view> SplitUnquoted(absl::string_view text, char separator) {
  std::vector<absl::string_view> parts;
  bool quoted = false;
  size_t begin = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') quoted = !quoted;
    if (text[i] != separator || quoted) continue;
    parts.push_back(text.substr(begin, i - begin));
    begin = i + 1;
  }
  parts.push_back(text.substr(begin));
  return parts;
}

/// The value of `for=` in one element of Forwarded; nothing if it is missing or there twice.
absl::string_view ForOf(absl::string_view element) {
  absl::string_view found;
  int count = 0;
  for (absl::string_view pair : SplitUnquoted(element, ';')) {
    pair = absl::StripAsciiWhitespace(pair);
    if (!absl::StartsWithIgnoreCase(pair, "for=")) continue;
    found = pair.substr(4);
    count += 1;
  }
  if (found.size() >= 2 && found.front() == '"' && found.back() == '"') found = found.substr(1, found.size() - 2);
  return count == 1 ? found : absl::string_view();
}

/// The nodes that the header names, the nearest proxy's last.
std::vector<absl::string_view> NodesOf(ForwardedHeader header, std::span<const std::string> values) {
  std::vector<absl::string_view> nodes;
  for (const std::string& value : values) {
    for (absl::string_view element : SplitUnquoted(value, ',')) {
      element = absl::StripAsciiWhitespace(element);
      nodes.push_back(header == ForwardedHeader::kForwarded ? ForOf(element) : element);
    }
  }
  return nodes;
}

}  // namespace

std::optional<IpAddress> IpAddress::Parse(absl::string_view text) {
  const std::string address(text.substr(0, text.find('%')));
  IpAddress out;
  if (inet_pton(AF_INET6, address.c_str(), out.bytes_.data()) == 1) return out;
  std::ranges::copy(kMapped, out.bytes_.begin());
  if (inet_pton(AF_INET, address.c_str(), out.bytes_.data() + kMapped.size()) == 1) return out;
  return std::nullopt;
}

bool IpAddress::is_v4() const { return std::equal(kMapped.begin(), kMapped.end(), bytes_.begin()); }

std::string IpAddress::ToString() const {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data() + (is_v4() ? kMapped.size() : 0), text, sizeof(text));
  return text;
}

absl::StatusOr<TrustedProxies> TrustedProxies::Parse(absl::string_view list) {
  TrustedProxies out;
  for (absl::string_view item : absl::StrSplit(list, ',', absl::SkipWhitespace())) {
    item = absl::StripAsciiWhitespace(item);
    const size_t slash = item.find('/');
    const std::optional<IpAddress> address = IpAddress::Parse(item.substr(0, slash));
    const bool short_form = address && address->is_v4() && !absl::StrContains(item, ":");
    int bits = short_form ? 32 : 128;
    const int most = bits;
    const bool good = slash == absl::string_view::npos ||
                      (absl::SimpleAtoi(item.substr(slash + 1), &bits) && bits >= 0 && bits <= most);
    if (!address || !good) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", item, "\" is not a network like 10.0.0.0/8, 192.0.2.1 or 2001:db8::/32"));
    }
    out.networks_.push_back({*address, short_form ? bits + 96 : bits});
  }
  return out;
}

bool TrustedProxies::Contains(const IpAddress& address) const {
  return std::ranges::any_of(networks_, [&](const Network& network) {
    for (int bit = 0; bit < network.bits; bit += 8) {
      const int kept = std::min(8, network.bits - bit);
      const auto mask = static_cast<uint8_t>(0xff << (8 - kept));
      if ((network.address.bytes()[bit / 8] ^ address.bytes()[bit / 8]) & mask) return false;
    }
    return true;
  });
}

absl::string_view NameOf(ForwardedHeader header) {
  return header == ForwardedHeader::kForwarded ? "forwarded" : "x-forwarded-for";
}

std::string ClientAddress(absl::string_view peer, ForwardedHeader header, std::span<const std::string> values,
                          const TrustedProxies& trusted) {
  std::optional<IpAddress> address = IpAddress::Parse(peer);
  if (!address) return std::string(peer);
  const std::vector<absl::string_view> nodes = NodesOf(header, values);
  for (auto node = nodes.rbegin(); node != nodes.rend() && trusted.Contains(*address); ++node) {
    const std::optional<IpAddress> next = ParseNode(*node);
    if (!next) break;  // "unknown", or nonsense: the last one who is known stands for the client
    address = next;
  }
  return address->ToString();
}

std::string AddressOfGrpcPeer(absl::string_view peer) {
  absl::string_view text = peer;
  if (!absl::ConsumePrefix(&text, "ipv4:") && !absl::ConsumePrefix(&text, "ipv6:")) return std::string(peer);
  const std::string node = absl::StrReplaceAll(text, {{"%5B", "["}, {"%5D", "]"}, {"%25", "%"}});
  const std::optional<IpAddress> address = ParseNode(node);
  return address ? address->ToString() : std::string(peer);
}

}  // namespace bertha::server
