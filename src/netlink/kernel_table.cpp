#include "kernel_table.hpp"

#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <array>
#include <cstring>
#include <memory>

#include "nfsteer/netlink.hpp"
#include "socket.hpp"
#include "table.hpp"

namespace nfsteer::netlink {
namespace {

bool is_ours(const char* table) {
  return table != nullptr && std::strcmp(table, kTableName) == 0;
}

void read_chain(std::vector<KernelChain>& chains, const nlmsghdr& message) {
  const std::unique_ptr<nftnl_chain, decltype(&nftnl_chain_free)> chain(nftnl_chain_alloc(),
                                                                        &nftnl_chain_free);
  if (nftnl_chain_nlmsg_parse(&message, chain.get()) != 0) return;
  if (!is_ours(nftnl_chain_get_str(chain.get(), NFTNL_CHAIN_TABLE))) return;
  KernelChain& made = chains.emplace_back();
  made.name = nftnl_chain_get_str(chain.get(), NFTNL_CHAIN_NAME);
  if (!nftnl_chain_is_set(chain.get(), NFTNL_CHAIN_HOOKNUM)) return;
  const char* type = nftnl_chain_get_str(chain.get(), NFTNL_CHAIN_TYPE);
  made.place = {type != nullptr ? type : "", nftnl_chain_get_u32(chain.get(), NFTNL_CHAIN_HOOKNUM),
                nftnl_chain_get_s32(chain.get(), NFTNL_CHAIN_PRIO)};
}

void read_set(std::vector<KernelSet>& sets, const nlmsghdr& message) {
  const std::unique_ptr<nftnl_set, decltype(&nftnl_set_free)> set(nftnl_set_alloc(),
                                                                  &nftnl_set_free);
  if (nftnl_set_nlmsg_parse(&message, set.get()) != 0) return;
  if (!is_ours(nftnl_set_get_str(set.get(), NFTNL_SET_TABLE))) return;
  const std::uint32_t flags = nftnl_set_get_u32(set.get(), NFTNL_SET_FLAGS);
  if ((flags & NFT_SET_ANONYMOUS) != 0) return;  // it goes away with its rule
  sets.push_back({nftnl_set_get_str(set.get(), NFTNL_SET_NAME),
                  nftnl_set_get_u32(set.get(), NFTNL_SET_KEY_LEN), (flags & NFT_SET_MAP) != 0,
                  nftnl_set_get_u32(set.get(), NFTNL_SET_DATA_TYPE),
                  nftnl_set_get_u32(set.get(), NFTNL_SET_DATA_LEN),
                  (flags & NFT_SET_INTERVAL) != 0});
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
    const auto read_id = [](const nlattr* attribute, void* made) {
      if (mnl_attr_get_type(attribute) == NFTA_GEN_ID &&
          mnl_attr_get_payload_len(attribute) == sizeof(std::uint32_t))
        *static_cast<std::uint32_t*>(made) = be32toh(mnl_attr_get_u32(attribute));
      return MNL_CB_OK;
    };
    mnl_attr_parse(&answer, sizeof(nfgenmsg), read_id, &generation);
  };
  return dump<std::uint32_t>("asking for nftables' generation", *message, read);
}

Result<std::map<std::string, Traits>> read_traits() {
  return list<std::map<std::string, Traits>>("listing nftables rules", NFT_MSG_GETRULE, read_rule);
}

}  // namespace nfsteer::netlink
