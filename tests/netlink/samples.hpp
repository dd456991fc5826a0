// Rulesets that differ in everything that a ruleset can differ in.
#pragma once

#include "nfsteer/netlink.hpp"

namespace nfsteer::testing {

inline Address address(std::string_view text) {
  return parse_address(text).value();
}

// Two families, servers with and without a port, a group behind the router's
// own address, ranges that touch, and all that can become of flows in a fallback.
inline netlink::Ruleset sample() {
  netlink::Ruleset ruleset;
  ruleset.queue_count = 2;
  ruleset.servers = {
      {1, "web/web1", address("10.2.0.1"), 8080, false},
      {2, "web/web2", address("10.2.0.2"), 8080, false},
      {3, "snat/any", address("10.2.0.3"), {}, true},
      {4, "web/web6", address("2001:db8:2::1"), 8080, false},
      {5, "web/any6", address("2001:db8:2::2"), {}, false},
  };
  ruleset.scope = {
      {address("10.9.9.0"), address("10.9.9.255")},
      {address("10.10.0.1"), address("10.10.0.9")},
      {address("2001:db8:9::9"), address("2001:db8:9::9")},
  };
  ruleset.fallback_groups = {
      {"web", Family::V4, {{1, 100}, {2, 50}}},
      {"web", Family::V6, {{4, 1}, {5, 1}}},
      {"snat", Family::V4, {{3, 1}}},
      {"drop", Family::V4, {{0, 1, Action::Drop}}},
      {"reject", Family::V6, {{0, 1, Action::Reject}}},
      {"shared.5",
       Family::V4,
       {{3, 7}, {0, 1, Action::Accept}, {0, 2, Action::Drop}, {0, 3, Action::Reject}}},
  };
  ruleset.fallback = {
      {address("10.9.9.0"), address("10.9.9.8"), 0},
      {address("10.9.9.9"), address("10.9.9.9"), 2},
      {address("10.9.9.10"), address("10.9.9.255"), 0},
      {address("10.10.0.1"), address("10.10.0.1"), 3},
      {address("10.10.0.2"), address("10.10.0.9"), 5},
      {address("2001:db8:9::9"), address("2001:db8:9::9"), 1},
      {address("2001:db8:9::a"), address("2001:db8:9::f"), 4},
  };
  return ruleset;
}

// Another mark, other queues, the output hook alone, other servers under the
// same ids, a fallback for all addresses.
inline netlink::Ruleset other_sample() {
  netlink::Ruleset ruleset;
  ruleset.mark.mask = 0x0000ff00;
  ruleset.queue_first = 7;
  ruleset.bypass = false;
  ruleset.prerouting = false;
  ruleset.output = true;
  ruleset.servers = {
      {1, "dns/b", address("10.3.0.1"), {}, false},
      {2, "dns/a", address("10.3.0.2"), 53, true},
  };
  ruleset.scope = {{address("0.0.0.0"), address("223.255.255.255")}};
  ruleset.fallback_groups = {{"dns", Family::V4, {{1, 10'000}, {2, 1}}}};
  ruleset.fallback = {{address("0.0.0.0"), address("255.255.255.255"), 0}};
  return ruleset;
}

inline netlink::Ruleset both_hooks_sample() {
  netlink::Ruleset ruleset = sample();
  ruleset.output = true;
  ruleset.probe_users = {5};
  return ruleset;
}

// More elements than fit in one message, also in the map of one rule.
inline netlink::Ruleset large_sample() {
  netlink::Ruleset ruleset;
  ruleset.fallback_groups = {{"all", Family::V4, {}}, {"one", Family::V4, {{1, 1}}}};
  for (std::uint32_t id = 1; id <= 2000; ++id) {
    ruleset.servers.push_back({static_cast<ServerId>(id), "all/s" + std::to_string(id),
                               Address::v4(0x0a020000 + id), 80, false});
    ruleset.fallback_groups[0].members.push_back({static_cast<ServerId>(id), id});
  }
  for (std::uint32_t i = 0; i < 2000; ++i) {
    const Address first = Address::v4(0x10000000 + 256 * i),
                  last = Address::v4(0x1000007f + 256 * i);
    ruleset.scope.push_back({first, last});
    ruleset.fallback.push_back({first, last, i % 2});
  }
  return ruleset;
}

}  // namespace nfsteer::testing
