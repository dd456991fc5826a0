#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "../allocations.hpp"
#include "nfsteer/geo.hpp"

using namespace nfsteer;

namespace {

using Record = Countries::Record;
using Ids = std::vector<std::uint16_t>;

Address address(const char* text) {
  return parse_address(text).value();
}

Countries::Entry entry(const char* prefix, std::uint16_t record) {
  return {parse_prefix(prefix).value(), record};
}

const std::vector<Record> kFlagged = {
    {},                   // 0
    {"DE", "EU", true},   // 1
    {"FR", "EU", true},   // 2
    {"GB", "EU", false},  // 3
    {"CH", "EU", false},  // 4
    {"US", "NA", false},  // 5
    {"EU", "", false},    // 6: the European Union, of registries
    {"", "AS", false},    // 7: a continent, no country
    {"UK", "", false},    // 8: of a database that does not say GB
    {"FR", "NA", true},   // 9: overseas
};
const std::vector<Record> kFlat = {{},
                                   {"DE", "", false},
                                   {"GR", "", false},
                                   {"GB", "", false},
                                   {"CH", "", false},
                                   {"EU", "", false},
                                   {"HR", "", false}};

const CountryGroups kGroups = {
    {"dach", {"DE", "CH", "AT"}},
    {"west", {"dach", "FR", "US", "dach"}},
    {"unknown", {"--"}},
    {"europe", {"continent:EU", "EU"}},
    {"empty", {}},
    {"a", {"b"}},
    {"b", {"DE", "c"}},
    {"c", {"a"}},
    {"self", {"self"}},
    {"typo", {"DE", "dahc"}},
    {"diamond", {"west", "dach", "west"}},
};

}  // namespace

TEST_CASE("resolve: names accepted") {
  const Countries flagged(kFlagged, {}), flat(kFlat, {});
  const struct {
    const Countries& countries;
    const char* name;
    Ids want;
  } kCases[] = {
      {flagged, "DE", {1}},
      {flagged, "FR", {2, 9}},
      {flagged, "GB", {3, 8}},
      {flagged, "UK", {3, 8}},
      {flagged, "JP", {}},  // none of the database
      {flagged, "EU", {1, 2, 6, 9}},
      {flagged, "continent:EU", {1, 2, 3, 4}},
      {flagged, "continent:AS", {7}},
      {flagged, "continent:AF", {}},
      {flagged, "--", {0, 7}},
      {flagged, "dach", {1, 4}},
      {flagged, "west", {1, 2, 4, 5, 9}},
      {flagged, "diamond", {1, 2, 4, 5, 9}},
      {flagged, "unknown", {0, 7}},
      {flagged, "europe", {1, 2, 3, 4, 6, 9}},
      {flagged, "empty", {}},
      {flat, "EU", {1, 2, 5, 6}},  // by our list
      {flat, "--", {0}},
      {flat, "UK", {3}},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.name);
    const auto ids = row.countries.resolve(row.name, kGroups);
    REQUIRE_MESSAGE(ids.has_value(), ids.error().message);
    CHECK(*ids == row.want);
  }
}

TEST_CASE("resolve: names refused") {
  const Countries flagged(kFlagged, {}), flat(kFlat, {});
  const struct {
    const Countries& countries;
    const char* name;
    const char* error;
  } kCases[] = {
      {flagged, "dahc", "no group of countries `dahc`: did you mean `dach`?"},
      {flagged, "typo", "no group of countries `dahc`: did you mean `dach`?"},
      {flagged, "no-such-group-at-all", "no group of countries `no-such-group-at-all`"},
      {flagged, "", "no group of countries ``"},
      {flagged, "DEU", "no group"},
      {flagged, "de", "no group"},
      {flagged, "self", "`self` contains itself"},
      {flagged, "a", "`a` contains itself"},
      {flagged, "b", "`b` contains itself"},
      {flagged, "continent:", "is no continent: there are AF, AN, AS, EU, NA, OC, SA"},
      {flagged, "continent:DE", "`DE` is no continent"},
      {flat, "continent:EU", "does not say on which continent"},
      {flat, "europe", "does not say on which continent"},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.name);
    const auto ids = row.countries.resolve(row.name, kGroups);
    REQUIRE_FALSE(ids.has_value());
    CHECK_MESSAGE(ids.error().message.find(row.error) != std::string::npos, ids.error().message);
  }
}

TEST_CASE("resolve: groups nested without end, and in all possible ways") {
  const Countries countries(kFlagged, {});
  CountryGroups chain, mesh;
  for (int i = 0; i < 100'000; ++i)
    chain["g" + std::to_string(i)] = {i == 0 ? "DE" : "g" + std::to_string(i - 1)};
  CHECK(countries.resolve("g99999", chain).value() == Ids{1});
  // Each names all before it: 2^99 ways to the first.
  for (int i = 0; i < 100; ++i) {
    auto& members = mesh["g" + std::to_string(i)] = {"FR"};
    for (int j = 0; j < i; ++j) members.push_back("g" + std::to_string(j));
  }
  CHECK(countries.resolve("g99", mesh).value() == Ids{2, 9});
}

TEST_CASE("the European Union has 27 members") {
  CHECK(kEuropeanUnion.size() == 27);
  std::vector<std::string_view> codes = kEuropeanUnion;
  std::sort(codes.begin(), codes.end());
  CHECK(std::unique(codes.begin(), codes.end()) == codes.end());
}

TEST_CASE("find: the longest prefix's record, the last of one prefix, 0 where there is none") {
  // Not in order.
  const Countries countries(
      kFlagged, {entry("192.0.2.128/25", 2), entry("2001:db8::/32", 3), entry("192.0.2.0/24", 5),
                 entry("192.0.2.0/24", 1), entry("2001:db8:1::/48", 4), entry("198.51.100.7/32", 0),
                 entry("198.51.100.0/24", 3)});
  static constexpr struct {
    const char* address;
    std::uint16_t want;
  } kCases[] = {
      {"192.0.2.1", 1},        {"192.0.2.127", 1},  {"192.0.2.128", 2}, {"192.0.3.0", 0},
      {"198.51.100.7", 0},     {"198.51.100.8", 3}, {"2001:db8::1", 3}, {"2001:db8:1::", 4},
      {"2001:db9::", 0},       {"::c000:0201", 0},  {"0.0.0.0", 0},     {"::", 0},
      {"::ffff:192.0.2.1", 1},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.address);
    const Address wanted = address(row.address);
    const std::uint64_t before = testing::allocations();
    const std::uint16_t found = countries.find(wanted);
    CHECK(testing::allocations() == before);
    CHECK(found == row.want);
  }
  CHECK(countries.records() == kFlagged);
  CHECK(countries.bytes() > kFlagged.size() * sizeof(Record));
  CHECK(countries.bytes() < 2000);
}
