// The kernel's table brought up to date: only what is another is sent.
//
// A packet that is in a chain while a transaction is committed may look up a set of the
// old generation with the eyes of the new one, and not find what is there. So sets stay,
// and of their elements all that stay as they are: no flow notices what does not concern
// it. Intervals are replaced as a whole, where one of them is another.
#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <utility>

#include "messages.hpp"
#include "nfsteer/base/text.hpp"
#include "table.hpp"

namespace nfsteer::netlink {
namespace {

// Where ranges of the fallback lead.
std::vector<std::string> targets_of(const Ruleset& ruleset) {
  std::vector<std::string> targets;
  for (const auto& group : ruleset.fallback_groups)
    targets.push_back(format("{} {}", fallback_chain(group), has_fallback_chain(group)));
  return targets;
}

// The elements of a set without intervals, each as text.
std::map<std::string, Element> elements_of(const Set& set) {
  std::map<std::string, Element> elements;
  set.elements([&](const Element& element) { elements.emplace(to_text(element), element); });
  return elements;
}

std::string text_of(const Rule& rule) {
  std::string text;
  for (const Statement& statement : rule) text += statement.text + ' ';
  return text;
}

bool is_same(const Chain& a, const Chain& b) {
  return std::ranges::equal(a.rules, b.rules, {}, text_of, text_of);
}

class Update {
 public:
  Update(const Ruleset& from, const Ruleset& to, QueueForm form)
      : from_(from), to_(to), before_(describe(from, form)), after_(describe(to, form)) {}

  // Chains come before what leads to them, and go after it.
  bool write(Transaction& transaction) {
    for (const Chain& chain : after_.chains) write_chain(transaction, chain);
    for (std::size_t i = 0; i < after_.sets.size(); ++i)
      write_set(transaction, before_.sets[i], after_.sets[i]);
    take_chains(transaction);
    return any_;
  }

 private:
  static const Chain* find(const TableDescription& table, const std::string& name) {
    const auto found = std::ranges::find(table.chains, name, &Chain::name);
    return found == table.chains.end() ? nullptr : &*found;
  }

  void write_chain(Transaction& transaction, const Chain& chain) {
    const Chain* known = find(before_, chain.name);
    if (known && is_same(*known, chain)) return;
    any_ = true;
    if (known)
      transaction.delete_rules(chain.name);
    else
      transaction.add_chain(chain);
    for (const Rule& rule : chain.rules) transaction.add_rule(chain.name, rule);
  }

  // Their rules first, as they may lead to one another. Base chains are emptied: with one
  // that goes away the kernel drops all that waits in any queue.
  void take_chains(Transaction& transaction) {
    std::vector<const Chain*> gone;
    for (const Chain& chain : before_.chains)
      if (!find(after_, chain.name)) gone.push_back(&chain);
    for (const Chain* chain : gone) transaction.delete_rules(chain->name);
    for (const Chain* chain : gone)
      if (!chain->place) transaction.delete_chain(chain->name);
    any_ |= !gone.empty();
  }

  void write_set(Transaction& transaction, const Set& before, const Set& after) {
    if (after.intervals) {
      if (are_ranges_same(after)) return;
      any_ = true;
      transaction.empty_set(after.name);
      transaction.add_elements(after);
      return;
    }
    const auto old = elements_of(before), present = elements_of(after);
    write_elements(transaction, before, old, present, &Transaction::delete_elements);
    write_elements(transaction, after, present, old, &Transaction::add_elements);
  }

  // Those of one side that the other has not.
  void write_elements(Transaction& transaction, const Set& set,
                      const std::map<std::string, Element>& these,
                      const std::map<std::string, Element>& others,
                      void (Transaction::*send)(const Set&)) {
    Set different = set;
    bool any = false;
    different.elements = [&these, &others](const Set::Reader& read) {
      for (const auto& [text, element] : these)
        if (!others.contains(text)) read(element);
    };
    different.elements([&any](const Element&) { any = true; });
    if (any) (transaction.*send)(different);
    any_ |= any;
  }

  bool are_ranges_same(const Set& set) const {
    if (set.name.starts_with("scope")) return from_.scope == to_.scope;
    return from_.fallback == to_.fallback && targets_of(from_) == targets_of(to_);
  }

  const Ruleset& from_;
  const Ruleset& to_;
  const TableDescription before_, after_;
  bool any_ = false;
};

}  // namespace

Result<bool> update(const Ruleset& from, const Ruleset& to, QueueForm form) {
  Transaction transaction;
  if (!Update(from, to, form).write(transaction)) return false;
  const auto sent = std::move(transaction).send();
  if (sent) return true;
  return fail(format("the kernel refuses {} of table inet {}: {}", sent.error().object, kTableName,
                     std::strerror(sent.error().code)));
}

}  // namespace nfsteer::netlink
