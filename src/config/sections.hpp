// The sections of a rules file, one file each. Every reader takes the section's
// node and reports what is wrong with it.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "expect.hpp"
#include "nfsteer/policy.hpp"
#include "node.hpp"
#include "reader.hpp"
#include "report.hpp"

namespace nfsteer {

inline constexpr NumberRange kPriorities{-1'000'000, 1'000'000};

// The engine of a file that has no such section.
EngineConfig default_engine();
EngineConfig read_engine(const Node& node, Report& report);
std::optional<Endpoint> read_metrics(const Node& node, Report& report);
CacheConfig read_cache(const Node& node, Report& report);
std::vector<GroupConfig> read_groups(const Node& node, Report& report);
std::vector<CheckConfig> read_checks(const Node& node, Report& report);
std::vector<SetConfig> read_sets(const Node& node, Report& report);
std::vector<ScheduleConfig> read_schedules(const Node& node, Report& report);

struct GeoipSection {
  std::shared_ptr<const Countries> countries;  // null where they could not be read
  CountryGroups groups;
};
GeoipSection read_geoip(const Node& node, Report& report);

std::vector<TableConfig> read_tables(const Node& node, Report& report);
std::vector<PolicyConfig> read_policies(const Node& node, Report& report);

struct RulesFile {
  Config config;
  std::vector<Expectation> expectations;
};
// A whole file. What could not be read has its default, or is left out where it has
// none.
RulesFile read_rules_file(const Node& root, Report& report);

}  // namespace nfsteer
