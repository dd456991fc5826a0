#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "nfsteer/rule.hpp"

using namespace nfsteer;

namespace {

Flow flow(std::uint8_t protocol, const char* source, unsigned sport, const char* destination,
          unsigned dport) {
  Flow made;
  made.tuple = {*parse_address(source), *parse_address(destination),
                static_cast<std::uint16_t>(sport), static_cast<std::uint16_t>(dport), protocol};
  made.has_ports = protocol == 6 || protocol == 17;
  return made;
}

}  // namespace

TEST_CASE("criteria: values accepted and refused") {
  static constexpr struct {
    const char* field;
    const char* value;
    const char* error;  // a part of it; nullptr: accepted
  } kCases[] = {
      {"dport", "80", nullptr},
      {"dport", "0", nullptr},
      {"dport", "65535", nullptr},
      {"dport", "9000-9100", nullptr},
      {"dport", "80-80", nullptr},
      {"dport", "65536", "0 to 65535"},
      {"dport", "9100-9000", "runs backward: 9000-9100"},
      {"dport", "80-", "not a port"},
      {"dport", "-80", "not a port"},
      {"dport", "80-90-100", "not a port"},
      {"dport", "http", "not a port"},
      {"sport", "1024-65535", nullptr},
      {"sport", "", "not a port"},
      {"proto", "tcp", nullptr},
      {"proto", "132", nullptr},
      {"proto", "tpc", "not a protocol"},
      {"proto", "256", "not a protocol"},
      {"daddr", "10.0.0.0/8", nullptr},
      {"daddr", "2001:db8::1", nullptr},
      {"daddr", "10.0.0.1/8", "the network is 10.0.0.0/8"},
      {"saddr", "::/0", nullptr},
      {"saddr", "everywhere", "not a prefix"},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.field);
    CAPTURE(row.value);
    REQUIRE(find_field(row.field));
    Criterion criterion{find_field(row.field), {}, {}};
    const auto added = criterion.add(row.value);
    REQUIRE(added.has_value() == (row.error == nullptr));
    if (row.error) CHECK(added.error().message.find(row.error) != std::string::npos);
  }
  CHECK_FALSE(find_field("dprot"));
}

TEST_CASE("criteria: which flows match") {
  const Flow tcp = flow(6, "192.0.2.7", 40000, "10.9.9.9", 443);
  const Flow udp6 = flow(17, "2001:db8::7", 5353, "2001:db8:9::9", 53);
  const Flow ping = flow(1, "192.0.2.7", 0, "10.9.9.9", 0);
  const struct {
    const char* field;
    std::vector<const char*> values;
    bool tcp, udp6, ping;
  } kCases[] = {
      {"dport", {"443"}, true, false, false},
      {"dport", {"53", "443"}, true, true, false},
      {"dport", {"440-450"}, true, false, false},
      {"dport", {"0-65535"}, true, true, false},  // ICMP has no port, not port 0
      {"sport", {"40000-65535"}, true, false, false},
      {"proto", {"tcp", "icmp"}, true, false, true},
      {"proto", {"17"}, false, true, false},
      {"daddr", {"10.9.9.0/24"}, true, false, true},
      {"daddr", {"0.0.0.0/0"}, true, false, true},
      {"daddr", {"::/0"}, false, true, false},
      {"saddr", {"192.0.2.7", "2001:db8::/64"}, true, true, true},
      {"saddr", {"192.0.2.8"}, false, false, false},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.field);
    CAPTURE(row.values.front());
    Criterion criterion{find_field(row.field), {}, {}};
    for (const char* value : row.values) REQUIRE(criterion.add(value));
    CHECK(criterion.matches(tcp) == row.tcp);
    CHECK(criterion.matches(udp6) == row.udp6);
    CHECK(criterion.matches(ping) == row.ping);
  }
}

TEST_CASE("contract of every field") {
  for (const Field& field : fields()) {
    CAPTURE(field.name);
    CHECK(find_field(field.name) == &field);
    CHECK((field.number == nullptr) != (field.address == nullptr));
    CHECK((field.number == nullptr) == (field.parse_interval == nullptr));
    CHECK(std::string(field.expects).size() > 5);
    // No value: nothing matches.
    CHECK_FALSE(Criterion{&field, {}, {}}.matches(flow(6, "10.0.0.1", 1, "10.0.0.2", 2)));
    for (const char* garbage : {"", "!", "\x01", "-", "/"})
      CHECK_FALSE(Criterion{&field, {}, {}}.add(garbage));
  }
}
