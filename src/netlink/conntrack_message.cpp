#include "conntrack_message.hpp"

#include <endian.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace nfsteer::netlink {
namespace {

// When an event happened: of kernels from 6.14 on, whose headers may be newer
// than those here.
constexpr std::size_t kTimestampEvent = 27;

// Attributes by their types.
class Attributes {
 public:
  Attributes(const char* first, std::size_t bytes) noexcept {
    while (bytes >= sizeof(nlattr)) {
      const auto* attribute = reinterpret_cast<const nlattr*>(first);
      if (!mnl_attr_ok(attribute, static_cast<int>(bytes))) break;
      if (mnl_attr_get_type(attribute) < all_.size())
        all_[mnl_attr_get_type(attribute)] = attribute;
      const std::size_t step = std::min<std::size_t>(MNL_ALIGN(attribute->nla_len), bytes);
      first += step;
      bytes -= step;
    }
  }
  // Those in a nest; none where there is no nest.
  explicit Attributes(const nlattr* nest) noexcept
      : Attributes(nest ? static_cast<const char*>(mnl_attr_get_payload(nest)) : nullptr,
                   nest ? mnl_attr_get_payload_len(nest) : 0) {}

  const nlattr* operator[](std::size_t type) const noexcept { return all_[type]; }

  // As it lies in the message; nullopt where there is none, or another length.
  template <typename T>
  std::optional<T> number(std::size_t type) const noexcept {
    if (!all_[type] || mnl_attr_get_payload_len(all_[type]) != sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, mnl_attr_get_payload(all_[type]), sizeof value);
    return value;
  }
  std::optional<Address> address(std::size_t type, Family family) const noexcept {
    if (!all_[type] || mnl_attr_get_payload_len(all_[type]) != bits(family) / 8)
      return std::nullopt;
    return Address::from_network(family,
                                 static_cast<const std::byte*>(mnl_attr_get_payload(all_[type])));
  }

 private:
  std::array<const nlattr*, kTimestampEvent + 1> all_{};
};

std::optional<FiveTuple> read_tuple(const nlattr* nest) noexcept {
  const Attributes parts(nest);
  const Attributes ip(parts[CTA_TUPLE_IP]);
  const Attributes proto(parts[CTA_TUPLE_PROTO]);
  const bool is_v4 = ip[CTA_IP_V4_SRC] != nullptr;
  const Family family = is_v4 ? Family::V4 : Family::V6;
  const auto source = ip.address(is_v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, family);
  const auto destination = ip.address(is_v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, family);
  const auto number = proto.number<std::uint8_t>(CTA_PROTO_NUM);
  if (!source || !destination || !number) return std::nullopt;
  const std::size_t source_port = proto[CTA_PROTO_ICMP_ID]     ? CTA_PROTO_ICMP_ID
                                  : proto[CTA_PROTO_ICMPV6_ID] ? CTA_PROTO_ICMPV6_ID
                                                               : CTA_PROTO_SRC_PORT;
  return FiveTuple{*source, *destination,
                   be16toh(proto.number<std::uint16_t>(source_port).value_or(0)),
                   be16toh(proto.number<std::uint16_t>(CTA_PROTO_DST_PORT).value_or(0)), *number};
}

TcpState read_tcp_state(const nlattr* protocol_info) noexcept {
  const Attributes info(protocol_info);
  const Attributes tcp(info[CTA_PROTOINFO_TCP]);
  const auto state = tcp.number<std::uint8_t>(CTA_PROTOINFO_TCP_STATE).value_or(0);
  return state <= static_cast<std::uint8_t>(TcpState::SynSent2) ? TcpState{state} : TcpState::None;
}

Volume read_counters(const nlattr* nest) noexcept {
  const Attributes counters(nest);
  return {be64toh(counters.number<std::uint64_t>(CTA_COUNTERS_PACKETS).value_or(0)),
          be64toh(counters.number<std::uint64_t>(CTA_COUNTERS_BYTES).value_or(0))};
}

void read_volume(const Attributes& attributes, FlowReport& report) noexcept {
  if (!attributes[CTA_COUNTERS_ORIG] || !attributes[CTA_COUNTERS_REPLY]) return;
  const Volume questions = read_counters(attributes[CTA_COUNTERS_ORIG]);
  report.answers = read_counters(attributes[CTA_COUNTERS_REPLY]);
  report.volume =
      Volume{questions.packets + report.answers.packets, questions.bytes + report.answers.bytes};
}

std::optional<FlowReport::Kind> kind_of(const nlmsghdr& message) noexcept {
  using Kind = FlowReport::Kind;
  if (message.nlmsg_type == (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW))
    return (message.nlmsg_flags & NLM_F_CREATE) != 0 ? Kind::New : Kind::Update;
  if (message.nlmsg_type == (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE))
    return Kind::Destroy;
  return std::nullopt;
}

void put_address(nlmsghdr& message, std::uint16_t type, const Address& address) {
  std::array<std::byte, 16> bytes;
  address.to_network(bytes.data());
  mnl_attr_put(&message, type, bits(address.family) / 8, bytes.data());
}

}  // namespace

nlmsghdr* put_conntrack_request(char* bytes, std::uint16_t type, std::uint16_t flags) {
  nlmsghdr* message = mnl_nlmsg_put_header(bytes);
  message->nlmsg_type = static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | type);
  message->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  message->nlmsg_seq = 1;
  auto* header = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
  header->nfgen_family = AF_UNSPEC;
  header->version = NFNETLINK_V0;
  header->res_id = 0;
  return message;
}

void put_tuple(nlmsghdr& message, std::uint16_t type, const FiveTuple& tuple) {
  const bool is_v4 = tuple.source.family == Family::V4;
  nlattr* nest = mnl_attr_nest_start(&message, type);
  nlattr* ip = mnl_attr_nest_start(&message, CTA_TUPLE_IP);
  put_address(message, is_v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, tuple.source);
  put_address(message, is_v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, tuple.destination);
  mnl_attr_nest_end(&message, ip);
  nlattr* proto = mnl_attr_nest_start(&message, CTA_TUPLE_PROTO);
  mnl_attr_put_u8(&message, CTA_PROTO_NUM, tuple.protocol);
  mnl_attr_put_u16(&message, CTA_PROTO_SRC_PORT, htobe16(tuple.source_port));
  mnl_attr_put_u16(&message, CTA_PROTO_DST_PORT, htobe16(tuple.destination_port));
  mnl_attr_nest_end(&message, proto);
  mnl_attr_nest_end(&message, nest);
}

std::optional<FlowReport> read_flow(const nlmsghdr& message, std::size_t bytes, bool is_listed,
                                    const MarkLayout& layout) noexcept {
  constexpr std::size_t kHead = sizeof(nlmsghdr) + sizeof(nfgenmsg);  // both are aligned
  if (bytes < kHead || message.nlmsg_len < kHead || message.nlmsg_len > bytes) return std::nullopt;
  const auto kind = kind_of(message);
  if (!kind) return std::nullopt;
  const Attributes attributes(reinterpret_cast<const char*>(&message) + kHead,
                              message.nlmsg_len - kHead);
  const auto tuple = read_tuple(attributes[CTA_TUPLE_ORIG]);
  const auto id = attributes.number<std::uint32_t>(CTA_ID);
  if (!tuple || !id) return std::nullopt;
  FlowReport report;
  report.kind = is_listed ? FlowReport::Kind::Listed : *kind;
  report.tuple = *tuple;
  report.key = flow_key(be32toh(*id), *tuple);
  const auto number = [&](std::size_t type) {
    return be32toh(attributes.number<std::uint32_t>(type).value_or(0));
  };
  report.server = static_cast<ServerId>((number(CTA_MARK) & layout.mask) >> layout.shift());
  report.seen_reply = (number(CTA_STATUS) & IPS_SEEN_REPLY) != 0;
  report.tcp_state = read_tcp_state(attributes[CTA_PROTOINFO]);
  read_volume(attributes, report);
  report.stamp_ns = be64toh(attributes.number<std::uint64_t>(kTimestampEvent).value_or(0));
  return report;
}

}  // namespace nfsteer::netlink
