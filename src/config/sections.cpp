#include "sections.hpp"

#include <utility>

namespace nfsteer {

RulesFile read_rules_file(const Node& root, Report& report) {
  TableReader in(root, "", report);
  RulesFile made;
  Config& config = made.config;
  const Node* engine = in.find("engine");
  config.engine = engine ? read_engine(*engine, report) : default_engine();
  if (const Node* metrics = in.find("metrics"))
    config.engine.metrics = read_metrics(*metrics, report);
  if (const Node* cache = in.find("cache")) config.cache = read_cache(*cache, report);
  if (const Node* check = in.find("check")) config.checks = read_checks(*check, report);
  if (const Node* group = in.find("group")) config.groups = read_groups(*group, report);
  if (const Node* set = in.find("set")) config.sets = read_sets(*set, report);
  if (const Node* schedule = in.find("schedule"))
    config.schedules = read_schedules(*schedule, report);
  if (const Node* geoip = in.find("geoip")) {
    GeoipSection section = read_geoip(*geoip, report);
    config.countries = std::move(section.countries);
    config.country_groups = std::move(section.groups);
  }
  if (const Node* table = in.find("table")) config.tables = read_tables(*table, report);
  if (const Node* policy = in.find("policy")) config.policies = read_policies(*policy, report);
  if (const Node* expect = in.find("expect"))
    made.expectations = read_expectations(*expect, report);
  in.finish();
  return made;
}

}  // namespace nfsteer
