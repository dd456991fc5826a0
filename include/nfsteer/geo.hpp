// The country of an address: a country database (.mmdb) read once, whole, into
// longest-prefix tables of our own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "nfsteer/base/address.hpp"
#include "nfsteer/base/lpm.hpp"
#include "nfsteer/base/result.hpp"

namespace nfsteer {

// Groups of countries that a configuration names: by the group's name, its
// members as Countries::resolve() takes them.
using CountryGroups = std::map<std::string, std::vector<std::string>>;

// What a country database says of all addresses. Constant after construction;
// any thread.
class Countries {
 public:
  // What the database tells apart: records that differ in one of these have ids
  // of their own. The id is the index in records(); id 0 is "unknown".
  struct Record {
    std::string code;       // ISO 3166-1 alpha-2, as the database has it; empty: none
    std::string continent;  // "EU", "AS" ...; empty: the database does not say
    bool is_in_european_union = false;

    friend auto operator<=>(const Record&, const Record&) = default;
  };
  // A prefix and the index of its record.
  struct Entry {
    Prefix prefix;
    std::uint16_t record = 0;
  };

  // Of several entries of one prefix the last wins; a longer prefix wins over
  // the one that contains it. REQUIRES: records[0] == Record{}
  Countries(std::vector<Record> records, std::vector<Entry> entries);

  // The id of the address's record; 0 where the database has none. Does not allocate.
  std::uint16_t find(const Address& address) const noexcept {
    const std::uint32_t found =
        address.family == Family::V4 ? v4_.find(key4(address)) : v6_.find(key6(address));
    return found == Lpm<std::uint32_t>::kNone ? std::uint16_t{0}
                                              : static_cast<std::uint16_t>(found);
  }

  const std::vector<Record>& records() const noexcept { return records_; }

  // The ids, ascending, that a name stands for:
  //   "DE"            the country; "GB" and "UK" are one
  //   "EU"            the members of the European Union by the database's own flag,
  //                   or by kEuropeanUnion where it has none; and the code "EU"
  //   "continent:EU"  the continent; an error where the database has none
  //   "--"            addresses of no country
  //   anything else   a group, whose members may be groups
  // The error says what is wrong with the name: unknown group (with the nearest
  // one), or a group that contains itself.
  Result<std::vector<std::uint16_t>> resolve(std::string_view name,
                                             const CountryGroups& groups) const;

  // Of memory, beside this object itself.
  std::size_t bytes() const noexcept;

 private:
  std::vector<Record> records_;
  Lpm<std::uint32_t> v4_;
  Lpm<Key128> v6_;
};

// The members of the European Union since 2020-02-01, by code.
extern const std::vector<std::string_view> kEuropeanUnion;

// Reads a country database in MaxMind's format (GeoIP2, GeoLite2, DB-IP, IPtoASN
// ...: the code is at country.iso_code or country_code). The error says what is wrong
// with it: not a database, damaged, or without countries. Control thread.
Result<std::shared_ptr<const Countries>> read_countries(std::string_view bytes);
// The same of a file, which the error names.
Result<std::shared_ptr<const Countries>> load_countries(const std::string& path);
// Several times what the largest databases of today have, with all cities in them.
inline constexpr std::size_t kCountriesBytesMax = std::size_t{512} << 20;

}  // namespace nfsteer
