#include "sections.hpp"

namespace nfsteer {

Config read_config(const Node& root, Report& report) {
  TableReader in(root, "", report);
  Config config;
  const Node* engine = in.find("engine");
  config.engine = engine ? read_engine(*engine, report) : default_engine();
  if (const Node* group = in.find("group")) config.groups = read_groups(*group, report);
  if (const Node* table = in.find("table")) config.tables = read_tables(*table, report);
  if (const Node* policy = in.find("policy")) config.policies = read_policies(*policy, report);
  in.finish();
  return config;
}

}  // namespace nfsteer
