// What the kernel's maps say of the servers of an earlier run.
#include <libnftnl/common.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <array>
#include <cstring>

#include "nfsteer/base/text.hpp"
#include "socket.hpp"
#include "table.hpp"

namespace nfsteer::netlink {
namespace {

// An element of a map from marks, as it lies in the kernel.
struct MapElement {
  std::uint32_t mark = 0;
  std::vector<std::byte> data;
  std::string comment;
};

int read_comment(const nftnl_udata* attribute, void* comment) {
  if (nftnl_udata_type(attribute) == NFTNL_UDATA_SET_ELEM_COMMENT)
    *static_cast<std::string*>(comment) = static_cast<const char*>(nftnl_udata_get(attribute));
  return 0;
}

int read_element(nftnl_set_elem* element, void* elements) {
  MapElement made;
  std::uint32_t length = 0;
  const void* key = nftnl_set_elem_get(element, NFTNL_SET_ELEM_KEY, &length);
  if (!key || length != sizeof made.mark) return 0;
  std::memcpy(&made.mark, key, sizeof made.mark);
  if (const void* data = nftnl_set_elem_get(element, NFTNL_SET_ELEM_DATA, &length)) {
    const auto* bytes = static_cast<const std::byte*>(data);
    made.data.assign(bytes, bytes + length);
  }
  if (nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_USERDATA)) {
    const void* data = nftnl_set_elem_get(element, NFTNL_SET_ELEM_USERDATA, &length);
    nftnl_udata_parse(data, length, read_comment, &made.comment);
  }
  static_cast<std::vector<MapElement>*>(elements)->push_back(std::move(made));
  return 0;
}

void read_elements(std::vector<MapElement>& elements, const nlmsghdr& message) {
  const std::unique_ptr<nftnl_set, decltype(&nftnl_set_free)> set(nftnl_set_alloc(),
                                                                  &nftnl_set_free);
  if (nftnl_set_elems_nlmsg_parse(&message, set.get()) == 0)
    nftnl_set_elem_foreach(set.get(), read_element, &elements);
}

// The elements of a map of ours. A table or map that is not there has none.
std::vector<MapElement> elements_of(const std::string& map) {
  std::array<char, 512> bytes;
  nlmsghdr* message =
      nftnl_nlmsg_build_hdr(bytes.data(), NFT_MSG_GETSETELEM, NFPROTO_INET, NLM_F_DUMP, 1);
  const std::unique_ptr<nftnl_set, decltype(&nftnl_set_free)> set(nftnl_set_alloc(),
                                                                  &nftnl_set_free);
  nftnl_set_set_str(set.get(), NFTNL_SET_TABLE, kTableName);
  nftnl_set_set_str(set.get(), NFTNL_SET_NAME, map.c_str());
  nftnl_set_elems_nlmsg_build_payload(message, set.get());
  return dump<std::vector<MapElement>>("reading " + map, *message, read_elements)
      .value_or(std::vector<MapElement>{});
}

}  // namespace

std::map<ServerIdentity, ServerId> installed_servers(const MarkLayout& layout) {
  std::map<ServerIdentity, ServerId> servers;
  for (const Family family : {Family::V4, Family::V6}) {
    const std::string map = family == Family::V4 ? "server4" : "server6";
    const std::size_t address_bytes = bits(family) / 8;
    std::map<std::uint32_t, std::uint16_t> ports;
    for (const MapElement& element : elements_of(map))
      if (element.data.size() >= address_bytes + 2)
        ports[element.mark] =
            static_cast<std::uint16_t>(std::to_integer<unsigned>(element.data[address_bytes]) << 8 |
                                       std::to_integer<unsigned>(element.data[address_bytes + 1]));
    for (const MapElement& element : elements_of(map + "_keep_port")) {
      if (element.data.size() < address_bytes || (element.mark & ~layout.mask) != 0) continue;
      ServerIdentity identity{
          element.comment, Address::from_network(family, element.data.data()), {}};
      if (const auto port = ports.find(element.mark); port != ports.end())
        identity.port = port->second;
      servers[identity] = static_cast<ServerId>(element.mark >> layout.shift());
    }
  }
  return servers;
}

}  // namespace nfsteer::netlink
