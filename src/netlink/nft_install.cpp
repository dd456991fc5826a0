// The table in the kernel: made, emptied, taken away.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>

#include "kernel_table.hpp"
#include "messages.hpp"
#include "nfsteer/base/text.hpp"
#include "read_back.hpp"
#include "socket.hpp"
#include "statements.hpp"
#include "table.hpp"

namespace nfsteer::netlink {
namespace {

template <typename List>
bool contains(const List& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
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

Result<void> explained(const tl::expected<void, Refusal>& done) {
  if (!done) return tl::unexpected(explain(done.error()));
  return {};
}

// ---- transactions -----------------------------------------------------------

// A base chain that goes away drops every packet that waits in any queue: it is
// emptied at most. All else is made anew.
tl::expected<void, Refusal> replace_table(const Ruleset& ruleset, const KernelTable& leftover,
                                          QueueForm form) {
  const TableDescription table = describe(ruleset, form);
  Transaction transaction;
  transaction.add_table();
  transaction.delete_all_rules();
  for (const KernelSet& set : leftover.sets) transaction.delete_set(set.name);
  for (const KernelChain& chain : leftover.chains)
    if (!chain.place) transaction.delete_chain(chain.name);
  for (const Chain& chain : table.chains) transaction.add_chain(chain);
  for (const Set& set : table.sets) transaction.add_set(set);
  for (const Chain& chain : table.chains)
    for (const Rule& rule : chain.rules) transaction.add_rule(chain.name, rule);
  return std::move(transaction).send();
}

// ---- the same, without a moment at which a packet finds nothing in a set --------
//
// A packet that is on its way through rules that are replaced looks sets up by them. So
// sets stay, with what is in them as it should be. The kernel refuses an element of the
// same key that leads elsewhere, and ranges that overlap: then all is made anew.

bool are_alike(const Set& set, const KernelSet* found) {
  return found && found->key_bytes == set.key.bytes && found->intervals == set.intervals &&
         found->is_map == set.data.has_value() &&
         (!set.data || found->data_type == set.data->number);
}

std::size_t count_elements(const Set& set) {
  std::size_t count = 0;
  set.elements([&count](const Element&) { ++count; });
  return count;
}

// Those in the kernel that the set has not, or otherwise; of a set without intervals.
Set unwanted_of(const Set& set) {
  std::map<std::uint32_t, MapElement> wanted;
  set.elements([&wanted](const Element& element) {
    MapElement made{0, {}, element.comment};
    std::memcpy(&made.mark, to_bytes(element.first).data.data(), sizeof made.mark);
    if (const auto* value = std::get_if<Value>(&element.data)) {
      const Bytes bytes = to_bytes(*value);
      made.data.assign(bytes.view().begin(), bytes.view().end());
    }
    wanted[made.mark] = std::move(made);
  });
  std::vector<Element> unwanted;
  for (const MapElement& element : elements_of(set.name))
    if (const auto found = wanted.find(element.mark);
        found == wanted.end() || !(found->second == element))
      unwanted.emplace_back(MarkBits{element.mark});
  Set made = set;
  made.elements = [unwanted = std::move(unwanted)](const Set::Reader& read) {
    for (const Element& element : unwanted) read(element);
  };
  return made;
}

// Those of a set of intervals, as a transaction sends them: see add_elements().
std::vector<Bound> wanted_bounds(const Set& set) {
  std::vector<Bound> bounds;
  const auto add = [&bounds](const Bytes& key, bool is_end) {
    bounds.push_back({{key.view().begin(), key.view().end()}, is_end});
  };
  set.elements([&](const Element& element) {
    const Bytes first = to_bytes(element.first), zero{{}, first.size};
    if (bounds.empty() && first != zero) add(zero, true);
    add(first, false);
    if (const auto end = successor(to_bytes(element.last))) add(*end, true);
  });
  return bounds;
}

bool are_bounds_same(const Set& set) {
  std::vector<Bound> wanted = wanted_bounds(set), found = bounds_of(set.name);
  std::ranges::sort(wanted);
  std::ranges::sort(found);
  return wanted == found;
}

void refill(Transaction& transaction, const Set& set) {
  if (!set.intervals) {
    const Set unwanted = unwanted_of(set);
    if (count_elements(unwanted) > 0) transaction.delete_elements(unwanted);
  } else if (!are_bounds_same(set)) {
    transaction.empty_set(set.name);
  }
  transaction.add_elements(set);
}

tl::expected<void, Refusal> refill_table(const TableDescription& table,
                                         const KernelTable& leftover) {
  Transaction transaction;
  transaction.delete_all_rules();
  for (const Chain& chain : table.chains) transaction.add_chain(chain);
  for (const Set& set : table.sets) refill(transaction, set);
  for (const Chain& chain : table.chains)
    for (const Rule& rule : chain.rules) transaction.add_rule(chain.name, rule);
  for (const KernelChain& chain : leftover.chains) {
    const bool is_wanted =
        std::ranges::find(table.chains, chain.name, &Chain::name) != table.chains.end();
    if (!is_wanted && !chain.place) transaction.delete_chain(chain.name);
  }
  return std::move(transaction).send();
}

tl::expected<void, Refusal> make_table(const Ruleset& ruleset, const KernelTable& leftover,
                                       QueueForm form) {
  const TableDescription table = describe(ruleset, form);
  const bool is_alike = leftover.sets.size() == table.sets.size() &&
                        std::ranges::all_of(table.sets, [&leftover](const Set& set) {
                          return are_alike(set, find_named(leftover.sets, set.name));
                        });
  if (is_alike && refill_table(table, leftover)) return {};
  return replace_table(ruleset, leftover, form);
}

bool comes_and_goes(const std::string& chain) {
  return std::any_of(kPassingChains.begin(), kPassingChains.end(),
                     [&chain](const char* begin) { return chain.starts_with(begin); });
}

// In a table that somebody has loaded. Base chains, and chains of others, stay as
// they are, and so do the sets, of which rules speak: they are filled anew.
tl::expected<void, Refusal> fill_table(const Ruleset& ruleset, const KernelTable& loaded) {
  TableDescription table = describe(ruleset, QueueForm::Native);
  std::erase_if(table.chains, [](const Chain& chain) { return chain.place.has_value(); });
  std::set<std::string> wanted;
  for (const Chain& chain : table.chains) wanted.insert(chain.name);

  Transaction transaction;
  for (const Set& set : table.sets) transaction.empty_set(set.name);
  std::vector<std::string> unwanted;
  for (const KernelChain& chain : loaded.chains) {
    const bool is_wanted = wanted.count(chain.name) > 0;
    if (chain.place || !(is_wanted || comes_and_goes(chain.name))) continue;
    transaction.delete_rules(chain.name);
    if (!is_wanted) unwanted.push_back(chain.name);
  }
  for (const std::string& name : unwanted) transaction.delete_chain(name);
  for (const Chain& chain : table.chains) transaction.add_chain(chain);
  for (const Set& set : table.sets) transaction.add_elements(set);
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
  if (ruleset.manage == Manage::Elements)
    if (auto checked = check_loaded(ruleset); !checked) return tl::unexpected(checked.error());
  const Result<KernelTable> found = read_table();
  if (!found) return tl::unexpected(found.error());
  const Result<QueueForm> form = find_queue_form(ruleset);
  if (!form) return form;
  const auto installed = ruleset.manage == Manage::Elements ? fill_table(ruleset, *found)
                                                            : make_table(ruleset, *found, *form);
  if (!installed) return tl::unexpected(explain(installed.error()));
  return *form;
}

Result<bool> is_installed(const Ruleset& ruleset) {
  const Result<KernelTable> found = read_table();
  if (!found) return tl::unexpected(found.error());
  const TableDescription table = describe(ruleset, QueueForm::Native);
  return std::ranges::all_of(table.chains,
                             [&found](const Chain& chain) {
                               const KernelChain* has = find_named(found->chains, chain.name);
                               return has && has->place.has_value() == chain.place.has_value();
                             }) &&
         std::ranges::all_of(table.sets, [&found](const Set& set) {
           return find_named(found->sets, set.name) != nullptr;
         });
}

Result<void> stop_queueing(Manage manage) {
  const Result<KernelTable> table = read_table();
  if (!table) return tl::unexpected(table.error());
  Transaction transaction;
  bool any = false;
  for (const KernelSet& set : table->sets) {
    if (manage != Manage::Elements || !contains(kScopeSets, set.name)) continue;
    transaction.empty_set(set.name);
    any = true;
  }
  for (const KernelChain& chain : table->chains) {
    if (manage != Manage::Table || !contains(kQueueingChains, chain.name)) continue;
    transaction.delete_rules(chain.name);
    any = true;
  }
  if (!any) return {};
  return explained(std::move(transaction).send());
}

Result<void> remove_ruleset() {
  Transaction transaction;
  transaction.delete_table();
  const auto removed = std::move(transaction).send();
  if (!removed && removed.error().code != ENOENT) return tl::unexpected(explain(removed.error()));
  return {};
}

}  // namespace nfsteer::netlink
