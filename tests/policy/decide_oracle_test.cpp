// The engine's decisions against those of a plain implementation.
#include <doctest/doctest.h>

#include <cstdlib>
#include <unordered_map>

#include "../bgp_table.hpp"
#include "oracle.hpp"
#include "random_config.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
#define NFSTEER_IS_SLOW
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define NFSTEER_IS_SLOW
#endif
#endif

#ifdef NFSTEER_IS_SLOW
constexpr std::uint64_t kDecisions = 100'000;
constexpr std::size_t kBgpStride = 20;  // of its prefixes one in so many
#else
constexpr std::uint64_t kDecisions = 2'000'000;
constexpr std::size_t kBgpStride = 1;
#endif

// How many to compare. NFSTEER_DECISIONS in the environment is another number.
std::uint64_t decisions() {
  const char* wanted = std::getenv("NFSTEER_DECISIONS");
  return wanted ? parse_number(wanted).value() : kDecisions;
}

struct Count {
  std::uint64_t compared = 0, different = 0;
};

// Compares `flows` decisions of one configuration.
void compare(std::uint64_t seed, std::uint32_t policies, std::uint64_t flows, Count& count) {
  RandomWorld world(seed);
  const Config config = world.config(policies, 40, false);
  for (const Problem& problem : validate(config))
    REQUIRE_MESSAGE(problem.message.find(" server for ") != std::string::npos, problem.message);
  GroupStates states;
  const auto snapshot = compile(config, states);
  const Oracle oracle(config);
  const Time time = world.time();
  const Activity by_hand = activity_by_hand(time, *snapshot);
  const Situation situation = situation_at(*snapshot, time);
  CHECK(situation.activity.schedules == by_hand.schedules);
  for (std::uint64_t i = 0; i < flows; ++i) {
    const Flow flow = world.flow();
    const Decision peeked = decide(*snapshot, situation, flow, Turn::Peek);
    const Decision got = decide(*snapshot, situation, flow);
    ++count.compared;
    if (got == peeked && agree(*snapshot, got, oracle.decide(flow, by_hand), flow)) continue;
    if (++count.different == 1)
      MESSAGE("first difference: seed ", seed, ", flow ", i, ": ", to_string(flow.tuple));
  }
}

}  // namespace

TEST_CASE("decide: as a plain implementation decides, over random configurations in all fields") {
  constexpr std::uint64_t kFlows = 2000;
  Count count;
  for (std::uint64_t seed = 1; count.compared < decisions(); ++seed)
    compare(seed, seed % 16 == 0 ? 150 : 24, std::min(kFlows, decisions() - count.compared), count);
  MESSAGE(count.compared, " decisions compared, ", count.different, " different");
  CHECK(count.different == 0);
}

TEST_CASE("decide: as a plain implementation decides, among many policies") {
  Count count;
  for (std::uint64_t seed = 1001; seed < 1003; ++seed)
    compare(seed, 20'000, decisions() / 1000, count);
  MESSAGE(count.compared, " decisions compared, ", count.different, " different");
  CHECK(count.different == 0);
}

namespace {

struct HashPrefix {
  std::size_t operator()(const Prefix& prefix) const noexcept {
    return (prefix.address.high * 31 + prefix.address.low) * 0x9e37'79b9'7f4a'7c15 + prefix.length;
  }
};

// With one table, whose prefixes are probed by length.
class BigOracle : public Oracle {
 public:
  explicit BigOracle(const Config& config) : Oracle(config) {
    for (const RouteConfig& route : config.tables[0].routes)
      routes_[route.prefix].push_back(&route);
  }

 protected:
  std::vector<const RouteConfig*> routes_to(const TableConfig&,
                                            const Address& destination) const override {
    std::vector<const RouteConfig*> found;
    for (unsigned length = 0; length <= bits(destination.family); ++length) {
      const auto at =
          routes_.find({masked(destination, length), static_cast<std::uint8_t>(length)});
      if (at != routes_.end()) found.insert(found.end(), at->second.begin(), at->second.end());
    }
    return found;
  }

 private:
  std::unordered_map<Prefix, std::vector<const RouteConfig*>, HashPrefix> routes_;
};

// The internet's routes to random groups; one in ten has a second, equal or of
// another metric. One group in five serves one family only.
Config internet(const std::vector<Prefix>& prefixes, std::mt19937_64& random) {
  constexpr std::size_t kGroups = 60;
  Config config;
  for (std::size_t i = 0; i < kGroups; ++i) {
    config.groups.push_back({format("g{}", i), "round-robin", false, {}});
    auto& servers = config.groups.back().servers;
    if (i % 5 != 1) servers.push_back(server("four", format("192.0.2.{}", i)));
    if (i % 5 != 2) servers.push_back(server("six", format("2001:db8::{}", i)));
  }
  config.tables = {table("internet", 0, {})};
  const auto add = [&](const Prefix& prefix, std::uint32_t metric, std::size_t group) {
    RouteTarget target = ToGroup{format("g{}", group % kGroups)};
    if (group % 97 == 0) target = Action::Drop;
    config.tables[0].routes.push_back({.prefix = prefix, .target = target, .metric = metric});
  };
  for (std::size_t i = 0; i < prefixes.size(); i += kBgpStride) {
    const std::size_t group = random();
    add(prefixes[i], 1, group);
    if (random() % 10 == 0) add(prefixes[i], static_cast<std::uint32_t>(random() % 3), group + 1);
  }
  return config;
}

}  // namespace

TEST_CASE("decide: as a plain implementation decides, over the internet's routes") {
  const auto prefixes = read_bgp_table(NFSTEER_SOURCE_DIR);
  if (prefixes.empty()) {
    MESSAGE("SKIPPED: there is no ", std::string(kBgpTable));
    return;
  }
  std::mt19937_64 random(17);
  const Config config = internet(prefixes, random);
  GroupStates states;
  const auto snapshot = compile(config, states);
  const BigOracle oracle(config);
  const Situation situation = situation_at(*snapshot, Time());
  Count count;
  for (const std::uint64_t wanted = decisions() / 4; count.compared < wanted; ++count.compared) {
    const Prefix& around = prefixes[random() % prefixes.size()];
    const Address last = around.last();
    Flow flow = testing::flow("tcp", "192.0.2.7", random() % 65'536, "192.0.2.9", 443);
    flow.tuple.destination = {last.family, last.high & (around.address.high | random()),
                              last.low & (around.address.low | random())};
    if (last.family == Family::V6) flow.tuple.source = Address::v6(random(), random());
    const Decision got = decide(*snapshot, situation, flow);
    if (agree(*snapshot, got, oracle.decide(flow, situation.activity), flow)) continue;
    if (++count.different == 1) MESSAGE("first difference: ", to_string(flow.tuple));
  }
  MESSAGE(count.compared, " decisions compared, ", count.different, " different");
  CHECK(count.different == 0);
}
