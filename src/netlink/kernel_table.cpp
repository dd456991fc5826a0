#include "kernel_table.hpp"

#include <arpa/inet.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <array>
#include <cstring>
#include <memory>

#include "attributes.hpp"
#include "nfsteer/netlink.hpp"
#include "socket.hpp"
#include "table.hpp"

namespace nfsteer::netlink {
namespace {

bool is_ours(const char* table) {
  return table != nullptr && std::strcmp(table, kTableName) == 0;
}

// 0 where it does not tell.
template <std::size_t kTypeMax>
std::uint32_t number(const Attributes<kTypeMax>& attributes, std::size_t type) {
  return ntohl(attributes.template number<std::uint32_t>(type).value_or(0));
}

void read_rule(std::map<std::string, Traits>& traits, const nlmsghdr& message) {
  const std::unique_ptr<nftnl_rule, decltype(&nftnl_rule_free)> rule(nftnl_rule_alloc(),
                                                                     &nftnl_rule_free);
  if (nftnl_rule_nlmsg_parse(&message, rule.get()) != 0) return;
  if (!is_ours(nftnl_rule_get_str(rule.get(), NFTNL_RULE_TABLE))) return;
  traits[nftnl_rule_get_str(rule.get(), NFTNL_RULE_CHAIN)].merge(traits_of(*rule));
}

template <typename T, typename Read>
Result<T> list(const char* what, std::uint16_t request, Read read) {
  std::array<char, 256> bytes;
  nlmsghdr* message = nftnl_nlmsg_build_hdr(bytes.data(), request, NFPROTO_INET, NLM_F_DUMP, 1);
  // There may be very many rules of others.
  if (request == NFT_MSG_GETRULE) mnl_attr_put_strz(message, NFTA_RULE_TABLE, kTableName);
  return dump<T>(what, *message, read);
}

}  // namespace

// Not by libnftnl: it ends the process where an attribute is not as it expects.
void read_chain(std::vector<KernelChain>& chains, const nlmsghdr& message) {
  const Attributes<NFTA_CHAIN_TYPE> chain(behind(message, sizeof(nfgenmsg)));
  if (chain.text(NFTA_CHAIN_TABLE) != kTableName) return;
  KernelChain& made = chains.emplace_back();
  made.name = chain.text(NFTA_CHAIN_NAME);
  if (chain[NFTA_CHAIN_HOOK] == nullptr) return;
  const Attributes<NFTA_HOOK_PRIORITY> hook(chain[NFTA_CHAIN_HOOK]);
  made.place = {std::string(chain.text(NFTA_CHAIN_TYPE)), number(hook, NFTA_HOOK_HOOKNUM),
                static_cast<std::int32_t>(number(hook, NFTA_HOOK_PRIORITY))};
}

void read_set(std::vector<KernelSet>& sets, const nlmsghdr& message) {
  const Attributes<NFTA_SET_DATA_LEN> set(behind(message, sizeof(nfgenmsg)));
  if (set.text(NFTA_SET_TABLE) != kTableName) return;
  const std::uint32_t flags = number(set, NFTA_SET_FLAGS);
  if ((flags & NFT_SET_ANONYMOUS) != 0) return;  // it goes away with its rule
  sets.push_back({std::string(set.text(NFTA_SET_NAME)), number(set, NFTA_SET_KEY_LEN),
                  (flags & NFT_SET_MAP) != 0, number(set, NFTA_SET_DATA_TYPE),
                  number(set, NFTA_SET_DATA_LEN), (flags & NFT_SET_INTERVAL) != 0});
}

Result<KernelTable> read_table() {
  auto chains =
      list<std::vector<KernelChain>>("listing nftables chains", NFT_MSG_GETCHAIN, read_chain);
  if (!chains) return tl::unexpected(std::move(chains.error()));
  auto sets = list<std::vector<KernelSet>>("listing nftables sets", NFT_MSG_GETSET, read_set);
  if (!sets) return tl::unexpected(std::move(sets.error()));
  return KernelTable{std::move(*chains), std::move(*sets)};
}

Result<std::uint32_t> ruleset_generation() {
  std::array<char, 256> bytes;
  const nlmsghdr* message =
      nftnl_nlmsg_build_hdr(bytes.data(), NFT_MSG_GETGEN, NFPROTO_UNSPEC, NLM_F_ACK, 1);
  const auto read = [](std::uint32_t& generation, const nlmsghdr& answer) {
    const Attributes<NFTA_GEN_ID> attributes(behind(answer, sizeof(nfgenmsg)));
    if (const auto id = attributes.number<std::uint32_t>(NFTA_GEN_ID)) generation = ntohl(*id);
  };
  return dump<std::uint32_t>("asking for nftables' generation", *message, read);
}

Result<std::map<std::string, Traits>> read_traits() {
  return list<std::map<std::string, Traits>>("listing nftables rules", NFT_MSG_GETRULE, read_rule);
}

}  // namespace nfsteer::netlink
