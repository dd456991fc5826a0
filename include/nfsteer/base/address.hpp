// IP addresses and prefixes of both families, as numbers in host order.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "nfsteer/base/result.hpp"

namespace nfsteer {

enum class Family : std::uint8_t { V4, V6 };

// The number of bits in an address of the family: 32 or 128.
constexpr unsigned bits(Family family) noexcept {
  return family == Family::V4 ? 32 : 128;
}

// An IPv4 or IPv6 address. An IPv4 address is the low 32 bits of `low`, all
// other bits zero. Ordered by family, then by value.
struct Address {
  Family family = Family::V4;
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  static constexpr Address v4(std::uint32_t value) noexcept { return {Family::V4, 0, value}; }
  static constexpr Address v6(std::uint64_t high, std::uint64_t low) noexcept {
    return {Family::V6, high, low};
  }
  // 4 bytes, or 16, in network order.
  static Address from_network(Family family, const std::byte* bytes) noexcept;
  // Writes 4 bytes, or 16, in network order.
  void to_network(std::byte* bytes) const noexcept;

  friend constexpr auto operator<=>(const Address&, const Address&) = default;
};

// "192.0.2.1", "2001:db8::1". An IPv4-mapped address ("::ffff:192.0.2.1") is
// the IPv4 address: flows never carry the mapped form.
Result<Address> parse_address(std::string_view text);
std::string to_string(const Address& address);

struct Endpoint {
  Address address;
  std::uint16_t port = 0;

  friend constexpr auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// "192.0.2.7:443", "[2001:db8::7]:443".
Result<Endpoint> parse_endpoint(std::string_view text);
std::string to_string(const Endpoint& endpoint);

// A network: all addresses that share the first `length` bits of `address`.
// The bits behind them are zero.
struct Prefix {
  Address address;
  std::uint8_t length = 0;

  bool contains(const Address& candidate) const noexcept;
  Address first() const noexcept { return address; }
  Address last() const noexcept;

  friend constexpr auto operator<=>(const Prefix&, const Prefix&) = default;
};

// The address with all bits behind the first `length` cleared.
// REQUIRES: length <= bits(address.family)
Address masked(const Address& address, unsigned length) noexcept;

// "10.0.0.0/8", "2001:db8::/32", or an address alone (then /32 or /128). Host
// bits that are set are an error that shows the prefix that was meant.
Result<Prefix> parse_prefix(std::string_view text);
std::string to_string(const Prefix& prefix);

}  // namespace nfsteer
