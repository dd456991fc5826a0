#include "nfsteer/base/address.hpp"

#include <arpa/inet.h>

#include <array>
#include <cstring>

#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

std::uint64_t read_big_endian(const std::byte* bytes, std::size_t count) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value = value << 8 | std::to_integer<unsigned>(bytes[i]);
  return value;
}

void write_big_endian(std::byte* bytes, std::size_t count, std::uint64_t value) noexcept {
  for (std::size_t i = 0; i < count; ++i)
    bytes[count - 1 - i] = static_cast<std::byte>(value >> (8 * i) & 0xff);
}

// The first `length` of `width` bits set, `width` <= 64.
constexpr std::uint64_t leading_ones(unsigned length, unsigned width) noexcept {
  if (length == 0) return 0;
  const std::uint64_t all = width == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << width) - 1;
  return length >= width ? all : all & ~((std::uint64_t{1} << (width - length)) - 1);
}

struct MaskBits {
  std::uint64_t high, low;
};

constexpr MaskBits mask_bits(Family family, unsigned length) noexcept {
  if (family == Family::V4) return {0, leading_ones(length, 32)};
  return {leading_ones(length, 64), length > 64 ? leading_ones(length - 64, 64) : 0};
}

}  // namespace

Address Address::from_network(Family family, const std::byte* bytes) noexcept {
  if (family == Family::V4) return v4(static_cast<std::uint32_t>(read_big_endian(bytes, 4)));
  return v6(read_big_endian(bytes, 8), read_big_endian(bytes + 8, 8));
}

void Address::to_network(std::byte* bytes) const noexcept {
  if (family == Family::V4) {
    write_big_endian(bytes, 4, low);
  } else {
    write_big_endian(bytes, 8, high);
    write_big_endian(bytes + 8, 8, low);
  }
}

Result<Address> parse_address(std::string_view text) {
  const std::string terminated(text);
  std::array<std::byte, 16> bytes{};
  if (terminated.size() == text.size() && terminated.find('\0') == std::string::npos) {
    if (inet_pton(AF_INET, terminated.c_str(), bytes.data()) == 1)
      return Address::from_network(Family::V4, bytes.data());
    if (inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1) {
      const Address v6 = Address::from_network(Family::V6, bytes.data());
      const bool mapped = v6.high == 0 && v6.low >> 32 == 0xffff;
      return mapped ? Address::v4(static_cast<std::uint32_t>(v6.low)) : v6;
    }
  }
  return fail(format("`{}` is not an IPv4 or IPv6 address", printable(text)));
}

std::string to_string(const Address& address) {
  std::array<std::byte, 16> bytes{};
  address.to_network(bytes.data());
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(address.family == Family::V4 ? AF_INET : AF_INET6, bytes.data(), text.data(),
            text.size());
  return text.data();
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  const std::size_t colon = std::min(text.rfind(':'), text.size());
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = parse_address(host);
  const auto port = parse_number(text.substr(std::min(colon + 1, text.size())));
  if (!address || !port || *port > 65'535 || (address->family == Family::V6 && !bracketed))
    return fail(
        format("`{}` is not an address with a port such as `192.0.2.7:443` or "
               "`[2001:db8::7]:443`",
               printable(text)));
  return Endpoint{*address, static_cast<std::uint16_t>(*port)};
}

std::string to_string(const Endpoint& endpoint) {
  const std::string address = to_string(endpoint.address);
  return endpoint.address.family == Family::V4 ? format("{}:{}", address, endpoint.port)
                                               : format("[{}]:{}", address, endpoint.port);
}

Address masked(const Address& address, unsigned length) noexcept {
  const MaskBits mask = mask_bits(address.family, length);
  return {address.family, address.high & mask.high, address.low & mask.low};
}

bool Prefix::contains(const Address& candidate) const noexcept {
  return candidate.family == address.family && masked(candidate, length) == address;
}

Address Prefix::last() const noexcept {
  const MaskBits all = mask_bits(address.family, bits(address.family));
  const MaskBits mask = mask_bits(address.family, length);
  return {address.family, address.high | (all.high & ~mask.high),
          address.low | (all.low & ~mask.low)};
}

Result<Prefix> parse_prefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  const Result<Address> address = parse_address(text.substr(0, slash));
  if (!address) return fail(format("`{}` is not a prefix such as 10.0.0.0/8", printable(text)));

  // A mapped IPv4 address counts its prefix length from the start of the IPv6 form.
  const bool mapped = address->family == Family::V4 && text.find(':') < slash;
  const unsigned before = mapped ? 96 : 0;
  unsigned length = bits(address->family);
  if (slash != std::string_view::npos) {
    const auto number = parse_number(text.substr(slash + 1));
    if (!number || *number < before || *number > before + bits(address->family))
      return fail(format("the prefix length of `{}` must be {} to {}", printable(text), before,
                         before + bits(address->family)));
    length = static_cast<unsigned>(*number) - before;
  }
  const Prefix prefix{masked(*address, length), static_cast<std::uint8_t>(length)};
  if (prefix.address != *address)
    return fail(
        format("`{}` has host bits set: the network is {}", printable(text), to_string(prefix)));
  return prefix;
}

std::string to_string(const Prefix& prefix) {
  return format("{}/{}", to_string(prefix.address), prefix.length);
}

}  // namespace nfsteer
