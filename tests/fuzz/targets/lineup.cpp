// Every balancer, in a lineup with tiers, limits and servers that start slowly: it
// never chooses a server that may not take the flow, Peek tells what Take chooses,
// and somebody is found exactly where somebody may.
#include <array>
#include <vector>

#include "../fuzz.hpp"
#include "nfsteer/balance.hpp"
#include "nfsteer/base/mix.hpp"

using namespace nfsteer;
using fuzz::Input;

namespace {

constexpr double kPortions[] = {1, 1, 0, 0.1, 0.55, 0.001};

Server read_server(Input& in, std::size_t index) {
  constexpr std::uint32_t kWeights[] = {1, 1, 1, 2, 3, 7, 10, 100};
  constexpr std::uint32_t kScales[] = {1, 1, 1, 1, 1, 1, 1, 100};
  Server server;
  server.id = static_cast<ServerId>(index + 1);
  server.identity = mix(in.u8());  // sometimes that of another
  server.weight = in.one_of(kWeights) * in.one_of(kScales);
  const std::uint8_t kind = in.u8();
  if (kind % 3 == 0) server.max_connections = 1 + kind / 3 % 4;
  if (kind % 5 == 0) server.priority = kind / 5 % 3;
  server.backup = kind % 7 == 0;
  return server;
}

// Those that make a table of slots seldom: it takes long.
const char* read_algorithm(Input& in) {
  const Algorithm& algorithm = in.one_of(algorithms());
  const bool has_slots = algorithm.hashes != Algorithm::Hashes::Nothing;
  return has_slots && in.below(8) != 0 ? "least-connections" : algorithm.name;
}

struct Lab {
  Gauges& gauges;
  PoolState state;
  Group group;
  std::vector<double> portions;  // by server

  Lab(Input& in, Gauges& all) : gauges(all) {
    group.algorithm = read_algorithm(in);
    group.factor = 101 + in.below(200);
    group.v4.state = &state;
    state.own.next = in.u64();
    for (std::size_t i = 0, servers = 1 + in.below(in.flag() ? 5 : 40); i < servers; ++i) {
      group.v4.servers.push_back(read_server(in, i));
      portions.push_back(in.one_of(kPortions));
      gauges.renew(group.v4.servers.back().id);
    }
  }

  const Server& server(ServerId id) const { return group.v4.servers[id - 1u]; }
  bool is_open(const Server& each) const {
    return portions[each.id - 1u] > 0 &&
           (each.max_connections == 0 || gauges[each.id].load() < each.max_connections);
  }
  // Whether some server before it may take a flow.
  bool is_passed_over(const Server& each) const {
    return std::any_of(group.v4.servers.begin(), group.v4.servers.end(), [&](const Server& other) {
      return comes_before(other, each) && is_open(other);
    });
  }
  bool is_anybody_open() const {
    return std::any_of(group.v4.servers.begin(), group.v4.servers.end(),
                       [this](const Server& each) { return is_open(each); });
  }
};

void choose(Lab& lab, const Lineup::Side& side, Pick pick) {
  pick.turn = Turn::Peek;
  const auto told = side.choose(pick);
  FUZZ_CHECK(side.is_usable() == lab.is_anybody_open());
  FUZZ_CHECK(told.has_value() == side.is_usable());
  if (!told) {
    if (!side.tiers().empty()) FUZZ_CHECK(lab.portions[side.choose_beyond(pick) - 1u] > 0);
    return;
  }
  pick.turn = Turn::Take;
  FUZZ_CHECK(side.choose(pick) == told);
  FUZZ_CHECK(*told >= 1 && *told <= lab.group.v4.servers.size());
  FUZZ_CHECK(lab.is_open(lab.server(*told)) && !lab.is_passed_over(lab.server(*told)));
  FUZZ_CHECK(side.takes(*told));
  lab.gauges.assign(*told);
}

}  // namespace

FUZZ_TARGET(lineup) {
  static Gauges gauges;
  Input in(input);
  Lab lab(in, gauges);
  const auto standing = [&lab](const Server& server) {
    return Standing{server.weight, lab.portions[server.id - 1u]};
  };
  const Lineup::Side side(lab.group, lab.group.v4, *find_algorithm(lab.group.algorithm), gauges,
                          in.u8(), {standing});
  std::uint32_t now_s = in.u8();
  while (!in.is_empty()) {
    const std::uint8_t step = in.u8();
    const auto id = static_cast<ServerId>(1 + step % lab.group.v4.servers.size());
    if (step < 128) {
      choose(lab, side, {mix(in.u8()), now_s, Turn::Take});
    } else if (step < 176) {
      gauges.settle(id, static_cast<std::int32_t>(in.u8()) - 100);
    } else if (step < 224) {
      gauges[id].latency_us = in.u32();
      gauges[id].sampled_s = now_s;
    } else {
      now_s += step - 223u;
    }
  }
}
