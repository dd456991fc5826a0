#include "nfsteer/base/lpm.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "../allocations.hpp"
#include "nfsteer/base/address.hpp"

using namespace nfsteer;

TYPE_TO_STRING(Key128);

namespace {

template <typename Key>
constexpr unsigned kBits = sizeof(Key) * 8;
template <typename Key>
using Entries = std::vector<typename Lpm<Key>::Entry>;

template <typename Key>
Key host_bits(unsigned length) {
  return length == kBits<Key> ? Key{0} : static_cast<Key>(static_cast<Key>(~Key{0}) >> length);
}

template <typename Key>
Key key(const Address& address) {
  return static_cast<Key>(Key128{address.high} << 64 | address.low);
}

template <typename Key>
void sort(Entries<Key>& entries) {
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : a.length < b.length;
  });
}

// The oracle.
template <typename Key>
std::uint32_t scan(const Entries<Key>& entries, Key wanted) {
  const typename Lpm<Key>::Entry* best = nullptr;
  for (const auto& entry : entries)
    if ((wanted & ~host_bits<Key>(entry.length)) == entry.first &&
        (!best || entry.length >= best->length))
      best = &entry;
  return best ? best->value : Lpm<Key>::kNone;
}

template <typename Key>
Key random_key(std::mt19937_64& random) {
  Key made = static_cast<Key>(random());
  if constexpr (kBits < Key >> 64) made = made << 64 | random();
  return made;
}

// Prefixes of all lengths, about half of them around, inside or beside another;
// some twice. Few values, so that neighbours often have the same.
template <typename Key>
Entries<Key> random_entries(std::mt19937_64& random, std::size_t count) {
  Entries<Key> made;
  while (made.size() < count) {
    Key first = random_key<Key>(random);
    if (!made.empty() && random() % 2)
      first = made[random() % made.size()].first ^ Key { 1 } << random() % kBits<Key>;
    const auto length = static_cast<std::uint8_t>(random() % (kBits<Key> + 1));
    first &= ~host_bits<Key>(length);
    made.push_back({first, length, static_cast<std::uint32_t>(random() % 5)});
  }
  sort<Key>(made);
  return made;
}

// The keys at and around each end of each prefix, and some others.
template <typename Key>
std::vector<Key> telling_keys(const Entries<Key>& entries, std::mt19937_64& random) {
  std::vector<Key> keys = {0, static_cast<Key>(~Key{0})};
  for (const auto& entry : entries) {
    const Key host = host_bits<Key>(entry.length), last = entry.first | host;
    keys.insert(keys.end(), {entry.first, entry.first - 1, last, last + 1,
                             entry.first | (random_key<Key>(random) & host)});
  }
  for (int i = 0; i < 20; ++i) keys.push_back(random_key<Key>(random));
  return keys;
}

// More prefixes than are searched by halving, all of 240.0.0.0/8.
Entries<std::uint32_t> filler() {
  Entries<std::uint32_t> made;
  for (std::uint32_t i = 0; i < 200; ++i) made.push_back({240u << 24 | i << 12, 24, 1000 + i});
  return made;
}

}  // namespace

TEST_CASE("find: the value of the longest prefix that contains the key") {
  static constexpr struct {
    const char* prefix;
    std::uint32_t value;
  } kPrefixes[] = {
      {"0.0.0.0/1", 1},  // 128.0.0.0/1 has none but longer ones
      {"10.0.0.0/8", 2},         {"10.9.0.0/16", 3},
      {"10.9.0.0/17", 4},        {"10.9.128.0/24", 5},  // ends where the next one begins
      {"10.9.129.0/24", 6},      {"10.9.130.0/24", 6},  // beside it, of one value
      {"10.9.9.9/32", 7},        {"10.10.0.0/15", 2},   // as around it
      {"255.255.255.255/32", 8},
  };
  static constexpr struct {
    const char* key;
    std::uint32_t want;
  } kCases[] = {
      {"0.0.0.0", 1},         {"9.255.255.255", 1},   {"10.0.0.0", 2},
      {"10.9.0.0", 4},        {"10.9.127.255", 4},    {"10.9.128.0", 5},
      {"10.9.128.255", 5},    {"10.9.129.0", 6},      {"10.9.130.255", 6},
      {"10.9.131.0", 3},      {"10.9.9.8", 4},        {"10.9.9.9", 7},
      {"10.9.9.10", 4},       {"10.10.1.1", 2},       {"10.255.255.255", 2},
      {"11.0.0.0", 1},        {"127.255.255.255", 1}, {"128.0.0.0", Lpm<std::uint32_t>::kNone},
      {"255.255.255.255", 8},
  };
  Entries<std::uint32_t> few;
  for (const auto& [text, value] : kPrefixes) {
    const Prefix prefix = *parse_prefix(text);
    few.push_back({key<std::uint32_t>(prefix.address), prefix.length, value});
  }
  auto many = filler();
  many.insert(many.end(), few.begin(), few.end());
  sort<std::uint32_t>(few);
  sort<std::uint32_t>(many);
  const Lpm<std::uint32_t> searched(few), walked(many);
  REQUIRE(searched.bytes() < 1000);
  REQUIRE(walked.bytes() > 65'536 * 4);
  for (const auto& each : kCases) {
    CAPTURE(each.key);
    CHECK(searched.find(key<std::uint32_t>(*parse_address(each.key))) == each.want);
    CHECK(walked.find(key<std::uint32_t>(*parse_address(each.key))) == each.want);
  }
  CHECK(walked.find(240u << 24 | 199 << 12 | 255) == 1199);
}

TEST_CASE_TEMPLATE("find: nothing in an empty table", Key, std::uint32_t, Key128) {
  const Lpm<Key> empty;
  CHECK(empty.find(0) == Lpm<Key>::kNone);
  CHECK(empty.find(static_cast<Key>(~Key{0})) == Lpm<Key>::kNone);
}

TEST_CASE_TEMPLATE("find: of one prefix given twice the last wins", Key, std::uint32_t, Key128) {
  Entries<Key> entries;
  for (const std::uint8_t length : std::initializer_list<std::uint8_t>{0, 8, 16, 20, 24, 32})
    for (const std::uint32_t value : {1u, 2u}) entries.push_back({0, length, value});
  CHECK(Lpm<Key>(entries).find(0) == 2);
  CHECK(Lpm<Key>(entries).find(static_cast<Key>(~Key{0})) == 2);
}

TEST_CASE_TEMPLATE("find: agrees with a scan of all prefixes", Key, std::uint32_t, Key128) {
  std::mt19937_64 random(kBits<Key>);
  for (const std::size_t count : {1u, 2u, 3u, 10u, 30u, 63u, 64u, 65u, 66u, 100u, 300u})
    for (int round = 0; round < 20; ++round) {
      const auto entries = random_entries<Key>(random, count);
      const Lpm<Key> lpm(entries);
      for (const Key wanted : telling_keys<Key>(entries, random))
        if (lpm.find(wanted) != scan<Key>(entries, wanted))
          FAIL(count, " prefixes, round ", round, ": ", lpm.find(wanted), " instead of ",
               scan<Key>(entries, wanted));
    }
}

TEST_CASE_TEMPLATE("find: all lengths below each other", Key, std::uint32_t, Key128) {
  for (const Key path : {Key{0}, static_cast<Key>(~Key{0}), static_cast<Key>(~Key{0} / 3)}) {
    Entries<Key> entries;
    for (unsigned length = 0; length <= kBits<Key>; ++length) {
      const Key first = path & ~host_bits<Key>(length);
      entries.push_back({first, static_cast<std::uint8_t>(length), length});
      // Its neighbour, to make it a large table.
      if (length > 0)
        entries.push_back({first ^ (host_bits<Key>(length - 1) ^ host_bits<Key>(length)),
                           static_cast<std::uint8_t>(length), 1000 + length});
    }
    sort<Key>(entries);
    const Lpm<Key> lpm(entries);
    CHECK(lpm.find(path) == kBits<Key>);
    for (unsigned bit = 0; bit < kBits<Key>; ++bit)
      CHECK(lpm.find(path ^ Key{1} << bit) == 1000 + kBits<Key> - bit);
  }
}

TEST_CASE_TEMPLATE("find: does not allocate", Key, std::uint32_t, Key128) {
  std::mt19937_64 random(3);
  for (const std::size_t count : {20u, 2000u}) {
    const Lpm<Key> lpm(random_entries<Key>(random, count));
    const std::uint64_t before = testing::allocations();
    std::uint32_t sum = 0;
    for (std::uint32_t i = 0; i < 1000; ++i) sum += lpm.find(random_key<Key>(random)) + 1;
    CHECK(testing::allocations() == before);
    CHECK(sum > 0);
  }
}

TEST_CASE_TEMPLATE("bytes: prefixes of one value beside each other cost nothing", Key,
                   std::uint32_t, Key128) {
  Entries<Key> alike;
  for (Key i = 0; i < 1000; ++i) alike.push_back({i << (kBits<Key> - 24), 24, 7});
  CHECK(Lpm<Key>(alike).bytes() < 100);
}
