// What nf_tables and rtnetlink could answer: listings of chains, sets, maps and
// interfaces, and the servers that maps say.
#include <vector>

#include "../fuzz.hpp"
#include "netlink/attributes.hpp"
#include "netlink/interfaces.hpp"
#include "netlink/kernel_table.hpp"
#include "netlink/read_back.hpp"
#include "netlink/ruleset_monitor.hpp"

using namespace nfsteer;
using namespace nfsteer::netlink;

namespace {

constexpr MarkLayout kLayout{0xfff0'0000};

// All that is read of dumps.
struct Readings {
  std::vector<KernelChain> chains;
  std::vector<KernelSet> sets;
  std::vector<MapElement> elements;
  std::vector<Interface> interfaces;
};

// The messages of a datagram, as dump_once() takes them, each in memory that ends
// where it ends.
Readings read(fuzz::Bytes datagram) {
  Readings read;
  const std::vector<std::byte> copy(datagram.begin(), datagram.end());
  read_dump(copy, [&read](const nlmsghdr& header) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&header);
    const std::vector<std::byte> single(bytes, bytes + header.nlmsg_len);
    const auto& message = *reinterpret_cast<const nlmsghdr*>(single.data());
    read_chain(read.chains, message);
    read_set(read.sets, message);
    read_elements(read.elements, message);
    read_interface(read.interfaces, message);
    FUZZ_CHECK(error_in(message) >= 0);
    (void)refused_offset(message);
  });
  bool is_ours = false;
  if (const auto change = read_changes(copy, is_ours))
    FUZZ_CHECK(change->author.find('\0') == std::string::npos);
  return read;
}

}  // namespace

FUZZ_TARGET(nftables) {
  fuzz::Input in(input);
  const Family family = in.flag() ? Family::V4 : Family::V6;
  ServerMaps maps;
  maps.endpoints = read(in.block()).elements;
  const Readings readings = read(in.rest());
  maps.addresses = readings.elements;
  for (const KernelChain& chain : readings.chains)
    FUZZ_CHECK(chain.name.find('\0') == chain.name.npos);
  for (const KernelSet& set : readings.sets) FUZZ_CHECK(set.name.find('\0') == set.name.npos);

  std::map<ServerIdentity, ServerId> servers;
  read_servers(maps, family, kLayout, servers);
  FUZZ_CHECK(servers.size() <= maps.addresses.size());
  for (const auto& [identity, id] : servers) {
    FUZZ_CHECK(id != 0 && id <= kLayout.server_max());
    FUZZ_CHECK(identity.address.family == family);
  }
}
