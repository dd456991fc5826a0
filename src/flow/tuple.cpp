#include <xxhash.h>

#include <array>
#include <cstring>

#include "nfsteer/base/text.hpp"
#include "nfsteer/flow.hpp"

namespace nfsteer {
namespace {

struct NamedProtocol {
  std::uint8_t number;
  std::string_view name;
};
constexpr NamedProtocol kProtocols[] = {
    {protocol::kIcmp, "icmp"},
    {protocol::kTcp, "tcp"},
    {protocol::kUdp, "udp"},
    {47, "gre"},
    {50, "esp"},
    {protocol::kIcmpV6, "icmpv6"},
    {protocol::kSctp, "sctp"},
    {136, "udplite"},
};

std::string endpoint(const Address& address, std::uint16_t port, bool with_port) {
  const std::string text = to_string(address);
  if (!with_port) return text;
  return address.family == Family::V6 ? format("[{}]:{}", text, port) : format("{}:{}", text, port);
}

}  // namespace

std::uint64_t hash(const FiveTuple& tuple, std::uint64_t seed) noexcept {
  std::array<std::byte, 38> bytes{};  // a fixed layout without padding, network order
  bytes[0] = static_cast<std::byte>(tuple.source.family);
  bytes[1] = static_cast<std::byte>(tuple.protocol);
  tuple.source.to_network(&bytes[2]);
  tuple.destination.to_network(&bytes[18]);
  bytes[34] = static_cast<std::byte>(tuple.source_port >> 8);
  bytes[35] = static_cast<std::byte>(tuple.source_port & 0xff);
  bytes[36] = static_cast<std::byte>(tuple.destination_port >> 8);
  bytes[37] = static_cast<std::byte>(tuple.destination_port & 0xff);
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

std::string protocol_name(std::uint8_t protocol) {
  for (const NamedProtocol& known : kProtocols)
    if (known.number == protocol) return std::string(known.name);
  return format("{}", protocol);
}

std::optional<std::uint8_t> parse_protocol(std::string_view text) {
  for (const NamedProtocol& known : kProtocols)
    if (known.name == text) return known.number;
  const auto number = parse_number(text);
  if (!number || *number > 255) return std::nullopt;
  return static_cast<std::uint8_t>(*number);
}

std::string to_string(const FiveTuple& tuple) {
  const bool ports = tuple.source_port != 0 || tuple.destination_port != 0;
  return format("{} {} -> {}", protocol_name(tuple.protocol),
                endpoint(tuple.source, tuple.source_port, ports),
                endpoint(tuple.destination, tuple.destination_port, ports));
}

}  // namespace nfsteer
