#include "expect.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "nfsteer/base/text.hpp"
#include "reader.hpp"

namespace nfsteer {
namespace {

using Names = std::vector<std::string>;

template <typename T>
Names names_of(const std::vector<T>& list) {
  Names names;
  for (const T& each : list) names.push_back(each.name);
  return names;
}

Names server_names(const Config& config) {
  Names names;
  for (const GroupConfig& group : config.groups)
    for (const ServerConfig& server : group.servers)
      names.push_back(format("{}/{}", group.name, server.name));
  return names;
}

// What can be expected, in the order in which it is compared: the first that is not so
// is told.
struct Part {
  std::string_view key;
  bool can_be_none;  // "" is none
  Names (*known)(const Config& config);
  std::optional<std::string> (*actual)(const Snapshot& snapshot, const Decision& decision);
};
constexpr Part kParts[] = {
    {"action", false,
     [](const Config&) {
       return Names{"steer", "accept", "drop", "reject"};
     },
     [](const Snapshot&, const Decision& made) -> std::optional<std::string> {
       return name(made.action);
     }},
    {"group", false, [](const Config& config) { return names_of(config.groups); },
     [](const Snapshot& snapshot, const Decision& made) -> std::optional<std::string> {
       if (made.action != Action::Steer) return std::nullopt;
       return snapshot.groups[*made.group].name;
     }},
    {"server", false, server_names,
     [](const Snapshot& snapshot, const Decision& made) -> std::optional<std::string> {
       if (made.action != Action::Steer) return std::nullopt;
       return format("{}/{}", snapshot.groups[*made.group].name,
                     snapshot.servers[made.server]->name);
     }},
    {"policy", true, [](const Config& config) { return names_of(config.policies); },
     [](const Snapshot& snapshot, const Decision& made) -> std::optional<std::string> {
       if (!made.policy) return std::nullopt;
       return snapshot.policies[*made.policy].name;
     }},
    {"table", true, [](const Config& config) { return names_of(config.tables); },
     [](const Snapshot& snapshot, const Decision& made) -> std::optional<std::string> {
       if (!made.table) return std::nullopt;
       return snapshot.tables[*made.table].name();
     }},
};

// ---- reading ----------------------------------------------------------------------

// A text, or a number where the field has numbers.
std::optional<std::string> read_value(const Node& node, Report& report) {
  if (node.kind == Node::Kind::Integer) return std::to_string(node.integer);
  return read_text(node, report);
}

bool read_flow(const Node& node, FlowQuestion& question, Report& report) {
  const auto text = read_text(node, report);
  if (!text) return false;
  question.flow = *text;
  const auto flow = parse_flow(question);
  if (!flow) report.value_mistake(node, flow.error().message);
  return flow.has_value();
}

// An option of the flow, which is read together with it.
bool read_option(const FlowOption& option, const Node& node, FlowQuestion& question,
                 Report& report) {
  const auto value = read_value(node, report);
  if (!value) return false;
  FlowQuestion alone{.flow = question.flow};
  alone.*option.value = question.*option.value = *value;
  const auto flow = parse_flow(alone);
  const auto at = parse_time(alone, Time());
  if (flow && at) return true;
  report.value_mistake(node, flow ? at.error().message : flow.error().message);
  return false;
}

std::optional<Expectation> read_expectation(const Node& node, const std::string& where,
                                            Report& report) {
  TableReader in(node, where, report);
  in.require({"flow"});
  in.require({"server", "group", "action", "policy", "table"});
  Expectation expectation;
  const Node* const flow = in.find("flow");
  const bool is_flow = flow && read_flow(*flow, expectation.question, report);
  bool good = is_flow;
  for (const FlowOption& option : kFlowOptions)
    if (const Node* value = in.find(option.name); value && is_flow)
      good &= read_option(option, *value, expectation.question, report);
  for (const Part& part : kParts) {
    const Node* const wanted = in.find(part.key);
    if (auto text = wanted ? read_text(*wanted, report) : std::nullopt)
      expectation.wanted.push_back({wanted, std::move(*text)});
  }
  in.finish();
  return good ? std::optional(std::move(expectation)) : std::nullopt;
}

// ---- proof ------------------------------------------------------------------------

class Proof {
 public:
  Proof(const Config& config, Time now)
      : config_(config),
        now_(now),
        snapshot_(compile(config, states_)),
        situation_(situation_at(*snapshot_, now)) {}

  // The first part that is not as it should be.
  std::optional<Mistake> refute(const Expectation& expectation) {
    const auto flow = parse_flow(expectation.question);
    const auto at = parse_time(expectation.question, now_);
    if (!flow || !at) return std::nullopt;  // as it was read, it can be
    situation_.activity = activity_at(*snapshot_, *at);
    const Decision decision = decide(*snapshot_, situation_, *flow, Turn::Peek);
    for (const auto& [node, value] : expectation.wanted) {
      const Part& part = part_of(*node);
      const auto actual = part.actual(*snapshot_, decision);
      if (part.can_be_none && value.empty() ? !actual : actual == value) continue;
      if (auto unknown = refute_name(part, *node, value)) return unknown;
      const Explanation why = explain(*snapshot_, situation_, *flow, *at);
      return Mistake{node->place, difference(part, value, actual), reason(part, value, why)};
    }
    return std::nullopt;
  }

 private:
  static const Part& part_of(const Node& node) {
    return *std::ranges::find(kParts, std::string_view(node.key), &Part::key);
  }

  std::optional<Mistake> refute_name(const Part& part, const Node& node,
                                     const std::string& value) const {
    const Names known = part.known(config_);
    const bool is_known = std::ranges::find(known, value) != known.end();
    if (is_known || (part.can_be_none && value.empty())) return std::nullopt;
    const auto meant = nearest(value, std::vector<std::string_view>(known.begin(), known.end()));
    const bool has_form = part.key != "server" || value.find('/') != value.npos;
    return Mistake{node.place, format("{} `{}` does not exist", part.key, printable(value)),
                   meant      ? format("did you mean `{}`?", *meant)
                   : has_form ? ""
                              : "a server is named GROUP/SERVER"};
  }

  static std::string difference(const Part& part, const std::string& value,
                                const std::optional<std::string>& actual) {
    const auto quoted = [](const std::string& name) { return format("`{}`", printable(name)); };
    return format(
        "expected {}, but it is {}",
        value.empty() ? format("no {}", part.key) : format("{} {}", part.key, quoted(value)),
        actual ? quoted(*actual) : "none");
  }

  // Why the policy does not decide, or else what does.
  std::string reason(const Part& part, const std::string& value, const Explanation& why) const {
    if (part.key == "policy" && !value.empty()) {
      const auto asked = std::ranges::find_if(
          why.steps, [&](const Step& step) { return step.kind == "policy" && step.name == value; });
      if (asked != why.steps.end()) return format("{}: {}", asked->outcome, asked->why);
      if (!is_enabled(value)) return "the policy is not enabled";
    }
    const auto decides = std::ranges::find_if(why.steps, [](const Step& step) {
      return step.outcome == "taken" && (step.kind == "policy" || step.kind == "route" ||
                                         step.kind == "default" || step.kind == "on_no_route");
    });
    if (decides == why.steps.end()) return "";
    const std::string name = decides->name == why.action ? "" : ' ' + decides->name;
    return format("{} by {}{}{}{}", why.action, decides->kind, name,
                  decides->why.empty() ? "" : ": ", decides->why);
  }

  bool is_enabled(const std::string& name) const {
    return std::ranges::find(snapshot_->policies, name, &Policy::name) != snapshot_->policies.end();
  }

  const Config& config_;
  const Time now_;
  GroupStates states_;
  const std::unique_ptr<const Snapshot> snapshot_;
  Situation situation_;
};

}  // namespace

std::vector<Expectation> read_expectations(const Node& node, Report& report) {
  return read_list<Expectation>(node, "expect", report, read_expectation);
}

std::vector<Mistake> prove(const std::vector<Expectation>& expectations, const Config& config,
                           Time now) {
  std::vector<Mistake> mistakes;
  if (expectations.empty()) return mistakes;
  Proof proof(config, now);
  for (const Expectation& expectation : expectations)
    if (auto mistake = proof.refute(expectation)) mistakes.push_back(std::move(*mistake));
  return mistakes;
}

}  // namespace nfsteer
