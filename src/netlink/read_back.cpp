// What the kernel's maps say of the servers of an earlier run.
#include "read_back.hpp"

#include <libnftnl/common.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <array>

#include "attributes.hpp"
#include "socket.hpp"
#include "table.hpp"

namespace nfsteer::netlink {
namespace {

// The comment among the user data of an element: a list of type, length, value, in
// which anybody who may change nftables can write anything.
std::string comment_in(MessageBytes data) {
  constexpr std::size_t kHead = 2;
  while (data.size() >= kHead) {
    const auto type = std::to_integer<unsigned>(data[0]);
    const auto length = std::to_integer<std::size_t>(data[1]);
    data = data.subspan(kHead);
    if (length > data.size()) break;
    if (type == NFTNL_UDATA_SET_ELEM_COMMENT) return std::string(text_of(data.first(length)));
    data = data.subspan(length);
  }
  return {};
}

template <typename T, typename Read>
T read_set(const std::string& set, Read read) {
  alignas(nlmsghdr) std::array<char, 512> bytes;
  nlmsghdr* message =
      nftnl_nlmsg_build_hdr(bytes.data(), NFT_MSG_GETSETELEM, NFPROTO_INET, NLM_F_DUMP, 1);
  mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, kTableName);
  mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, set.c_str());
  return dump<T>("reading " + set, *message, read).value_or(T{});
}

void read_bounds(std::vector<Bound>& bounds, const nlmsghdr& message) {
  const Attributes<NFTA_SET_ELEM_LIST_ELEMENTS> list(behind(message, sizeof(nfgenmsg)));
  each_attribute(list.bytes(NFTA_SET_ELEM_LIST_ELEMENTS), [&bounds](const nlattr& each) {
    const Attributes<NFTA_SET_ELEM_USERDATA> element(&each);
    const Attributes<NFTA_DATA_VALUE> key(element[NFTA_SET_ELEM_KEY]);
    const MessageBytes value = key.bytes(NFTA_DATA_VALUE);
    const std::uint32_t flags = element.number<std::uint32_t>(NFTA_SET_ELEM_FLAGS).value_or(0);
    bounds.push_back(
        {{value.begin(), value.end()}, (be32toh(flags) & NFT_SET_ELEM_INTERVAL_END) != 0});
  });
}

}  // namespace

// Not by libnftnl: it ends the process where an attribute is not as it expects.
void read_elements(std::vector<MapElement>& elements, const nlmsghdr& message) {
  const Attributes<NFTA_SET_ELEM_LIST_ELEMENTS> list(behind(message, sizeof(nfgenmsg)));
  each_attribute(list.bytes(NFTA_SET_ELEM_LIST_ELEMENTS), [&elements](const nlattr& each) {
    const Attributes<NFTA_SET_ELEM_USERDATA> element(&each);
    const Attributes<NFTA_DATA_VALUE> key(element[NFTA_SET_ELEM_KEY]);
    const Attributes<NFTA_DATA_VALUE> data(element[NFTA_SET_ELEM_DATA]);
    const auto mark = key.number<std::uint32_t>(NFTA_DATA_VALUE);
    if (!mark) return;
    const MessageBytes value = data.bytes(NFTA_DATA_VALUE);
    elements.push_back(
        {*mark, {value.begin(), value.end()}, comment_in(element.bytes(NFTA_SET_ELEM_USERDATA))});
  });
}

std::vector<MapElement> elements_of(const std::string& set) {
  return read_set<std::vector<MapElement>>(set, read_elements);
}

std::vector<Bound> bounds_of(const std::string& set) {
  return read_set<std::vector<Bound>>(set, read_bounds);
}

void read_servers(const ServerMaps& maps, Family family, const MarkLayout& layout,
                  std::map<ServerIdentity, ServerId>& servers) {
  const std::size_t address_bytes = bits(family) / 8;
  std::map<std::uint32_t, std::uint16_t> ports;
  for (const MapElement& element : maps.endpoints)
    if (element.data.size() >= address_bytes + 2)
      ports[element.mark] =
          static_cast<std::uint16_t>(std::to_integer<unsigned>(element.data[address_bytes]) << 8 |
                                     std::to_integer<unsigned>(element.data[address_bytes + 1]));
  for (const MapElement& element : maps.addresses) {
    const std::uint32_t id = element.mark >> layout.shift();
    const bool is_server =
        (element.mark & ~layout.mask) == 0 && id != 0 && id <= layout.server_max();
    if (!is_server || element.data.size() < address_bytes) continue;
    ServerIdentity identity{
        element.comment, Address::from_network(family, element.data.data()), {}};
    if (const auto port = ports.find(element.mark); port != ports.end())
      identity.port = port->second;
    servers[identity] = static_cast<ServerId>(id);
  }
}

std::map<ServerIdentity, ServerId> installed_servers(const MarkLayout& layout) {
  std::map<ServerIdentity, ServerId> servers;
  for (const Family family : {Family::V4, Family::V6}) {
    const std::string map = family == Family::V4 ? "server4" : "server6";
    read_servers({elements_of(map), elements_of(map + "_keep_port")}, family, layout, servers);
  }
  return servers;
}

}  // namespace nfsteer::netlink
