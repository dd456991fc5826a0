// Short ways to write configurations and flows in tests.
#pragma once

#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "nfsteer/policy.hpp"

namespace nfsteer::testing {

inline ServerConfig server(const std::string& name, const std::string& address,
                           std::optional<std::uint16_t> port = {}, std::uint32_t weight = 1) {
  return {name, *parse_address(address), port, weight};
}

inline RouteConfig route(const std::string& prefix, const std::string& group,
                         std::uint32_t metric = 0) {
  return {.prefix = *parse_prefix(prefix), .target = ToGroup{group}, .metric = metric};
}

inline RouteConfig route(const std::string& prefix, Action action, std::uint32_t metric = 0) {
  return {.prefix = *parse_prefix(prefix), .target = action, .metric = metric};
}

inline PolicyConfig policy(const std::string& name, std::int32_t priority, Match match,
                           PolicyTarget target) {
  PolicyConfig made{.name = name, .priority = priority, .match = {}, .target = std::move(target)};
  if (!match.empty()) made.match.push_back(std::move(match));
  return made;
}

inline TableConfig table(const std::string& name, std::int32_t priority,
                         std::vector<RouteConfig> routes) {
  return {.name = name, .priority = priority, .default_group = {}, .routes = std::move(routes)};
}

// Each day from one time to another, in UTC.
inline ScheduleConfig schedule(const std::string& name, const char* from, const char* to) {
  return {name, "Etc/UTC", {{kEveryDay, *parse_time_of_day(from), *parse_time_of_day(to)}}, {}};
}

// 10.0.0.0/8 and 2001:db8::/32 are in DE, 10.1.0.0/16 in CH, 11.0.0.0/8 in FR.
inline std::shared_ptr<const Countries> countries() {
  std::vector<Countries::Record> records = {
      {}, {"DE", "EU", true}, {"CH", "EU", false}, {"FR", "EU", true}};
  std::vector<Countries::Entry> entries = {{*parse_prefix("10.0.0.0/8"), 1},
                                           {*parse_prefix("2001:db8::/32"), 1},
                                           {*parse_prefix("10.1.0.0/16"), 2},
                                           {*parse_prefix("11.0.0.0/8"), 3}};
  return std::make_shared<const Countries>(std::move(records), std::move(entries));
}

// Decides as if no schedule were active.
inline Decision decide(const Snapshot& snapshot, const Flow& flow) {
  return nfsteer::decide(snapshot, situation_at(snapshot, Time()), flow);
}

inline Criterion criterion(const std::string& field, std::initializer_list<const char*> values) {
  Criterion made{find_field(field), {}, {}};
  for (const char* value : values)
    if (!made.add(value)) throw std::invalid_argument(value);
  return made;
}

inline Flow flow(const std::string& protocol, const std::string& source, unsigned sport,
                 const std::string& destination, unsigned dport) {
  Flow made;
  made.tuple = {*parse_address(source), *parse_address(destination),
                static_cast<std::uint16_t>(sport), static_cast<std::uint16_t>(dport),
                *parse_protocol(protocol)};
  made.has_ports = true;
  return made;
}

}  // namespace nfsteer::testing
