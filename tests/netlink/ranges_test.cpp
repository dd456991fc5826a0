#include "netlink/ranges.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "nfsteer/base/text.hpp"

using namespace nfsteer;
using namespace nfsteer::netlink;

namespace {

Prefix prefix(std::string_view text) {
  const auto parsed = parse_prefix(text);
  REQUIRE_MESSAGE(parsed.has_value(), text);
  return *parsed;
}

std::string text(const Address& first, const Address& last) {
  return to_string(first) + "-" + to_string(last);
}

// The group that has the address; kNobody where none has.
constexpr std::size_t kNobody = ~std::size_t{0};

std::size_t owner(const std::vector<Ruleset::FallbackRange>& ranges, const Address& address) {
  for (const auto& range : ranges)
    if (range.first <= address && address <= range.last) return range.group;
  return kNobody;
}

// The same by the words of the header.
std::size_t owner(const std::vector<Claim>& claims, const Address& address) {
  const Claim* best = nullptr;
  if (address > steerable(address.family).last) return kNobody;
  for (const Claim& claim : claims) {
    if (!claim.prefix.contains(address)) continue;
    const auto key = [](const Claim& c) { return std::pair(c.rank, c.prefix.length); };
    if (best == nullptr || key(claim) > key(*best)) best = &claim;
  }
  return best == nullptr ? kNobody : best->group;
}

unsigned below(std::mt19937& random, unsigned limit) {
  return static_cast<unsigned>(random() % limit);
}

// Prefixes that overlap often: few addresses near one another, and some of the
// ends of the address space.
Prefix random_prefix(std::mt19937& random, Family family) {
  const unsigned length =
      below(random, 4) == 0 ? below(random, 5) : bits(family) - below(random, 9);
  Address address =
      family == Family::V4 ? Address::v4(0x0a000000) : Address::v6(0x20010db8ull << 32, 0);
  address.low |= below(random, 256);
  if (below(random, 4) == 0)
    address = family == Family::V4 ? Address::v4(static_cast<std::uint32_t>(random()))
                                   : Address::v6(std::uint64_t{random()} << 32, 0);
  return {masked(address, length), static_cast<std::uint8_t>(length)};
}

// Where something could change: both ends of each prefix, and their neighbours.
std::vector<Address> borders(const std::vector<Prefix>& prefixes) {
  std::vector<Address> all;
  for (const Prefix& each : prefixes)
    for (Address address : {each.first(), each.last()})
      for (const std::uint64_t step : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}}) {
        Address near = address;
        near.low += step;
        if (near.family == Family::V4) near.low &= 0xffffffff;
        all.push_back(near);
      }
  return all;
}

}  // namespace

TEST_CASE("cover: what prefixes cover together") {
  struct {
    std::vector<std::string_view> prefixes;
    std::vector<std::string> want;
  } const cases[] = {
      {{}, {}},
      {{"10.9.9.9/32"}, {"10.9.9.9-10.9.9.9"}},
      {{"10.9.9.0/24", "10.9.9.9/32"}, {"10.9.9.0-10.9.9.255"}},
      {{"10.0.1.0/24", "10.0.0.0/24"}, {"10.0.0.0-10.0.1.255"}},  // they touch
      {{"10.0.2.0/24", "10.0.0.0/24"}, {"10.0.0.0-10.0.0.255", "10.0.2.0-10.0.2.255"}},
      {{"0.0.0.0/0"}, {"0.0.0.0-223.255.255.255"}},
      {{"224.0.0.0/4"}, {}},
      {{"255.255.255.255/32"}, {}},
      {{"192.0.0.0/2"}, {"192.0.0.0-223.255.255.255"}},
      {{"::/0"}, {"::-feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}},
      {{"ff02::/16"}, {}},
      {{"2001:db8::ffff:ffff:ffff:ffff/128", "2001:db8:0:1::/128"},
       {"2001:db8::ffff:ffff:ffff:ffff-2001:db8:0:1::"}},  // they touch over 64 bits
  };
  for (const auto& [prefixes, want] : cases) {
    std::vector<Prefix> parsed;
    for (const std::string_view each : prefixes) parsed.push_back(prefix(each));
    std::vector<std::string> got;
    for (const auto& range : cover(parsed)) got.push_back(text(range.first, range.last));
    CHECK(got == want);
  }
}

TEST_CASE("cover: as a plain model says, for random prefixes") {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    const Family family = round % 2 == 0 ? Family::V4 : Family::V6;
    std::vector<Prefix> prefixes;
    for (auto count = below(random, 12); count > 0; --count)
      prefixes.push_back(random_prefix(random, family));
    const auto ranges = cover(prefixes);
    for (const Address& address : borders(prefixes)) {
      const bool wanted = address <= steerable(family).last &&
                          std::any_of(prefixes.begin(), prefixes.end(),
                                      [&](const Prefix& p) { return p.contains(address); });
      const bool covered =
          std::any_of(ranges.begin(), ranges.end(), [&](const Ruleset::ScopeRange& range) {
            return range.first <= address && address <= range.last;
          });
      CHECK_MESSAGE(covered == wanted, to_string(address));
    }
    for (std::size_t i = 1; i < ranges.size(); ++i) CHECK(ranges[i - 1].last < ranges[i].first);
  }
}

TEST_CASE("settle: rank, then length, then the first in the list") {
  struct {
    const char* name;
    std::vector<Claim> claims;
    std::vector<std::string> want;
  } const cases[] = {
      {"none", {}, {}},
      {"longest prefix",
       {{prefix("10.0.0.0/24"), 1, 7}, {prefix("10.0.0.9/32"), 1, 8}},
       {"10.0.0.0-10.0.0.8 7", "10.0.0.9-10.0.0.9 8", "10.0.0.10-10.0.0.255 7"}},
      {"a higher rank wins over a longer prefix",
       {{prefix("10.0.0.0/24"), 2, 7}, {prefix("10.0.0.9/32"), 1, 8}},
       {"10.0.0.0-10.0.0.255 7"}},
      {"of equals the first",
       {{prefix("10.0.0.0/24"), 1, 7}, {prefix("10.0.0.0/24"), 1, 8}},
       {"10.0.0.0-10.0.0.255 7"}},
      {"neighbours of one group are one range",
       {{prefix("10.0.0.0/24"), 1, 7}, {prefix("10.0.1.0/24"), 1, 7}},
       {"10.0.0.0-10.0.1.255 7"}},
      {"multicast is cut off",
       {{prefix("0.0.0.0/0"), 1, 7}, {prefix("239.0.0.0/8"), 1, 8}},
       {"0.0.0.0-223.255.255.255 7"}},
  };
  for (const auto& each : cases) {
    CAPTURE(each.name);
    std::vector<std::string> got;
    for (const auto& range : settle(each.claims))
      got.push_back(format("{} {}", text(range.first, range.last), range.group));
    CHECK(got == each.want);
  }
}

TEST_CASE("settle: as a plain model says, for random claims") {
  std::mt19937 random(2);
  for (int round = 0; round < 1000; ++round) {
    const Family family = round % 2 == 0 ? Family::V4 : Family::V6;
    std::vector<Claim> claims;
    std::vector<Prefix> prefixes;
    for (auto count = below(random, 12); count > 0; --count) {
      claims.push_back({random_prefix(random, family), below(random, 3), below(random, 4)});
      prefixes.push_back(claims.back().prefix);
    }
    const auto ranges = settle(claims);
    for (const Address& address : borders(prefixes))
      CHECK_MESSAGE(owner(ranges, address) == owner(claims, address), to_string(address));
    for (std::size_t i = 1; i < ranges.size(); ++i) CHECK(ranges[i - 1].last < ranges[i].first);
  }
}

TEST_CASE("settle: a million claims take seconds at most") {
  std::mt19937 random(3);
  std::vector<Claim> claims;
  for (int i = 0; i < 1'000'000; ++i) {
    const unsigned length = 8 + below(random, 25);
    const Address address = Address::v4(static_cast<std::uint32_t>(random()));
    claims.push_back({{masked(address, length), static_cast<std::uint8_t>(length)},
                      below(random, 3),
                      below(random, 100)});
  }
  const auto start = std::chrono::steady_clock::now();
  const auto ranges = settle(claims);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  MESSAGE(ranges.size() << " ranges in " << took.count() << " s");
  CHECK(took.count() < 10);
}
