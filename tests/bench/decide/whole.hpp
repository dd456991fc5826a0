// The whole decision, beside the sum of its parts; and what the route cache saves.
#pragma once

#include <cstdlib>
#include <memory>
#include <vector>

#include "../../allocations.hpp"
#include "../../rule/rule_sets.hpp"
#include "../../rule/rule_trace.hpp"
#include "../measure.hpp"
#include "nfsteer/steering.hpp"

namespace nfsteer::bench {

inline constexpr std::size_t kFlows = std::size_t{1} << 17;

// The groups that routes lead to: 16, of two servers of each family.
inline void add_groups(Config& config) {
  for (int i = 0; i < 16; ++i) {
    GroupConfig group;
    group.name = "group" + std::to_string(i);
    for (unsigned k = 1; k <= 2; ++k) {
      const auto host = static_cast<std::uint32_t>(i) * 256 + k;
      group.servers.push_back({"v4-" + std::to_string(k), Address::v4(0x0a020000 + host), {}, 1});
      group.servers.push_back({"v6-" + std::to_string(k), Address::v6(1, host), {}, 1});
    }
    config.groups.push_back(std::move(group));
  }
}

inline TableConfig internet(const std::vector<Prefix>& prefixes) {
  TableConfig table;
  table.name = "internet";
  table.default_group = "group0";
  std::mt19937_64 random(6);
  for (const Prefix& prefix : prefixes) {
    RouteConfig& route = table.routes.emplace_back();
    route.prefix = prefix;
    route.target = ToGroup{"group" + std::to_string(random() % 16)};
  }
  return table;
}

// As many policies, each of which sends what it matches to the table.
inline Config make_config(const std::vector<Match>& rules, const std::vector<Prefix>& prefixes) {
  Config config;
  add_groups(config);
  config.tables.push_back(internet(prefixes));
  for (std::size_t i = 0; i < rules.size(); ++i) {
    PolicyConfig policy;
    policy.name = "p" + std::to_string(i);
    policy.match = {rules[i]};
    policy.target = ToTable{"internet"};
    config.policies.push_back(std::move(policy));
  }
  return config;
}

// Flows that meet the rules, to destinations of the table.
inline std::vector<Flow> make_flows(const std::vector<Match>& rules,
                                    const std::vector<Prefix>& prefixes) {
  std::mt19937_64 random(7);
  std::vector<Flow> flows;
  for (const testing::Header& header : testing::make_trace(rules, kFlows)) {
    Flow flow = header.flow;
    if (flows.size() % 2 == 0) {  // the others meet the rules that name a destination
      const Prefix& prefix = prefixes[random() % prefixes.size()];
      if (prefix.address.family == flow.tuple.source.family) {
        flow.tuple.destination = prefix.last();
        flow.tuple.destination.low -= random() & (prefix.last().low - prefix.first().low);
      }
    }
    flow.bytes = 60;
    flows.push_back(flow);
  }
  return flows;
}

inline void bench_whole(const char* name, const std::vector<Match>& rules,
                        const std::vector<Prefix>& prefixes) {
  const Config config = make_config(rules, prefixes);
  GroupStates states;
  const auto snapshot = compile(config, states);
  const Situation situation = situation_at(*snapshot, Time());
  const std::vector<Flow> flows = make_flows(rules, prefixes);
  const Table& table = snapshot->tables[0];
  const Balancer& balancer = *situation.lineups[0]->v4.tiers()[0].balancer;

  const std::uint64_t before = testing::allocations();
  for (const Flow& flow : flows) keep(decide(*snapshot, situation, flow).server);
  const std::uint64_t allocated = testing::allocations() - before;
  const auto times = measure(
      flows.size(),
      [&] {
        std::uint64_t sum = 0;
        for (const Flow& flow : flows) sum += decide(*snapshot, situation, flow).server;
        return sum;
      },
      [&] {
        std::uint64_t sum = 0;
        for (const Flow& flow : flows)
          sum += snapshot->classifier.first_match({flow, situation.activity});
        return sum;
      },
      [&] {
        std::uint64_t sum = 0;
        for (const Flow& flow : flows) sum += table.best(flow.tuple.destination).first;
        return sum;
      },
      [&] {
        std::uint64_t sum = 0;
        for (const Flow& flow : flows) sum += balancer.pick({hash(flow.tuple), 0, Turn::Take});
        return sum;
      });
  const double parts = times[1].median() + times[2].median() + times[3].median();
  print_row(name, times[0]);
  print_row("  classify", times[1]);
  print_row("  longest prefix", times[2]);
  print_row("  hash and balancer", times[3]);
  std::printf("%-24s %.2f times the sum of its parts; %llu allocations; %s\n", "",
              times[0].median() / parts, static_cast<unsigned long long>(allocated),
              instructions_text(
                  [&] {
                    std::uint64_t sum = 0;
                    for (const Flow& flow : flows) sum += decide(*snapshot, situation, flow).server;
                    keep(sum);
                  },
                  flows.size())
                  .c_str());
}

// Flows of a few thousand clients and servers, each flow from another port: what
// the route cache is for.
inline void bench_route_cache(const char* name, const std::vector<Match>& rules,
                              const std::vector<Prefix>& prefixes) {
  Config config = make_config(rules, prefixes);
  config.cache.entries = 0;
  std::vector<Flow> flows;
  const auto seeds = make_flows(rules, prefixes);
  std::mt19937_64 random(8);
  for (std::size_t i = 0; i < kFlows; ++i) {
    Flow flow = seeds[random() % 4096];
    flows.push_back(flow);
  }
  Steering with(1), without(1);
  config.cache.route_entries = 32'768;
  if (!with.apply(config).empty()) std::abort();
  config.cache.route_entries = 0;
  if (!without.apply(config).empty()) std::abort();
  const auto pass = [&flows](Steering& steering) {
    return [&flows, &decider = steering.decider(0)] {
      std::uint64_t sum = 0;
      decider.enter();
      for (const Flow& flow : flows) sum += decider.decide(flow, 1).server;
      decider.leave();
      return sum;
    };
  };
  const auto times = measure(flows.size(), pass(with), pass(without));
  print_row(name, times[0], "without it", times[1]);
}

}  // namespace nfsteer::bench
