// Who the client is when proxies stand between: the peer's address, or what proxies that the operator trusts say of it.
//
// X-Forwarded-For and Forwarded (RFC 7239) grow to the right, one entry for each proxy passed; whatever an untrusted
// sender wrote stands further left. So the walk starts at the peer, goes from right to left as long as the address in
// hand is a trusted proxy's, and stops at the first that is not: that one was seen by somebody trusted.
// Only one of the two headers is read: proxies pass on the one that they do not know, whoever wrote it.
//
// Thread-safety: everything here is a value or a pure function.
#ifndef BERTHA_SERVER_CLIENT_ADDRESS_H_
#define BERTHA_SERVER_CLIENT_ADDRESS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bertha::server {

/// An IPv6 address; IPv4 is kept in its mapped form (::ffff:a.b.c.d), so that both spellings are the same address.
class IpAddress {
 public:
  /// Without port and brackets; a zone ("%eth0") is ignored. Nothing if it is no address.
  static std::optional<IpAddress> Parse(absl::string_view text);
  bool is_v4() const;
  /// The usual spelling; mapped addresses as IPv4.
  std::string ToString() const;
  const std::array<uint8_t, 16>& bytes() const { return bytes_; }
  bool operator==(const IpAddress&) const = default;

 private:
  std::array<uint8_t, 16> bytes_{};
};

/// Networks like 10.0.0.0/8, 192.0.2.1 or 2001:db8::/32.
class TrustedProxies {
 public:
  /// Separated by commas; empty: nobody is trusted. INVALID_ARGUMENT names the entry that is no network.
  static absl::StatusOr<TrustedProxies> Parse(absl::string_view list);
  bool Contains(const IpAddress& address) const;

 private:
  struct Network {
    IpAddress address;
    int bits = 0;  // of 128
  };
  std::vector<Network> networks_;
};

enum class ForwardedHeader { kXForwardedFor, kForwarded };

/// The header's name in lower case.
absl::string_view NameOf(ForwardedHeader header);

/// The client's address. `peer`: that of the connection, without port. `values`: those of the header's lines, in order.
/// `peer` itself if it is not a trusted proxy's or no address.
std::string ClientAddress(absl::string_view peer, ForwardedHeader header, std::span<const std::string> values,
                          const TrustedProxies& trusted);

/// The address in gRPC's spelling of a peer, e.g. "ipv4:192.0.2.1:5000" or "ipv6:%5B2001:db8::1%5D:5000"; `peer` itself
/// if it is none, e.g. "unix:".
std::string AddressOfGrpcPeer(absl::string_view peer);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_CLIENT_ADDRESS_H_
