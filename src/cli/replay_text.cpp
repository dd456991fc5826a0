#include "replay_text.hpp"

#include <algorithm>

#include "nfsteer/base/text.hpp"
#include "text_table.hpp"

namespace nfsteer {
namespace {

using Column = TextTable::Column;
constexpr auto kRight = TextTable::Align::Right;

// So many are shown of a table's rows, of a list's lines, of moves.
constexpr std::size_t kRowsMax = 40, kLinesMax = 20, kMovesShown = 20;

std::string number(std::uint64_t value) {
  return format("{}", value);
}

double seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

std::string opening(const FlowEvent& event) {
  return format("#{}  {:.6f}  {}", event.packet, seconds(event.after), flow_text(*event.flow));
}

std::string endpoint(const std::string& address, const std::optional<std::uint16_t>& port) {
  if (!port) return address;
  const bool v6 = address.find(':') != std::string::npos;
  return v6 ? format("[{}]:{}", address, *port) : format("{}:{}", address, *port);
}

// "web/web1 at 10.2.0.1:8080", "web", "drop".
std::string whole_place_text(const NamedDecision& decision) {
  const std::string place = place_text(decision);
  return decision.address ? format("{} at {}", place, endpoint(*decision.address, decision.port))
                          : place;
}

// ---- the capture ------------------------------------------------------------------

// Adds "3 dropped" to a list, where there is something to say.
void add(std::vector<std::string>& parts, std::uint64_t count, std::string_view what) {
  if (count > 0) parts.push_back(format("{} {}", count, what));
}

std::string malformed_text(const std::map<std::string, std::uint64_t>& malformed) {
  std::uint64_t sum = 0;
  std::vector<std::string> reasons;
  for (const auto& [reason, count] : malformed) {
    sum += count;
    add(reasons, count, reason);
  }
  return sum == 0 ? "" : format("{} malformed ({})", sum, join(reasons, ", "));
}

std::string line(const char* title, const std::vector<std::string>& parts) {
  return parts.empty() ? "" : format("{:9}{}\n", title, join(parts, ", "));
}

// ---- the rules ----------------------------------------------------------------------

// The rows, and how many of them there are where not all are shown.
class ShortTable {
 public:
  explicit ShortTable(std::vector<Column> columns) : table_(std::move(columns)) {}

  void add(std::vector<std::string> row) {
    if (rows_++ < kRowsMax) table_.add(std::move(row));
  }
  // Nothing where there are no rows.
  std::string text() const {
    if (rows_ == 0) return "";
    const std::string more = rows_ > kRowsMax ? format("... {} more\n", rows_ - kRowsMax) : "";
    return '\n' + table_.text() + more;
  }

 private:
  TextTable table_;
  std::size_t rows_ = 0;
};

std::string policies_text(const ReplayReport& report) {
  ShortTable table({{"POLICY"}, {"FLOWS", kRight}, {""}});
  for (const auto& policy : report.policies)
    if (policy.flows > 0)
      table.add({policy.name, number(policy.flows), policy.dry_run ? "dry run" : ""});
  return table.text();
}

std::string routes_text(const ReplayReport& report) {
  ShortTable table({{"TABLE"}, {"ROUTE"}, {"METRIC", kRight}, {"TO"}, {"FLOWS", kRight}});
  for (const auto& each : report.tables) {
    for (const auto& [route, target, flows] : each.routes)
      table.add({each.name, route.prefix, number(route.metric), target, number(flows)});
    if (each.default_flows > 0)
      table.add({each.name, "default", "-", "-", number(each.default_flows)});
  }
  return table.text();
}

std::string servers_text(const ReplayReport& report) {
  ShortTable table({{"GROUP"}, {"SERVER"}, {"ADDRESS"}, {"FLOWS", kRight}, {"SHARE", kRight}});
  for (const auto& group : report.groups) {
    if (group.failed > 0) table.add({group.name, "(no server)", "-", number(group.failed), "-"});
    if (group.flows == 0) continue;
    for (const auto& server : group.servers)
      table.add({group.name, server.name, endpoint(server.address, server.port),
                 number(server.flows),
                 format("{:.0f} %", 100 * static_cast<double>(server.flows) /
                                        static_cast<double>(group.flows))});
  }
  return table.text();
}

// A heading, and below it the first of the lines.
std::string list_text(const std::string& heading, const std::vector<std::string>& lines,
                      std::uint64_t unlisted = 0) {
  const std::size_t shown = std::min(lines.size(), kLinesMax);
  std::string text = '\n' + heading + '\n';
  for (std::size_t i = 0; i < shown; ++i) text += format("    {}\n", lines[i]);
  const std::uint64_t more = lines.size() - shown + unlisted;
  return more > 0 ? text + format("    ... {} more\n", more) : text;
}

std::string not_met_text(const ReplayReport& report, const std::string& where) {
  const std::uint64_t count = report.not_met.size() + report.not_met_unlisted;
  if (count == 0) return "";
  return list_text(
      format("{} of {}{} met no flow", count, counted(report.rules, "rule", "rules"), where),
      report.not_met, report.not_met_unlisted);
}

// ---- two files ----------------------------------------------------------------------

std::string move_text(const Move& move) {
  return format("{}  {} -> {}\n    by {} -> {}\n    such as {}, at {}\n",
                counted(move.flows, "flow", "flows"), whole_place_text(move.from),
                whole_place_text(move.to), rule_text(move.from), rule_text(move.to), move.example,
                to_utc_string(move.example_at));
}

std::string moves_text(const Comparison& comparison) {
  std::string text;
  const std::size_t shown = std::min(comparison.moves.size(), kMovesShown);
  std::uint64_t left = comparison.moved;
  for (std::size_t i = 0; i < shown; ++i) {
    text += '\n' + move_text(comparison.moves[i]);
    left -= comparison.moves[i].flows;
  }
  if (left > 0) text += format("\n... {} more\n", counted(left, "flow", "flows"));
  return text;
}

std::string changed_text(const Comparison& comparison) {
  std::string text;
  for (const ChangedGroup& group : comparison.changed)
    text += list_text(format("group {} shares out {} in another way", group.name,
                             counted(group.flows, "flow", "flows")),
                      group.changes);
  return text;
}

std::vector<std::string> weak_groups(const ReplayReport& report, const std::string& file) {
  std::vector<std::string> lines;
  for (const auto& group : report.groups)
    if (group.is_weak())
      lines.push_back(format("{} in {}: {} of {}", group.name, file, group.able,
                             counted(group.servers.size(), "server", "servers")));
  return lines;
}

std::string weak_text(const Comparison& comparison, const FileNames& files) {
  std::vector<std::string> lines = weak_groups(comparison.before, files.before);
  const auto more = weak_groups(comparison.after, files.after);
  lines.insert(lines.end(), more.begin(), more.end());
  if (lines.empty()) return "";
  return list_text("groups of which fewer than half of the servers take flows", lines);
}

std::string uncompared_text(const Comparison& comparison) {
  std::vector<std::string> names;
  for (const ReplayReport* report : {&comparison.before, &comparison.after})
    for (const auto& group : report->groups)
      if (!group.is_fixed && group.flows > 0 && std::ranges::find(names, group.name) == names.end())
        names.push_back(group.name);
  if (names.empty()) return "";
  return list_text("groups that choose in turn, by lot or by load: their servers are not compared",
                   names);
}

}  // namespace

std::string flow_line(const FlowEvent& event, const NamedDecision& decision) {
  return format("{}  {}  {}\n", opening(event), whole_place_text(decision), rule_text(decision));
}

std::string move_line(const FlowEvent& event, const NamedDecision& from, const NamedDecision& to) {
  return format("{}  {} -> {}  {} -> {}\n", opening(event), whole_place_text(from),
                whole_place_text(to), rule_text(from), rule_text(to));
}

std::string capture_text(const CaptureCounts& counts) {
  std::string text = format("capture  {}", counted(counts.packets, "packet", "packets"));
  if (counts.first)
    text += format(" in {:.6f} s from {}", seconds(counts.span), to_utc_string(*counts.first));
  std::vector<std::string> kinds, oddities;
  if (counts.opened > 0) kinds.push_back(counted(counts.opened, "new flow", "new flows"));
  add(kinds, counts.followed, "of flows before");
  add(kinds, counts.mid_stream, "mid-stream");
  add(kinds, counts.apart, "of no flow");
  add(kinds, counts.not_ip, "not IP");
  if (const std::string malformed = malformed_text(counts.malformed); !malformed.empty())
    kinds.push_back(malformed);
  add(oddities, counts.truncated, "not captured whole");
  add(oddities, counts.backward, "before the time of the one before");
  if (counts.evicted > 0)
    oddities.push_back(
        format("{} forgotten for want of room", counted(counts.evicted, "flow", "flows")));
  return text + '\n' + line("", kinds) + line("", oddities);
}

std::string report_text(const ReplayReport& report) {
  std::vector<std::string> actions;
  for (const char* action : {"steer", "accept", "drop", "reject"})
    add(actions, report.actions.at(action), action);
  std::string text = format("flows    {}", report.flows);
  if (!actions.empty()) text += format(": {}", join(actions, ", "));
  return text + '\n' + policies_text(report) + routes_text(report) + servers_text(report) +
         not_met_text(report, "");
}

std::string comparison_text(const Comparison& comparison, const FileNames& files) {
  std::string text = format("flows    {}: {} move", comparison.flows, comparison.moved);
  if (comparison.rerouted > 0)
    text += format(", {} go to the same place by another rule", comparison.rerouted);
  return text + '\n' + moves_text(comparison) + changed_text(comparison) +
         weak_text(comparison, files) +
         not_met_text(comparison.before, format(" in {}", files.before)) +
         not_met_text(comparison.after, format(" in {}", files.after)) +
         uncompared_text(comparison);
}

}  // namespace nfsteer
