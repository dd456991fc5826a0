#include <algorithm>
#include <cassert>
#include <set>

#include "nfsteer/base/text.hpp"
#include "nfsteer/geo.hpp"

namespace nfsteer {
namespace {

using Record = Countries::Record;
using Ids = std::vector<std::uint16_t>;

constexpr std::string_view kContinent = "continent:";
constexpr std::string_view kNone = "--";

// Ascending in, ascending out.
std::vector<Countries::Entry> sorted(std::vector<Countries::Entry> entries) {
  const auto before = [](const Countries::Entry& a, const Countries::Entry& b) {
    return a.prefix < b.prefix;
  };
  if (!std::is_sorted(entries.begin(), entries.end(), before))
    std::stable_sort(entries.begin(), entries.end(), before);
  return entries;
}

bool is_code(std::string_view name) {
  return name.size() == 2 &&
         std::all_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

template <typename Predicate>
Ids ids_where(const std::vector<Record>& records, Predicate predicate) {
  Ids ids;
  for (std::size_t id = 0; id < records.size(); ++id)
    if (predicate(records[id])) ids.push_back(static_cast<std::uint16_t>(id));
  return ids;
}

Ids members_of_union(const std::vector<Record>& records) {
  const bool flagged = std::any_of(records.begin(), records.end(), [](const Record& record) {
    return record.is_in_european_union;
  });
  return ids_where(records, [flagged](const Record& record) {
    const auto& listed = kEuropeanUnion;
    return record.code == "EU" ||
           (flagged ? record.is_in_european_union
                    : std::find(listed.begin(), listed.end(), record.code) != listed.end());
  });
}

Ids of_country(const std::vector<Record>& records, std::string_view code) {
  if (code == "EU") return members_of_union(records);
  const bool is_british = code == "GB" || code == "UK";
  return ids_where(records, [=](const Record& record) {
    return record.code == code || (is_british && (record.code == "GB" || record.code == "UK"));
  });
}

Result<Ids> of_continent(const std::vector<Record>& records, std::string_view code) {
  constexpr std::string_view kCodes[] = {"AF", "AN", "AS", "EU", "NA", "OC", "SA"};
  if (std::find(std::begin(kCodes), std::end(kCodes), code) == std::end(kCodes))
    return fail(format("`{}` is no continent: there are {}", printable(code), join(kCodes, ", ")));
  if (std::all_of(records.begin(), records.end(),
                  [](const Record& record) { return record.continent.empty(); }))
    return fail("the country database does not say on which continent a country is");
  return ids_where(records, [code](const Record& record) { return record.continent == code; });
}

// What is not the name of a group.
Result<Ids> of_word(const std::vector<Record>& records, std::string_view word) {
  if (word == kNone)
    return ids_where(records, [](const Record& each) { return each.code.empty(); });
  if (word.starts_with(kContinent)) return of_continent(records, word.substr(kContinent.size()));
  return of_country(records, word);
}

bool is_group(std::string_view name) {
  return name != kNone && !name.starts_with(kContinent) && !is_code(name);
}

// Walks the groups that a name stands for, each once. Without recursion: nothing
// limits how deep groups may name each other.
class Expansion {
 public:
  Expansion(const std::vector<Record>& records, const CountryGroups& groups)
      : records_(records), groups_(groups) {}

  Result<Ids> run(std::string_view name) && {
    if (auto added = add(name); !added) return tl::unexpected(added.error());
    while (!open_.empty()) {
      auto& [group, next] = open_.back();
      if (next == group->second.size()) {
        is_open_[group->first] = false;
        open_.pop_back();
      } else if (auto added = add(group->second[next++]); !added) {
        return tl::unexpected(added.error());
      }
    }
    return Ids(ids_.begin(), ids_.end());
  }

 private:
  using Group = CountryGroups::const_iterator;
  // A group, and the first of its members that is still to be added.
  struct Open {
    Group group;
    std::size_t next = 0;
  };

  Result<void> add(std::string_view name) {
    if (is_group(name)) return enter(name);
    auto ids = of_word(records_, name);
    if (!ids) return tl::unexpected(ids.error());
    ids_.insert(ids->begin(), ids->end());
    return {};
  }

  Result<void> enter(std::string_view name) {
    const Group group = groups_.find(std::string(name));
    if (group == groups_.end()) return fail(unknown(name));
    const auto [state, is_new] = is_open_.emplace(group->first, true);
    if (is_new) open_.push_back({group});
    if (is_new || !state->second) return {};
    return fail(format("the group of countries `{}` contains itself", group->first));
  }

  std::string unknown(std::string_view name) const {
    std::vector<std::string_view> known;
    for (const auto& [each, members] : groups_) known.push_back(each);
    const auto meant = nearest(name, known);
    return format("there is no group of countries `{}`{}", printable(name),
                  meant ? format(": did you mean `{}`?", *meant) : std::string());
  }

  const std::vector<Record>& records_;
  const CountryGroups& groups_;
  std::set<std::uint16_t> ids_;
  std::map<std::string_view, bool> is_open_;  // of the groups that were entered
  std::vector<Open> open_;                    // a stack
};

}  // namespace

const std::vector<std::string_view> kEuropeanUnion = {
    "AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU", "IE",
    "IT", "LV", "LT", "LU", "MT", "NL", "PL", "PT", "RO", "SK", "SI", "ES", "SE"};

Countries::Countries(std::vector<Record> records, std::vector<Entry> entries)
    : records_(std::move(records)) {
  assert(!records_.empty() && records_[0] == Record{});
  std::vector<Lpm<std::uint32_t>::Entry> v4;
  std::vector<Lpm<Key128>::Entry> v6;
  for (const Entry& entry : sorted(std::move(entries))) {
    assert(entry.record < records_.size());
    if (entry.prefix.address.family == Family::V4)
      v4.push_back({key4(entry.prefix.address), entry.prefix.length, entry.record});
    else
      v6.push_back({key6(entry.prefix.address), entry.prefix.length, entry.record});
  }
  v4_ = Lpm<std::uint32_t>(v4);
  v6_ = Lpm<Key128>(v6);
}

Result<Ids> Countries::resolve(std::string_view name, const CountryGroups& groups) const {
  return Expansion(records_, groups).run(name);
}

std::size_t Countries::bytes() const noexcept {
  return records_.capacity() * sizeof(Record) + v4_.bytes() + v6_.bytes();
}

}  // namespace nfsteer
