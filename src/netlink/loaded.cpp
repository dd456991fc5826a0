// Whether a table that somebody has loaded is the one that the rules need.
#include <algorithm>
#include <iterator>

#include "kernel_table.hpp"
#include "nfsteer/base/text.hpp"
#include "table.hpp"

namespace nfsteer::netlink {
namespace {

using Difference = std::optional<std::string>;

Difference difference(const Set& wanted, const KernelTable& table) {
  const char* kind = wanted.data ? "map" : "set";
  const KernelSet* loaded = find_named(table.sets, wanted.name);
  if (!loaded) return format("there is no {} {}", kind, wanted.name);
  const bool leads_to_verdicts = wanted.data && wanted.data->number == kVerdictType.number;
  const bool same = loaded->key_bytes == wanted.key.bytes &&
                    loaded->intervals == wanted.intervals &&
                    loaded->is_map == wanted.data.has_value() &&
                    (leads_to_verdicts ? loaded->data_type == kVerdictType.number
                                       : !wanted.data || loaded->data_bytes == wanted.data->bytes);
  if (same) return std::nullopt;
  return format("{} {} is not of `{}{}`", kind, wanted.name, type_text(wanted),
                wanted.intervals ? "; flags interval" : "");
}

// A queue that the rules do not know is one that nobody reads.
Difference difference_of_queues(const std::string& chain, const Traits& wanted,
                                const Traits& loaded) {
  const Traits needed = queues_of(wanted), found = queues_of(loaded);
  if (needed == found) return std::nullopt;
  const auto text = [](const Traits& queues) {
    return queues.empty() ? "nothing that queues" : format("`{}`", join(queues, "`, `"));
  };
  return format("chain {} has {}, and should have {}", chain, text(found), text(needed));
}

Difference difference(const Chain& wanted, const KernelTable& table, const Traits& loaded) {
  const KernelChain* chain = find_named(table.chains, wanted.name);
  if (!chain) return format("there is no chain {}", wanted.name);
  const Place& place = *wanted.place;
  if (!chain->place || chain->place->type != place.type ||
      chain->place->hook_number != place.hook_number || chain->place->priority != place.priority)
    return format("chain {} is not at `{}`", wanted.name, to_text(place));
  const Traits needed = traits_of(wanted);
  if (auto queues = difference_of_queues(wanted.name, needed, loaded)) return queues;
  Traits missing;
  std::set_difference(needed.begin(), needed.end(), loaded.begin(), loaded.end(),
                      std::inserter(missing, missing.end()));
  if (missing.empty()) return std::nullopt;
  return format("no rule of chain {} has `{}`", wanted.name, *missing.begin());
}

Difference first_difference(const TableDescription& wanted, const KernelTable& table,
                            const std::map<std::string, Traits>& rules) {
  if (table.chains.empty() && table.sets.empty()) return "there is no such table";
  const auto of = [&rules](const std::string& chain) {
    const auto found = rules.find(chain);
    return found == rules.end() ? Traits{} : found->second;
  };
  for (const Set& set : wanted.sets)
    if (auto found = difference(set, table)) return found;
  for (const Chain& chain : wanted.chains) {
    if (!chain.place) continue;
    if (auto found = difference(chain, table, of(chain.name))) return found;
  }
  for (const char* name : kQueueingChains) {
    const bool is_wanted = std::any_of(wanted.chains.begin(), wanted.chains.end(),
                                       [name](const Chain& chain) { return chain.name == name; });
    if (is_wanted) continue;
    if (auto found = difference_of_queues(name, {}, of(name))) return found;
  }
  return std::nullopt;
}

}  // namespace

Result<void> check_loaded(const Ruleset& ruleset) {
  const auto table = read_table();
  if (!table) return tl::unexpected(table.error());
  const auto rules = read_traits();
  if (!rules) return tl::unexpected(rules.error());
  const auto found = first_difference(describe(ruleset, QueueForm::Native), *table, *rules);
  if (!found) return {};
  return fail(
      format("table inet {} is not the one that these rules need (`manage = \"elements\"`): {}. "
             "Load it with `nfsteer ruleset FILE | nft -f -`, FILE being the rules file",
             kTableName, *found));
}

}  // namespace nfsteer::netlink
