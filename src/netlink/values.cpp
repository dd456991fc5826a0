// The values, elements and ranges of sets, as text and as bytes.
#include <cstring>

#include "nfsteer/base/text.hpp"
#include "nfsteer/flow.hpp"
#include "table.hpp"

namespace nfsteer::netlink {
namespace {

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

template <typename T>
Bytes host_order(T number) {
  Bytes bytes{{}, sizeof number};
  std::memcpy(bytes.data.data(), &number, sizeof number);
  return bytes;
}

Bytes network_order(std::uint32_t number, std::size_t size) {
  Bytes bytes{{}, size};
  for (std::size_t i = 0; i < size; ++i)
    bytes.data[size - 1 - i] = static_cast<std::byte>(number >> (8 * i) & 0xff);
  return bytes;
}

Bytes address_bytes(const Address& address) {
  Bytes bytes{{}, bits(address.family) / 8};
  address.to_network(bytes.data.data());
  return bytes;
}

Bytes endpoint_bytes(const Endpoint& endpoint) {
  Bytes bytes = address_bytes(endpoint.address);
  const Bytes port = network_order(endpoint.port, 2);
  std::copy_n(port.data.begin(), 2, bytes.data.begin() + static_cast<std::ptrdiff_t>(bytes.size));
  bytes.size += 4;  // a part of a concatenation fills whole registers
  return bytes;
}

// "10.0.0.0/8" where the range is a network, else "10.0.0.1-10.0.0.9".
std::string range_text(const Address& first, const Address& last) {
  for (unsigned length = 0; length < bits(first.family); ++length) {
    const Prefix prefix{masked(first, length), static_cast<std::uint8_t>(length)};
    if (prefix.first() == first && prefix.last() == last) return to_string(prefix);
  }
  return to_string(first) + "-" + to_string(last);
}

std::string key_text(const Element& element) {
  std::string first = to_text(element.first);
  if (to_bytes(element.first) == to_bytes(element.last)) return first;
  if (const auto* address = std::get_if<Address>(&element.first))
    return range_text(*address, std::get<Address>(element.last));
  return first + "-" + to_text(element.last);
}

}  // namespace

Bytes to_bytes(const Value& value) {
  return std::visit(Overloaded{[](const MarkBits& mark) { return host_order(mark.value); },
                               [](const UserId& user) { return host_order(user.number); },
                               [](const Bucket& bucket) { return network_order(bucket.number, 4); },
                               [](const Protocol& protocol) { return host_order(protocol.number); },
                               [](const AddressKind& kind) { return host_order(kind.number); },
                               [](const Address& address) { return address_bytes(address); },
                               [](const Endpoint& endpoint) { return endpoint_bytes(endpoint); }},
                    value);
}

std::string to_text(const Value& value) {
  return std::visit(
      Overloaded{[](const MarkBits& mark) { return format("{:#010x}", mark.value); },
                 [](const UserId& user) { return format("{}", user.number); },
                 [](const Bucket& bucket) { return format("{}", bucket.number); },
                 [](const Protocol& protocol) { return protocol_name(protocol.number); },
                 [](const AddressKind& kind) { return std::string(kind.name); },
                 [](const Address& address) { return to_string(address); },
                 [](const Endpoint& endpoint) {
                   return format("{} . {}", to_string(endpoint.address), endpoint.port);
                 }},
      value);
}

std::string to_text(const Element& element) {
  std::string text = key_text(element);
  if (!element.comment.empty()) text += format(" comment \"{}\"", element.comment);
  if (const auto* value = std::get_if<Value>(&element.data))
    text += " : " + to_text(*value);
  else if (const auto* verdict = std::get_if<Goto>(&element.data))
    text += " : goto " + verdict->chain;
  else if (std::holds_alternative<Drop>(element.data))
    text += " : drop";
  return text;
}

std::optional<Bytes> successor(Bytes number) {
  for (std::size_t i = number.size; i-- > 0;) {
    number.data[i] = static_cast<std::byte>(std::to_integer<unsigned>(number.data[i]) + 1);
    if (number.data[i] != std::byte{0}) return number;
  }
  return std::nullopt;
}

}  // namespace nfsteer::netlink
