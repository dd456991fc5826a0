#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "nfsteer/base/text.hpp"
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

Criterion criterion(const char* field, const std::vector<const char*>& values) {
  Criterion made{find_field(field), {}, {}};
  for (const char* value : values) REQUIRE(made.add(value));
  return made;
}

bool matches(const Criterion& asked, const Flow& of) {
  const Activity activity;
  return asked.matches({of, activity});
}

// A value for reading: "80-90", "0x1/0xf", "10.0.0.0/8", "name".
std::string describe(const Value& value) {
  if (const auto* interval = std::get_if<Interval>(&value))
    return format("{}-{}", interval->first, interval->last);
  if (const auto* masked = std::get_if<Masked>(&value))
    return format("{:#x}/{:#x}", masked->value, masked->mask);
  if (const auto* prefix = std::get_if<Prefix>(&value)) return to_string(*prefix);
  return std::get<std::string>(value);
}

std::string describe(const std::vector<Value>& values) {
  std::vector<std::string> texts;
  for (const Value& value : values) texts.push_back(describe(value));
  return format("{}", join(texts, " "));
}

constexpr struct {
  const char* field;
  const char* value;
  const char* means;
} kAccepted[] = {
    {"saddr", "10.0.0.0/8", "10.0.0.0/8"},
    {"saddr", "192.0.2.7", "192.0.2.7/32"},
    {"saddr", "0.0.0.0/0", "0.0.0.0/0"},
    {"saddr", "::/0", "::/0"},
    {"daddr", "2001:db8::/32", "2001:db8::/32"},
    {"daddr", "2001:DB8::1", "2001:db8::1/128"},
    {"daddr", "::ffff:10.0.0.0/104", "10.0.0.0/8"},  // a mapped prefix is the IPv4 one
    {"daddr", "::ffff:192.0.2.7", "192.0.2.7/32"},
    {"daddr", "@office", "@office"},
    {"saddr", "@x", "@x"},
    {"dport", "80", "80-80"},
    {"dport", "0", "0-0"},
    {"dport", "65535", "65535-65535"},
    {"dport", "9000-9100", "9000-9100"},
    {"dport", "80-80", "80-80"},
    {"dport", "0x50", "80-80"},
    {"sport", "1024-65535", "1024-65535"},
    {"proto", "tcp", "6-6"},
    {"proto", "icmpv6", "58-58"},
    {"proto", "0", "0-0"},
    {"proto", "255", "255-255"},
    // The type in the lower eight bits, the protocol above: 1 and 58.
    {"icmp_type", "echo-request", "264-264 14976-14976"},
    {"icmp_type", "echo-reply", "256-256 14977-14977"},
    {"icmp_type", "packet-too-big", "14850-14850"},  // ICMPv6 alone
    {"icmp_type", "redirect", "261-261"},            // ICMP alone
    {"icmp_type", "nd-neighbor-advert", "14984-14984"},
    {"icmp_type", "8", "264-264 14856-14856"},
    {"icmp_type", "0-255", "256-511 14848-15103"},
    {"mark", "16", "0x10/0xffffffff"},
    {"mark", "0x10/0xff", "0x10/0xff"},
    {"mark", "0/0xff", "0x0/0xff"},
    {"mark", "0/0", "0x0/0x0"},
    {"mark", "4294967295", "0xffffffff/0xffffffff"},
    {"iif", "eth0", "6574:6830::/128"},
    {"iif", "eth*", "6574:6800::/24"},
    {"iif", "*", "::/0"},
    {"iif", "a", "6100::/128"},
    {"oif", "br-lan.17@x", "6272:2d6c:616e:2e31:3740:7800::/128"},
    {"oif", "fifteen-letters", "6669:6674:6565:6e2d:6c65:7474:6572:7300/128"},
    {"oif", "fifteen-letters*", "6669:6674:6565:6e2d:6c65:7474:6572:7300/120"},
    {"uid", "0", "0-0"},
    {"uid", "1000-1999", "1000-1999"},
    {"uid", "4294967294", "4294967294-4294967294"},
    {"uid", "root", "0-0"},
    {"uid", "nobody", "65534-65534"},
    {"gid", "0-0", "0-0"},
    {"gid", "root", "0-0"},
    {"gid", "nogroup", "65534-65534"},
    {"scountry", "DE", "DE"},
    {"scountry", "EU", "EU"},
    {"scountry", "continent:EU", "continent:EU"},
    {"scountry", "--", "--"},
    {"dcountry", "nordic", "nordic"},
    {"dcountry", "our-3_friends", "our-3_friends"},
    {"schedule", "office", "office"},
    {"schedule", "Never heard of", "Never heard of"},  // names are looked up later
};

constexpr struct {
  const char* field;
  const char* value;
  const char* error;  // a part of it
} kRefused[] = {
    {"saddr", "everywhere", "`everywhere` is not a prefix"},
    {"saddr", "@", "`@` is not a prefix"},  // a set without a name
    {"saddr", "10.0.0.0/33", "must be 0 to 32"},
    {"saddr", "10.0.0.0/-1", "must be 0 to 32"},
    {"saddr", "10.0.0.0/", "must be 0 to 32"},
    {"saddr", "10.0.0", "not a prefix"},
    {"saddr", "10.0.0.0-10.0.0.9", "not a prefix"},
    {"daddr", "10.0.0.1/8", "the network is 10.0.0.0/8"},
    {"daddr", "2001:db8::1/32", "the network is 2001:db8::/32"},
    {"daddr", "::ffff:10.0.0.0/8", "must be 96 to 128"},
    {"daddr", "::ffff:10.0.0.1/104", "the network is 10.0.0.0/8"},
    {"daddr", "2001:db8::/129", "must be 0 to 128"},
    {"dport", "65536", "0 to 65535"},
    {"dport", "9100-9000", "runs backward: 9000-9100"},
    {"dport", "80-", "not a port"},
    {"dport", "-80", "not a port"},
    {"dport", "80-90-100", "not a port"},
    {"dport", "80 ", "not a port"},
    {"dport", "99999-1", "not a port"},
    {"dport", "1-65536", "not a port"},
    {"dport", "http", "not a port"},
    {"dport", "@ports", "not a port"},  // sets are of prefixes
    {"sport", "", "not a port"},
    {"proto", "tpc", "`tpc` is not a protocol"},
    {"proto", "TCP", "not a protocol"},
    {"proto", "256", "not a protocol"},
    {"proto", "6-17", "not a protocol"},
    {"icmp_type", "256", "0 to 255"},
    {"icmp_type", "9-8", "0 to 255"},
    {"icmp_type", "ping", "`ping` is not a type"},
    {"mark", "0x10/0x0f", "bits outside its mask 0xf: 0x0/0xf"},
    {"mark", "0x1f/0xf", "bits outside its mask 0xf: 0xf/0xf"},
    {"mark", "4294967296", "not a mark of 32 bits"},
    {"mark", "1/0x100000000", "not a mark of 32 bits"},
    {"mark", "1/", "not a mark"},
    {"mark", "/1", "not a mark"},
    {"mark", "1/2/3", "not a mark"},
    {"mark", "1-2", "not a mark"},
    {"iif", "sixteen-letters-", "longer than an interface's name can be: 15 bytes"},
    {"iif", "sixteen-letters-*", "longer than"},
    {"iif", "eth/0", "not the name of an interface"},
    {"iif", "eth 0", "not the name"},
    {"iif", "eth:0", "not the name"},
    {"oif", "e*h0", "not the name"},
    {"oif", "eth**", "not the name"},
    {"uid", "4294967295", "no user"},  // (uid_t)-1 is nobody's
    {"uid", "9-8", "no user"},
    {"uid", "no-such-user", "there is no user `no-such-user` on this machine"},
    {"gid", "no-such-group", "there is no group of users `no-such-group` on this machine"},
    {"gid", "1000-", "no group of users"},
    {"scountry", "de fr", "not a country or a group"},
    {"scountry", "DEU", "not a country"},
    {"scountry", "De", "not a country"},
    {"scountry", "continent:europe", "not a country"},
    {"dcountry", "continent:", "not a country"},
    {"dcountry", "@friends", "not a country"},
    {"schedule", "", "a schedule has a name"},
};

}  // namespace

TEST_CASE("criteria: values accepted, as they are and negated") {
  for (const auto& row : kAccepted) {
    CAPTURE(row.field);
    CAPTURE(row.value);
    REQUIRE(find_field(row.field));
    Criterion plain{find_field(row.field), {}, {}}, negated = plain;
    const auto added = plain.add(row.value);
    REQUIRE_MESSAGE(added, added.error().message);
    CHECK(describe(plain.any) == row.means);
    CHECK(plain.none.empty());
    REQUIRE(negated.add(std::string("!") + row.value));
    CHECK(describe(negated.none) == row.means);
    CHECK(negated.any.empty());
  }
}

TEST_CASE("criteria: values refused, as they are and negated; nothing is added") {
  for (const auto& row : kRefused) {
    CAPTURE(row.field);
    CAPTURE(row.value);
    REQUIRE(find_field(row.field));
    for (const char* negation : {"", "!"}) {
      Criterion asked{find_field(row.field), {}, {}};
      const auto added = asked.add(std::string(negation) + row.value);
      REQUIRE_FALSE(added);
      CHECK_MESSAGE(added.error().message.find(row.error) != std::string::npos,
                    added.error().message);
      CHECK(asked.any.empty());
      CHECK(asked.none.empty());
    }
  }
  CHECK_FALSE(find_field("dprot"));
}

TEST_CASE("criteria: a NUL inside a value is refused") {
  using namespace std::string_literals;
  for (const char* field :
       {"saddr", "dport", "proto", "icmp_type", "mark", "iif", "uid", "gid", "scountry"}) {
    CAPTURE(field);
    for (const std::string& value : {"\0"s, "0\0"s, "root\0x"s, "eth0\0*"s})
      CHECK_FALSE(Criterion{find_field(field), {}, {}}.add(value));
  }
}

TEST_CASE("criteria: which flows match") {
  Flow tcp = flow(6, "192.0.2.7", 40000, "10.9.9.9", 443);
  tcp.mark = 0x1f;
  tcp.in_interface = interface_key("eth0");
  tcp.uid = 1000;
  tcp.gid = 0;
  Flow udp6 = flow(17, "2001:db8::7", 5353, "2001:db8:9::9", 53);
  udp6.out_interface = interface_key("eth0.17");
  Flow ping = flow(1, "192.0.2.7", 0, "10.9.9.9", 0);
  ping.icmp_type = 8;
  Flow ping6 = flow(58, "2001:db8::7", 0, "2001:db8:9::9", 0);
  ping6.icmp_type = 128;
  const struct {
    const char* field;
    std::vector<const char*> values;
    bool tcp, udp6, ping, ping6;
  } kCases[] = {
      {"dport", {"443"}, true, false, false, false},
      {"dport", {"53", "443"}, true, true, false, false},
      {"dport", {"440-450"}, true, false, false, false},
      {"dport", {"0-65535"}, true, true, false, false},  // ICMP has no port, not port 0
      {"dport", {"!443"}, false, true, false, false},    // nor one that is not 443
      {"dport", {"1-1023", "!443"}, false, true, false, false},
      {"dport", {"!1-1023"}, false, false, false, false},
      {"dport", {"!80", "!443"}, false, true, false, false},
      {"dport", {"443", "!443"}, false, false, false, false},
      {"sport", {"40000-65535"}, true, false, false, false},
      {"proto", {"tcp", "icmp"}, true, false, true, false},
      {"proto", {"17"}, false, true, false, false},
      {"proto", {"!tcp", "!udp"}, false, false, true, true},
      {"daddr", {"10.9.9.0/24"}, true, false, true, false},
      {"daddr", {"0.0.0.0/0"}, true, false, true, false},
      {"daddr", {"::/0"}, false, true, false, true},
      {"daddr", {"!0.0.0.0/0"}, false, true, false, true},
      {"daddr", {"::ffff:10.0.0.0/104"}, true, false, true, false},
      {"saddr", {"192.0.2.7", "2001:db8::/64"}, true, true, true, true},
      {"saddr", {"192.0.2.8"}, false, false, false, false},
      {"saddr", {"192.0.2.0/24", "!192.0.2.7"}, false, false, false, false},
      {"saddr", {"!192.0.2.8"}, true, true, true, true},
      {"icmp_type", {"echo-request"}, false, false, true, true},
      {"icmp_type", {"8"}, false, false, true, false},
      {"icmp_type", {"128"}, false, false, false, true},
      {"icmp_type", {"0-255"}, false, false, true, true},
      {"icmp_type", {"!8"}, false, false, false, true},  // TCP has no type
      {"mark", {"31"}, true, false, false, false},
      {"mark", {"0x10/0xf0"}, true, false, false, false},
      {"mark", {"0"}, false, true, true, true},  // every packet has a mark
      {"mark", {"!0"}, true, false, false, false},
      {"mark", {"0/0"}, true, true, true, true},
      {"mark", {"!0/0"}, false, false, false, false},
      {"iif", {"eth0"}, true, false, false, false},
      {"iif", {"eth"}, false, false, false, false},
      {"iif", {"eth*"}, true, false, false, false},
      {"iif", {"*"}, true, false, false, false},  // came in at one at all
      {"iif", {"!eth1"}, true, false, false, false},
      {"oif", {"eth0"}, false, false, false, false},
      {"oif", {"eth0*"}, false, true, false, false},
      {"oif", {"!eth0"}, false, true, false, false},
      {"uid", {"1000"}, true, false, false, false},
      {"uid", {"0-4294967294"}, true, false, false, false},
      {"uid", {"!0"}, true, false, false, false},  // forwarded flows have no user
      {"gid", {"root"}, true, false, false, false},
      {"gid", {"!root"}, false, false, false, false},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.field);
    CAPTURE(row.values.back());
    const Criterion asked = criterion(row.field, row.values);
    CHECK(::matches(asked, tcp) == row.tcp);
    CHECK(::matches(asked, udp6) == row.udp6);
    CHECK(::matches(asked, ping) == row.ping);
    CHECK(::matches(asked, ping6) == row.ping6);
  }
}

TEST_CASE("countries: compared by number; 0, unknown, is one too") {
  const Flow any = flow(6, "192.0.2.7", 40000, "10.9.9.9", 443);
  const Activity activity;
  const auto in = [](std::uint32_t first, std::uint32_t last) { return Interval{first, last}; };
  const Criterion from{find_field("scountry"), {in(3, 5), in(9, 9)}, {in(4, 4)}};
  const Criterion to{find_field("dcountry"), {}, {in(3, 5)}};
  for (CountryId country = 0; country < 12; ++country) {
    CAPTURE(country);
    const bool one = country == 3 || country == 5 || country == 9;
    CHECK(from.matches({any, activity, country, 0}) == one);
    CHECK_FALSE(from.matches({any, activity, 0, country}));
    CHECK(to.matches({any, activity, 0, country}) == (country < 3 || country > 5));
  }
}

TEST_CASE("schedules: one that is active now, and none that is not to be") {
  const Flow any = flow(6, "192.0.2.7", 40000, "10.9.9.9", 443);
  const auto schedule = [](std::uint32_t index) { return Interval{index, index}; };
  const Field* field = find_field("schedule");
  const Criterion one{field, {schedule(1), schedule(70)}, {}};
  const Criterion but{field, {}, {schedule(1)}};
  const Criterion both{field, {schedule(70)}, {schedule(1)}};
  const struct {
    std::vector<std::uint64_t> active;
    bool one, but, both;
  } kCases[] = {
      {{}, false, true, false},
      {{0b01, 0}, false, true, false},
      {{0b10, 0}, true, false, false},
      {{0b01, 0b1000000}, true, true, true},
      {{0b10, 0b1000000}, true, false, false},
      {{0, ~std::uint64_t{0b1000000}}, false, true, false},
  };
  for (const auto& row : kCases) {
    const Activity activity{row.active, {}};
    CHECK(one.matches({any, activity}) == row.one);
    CHECK(but.matches({any, activity}) == row.but);
    CHECK(both.matches({any, activity}) == row.both);
  }
}

TEST_CASE("match: all of its criteria hold; without any every flow matches") {
  const Activity activity;
  const Flow tcp = flow(6, "192.0.2.7", 40000, "10.9.9.9", 443);
  CHECK(matches(Match{}, {tcp, activity}));
  const Criterion yes = criterion("proto", {"tcp"}), also = criterion("dport", {"443"}),
                  no = criterion("saddr", {"192.0.2.8"});
  CHECK(matches(Match{yes}, {tcp, activity}));
  CHECK(matches(Match{yes, also}, {tcp, activity}));
  CHECK_FALSE(matches(Match{yes, also, no}, {tcp, activity}));
  CHECK_FALSE(matches(Match{no, yes}, {tcp, activity}));
}

TEST_CASE("contract of every field") {
  // Flows that have the field, and one that has none of those that can be absent.
  Flow full = flow(6, "10.0.0.1", 1, "10.0.0.2", 2);
  full.icmp_type = 0;
  full.in_interface = full.out_interface = interface_key("x");
  full.uid = full.gid = 7;
  const Flow bare = flow(99, "10.0.0.1", 0, "10.0.0.2", 0);
  const Activity activity;
  constexpr std::string_view kMayBeAbsent[] = {"sport", "dport", "icmp_type", "iif",
                                               "oif",   "uid",   "gid"};
  for (const Field& field : fields()) {
    CAPTURE(field.name);
    CHECK(find_field(field.name) == &field);
    CHECK((field.number == nullptr || field.address == nullptr));
    CHECK((field.number || field.address || field.name == std::string_view("schedule")));
    CHECK((!field.takes_sets || field.address != nullptr));
    CHECK(std::string(field.expects).size() > 5);
    Criterion empty{&field, {}, {}};
    for (const char* garbage : {"", "!", "/", "! 1"})
      CHECK_FALSE((field.name != std::string_view("schedule") && empty.add(garbage)));

    // "Not this value", which no flow of ours has: true where the field is there.
    const bool may_be_absent = std::find(std::begin(kMayBeAbsent), std::end(kMayBeAbsent),
                                         field.name) != std::end(kMayBeAbsent);
    Value other = Interval{250, 250};
    if (field.address) other = Prefix{Address::v6(~std::uint64_t{0}, 0), 64};
    const Criterion none{&field, {}, {other}};
    CHECK(none.matches({full, activity}));
    CHECK(none.matches({bare, activity}) == !may_be_absent);
    if (!field.number && !field.address) continue;
    // Every value there is, and yet not of a flow that has none.
    std::vector<Value> all = {Interval{0, 0xffff'ffff}};
    if (field.address) all = {Prefix{Address::v4(0), 0}, Prefix{Address::v6(0, 0), 0}};
    const Criterion any{&field, all, {}};
    CHECK(any.matches({full, activity}));
    CHECK(any.matches({bare, activity}) == !may_be_absent);
  }
}
