#include "statements.hpp"

#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_NFQUEUE.h>
#include <linux/rtnetlink.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "messages.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/flow.hpp"

namespace nfsteer::netlink {
namespace {

// ---- text -------------------------------------------------------------------

std::string masked_text(MarkOf of, const MarkLayout& layout) {
  return format("{} & {:#010x}", name(of), layout.mask);
}

const char* ip(Family family) {
  return family == Family::V4 ? "ip" : "ip6";
}

std::string braced(const Set& set) {
  std::string text;
  set.elements([&text](const Element& element) {
    text += format("{}{}", text.empty() ? "{ " : ", ", to_text(element));
  });
  return text + " }";
}

// ---- expressions ------------------------------------------------------------
//
// Registers 1 to 4 hold 16 bytes each; what is not told otherwise is in 1.

// A number as it lies in a register.
template <typename T>
std::span<const std::byte> in_memory(const T& number) {
  return std::as_bytes(std::span(&number, 1));
}

constexpr std::uint32_t kStateNew = NF_CT_STATE_BIT(IP_CT_NEW);

Expression load_mark(MarkOf of) {
  if (of == MarkOf::Packet)
    return Expression("meta")
        .u32(NFTNL_EXPR_META_KEY, NFT_META_MARK)
        .u32(NFTNL_EXPR_META_DREG, NFT_REG_1);
  return Expression("ct").u32(NFTNL_EXPR_CT_KEY, NFT_CT_MARK).u32(NFTNL_EXPR_CT_DREG, NFT_REG_1);
}

Expression store_mark(MarkOf of) {
  if (of == MarkOf::Packet)
    return Expression("meta")
        .u32(NFTNL_EXPR_META_KEY, NFT_META_MARK)
        .u32(NFTNL_EXPR_META_SREG, NFT_REG_1);
  return Expression("ct").u32(NFTNL_EXPR_CT_KEY, NFT_CT_MARK).u32(NFTNL_EXPR_CT_SREG, NFT_REG_1);
}

Expression load_ct(std::uint32_t key) {
  return Expression("ct").u32(NFTNL_EXPR_CT_KEY, key).u32(NFTNL_EXPR_CT_DREG, NFT_REG_1);
}

Expression load_meta(std::uint32_t key) {
  return Expression("meta").u32(NFTNL_EXPR_META_KEY, key).u32(NFTNL_EXPR_META_DREG, NFT_REG_1);
}

Expression load_fib(std::uint32_t result, std::uint32_t flags) {
  return Expression("fib")
      .u32(NFTNL_EXPR_FIB_RESULT, result)
      .u32(NFTNL_EXPR_FIB_FLAGS, flags)
      .u32(NFTNL_EXPR_FIB_DREG, NFT_REG_1);
}

struct Header {
  std::uint32_t base;
  std::uint32_t offset;
  std::uint32_t bytes;
};
constexpr Header kTcpFlags{NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1};
constexpr Header kSourcePort{NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2};
constexpr Header kDestinationPort{NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2};
constexpr Header source_address(Family family) {
  return family == Family::V4 ? Header{NFT_PAYLOAD_NETWORK_HEADER, 12, 4}
                              : Header{NFT_PAYLOAD_NETWORK_HEADER, 8, 16};
}
constexpr Header destination_address(Family family) {
  return family == Family::V4 ? Header{NFT_PAYLOAD_NETWORK_HEADER, 16, 4}
                              : Header{NFT_PAYLOAD_NETWORK_HEADER, 24, 16};
}

Expression load(const Header& header, std::uint32_t destination = NFT_REG_1) {
  return Expression("payload")
      .u32(NFTNL_EXPR_PAYLOAD_DREG, destination)
      .u32(NFTNL_EXPR_PAYLOAD_BASE, header.base)
      .u32(NFTNL_EXPR_PAYLOAD_OFFSET, header.offset)
      .u32(NFTNL_EXPR_PAYLOAD_LEN, header.bytes);
}

// Keeps the bits of `mask`, then sets those of `set`.
template <typename T>
Expression keep_and_set(T mask, T set) {
  return Expression("bitwise")
      .u32(NFTNL_EXPR_BITWISE_SREG, NFT_REG_1)
      .u32(NFTNL_EXPR_BITWISE_DREG, NFT_REG_1)
      .u32(NFTNL_EXPR_BITWISE_LEN, sizeof(T))
      .bytes(NFTNL_EXPR_BITWISE_MASK, in_memory(mask))
      .bytes(NFTNL_EXPR_BITWISE_XOR, in_memory(set));
}

template <typename T>
Expression compare(std::uint32_t operation, T with) {
  return Expression("cmp")
      .u32(NFTNL_EXPR_CMP_SREG, NFT_REG_1)
      .u32(NFTNL_EXPR_CMP_OP, operation)
      .bytes(NFTNL_EXPR_CMP_DATA, in_memory(with));
}

template <typename T>
Expression is_equal(T number) {
  return compare(NFT_CMP_EQ, number);
}

template <typename T>
Expression is_not(T number) {
  return compare(NFT_CMP_NEQ, number);
}

Expression look_up(const std::string& set) {
  return Expression("lookup")
      .u32(NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1)
      .text(NFTNL_EXPR_LOOKUP_SET, set);
}

// To register 1, or to NFT_REG_VERDICT.
Expression look_up_into(std::uint32_t destination, const std::string& map) {
  return look_up(map).u32(NFTNL_EXPR_LOOKUP_DREG, destination);
}

void emit_masked_mark(RuleMessage& rule, MarkOf of, const MarkLayout& layout) {
  rule.add(load_mark(of));
  rule.add(keep_and_set(layout.mask, 0u));
}

std::uint8_t protocol_family(Family family) {
  return family == Family::V4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
}

void emit_family(RuleMessage& rule, Family family) {
  rule.add(load_meta(NFT_META_NFPROTO));
  rule.add(is_equal(protocol_family(family)));
}

void emit_destination(RuleMessage& rule, Family family) {
  emit_family(rule, family);
  rule.add(load(destination_address(family)));
}

// ---- sets of a rule ---------------------------------------------------------

Set protocols_with_ports() {
  return {{}, kProtocolType, {}, false, [](const Set::Reader& read) {
            for (const std::uint8_t number : {protocol::kTcp, protocol::kUdp, protocol::kSctp})
              read(Element(Protocol{number}));
          }};
}

Set kinds_of_many() {
  return {{}, kAddressKindType, {}, false, [](const Set::Reader& read) {
            read(Element(AddressKind{"broadcast", RTN_BROADCAST}));
            read(Element(AddressKind{"anycast", RTN_ANYCAST}));
            read(Element(AddressKind{"multicast", RTN_MULTICAST}));
          }};
}

using Members = std::vector<Ruleset::FallbackGroup::Member>;

std::uint32_t total_weight(const Members& members) {
  std::uint32_t total = 0;
  for (const auto& member : members) total += member.weight;
  return total;
}

// Each member has as many of the hash's numbers as it has weight.
Set shares(const Members& members) {
  return {{}, kBucketType, kVerdictType, true, [members](const Set::Reader& read) {
            std::uint32_t first = 0;
            for (const auto& member : members) {
              Element share(Bucket{first}, Bucket{first + member.weight - 1});
              share.data = verdict_of(member);
              read(share);
              first += member.weight;
            }
          }};
}

Statement is_in(const char* field, Expression (*load_field)(), Set (*make)()) {
  return {format("{} {}", field, braced(make())), [load_field, make](RuleMessage& rule) {
            const Set set = make();
            const std::uint32_t id = rule.add_anonymous_set(set);
            rule.add(load_field());
            rule.add(look_up(anonymous_name(set)).u32(NFTNL_EXPR_LOOKUP_SET_ID, id));
          }};
}

Expression native_queue(const Ruleset& ruleset) {
  return Expression("queue")
      .u16(NFTNL_EXPR_QUEUE_NUM, ruleset.queue_first)
      .u16(NFTNL_EXPR_QUEUE_TOTAL, ruleset.queue_count)
      .u16(NFTNL_EXPR_QUEUE_FLAGS, ruleset.bypass ? NFT_QUEUE_FLAG_BYPASS : 0);
}

Expression xt_queue(const Ruleset& ruleset) {
  const xt_NFQ_info_v3 info{ruleset.queue_first, ruleset.queue_count,
                            static_cast<std::uint16_t>(ruleset.bypass ? NFQ_FLAG_BYPASS : 0)};
  constexpr std::uint32_t kAlignedBytes = 8;  // XT_ALIGN of the struct
  void* owned = std::calloc(1, kAlignedBytes);
  if (owned == nullptr) throw std::bad_alloc();
  std::memcpy(owned, &info, sizeof info);
  return Expression("target")
      .text(NFTNL_EXPR_TG_NAME, "NFQUEUE")
      .u32(NFTNL_EXPR_TG_REV, 3)
      .owned_bytes(NFTNL_EXPR_TG_INFO, owned, kAlignedBytes);
}

}  // namespace

const char* name(MarkOf of) {
  return of == MarkOf::Packet ? "meta mark" : "ct mark";
}

std::string queue_text(std::uint16_t first, std::uint16_t count, bool bypass) {
  const unsigned last = first + std::max(1u, unsigned{count}) - 1;
  return format("queue{} to {}", bypass ? " flags bypass" : "",
                first == last ? format("{}", first) : format("{}-{}", first, last));
}

std::string server_chain(ServerId id) {
  return format("server_{}", id);
}

ElementData verdict_of(const Ruleset::FallbackGroup::Member& member) {
  switch (member.action) {
    case Action::Steer:
      return Goto{server_chain(member.id)};
    case Action::Accept:
      return Goto{"pass"};
    case Action::Drop:
      return Drop{};
    case Action::Reject:
      break;
  }
  return Goto{"refuse"};
}

// ---- matches ----------------------------------------------------------------

Statement is_marked(MarkOf of, const MarkLayout& layout) {
  return {masked_text(of, layout) + " != 0", [of, layout](RuleMessage& rule) {
            emit_masked_mark(rule, of, layout);
            rule.add(is_not(0u));
          }};
}

Statement is_marked_pass(MarkOf of, const MarkLayout& layout) {
  return {format("{} == {:#010x}", masked_text(of, layout), layout.pass()),
          [of, layout](RuleMessage& rule) {
            emit_masked_mark(rule, of, layout);
            rule.add(is_equal(layout.pass()));
          }};
}

Statement mark_is_in(MarkOf of, const MarkLayout& layout, const std::string& set) {
  return {format("{} @{}", masked_text(of, layout), set), [of, layout, set](RuleMessage& rule) {
            emit_masked_mark(rule, of, layout);
            rule.add(look_up(set));
          }};
}

Statement user_is_in(const std::string& set) {
  return {format("meta skuid @{}", set), [set](RuleMessage& rule) {
            rule.add(load_meta(NFT_META_SKUID));
            rule.add(look_up(set));
          }};
}

Statement is_new() {
  return {"ct state new", [](RuleMessage& rule) {
            rule.add(load_ct(NFT_CT_STATE));
            rule.add(keep_and_set(kStateNew, 0u));
            rule.add(is_not(0u));
          }};
}

Statement is_not_new() {
  return {"ct state != new", [](RuleMessage& rule) {
            rule.add(load_ct(NFT_CT_STATE));
            rule.add(is_not(kStateNew));
          }};
}

Statement is_rewritten() {
  return {"ct status dnat", [](RuleMessage& rule) {
            rule.add(load_ct(NFT_CT_STATUS));
            rule.add(keep_and_set(std::uint32_t{IPS_DST_NAT}, 0u));
            rule.add(is_not(0u));
          }};
}

Statement came_over_loopback() {
  constexpr std::uint32_t kLoopbackIndex = 1;  // LOOPBACK_IFINDEX of net/flow.h, in every namespace
  return {"iif \"lo\"", [](RuleMessage& rule) {
            rule.add(load_meta(NFT_META_IIF));
            rule.add(is_equal(kLoopbackIndex));
          }};
}

Statement is_tcp() {
  return {"meta l4proto tcp", [](RuleMessage& rule) {
            rule.add(load_meta(NFT_META_L4PROTO));
            rule.add(is_equal(protocol::kTcp));
          }};
}

Statement is_not_plain_syn() {
  return {"tcp flags & (fin | syn | rst | ack) != syn", [](RuleMessage& rule) {
            rule.add(load(kTcpFlags));
            rule.add(keep_and_set<std::uint8_t>(TH_FIN | TH_SYN | TH_RST | TH_ACK, 0));
            rule.add(is_not<std::uint8_t>(TH_SYN));
          }};
}

Statement has_ports() {
  return is_in(
      "meta l4proto", [] { return load_meta(NFT_META_L4PROTO); }, protocols_with_ports);
}

Statement is_for_many() {
  return is_in(
      "fib daddr type", [] { return load_fib(NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_DADDR); },
      kinds_of_many);
}

Statement leaves_where_it_came_in() {
  return {"fib daddr . iif oif != 0", [](RuleMessage& rule) {
            rule.add(load_fib(NFT_FIB_RESULT_OIF, NFTA_FIB_F_DADDR | NFTA_FIB_F_IIF));
            rule.add(is_not(0u));
          }};
}

Statement destination_is_in(Family family, const std::string& set) {
  return {format("{} daddr @{}", ip(family), set), [family, set](RuleMessage& rule) {
            emit_destination(rule, family);
            rule.add(look_up(set));
          }};
}

// ---- verdicts and actions ---------------------------------------------------

Statement accept() {
  return {"accept", [](RuleMessage& rule) {
            rule.add(Expression("immediate")
                         .u32(NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT)
                         .u32(NFTNL_EXPR_IMM_VERDICT, NF_ACCEPT));
          }};
}

Statement goto_by_mark(MarkOf of, const MarkLayout& layout, const std::string& map) {
  return {format("{} vmap @{}", masked_text(of, layout), map),
          [of, layout, map](RuleMessage& rule) {
            emit_masked_mark(rule, of, layout);
            rule.add(look_up_into(NFT_REG_VERDICT, map));
          }};
}

Statement goto_by_destination(Family family, const std::string& map) {
  return {format("{} daddr vmap @{}", ip(family), map), [family, map](RuleMessage& rule) {
            emit_destination(rule, family);
            rule.add(look_up_into(NFT_REG_VERDICT, map));
          }};
}

Statement goto_by_hash(Family family, const Members& members) {
  const std::uint32_t modulus = total_weight(members);
  std::string text = format("jhash {0} saddr . {0} daddr . th sport . th dport mod {1} vmap {2}",
                            ip(family), modulus, braced(shares(members)));
  return {
      std::move(text), [family, members, modulus](RuleMessage& rule) {
        const Set map = shares(members);
        const std::uint32_t id = rule.add_anonymous_set(map);
        const Header source = source_address(family);
        emit_family(rule, family);
        // What is hashed lies in registers of 4 bytes, from register 2 on.
        std::uint32_t next = NFT_REG32_04;
        for (const Header& part :
             {source, destination_address(family), kSourcePort, kDestinationPort}) {
          rule.add(load(part, next));
          next += (part.bytes + 3) / 4;
        }
        rule.add(Expression("hash")
                     .u32(NFTNL_EXPR_HASH_TYPE, NFT_HASH_JENKINS)
                     .u32(NFTNL_EXPR_HASH_SREG, NFT_REG32_04)
                     .u32(NFTNL_EXPR_HASH_DREG, NFT_REG_1)
                     .u32(NFTNL_EXPR_HASH_LEN, 4 * (next - NFT_REG32_04))
                     .u32(NFTNL_EXPR_HASH_MODULUS, modulus));
        rule.add(Expression("byteorder")
                     .u32(NFTNL_EXPR_BYTEORDER_SREG, NFT_REG_1)
                     .u32(NFTNL_EXPR_BYTEORDER_DREG, NFT_REG_1)
                     .u32(NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON)
                     .u32(NFTNL_EXPR_BYTEORDER_LEN, 4)
                     .u32(NFTNL_EXPR_BYTEORDER_SIZE, 4));
        rule.add(
            look_up_into(NFT_REG_VERDICT, anonymous_name(map)).u32(NFTNL_EXPR_LOOKUP_SET_ID, id));
      }};
}

Statement set_mark(MarkOf of, const MarkLayout& layout, std::uint32_t ours) {
  std::string text = format("{0} set {0} & {1:#010x}", name(of), ~layout.mask);
  if (ours != 0) text += format(" | {:#010x}", ours);
  return {std::move(text), [of, layout, ours](RuleMessage& rule) {
            rule.add(load_mark(of));
            rule.add(keep_and_set(~layout.mask, ours));
            rule.add(store_mark(of));
          }};
}

Statement report_events() {
  return {"ct event set new,destroy,reply,protoinfo", [](RuleMessage& rule) {
            constexpr std::uint32_t kEvents =
                1u << IPCT_NEW | 1u << IPCT_DESTROY | 1u << IPCT_REPLY | 1u << IPCT_PROTOINFO;
            rule.add(Expression("immediate")
                         .u32(NFTNL_EXPR_IMM_DREG, NFT_REG_1)
                         .bytes(NFTNL_EXPR_IMM_DATA, in_memory(kEvents)));
            rule.add(Expression("ct")
                         .u32(NFTNL_EXPR_CT_KEY, NFT_CT_EVENTMASK)
                         .u32(NFTNL_EXPR_CT_SREG, NFT_REG_1));
          }};
}

Statement reject_with_reset() {
  return {"reject with tcp reset", [](RuleMessage& rule) {
            rule.add(Expression("reject")
                         .u32(NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_TCP_RST)
                         .u8(NFTNL_EXPR_REJECT_CODE, 0));
          }};
}

Statement reject_as_prohibited() {
  return {"reject with icmpx admin-prohibited", [](RuleMessage& rule) {
            rule.add(Expression("reject")
                         .u32(NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH)
                         .u8(NFTNL_EXPR_REJECT_CODE, NFT_REJECT_ICMPX_ADMIN_PROHIBITED));
          }};
}

Statement rewrite_destination(Family family, const MarkLayout& layout, const std::string& map,
                              bool with_port) {
  std::string text =
      format("dnat {} to {} map @{}", ip(family), masked_text(MarkOf::Conntrack, layout), map);
  return {std::move(text), [family, layout, map, with_port](RuleMessage& rule) {
            emit_masked_mark(rule, MarkOf::Conntrack, layout);
            rule.add(look_up_into(NFT_REG_1, map));
            Expression nat = Expression("nat")
                                 .u32(NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT)
                                 .u32(NFTNL_EXPR_NAT_FAMILY, protocol_family(family))
                                 .u32(NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
            // The port lies behind the address, in a register of 4 bytes.
            const std::uint32_t port = NFT_REG32_00 + bits(family) / 32;
            rule.add(with_port ? std::move(nat).u32(NFTNL_EXPR_NAT_REG_PROTO_MIN, port)
                               : std::move(nat));
          }};
}

Statement masquerade() {
  return {"masquerade", [](RuleMessage& rule) { rule.add(Expression("masq")); }};
}

Statement queue(const Ruleset& ruleset, QueueForm form) {
  return {queue_text(ruleset.queue_first, ruleset.queue_count, ruleset.bypass),
          [&ruleset, form](RuleMessage& rule) {
            rule.add(form == QueueForm::Native ? native_queue(ruleset) : xt_queue(ruleset));
          }};
}

}  // namespace nfsteer::netlink
