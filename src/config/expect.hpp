// [[expect]]: flows of which a rules file says itself what becomes of them.
#pragma once

#include <string>
#include <vector>

#include "nfsteer/explain.hpp"
#include "nfsteer/policy.hpp"
#include "node.hpp"
#include "report.hpp"

namespace nfsteer {

struct Expectation {
  // What is to hold: of a server, a group, an action, a policy or a table, by the
  // node's key.
  struct Wanted {
    const Node* node = nullptr;  // of the file's tree, which outlives it
    std::string value;
  };

  FlowQuestion question;
  std::vector<Wanted> wanted;
};

std::vector<Expectation> read_expectations(const Node& node, Report& report);

// Decides each flow as the engine would that starts with the configuration, at the
// expectation's time or at `now`. Those that do not hold, each at the first value that is
// not so. REQUIRES: validate(config) is empty
std::vector<Mistake> prove(const std::vector<Expectation>& expectations, const Config& config,
                           Time now);

}  // namespace nfsteer
