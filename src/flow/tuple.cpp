#include <endian.h>
#include <xxhash.h>

#include <algorithm>
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
  return hash(TupleKey(tuple), seed);
}

std::uint64_t hash(const TupleKey& key, std::uint64_t seed) noexcept {
  auto words = key.words;
  for (std::uint64_t& word : words) word = htole64(word);
  return XXH3_64bits_withSeed(words.data(), sizeof words, seed);
}

TupleKey mask_of(const TupleParts& parts) noexcept {
  constexpr std::uint64_t kAll = ~std::uint64_t{0};
  TupleKey mask;
  if (parts.source) mask.words[0] = mask.words[1] = kAll;
  if (parts.destination) mask.words[2] = mask.words[3] = kAll;
  if (parts.source_port) mask.words[4] |= std::uint64_t{0xffff} << 48;
  if (parts.destination_port) mask.words[4] |= std::uint64_t{0xffff} << 32;
  if (parts.protocol) mask.words[4] |= std::uint64_t{0xff} << 8;
  if (parts == kWholeTuple) mask.words[4] = kAll;  // then it is hash() of the tuple
  return mask;
}

FlowKey::FlowKey(const Flow& flow, const FlowFields& fields, std::uint16_t source_country,
                 std::uint16_t destination_country) noexcept {
  const FiveTuple& tuple = flow.tuple;
  const bool v4 = flow.family() == Family::V4;
  const Address source = masked(tuple.source, v4 ? fields.source_bits4 : fields.source_bits6);
  const Address destination =
      masked(tuple.destination, v4 ? fields.destination_bits4 : fields.destination_bits6);
  const auto word = [](bool counts, std::uint64_t value) { return counts ? value : 0; };
  // A value that a flow may lack is told from 0 by a bit beyond it.
  constexpr std::uint64_t kPresent = std::uint64_t{1} << 32;
  const auto maybe = [](bool counts, const auto& value) {
    return counts && value ? *value | kPresent : 0;
  };
  words = {source.high,
           source.low,
           destination.high,
           destination.low,
           word(fields.in_interface, flow.in_interface.high),
           word(fields.in_interface, flow.in_interface.low),
           word(fields.out_interface, flow.out_interface.high),
           word(fields.out_interface, flow.out_interface.low),
           word(fields.source_port, tuple.source_port) |
               word(fields.destination_port, tuple.destination_port) << 16 |
               word(fields.protocol, tuple.protocol) << 32 | (v4 ? 0 : std::uint64_t{1} << 40) |
               word(fields.protocol && flow.has_ports, std::uint64_t{1} << 41) |
               std::uint64_t{source_country} << 48,
           maybe(fields.icmp_type, flow.icmp_type) | std::uint64_t{destination_country} << 48,
           maybe(fields.uid, flow.uid) | word(fields.mark, flow.mark & 0xffff) << 48,
           maybe(fields.gid, flow.gid) | word(fields.mark, flow.mark >> 16) << 48};
}

std::uint64_t hash(const FlowKey& key) noexcept {
  return XXH3_64bits(key.words.data(), sizeof key.words);
}

InterfaceKey interface_key(std::string_view name) noexcept {
  std::array<std::byte, 16> bytes{};
  name.copy(reinterpret_cast<char*>(bytes.data()), bytes.size() - 1);
  return Address::from_network(Family::V6, bytes.data());
}

std::string interface_name(const InterfaceKey& key) {
  std::array<std::byte, 16> bytes{};
  key.to_network(bytes.data());
  return reinterpret_cast<const char*>(bytes.data());
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
