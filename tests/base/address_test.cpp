#include "nfsteer/base/address.hpp"

#include <doctest/doctest.h>

#include <array>
#include <optional>
#include <random>

using namespace nfsteer;

TEST_CASE("addresses: accepted, refused, and how they print back") {
  static constexpr struct {
    std::string_view text;
    std::optional<std::string_view> want;  // nullopt: refused
  } kCases[] = {
      {"192.0.2.1", "192.0.2.1"},
      {"0.0.0.0", "0.0.0.0"},
      {"255.255.255.255", "255.255.255.255"},
      {"2001:db8::1", "2001:db8::1"},
      {"2001:0DB8:0:0:0:0:0:1", "2001:db8::1"},
      {"::", "::"},
      {"::ffff:192.0.2.1", "192.0.2.1"},  // the IPv4 address
      {"::ffff:c000:201", "192.0.2.1"},
      {"64:ff9b::192.0.2.1", "64:ff9b::c000:201"},
      {"", std::nullopt},
      {"192.0.2", std::nullopt},
      {"192.0.2.256", std::nullopt},
      {"192.0.2.01x", std::nullopt},
      {" 192.0.2.1", std::nullopt},
      {"fe80::1%eth0", std::nullopt},
      {"2001:db8:::1", std::nullopt},
      {std::string_view("10.0.0.1\0x", 10), std::nullopt},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.text);
    const auto address = parse_address(row.text);
    REQUIRE(address.has_value() == row.want.has_value());
    if (row.want) CHECK(to_string(*address) == *row.want);
  }
}

TEST_CASE("prefixes: accepted, refused, and what the error shows") {
  static constexpr struct {
    std::string_view text;
    std::string_view want;  // the prefix, or a part of the error after "!"
  } kCases[] = {
      {"10.0.0.0/8", "10.0.0.0/8"},
      {"10.1.2.3", "10.1.2.3/32"},
      {"0.0.0.0/0", "0.0.0.0/0"},
      {"::/0", "::/0"},
      {"2001:db8::/32", "2001:db8::/32"},
      {"2001:db8::1", "2001:db8::1/128"},
      {"2001:db8:0:0:8000::/65", "2001:db8:0:0:8000::/65"},
      {"::ffff:10.0.0.0/104", "10.0.0.0/8"},
      {"::ffff:10.0.0.0/8", "!must be 96 to 128"},
      {"10.0.0.1/8", "!the network is 10.0.0.0/8"},
      {"2001:db8::1/32", "!the network is 2001:db8::/32"},
      {"10.0.0.0/33", "!must be 0 to 32"},
      {"::/129", "!must be 0 to 128"},
      {"10.0.0.0/", "!must be 0 to 32"},
      {"10.0.0.0/-1", "!must be 0 to 32"},
      {"10.0.0.0/8/8", "!must be 0 to 32"},
      {"/8", "!is not a prefix"},
      {"web", "!is not a prefix"},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.text);
    const auto prefix = parse_prefix(row.text);
    if (row.want.starts_with('!')) {
      REQUIRE(!prefix);
      CAPTURE(prefix.error().message);
      CHECK(prefix.error().message.find(row.want.substr(1)) != std::string::npos);
    } else {
      REQUIRE(prefix);
      CHECK(to_string(*prefix) == row.want);
    }
  }
}

TEST_CASE("prefix: contains is what its first and last address say") {
  std::mt19937_64 random(7);
  for (int i = 0; i < 20'000; ++i) {
    const Family family = random() % 2 ? Family::V4 : Family::V6;
    const auto any = [&] {
      return family == Family::V4 ? Address::v4(static_cast<std::uint32_t>(random()))
                                  : Address::v6(random(), random());
    };
    const auto length = static_cast<std::uint8_t>(random() % (bits(family) + 1));
    const Prefix prefix{masked(any(), length), length};
    const Address near = masked(prefix.last(), static_cast<unsigned>(random() % bits(family)));
    for (const Address& candidate : {any(), near, prefix.first(), prefix.last()})
      CHECK(prefix.contains(candidate) ==
            (prefix.first() <= candidate && candidate <= prefix.last()));
  }
  CHECK_FALSE(parse_prefix("::/0")->contains(*parse_address("10.0.0.1")));
  CHECK_FALSE(parse_prefix("0.0.0.0/0")->contains(*parse_address("::1")));
}

TEST_CASE("address: network order there and back") {
  for (const char* text : {"1.2.3.4", "0.0.0.0", "2001:db8:1:2:3:4:5:6", "::"}) {
    const Address address = *parse_address(text);
    std::array<std::byte, 16> bytes{};
    address.to_network(bytes.data());
    CHECK(Address::from_network(address.family, bytes.data()) == address);
  }
  std::array<std::byte, 4> bytes{};
  parse_address("1.2.3.4")->to_network(bytes.data());
  CHECK(bytes[0] == std::byte{1});
  CHECK(bytes[3] == std::byte{4});
}
