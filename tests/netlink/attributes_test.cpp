// What the kernel answers, as no kernel of today would: lengths that lie, texts
// without an end, attributes of other sizes.
#include "netlink/attributes.hpp"

#include <doctest/doctest.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/rtnetlink.h>

#include <cerrno>
#include <climits>
#include <string>

#include "message.hpp"
#include "netlink/conntrack_message.hpp"
#include "netlink/interfaces.hpp"
#include "netlink/kernel_table.hpp"
#include "netlink/read_back.hpp"
#include "netlink/ruleset_monitor.hpp"

using namespace nfsteer;
using namespace nfsteer::netlink;
using testing::append;
using testing::attribute;
using testing::error_message;
using testing::finish;
using testing::Message;
using testing::start;

namespace {

using namespace std::string_literals;

MessageBytes bytes_of(const Message& message) {
  return std::as_bytes(std::span(message));
}
nlmsghdr& header_of(Message& message) {
  return *reinterpret_cast<nlmsghdr*>(message.data());
}
const nlmsghdr& header_of(const Message& message) {
  return *reinterpret_cast<const nlmsghdr*>(message.data());
}

constexpr std::uint16_t kNewFlow = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW;
constexpr MarkLayout kLayout{0xfff0'0000};

// Of UDP, to server 1.
Message flow_entry(std::size_t mark_bytes = 4) {
  Message ip, proto, tuple, entry = start(kNewFlow);
  attribute(ip, CTA_IP_V4_SRC, "\xc0\0\2\7"s);
  attribute(ip, CTA_IP_V4_DST, "\x0a\x09\x09\x09"s);
  attribute(proto, CTA_PROTO_NUM, "\x11"s);
  attribute(proto, CTA_PROTO_SRC_PORT, "\x9c\x40"s);
  attribute(proto, CTA_PROTO_DST_PORT, "\0\x35"s);
  attribute(tuple, CTA_TUPLE_IP, ip);
  attribute(tuple, CTA_TUPLE_PROTO, proto);
  attribute(entry, CTA_TUPLE_ORIG, tuple);
  attribute(entry, CTA_ID, "\1\2\3\4"s);
  attribute(entry, CTA_MARK, ("\0\x10\0\0"s + "more").substr(0, mark_bytes));
  return finish(entry);
}

}  // namespace

TEST_CASE("an answer tells an errno, an acknowledgement, or nothing") {
  static constexpr struct {
    int error;
    int want;
  } kCases[] = {{0, 0},          {-ENOENT, ENOENT}, {-4095, 4095},
                {-4096, EPROTO}, {1, EPROTO},       {INT_MIN, EPROTO}};
  for (const auto& row : kCases) CHECK(error_in(header_of(error_message(row.error))) == row.want);
  Message cut = error_message(-ENOENT);
  header_of(cut).nlmsg_len = sizeof(nlmsghdr) + 3;
  CHECK(error_in(header_of(cut)) == EPROTO);
}

TEST_CASE("where a refused attribute is, behind what is sent back of the message") {
  const auto told = [](std::uint16_t flags, std::uint32_t sent_back, std::size_t there) {
    Message answer = error_message(-EINVAL);
    reinterpret_cast<nlmsgerr*>(&answer[sizeof(nlmsghdr)])->msg.nlmsg_len = sent_back;
    answer.resize(answer.size() + there);
    const std::uint32_t offset = 52;
    attribute(answer, NLMSGERR_ATTR_OFFS, &offset, sizeof offset);
    header_of(answer).nlmsg_flags = flags;
    return refused_offset(header_of(finish(answer)));
  };
  CHECK(told(NLM_F_ACK_TLVS | NLM_F_CAPPED, 100, 0) == 52);
  CHECK(told(NLM_F_ACK_TLVS, 16, 0) == 52);
  CHECK(told(NLM_F_ACK_TLVS, 35, 20) == 52);
  CHECK(told(NLM_F_CAPPED, 100, 0) == 0);
  CHECK(told(NLM_F_ACK_TLVS, 100, 0) == 0);  // more than there is
  CHECK(told(NLM_F_ACK_TLVS, 0xffff'ffff, 0) == 0);
  CHECK(told(NLM_F_ACK_TLVS, 0, 0) == 52);  // less than a header
}

TEST_CASE("a listing ends where a message does not fit") {
  Message part = flow_entry();
  const std::size_t length = part.size();
  const auto flows_in = [](const Message& bytes) {
    std::vector<FlowReport> flows;
    const DumpPart read = read_listing(bytes_of(bytes), kLayout, flows);
    CHECK_FALSE(read.is_last);
    return flows.size();
  };
  CHECK(flows_in(part) == 1);
  append(part, flow_entry().data(), length);
  CHECK(flows_in(part) == 2);
  auto& second = *reinterpret_cast<nlmsghdr*>(&part[length]);
  for (const std::uint32_t claimed : {0u, 15u, 0x7fff'ffffu, 0x8000'0000u, 0xffff'ffffu,
                                      static_cast<std::uint32_t>(length + 1)}) {
    second.nlmsg_len = claimed;
    CHECK(flows_in(part) == 1);
  }
}

TEST_CASE("a mark of another length is none") {
  for (const std::size_t bytes : {0u, 1u, 3u, 4u, 5u}) {
    const Message entry = flow_entry(bytes);
    CHECK(read_mark(header_of(entry)) == (bytes == 4 ? 0x0010'0000 : 0));
    const auto flow = read_flow(bytes_of(entry), true, kLayout);
    REQUIRE(flow);
    CHECK(flow->server == (bytes == 4 ? 1 : 0));
  }
}

TEST_CASE("chains and sets of our table alone, whatever else they have") {
  const auto network = [](std::uint32_t number) {
    number = htonl(number);
    return std::string(reinterpret_cast<const char*>(&number), sizeof number);
  };
  Message hook;
  attribute(hook, NFTA_HOOK_HOOKNUM, network(3));
  attribute(hook, NFTA_HOOK_PRIORITY, network(static_cast<std::uint32_t>(-150)));
  const auto chain = [](const std::string& table, const std::string& name,
                        const std::optional<Message>& place) {
    Message message = start(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN);
    attribute(message, NFTA_CHAIN_TABLE, table);
    attribute(message, NFTA_CHAIN_NAME, name);
    attribute(message, NFTA_CHAIN_HANDLE, "abc"s);  // of another size: libnftnl exits
    attribute(message, NFTA_CHAIN_TYPE, "filter\0"s);
    if (place) attribute(message, NFTA_CHAIN_HOOK, *place);
    return finish(message);
  };
  std::vector<KernelChain> chains;
  for (const Message& message :
       {chain("nfsteer\0"s, "steer\0"s, hook), chain("nfsteer\0"s, "empty\0"s, Message()),
        chain("nfsteer\0"s, "web\0"s, {}), chain("nfsteer2\0"s, "other\0"s, hook),
        chain("nfsteer", "endless", {})})
    read_chain(chains, header_of(message));
  REQUIRE(chains.size() == 4);
  REQUIRE(chains[0].place);
  CHECK(chains[0].name == "steer");
  CHECK(chains[0].place->type == "filter");
  CHECK(chains[0].place->hook_number == 3);
  CHECK(chains[0].place->priority == -150);
  CHECK(chains[1].place);  // a base chain, wherever
  CHECK((chains[2].name == "web" && !chains[2].place));
  CHECK((chains[3].name == "endless" && !chains[3].place));

  std::vector<KernelSet> sets;
  for (const std::uint32_t flags : {0u, std::uint32_t{NFT_SET_ANONYMOUS}, 0xffu,
                                    std::uint32_t{NFT_SET_MAP | NFT_SET_INTERVAL}}) {
    Message set = start(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSET);
    attribute(set, NFTA_SET_TABLE, "nfsteer\0"s);
    attribute(set, NFTA_SET_NAME, "s" + std::to_string(flags) + "\0"s);
    attribute(set, NFTA_SET_FLAGS, network(flags));
    attribute(set, NFTA_SET_KEY_LEN, network(4));
    attribute(set, NFTA_SET_DATA_TYPE, "short"s);
    attribute(set, NFTA_SET_DATA_LEN, network(6));
    read_set(sets, header_of(finish(set)));
  }
  REQUIRE(sets.size() == 2);
  CHECK(sets[0].name == "s0");
  CHECK_FALSE((sets[0].is_map || sets[0].intervals));
  CHECK((sets[1].is_map && sets[1].intervals));
  CHECK((sets[1].key_bytes == 4 && sets[1].data_type == 0 && sets[1].data_bytes == 6));
}

TEST_CASE("servers of the kernel's maps, and what is none") {
  const auto element = [](std::uint32_t mark, const std::string& data, const std::string& user) {
    Message key, value, made;
    attribute(key, NFTA_DATA_VALUE, &mark, sizeof mark);
    attribute(value, NFTA_DATA_VALUE, data);
    attribute(made, NFTA_SET_ELEM_KEY, key);
    attribute(made, NFTA_SET_ELEM_DATA, value);
    attribute(made, NFTA_SET_ELEM_USERDATA, user);
    return made;
  };
  const auto comment = [](const std::string& text) {
    return std::string{static_cast<char>(NFTNL_UDATA_SET_ELEM_COMMENT),
                       static_cast<char>(text.size())} +
           text;
  };
  const auto elements = [](std::initializer_list<Message> all) {
    Message list, message = start(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM);
    for (const Message& each : all) attribute(list, NFTA_LIST_ELEM, each);
    attribute(message, NFTA_SET_ELEM_LIST_ELEMENTS, list);
    std::vector<MapElement> read;
    read_elements(read, header_of(finish(message)));
    return read;
  };
  const std::string address = "\x0a\2\0\1"s;
  const std::string text = comment("web/web1\0"s);
  const ServerMaps maps{
      elements({element(0x0010'0000, address + "\x1f\x90"s + "\0\0"s, ""),
                element(0x0020'0000, address, "")}),  // no port
      elements({element(0x0010'0000, address, text),
                element(0x0020'0000, address, comment("endless")),
                element(0x0030'0000, address, "\x7f\x02zz"s + text),  // behind what is unknown
                element(0x0040'0000, address, "\x7f\xffzz"s + text),  // behind what lies
                element(0x0050'0000, address.substr(1), text),        // too short
                element(0x0060'0001, address, text),                  // bits outside the mask
                element(0, address, text), element(0xffe0'0000, address, text),  // REJECT
                element(0xfff0'0000, address, text)})};                          // PASS
  std::map<ServerIdentity, ServerId> servers;
  read_servers(maps, Family::V4, kLayout, servers);
  const Address at = Address::v4(0x0a02'0001);
  CHECK(servers == std::map<ServerIdentity, ServerId>{{{"web/web1", at, 8080}, 1},
                                                      {{"endless", at, {}}, 2},
                                                      {{"web/web1", at, {}}, 3},
                                                      {{"", at, {}}, 4}});
}

TEST_CASE("changes of our table by others, and who ends without a name") {
  constexpr std::uint32_t kOther = 0x7fff'fff0;  // no port of ours
  constexpr std::uint8_t kInet = 1, kIpv4 = 2;   // NFPROTO_
  const auto event = [](int type, std::uint8_t family, const Message& attributes) {
    Message message = start(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type));
    message[sizeof(nlmsghdr)] = static_cast<char>(family);
    append(message, attributes.data(), attributes.size());
    header_of(message).nlmsg_pid = kOther;
    return finish(message);
  };
  const auto table = [](const std::string& name) {
    Message made;
    attribute(made, NFTA_RULE_TABLE, name);
    return made;
  };
  Message author, nobody;
  attribute(author, NFTA_GEN_PROC_NAME, "nf\x1bt"s);  // without a NUL
  attribute(author, NFTA_GEN_PROC_PID, "\0\0\3\x2c"s);
  attribute(nobody, NFTA_GEN_PROC_PID, "\3\x2c"s);  // of another size
  const Message ours = event(NFT_MSG_NEWRULE, kInet, table("nfsteer\0"s));
  const Message theirs = event(NFT_MSG_NEWRULE, kInet, table("nfsteer2\0"s));
  const Message other_family = event(NFT_MSG_NEWRULE, kIpv4, table("nfsteer\0"s));
  const Message nameless = event(NFT_MSG_NEWRULE, kInet, {});
  const Message bare = finish(Message(sizeof(nlmsghdr)));
  const Message end = event(NFT_MSG_NEWGEN, kInet, author);

  bool is_ours = false;
  const auto read = [&is_ours](std::initializer_list<Message> messages) {
    Message datagram;
    for (const Message& each : messages) append(datagram, each.data(), each.size());
    return read_changes(bytes_of(datagram), is_ours);
  };
  CHECK_FALSE(read({theirs, other_family, nameless, bare, end}));
  auto change = read({ours, end, theirs, end});
  REQUIRE(change);
  CHECK(change->author == "nf\\x1bt (pid 812)");
  CHECK_FALSE(read({ours, theirs}));
  CHECK(is_ours);  // up to the end of its transaction, in another datagram
  change = read({event(NFT_MSG_NEWGEN, kInet, nobody)});
  REQUIRE(change);
  CHECK(change->author == "somebody (pid 0)");
  Message cut = ours;
  header_of(cut).nlmsg_len = 0x8000'0000;
  CHECK_FALSE(read({cut, end}));
}

TEST_CASE("an interface whose name has no end, and a message without one") {
  Message message(sizeof(nlmsghdr) + sizeof(ifinfomsg));
  reinterpret_cast<ifinfomsg*>(&message[sizeof(nlmsghdr)])->ifi_index = 7;
  attribute(message, IFLA_IFNAME, "eth0"s);
  std::vector<Interface> interfaces;
  read_interface(interfaces, header_of(finish(message)));
  read_interface(interfaces, header_of(finish(Message(sizeof(nlmsghdr)))));
  CHECK(interfaces == std::vector<Interface>{{7, "eth0"}});
}
