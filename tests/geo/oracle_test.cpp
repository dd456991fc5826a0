// Loaded databases against libmaxminddb's own lookups.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <maxminddb.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <random>
#include <string>

#include "memory_file.hpp"
#include "mmdb.hpp"
#include "nfsteer/geo.hpp"

using namespace nfsteer;

namespace {

// The library, open on a file.
class Oracle {
 public:
  explicit Oracle(const std::string& path) {
    REQUIRE(MMDB_open(path.c_str(), MMDB_MODE_MMAP, &mmdb_) == MMDB_SUCCESS);
  }
  Oracle(const Oracle&) = delete;
  Oracle& operator=(const Oracle&) = delete;
  ~Oracle() { MMDB_close(&mmdb_); }

  struct Answer {
    Countries::Record record;
    unsigned length = 0;  // of the prefix that the address shares the answer with
  };

  Answer ask(const Address& address) {
    int error = MMDB_SUCCESS;
    MMDB_lookup_result_s found{};
    if (address.family == Family::V4) {
      sockaddr_in socket{};
      socket.sin_family = AF_INET;
      address.to_network(reinterpret_cast<std::byte*>(&socket.sin_addr));
      found = MMDB_lookup_sockaddr(&mmdb_, reinterpret_cast<sockaddr*>(&socket), &error);
    } else {
      sockaddr_in6 socket{};
      socket.sin6_family = AF_INET6;
      address.to_network(reinterpret_cast<std::byte*>(&socket.sin6_addr));
      found = MMDB_lookup_sockaddr(&mmdb_, reinterpret_cast<sockaddr*>(&socket), &error);
    }
    REQUIRE(error == MMDB_SUCCESS);
    const bool is_inside_v6 = address.family == Family::V4 && mmdb_.metadata.ip_version == 6;
    Answer answer;
    answer.length = found.netmask - (is_inside_v6 ? 96u : 0u);
    if (!found.found_entry) return answer;
    answer.record.code = text(found.entry, {"country", "iso_code", nullptr});
    if (answer.record.code.empty())
      answer.record.code = text(found.entry, {"country_code", nullptr, nullptr});
    answer.record.continent = text(found.entry, {"continent", "code", nullptr});
    MMDB_entry_data_s data{};
    constexpr std::array<const char*, 3> kUnion = {"country", "is_in_european_union", nullptr};
    if (MMDB_aget_value(&found.entry, &data, kUnion.data()) == MMDB_SUCCESS && data.has_data)
      answer.record.is_in_european_union = data.boolean;
    return answer;
  }

 private:
  static std::string text(MMDB_entry_s& entry, const std::array<const char*, 3>& path) {
    MMDB_entry_data_s data{};
    if (MMDB_aget_value(&entry, &data, path.data()) != MMDB_SUCCESS || !data.has_data ||
        data.type != MMDB_DATA_TYPE_UTF8_STRING)
      return {};
    return {data.utf8_string, data.data_size};
  }

  MMDB_s mmdb_{};
};

// Whether IPv6 addresses of the prefix lead to the IPv4 tree.
bool is_alias(const Address& address) {
  static const std::array<Prefix, 4> kAliases = {{{Address::v6(0, 0), 96},
                                                  {Address::v6(0, 0xffff'0000'0000), 96},
                                                  {Address::v6(0x2001'0000ull << 32, 0), 32},
                                                  {Address::v6(0x2002ull << 48, 0), 16}}};
  return std::any_of(kAliases.begin(), kAliases.end(),
                     [&](const Prefix& alias) { return alias.contains(address); });
}

// The address after it; nullopt after the last.
std::optional<Address> next(const Address& address) {
  Address following = address;
  if (address.family == Family::V4) {
    if (++following.low >> 32 != 0) return std::nullopt;
  } else if (++following.low == 0 && ++following.high == 0) {
    return std::nullopt;
  }
  return following;
}

class Comparison {
 public:
  explicit Comparison(const std::string& path)
      : oracle_(path), countries_(load_countries(path).value()) {}

  // The first and last address of every network of the family, and one between.
  std::size_t compare_networks(Family family, std::mt19937_64& random) {
    std::size_t networks = 0;
    std::optional<Address> first = Address{family, 0, 0};
    for (; first; ++networks) {
      const auto length = static_cast<std::uint8_t>(compare(*first));
      const Prefix network{*first, length};
      REQUIRE(masked(*first, length) == *first);
      compare(network.last());
      Address between = random_address(family, random);
      const Address host = masked(between, length);
      between.high = first->high | (between.high ^ host.high);
      between.low = first->low | (between.low ^ host.low);
      compare(between);
      first = next(network.last());
    }
    return networks;
  }

  void compare_random(Family family, int count, std::mt19937_64& random) {
    for (int i = 0; i < count; ++i) compare(random_address(family, random));
  }

 private:
  static Address random_address(Family family, std::mt19937_64& random) {
    if (family == Family::V4) return Address::v4(static_cast<std::uint32_t>(random()));
    return Address::v6(random(), random());
  }

  unsigned compare(const Address& address) {
    const Oracle::Answer answer = oracle_.ask(address);
    const bool skipped = address.family == Family::V6 && is_alias(address);
    const Countries::Record want = skipped ? Countries::Record{} : answer.record;
    const Countries::Record& got = countries_->records()[countries_->find(address)];
    if (got != want) FAIL(to_string(address), ": ", got.code, " instead of ", want.code);
    return answer.length;
  }

  Oracle oracle_;
  std::shared_ptr<const Countries> countries_;
};

}  // namespace

TEST_CASE("countries agree with the library: MaxMind's test databases") {
  for (const char* name : {"GeoIP2-Country-Test.mmdb", "GeoLite2-Country-Test.mmdb"}) {
    CAPTURE(name);
    const std::string path = std::string(NFSTEER_SOURCE_DIR "/../shared/data/maxmind/") + name;
    if (!std::filesystem::exists(path)) {
      MESSAGE("SKIPPED: there is no ", path);
      return;
    }
    std::mt19937_64 random(1);
    Comparison comparison(path);
    for (const Family family : {Family::V4, Family::V6}) {
      CHECK(comparison.compare_networks(family, random) > 100);
      comparison.compare_random(family, 100'000, random);
    }
  }
}

TEST_CASE("countries agree with the library: random databases") {
  std::mt19937_64 random(2);
  constexpr std::array<const char*, 5> kCodes = {"DE", "FR", "CH", "A1", "US"};
  for (int round = 0; round < 60; ++round) {
    CAPTURE(round);
    const unsigned version = round % 2 ? 4 : 6;
    const unsigned record_bits = 24 + 4 * (static_cast<unsigned>(round) % 3);
    std::vector<testing::MmdbNetwork> networks;
    for (std::size_t i = random() % 40 + 1; i > 0; --i) {
      const char* code = kCodes[random() % kCodes.size()];
      const bool is_v4 = version == 4 || random() % 2;
      const auto length = static_cast<std::uint8_t>(random() % (is_v4 ? 33 : 129));
      // Few high bits, so that networks are inside each other.
      const Address address = is_v4 ? Address::v4(static_cast<std::uint32_t>(random()) & 0x8181ffff)
                                    : Address::v6(random() & 0xa001'0001'ffff'ffff, random());
      const bool flat = random() % 2;
      networks.push_back(
          {{masked(address, length), length},
           flat ? testing::mmdb::flat(code) : testing::mmdb::country(code, "EU", random() % 2)});
    }
    networks.push_back({parse_prefix("192.0.2.0/24").value(), testing::mmdb::flat("JP")});
    const testing::MemoryFile file(
        testing::write_mmdb(networks, {version, record_bits, version == 6, {}}));
    Comparison comparison(file.path());
    comparison.compare_networks(Family::V4, random);
    comparison.compare_random(Family::V4, 100, random);
    if (version == 4) continue;
    comparison.compare_networks(Family::V6, random);
    comparison.compare_random(Family::V6, 100, random);
  }
}
