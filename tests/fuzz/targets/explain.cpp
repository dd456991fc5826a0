// Questions about flows, as people and clients write them, a line each: the flow, then
// its options. Each is refused with a reason, or explained as decide() decides.
#include <array>
#include <memory>

#include "../fuzz.hpp"
#include "cli/explanation_text.hpp"
#include "nfsteer/config.hpp"
#include "nfsteer/engine.hpp"
#include "nfsteer/explain.hpp"

using namespace nfsteer;

namespace {

constexpr std::string_view kRules = R"(
[group.web]
algorithm = "maglev"
servers = [{ name = "a", address = "10.2.0.1", port = 80 },
           { name = "b", address = "2001:db8:2::1", max_connections = 1 },
           { name = "c", address = "10.2.0.3", backup = true }]
affinity = { key = "saddr", max = 64 }
[group.six]
servers = [{ name = "d", address = "2001:db8:2::2", state = "drain" },
           { name = "e", address = "2001:db8:2::3" }]
[table.main]
routes = [{ prefix = "10.0.0.0/8", group = "web" }, { prefix = "10.9.0.0/16", action = "drop" },
          { prefix = "2001:db8::/32", group = "six", weight = 2 },
          { prefix = "2001:db8::/32", group = "web" }]
default_group = "web"
[set.near]
prefixes = ["192.0.2.0/24", "2001:db8::/48"]
[schedule.night]
timezone = "Europe/Zurich"
windows = [{ days = "mon-fri", from = "22:00", to = "06:00" }]
except = [2026-12-25]
[[policy]]
name = "first"
match = [{ saddr = "@near", dport = [80, "90-99"], schedule = "night" }, { mark = "1/0xff" }]
group = "web"
[[policy]]
name = "second"
match = { iif = "eth*", oif = "!lo", proto = ["tcp", "icmp", 58], icmp_type = "!redirect" }
table = "main"
[[policy]]
name = "third"
match = { uid = "0-99", gid = "!5", sport = "!1-1023" }
dry_run = true
action = "reject"
)";

const Snapshot& snapshot() {
  static GroupStates states;
  static const auto compiled = [] {
    const LoadResult loaded = parse_config(kRules, "rules.toml");
    FUZZ_CHECK(std::holds_alternative<Config>(loaded));
    return compile(std::get<Config>(loaded), states);
  }();
  return *compiled;
}

FlowQuestion read_question(std::string_view text) {
  FlowQuestion question;
  const auto next_line = [&text]() -> std::optional<std::string> {
    const std::string line(text.substr(0, text.find('\n')));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    return line.empty() ? std::nullopt : std::optional(line);
  };
  question.flow = next_line().value_or("");
  for (const FlowOption& option : kFlowOptions) question.*option.value = next_line();
  return question;
}

void check(const Flow& flow, Time time) {
  const Situation situation = situation_at(snapshot(), time);
  const Decision decision = decide(snapshot(), situation, flow, Turn::Peek);
  const Explanation told = explain(snapshot(), situation, flow, time);
  FUZZ_CHECK(told.action == (decision.action == Action::Steer    ? "steer"
                             : decision.action == Action::Accept ? "accept"
                             : decision.action == Action::Drop   ? "drop"
                                                                 : "reject"));
  FUZZ_CHECK(told.mark == mark_bits(snapshot().engine.mark, decision));
  FUZZ_CHECK(told.group.has_value() == decision.group.has_value());
  FUZZ_CHECK(!told.steps.empty() && told.at == to_utc_string(time));
  FUZZ_CHECK(!json_of(told).empty() && !explanation_text(told).empty());
}

}  // namespace

FUZZ_TARGET(explain) {
  const Time now(std::chrono::seconds(1'800'000'000));
  const FlowQuestion question = read_question(fuzz::text_of(input));
  const auto flow = parse_flow(question);
  const auto time = parse_time(question, now);
  FUZZ_CHECK(flow || !flow.error().message.empty());
  FUZZ_CHECK(time || !time.error().message.empty());
  if (flow) FUZZ_CHECK(flow->tuple.source.family == flow->tuple.destination.family);
  if (time) FUZZ_CHECK(next_activity(snapshot(), *time) > *time);
  if (flow && time) check(*flow, *time);
}
