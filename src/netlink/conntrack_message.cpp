#include "conntrack_message.hpp"

#include <endian.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

#include <array>

namespace nfsteer::netlink {
namespace {

// When an event happened: of kernels from 6.14 on, whose headers may be newer
// than those here.
constexpr std::size_t kTimestampEvent = 27;

using FlowAttributes = Attributes<kTimestampEvent>;
using TupleAttributes = Attributes<CTA_TUPLE_MAX>;

std::optional<Address> read_address(const nlattr* attribute, Family family) noexcept {
  const MessageBytes bytes = attribute ? payload_of(*attribute) : MessageBytes();
  if (bytes.size() != bits(family) / 8) return std::nullopt;
  return Address::from_network(family, bytes.data());
}

std::optional<FiveTuple> read_tuple(const nlattr* nest) noexcept {
  const TupleAttributes parts(nest);
  const Attributes<CTA_IP_MAX> ip(parts[CTA_TUPLE_IP]);
  const Attributes<CTA_PROTO_MAX> proto(parts[CTA_TUPLE_PROTO]);
  const bool is_v4 = ip[CTA_IP_V4_SRC] != nullptr;
  const Family family = is_v4 ? Family::V4 : Family::V6;
  const auto source = read_address(ip[is_v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC], family);
  const auto destination = read_address(ip[is_v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST], family);
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
  const Attributes<CTA_PROTOINFO_MAX> info(protocol_info);
  const Attributes<CTA_PROTOINFO_TCP_MAX> tcp(info[CTA_PROTOINFO_TCP]);
  const auto state = tcp.number<std::uint8_t>(CTA_PROTOINFO_TCP_STATE).value_or(0);
  return state <= static_cast<std::uint8_t>(TcpState::SynSent2) ? TcpState{state} : TcpState::None;
}

Volume read_counters(const nlattr* nest) noexcept {
  const Attributes<CTA_COUNTERS_MAX> counters(nest);
  return {be64toh(counters.number<std::uint64_t>(CTA_COUNTERS_PACKETS).value_or(0)),
          be64toh(counters.number<std::uint64_t>(CTA_COUNTERS_BYTES).value_or(0))};
}

void read_volume(const FlowAttributes& attributes, FlowReport& report) noexcept {
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

std::optional<FlowReport> read_flow(MessageBytes bytes, bool is_listed,
                                    const MarkLayout& layout) noexcept {
  if (bytes.size() < sizeof(nlmsghdr)) return std::nullopt;
  const auto& message = *reinterpret_cast<const nlmsghdr*>(bytes.data());
  if (message.nlmsg_len > bytes.size()) return std::nullopt;
  const auto kind = kind_of(message);
  if (!kind) return std::nullopt;
  const FlowAttributes attributes(behind(message, sizeof(nfgenmsg)));
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

DumpPart read_listing(MessageBytes part, const MarkLayout& layout, std::vector<FlowReport>& flows) {
  return read_dump(part, [&](const nlmsghdr& message) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&message);
    const auto flow = read_flow({bytes, message.nlmsg_len}, true, layout);
    if (flow && flow->server != 0 && flow->server <= layout.server_max()) flows.push_back(*flow);
  });
}

std::uint32_t read_mark(const nlmsghdr& message) noexcept {
  const Attributes<CTA_MARK> attributes(behind(message, sizeof(nfgenmsg)));
  return be32toh(attributes.number<std::uint32_t>(CTA_MARK).value_or(0));
}

}  // namespace nfsteer::netlink
