// The table in the kernel: made, emptied, taken away.
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "messages.hpp"
#include "nfsteer/base/text.hpp"
#include "socket.hpp"
#include "statements.hpp"
#include "table.hpp"

namespace nfsteer::netlink {
namespace {

// ---- what an earlier run left -----------------------------------------------

struct Leftover {
  std::vector<std::string> base_chains;
  std::vector<std::string> regular_chains;
  std::vector<std::string> sets;
};

bool is_ours(const char* table) {
  return table != nullptr && std::strcmp(table, kTableName) == 0;
}

void read_chain(Leftover& leftover, const nlmsghdr& message) {
  const std::unique_ptr<nftnl_chain, decltype(&nftnl_chain_free)> chain(nftnl_chain_alloc(),
                                                                        &nftnl_chain_free);
  if (nftnl_chain_nlmsg_parse(&message, chain.get()) != 0) return;
  if (!is_ours(nftnl_chain_get_str(chain.get(), NFTNL_CHAIN_TABLE))) return;
  const bool is_base = nftnl_chain_is_set(chain.get(), NFTNL_CHAIN_HOOKNUM);
  (is_base ? leftover.base_chains : leftover.regular_chains)
      .emplace_back(nftnl_chain_get_str(chain.get(), NFTNL_CHAIN_NAME));
}

void read_set(std::vector<std::string>& sets, const nlmsghdr& message) {
  const std::unique_ptr<nftnl_set, decltype(&nftnl_set_free)> set(nftnl_set_alloc(),
                                                                  &nftnl_set_free);
  if (nftnl_set_nlmsg_parse(&message, set.get()) != 0) return;
  if (!is_ours(nftnl_set_get_str(set.get(), NFTNL_SET_TABLE))) return;
  // An anonymous set goes away with its rule.
  const bool is_named = (nftnl_set_get_u32(set.get(), NFTNL_SET_FLAGS) & NFT_SET_ANONYMOUS) == 0;
  if (is_named) sets.emplace_back(nftnl_set_get_str(set.get(), NFTNL_SET_NAME));
}

Result<Leftover> read_leftover() {
  std::array<char, 256> bytes;
  nlmsghdr* message =
      nftnl_nlmsg_build_hdr(bytes.data(), NFT_MSG_GETCHAIN, NFPROTO_INET, NLM_F_DUMP, 1);
  Result<Leftover> leftover = dump<Leftover>("listing nftables chains", *message, read_chain);
  if (!leftover) return leftover;
  message = nftnl_nlmsg_build_hdr(bytes.data(), NFT_MSG_GETSET, NFPROTO_INET, NLM_F_DUMP, 2);
  Result<std::vector<std::string>> sets =
      dump<std::vector<std::string>>("listing nftables sets", *message, read_set);
  if (!sets) return tl::unexpected(sets.error());
  leftover->sets = std::move(*sets);
  return leftover;
}

// ---- what the kernel cannot do ----------------------------------------------

// Whether it says of a part of a rule that the kernel does not have it.
bool is_absent(int code) {
  return code == ENOENT || code == EOPNOTSUPP || code == EAFNOSUPPORT;
}

constexpr struct {
  std::string_view expression;
  std::string_view options;
} kOptions[] = {
    {"ct", "CONFIG_NFT_CT"},     {"fib", "CONFIG_NFT_FIB_INET"},
    {"hash", "CONFIG_NFT_HASH"}, {"masq", "CONFIG_NFT_MASQ"},
    {"nat", "CONFIG_NFT_NAT"},   {"reject", "CONFIG_NFT_REJECT_INET"},
};

std::string missing(const Refusal& refusal) {
  for (const auto& [expression, options] : kOptions)
    if (expression == refusal.expression) return std::string(options);
  return {};
}

Error explain(const Refusal& refusal) {
  const bool absent = is_absent(refusal.code);
  const bool of_chain = refusal.object.starts_with("chain ");
  if (refusal.code == EPERM) return netlink_error("changing nftables", EPERM);
  if (refusal.object.empty() && absent)
    return {"the kernel has no nftables: CONFIG_NF_TABLES and CONFIG_NF_TABLES_INET are needed"};
  if (absent && !missing(refusal).empty())
    return {format("the kernel lacks what {} needs: {}", refusal.object, missing(refusal))};
  if (of_chain && refusal.code == ENOENT)
    return {format("the kernel lacks the type of {}: CONFIG_NFT_NAT", refusal.object)};
  if (of_chain && (refusal.code == EEXIST || refusal.code == EOPNOTSUPP))
    return {
        format("table inet {} exists with another layout ({}): remove it with `nfsteer "
               "ruleset --remove`",
               kTableName, refusal.object)};
  return {format("the kernel refuses {} of table inet {}: {}",
                 refusal.object.empty() ? "the transaction" : refusal.object, kTableName,
                 std::strerror(refusal.code))};
}

// ---- transactions -----------------------------------------------------------

// A base chain that goes away drops every packet that waits in any queue: it is
// emptied at most. All else is made anew.
tl::expected<void, Refusal> replace_table(const Ruleset& ruleset, const Leftover& leftover,
                                          QueueForm form) {
  const TableDescription table = describe(ruleset, form);
  Transaction transaction;
  transaction.add_table();
  transaction.delete_all_rules();
  for (const std::string& name : leftover.sets) transaction.delete_set(name);
  for (const std::string& name : leftover.regular_chains) transaction.delete_chain(name);
  for (const Chain& chain : table.chains) transaction.add_chain(chain);
  for (const Set& set : table.sets) transaction.add_set(set);
  for (const Chain& chain : table.chains)
    for (const Rule& rule : chain.rules) transaction.add_rule(chain.name, rule);
  return std::move(transaction).send();
}

// The first form that the kernel takes, tried in a chain that nothing calls. It
// is not tried with the whole table, as a table that is refused takes back the
// base chains that were new in it, and with them all packets that wait.
Result<QueueForm> find_queue_form(const Ruleset& ruleset) {
  for (const QueueForm form : {QueueForm::Native, QueueForm::XtTarget}) {
    Transaction transaction;
    transaction.add_table();
    transaction.add_chain({"queue_form", {}, {}});
    transaction.add_rule("queue_form", {queue(ruleset, form)});
    const auto tried = std::move(transaction).check();
    if (tried) return form;
    if (!is_absent(tried.error().code) || tried.error().object.empty())
      return tl::unexpected(explain(tried.error()));
  }
  return fail(
      "the kernel cannot queue packets: it needs CONFIG_NFT_QUEUE, or "
      "CONFIG_NETFILTER_XT_TARGET_NFQUEUE with CONFIG_NFT_COMPAT");
}

}  // namespace

Result<QueueForm> install(const Ruleset& ruleset) {
  const Result<Leftover> leftover = read_leftover();
  if (!leftover) return tl::unexpected(leftover.error());
  const Result<QueueForm> form = find_queue_form(ruleset);
  if (!form) return tl::unexpected(form.error());
  const auto installed = replace_table(ruleset, *leftover, *form);
  if (!installed) return tl::unexpected(explain(installed.error()));
  return *form;
}

Result<bool> is_installed(const Ruleset& ruleset) {
  const Result<Leftover> found = read_leftover();
  if (!found) return tl::unexpected(found.error());
  const auto has = [](const std::vector<std::string>& names, const std::string& name) {
    return std::ranges::find(names, name) != names.end();
  };
  const TableDescription table = describe(ruleset, QueueForm::Native);
  return std::ranges::all_of(table.chains,
                             [&](const Chain& chain) {
                               return has(chain.place ? found->base_chains : found->regular_chains,
                                          chain.name);
                             }) &&
         std::ranges::all_of(table.sets,
                             [&](const Set& set) { return has(found->sets, set.name); });
}

Result<void> stop_queueing() {
  const Result<Leftover> leftover = read_leftover();
  if (!leftover) return tl::unexpected(leftover.error());
  Transaction transaction;
  bool any = false;
  for (const char* name : kQueueingChains) {
    const auto& chains = leftover->base_chains;
    if (std::find(chains.begin(), chains.end(), name) == chains.end()) continue;
    transaction.delete_rules(name);
    any = true;
  }
  if (!any) return {};
  const auto stopped = std::move(transaction).send();
  if (!stopped) return tl::unexpected(explain(stopped.error()));
  return {};
}

Result<void> remove_ruleset() {
  Transaction transaction;
  transaction.delete_table();
  const auto removed = std::move(transaction).send();
  if (!removed && removed.error().code != ENOENT) return tl::unexpected(explain(removed.error()));
  return {};
}

}  // namespace nfsteer::netlink
