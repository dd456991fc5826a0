#include "status_text.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "nfsteer/base/text.hpp"
#include "text_table.hpp"

namespace nfsteer {
namespace {

using Column = TextTable::Column;
constexpr auto kRight = TextTable::Align::Right;

std::string number(std::uint64_t value) {
  return format("{}", value);
}

// The two largest units: "3d 4h", "12m 5s".
std::string duration(double seconds) {
  constexpr double kMax = 1e15;  // what an engine may claim
  const auto s = static_cast<std::uint64_t>(std::clamp(seconds, 0.0, kMax));
  const auto minutes = s / 60, hours = minutes / 60, days = hours / 24;
  if (days > 0) return format("{}d {}h", days, hours % 24);
  if (hours > 0) return format("{}h {}m", hours, minutes % 60);
  if (minutes > 0) return format("{}m {}s", minutes, s % 60);
  return format("{}s", s);
}

// "12m 5s ago"; a clock that was set back does not make it negative.
std::string ago(Time time) {
  using Seconds = std::chrono::duration<double>;  // of any two times
  const Seconds passed = Seconds(std::chrono::system_clock::now().time_since_epoch()) -
                         Seconds(time.time_since_epoch());
  return duration(passed.count()) + " ago";
}

// ---- the first lines ----------------------------------------------------------

// All queues as one; `queue` stays 0.
QueueStatus sum(const std::vector<QueueStatus>& queues) {
  QueueStatus total;
  for (const QueueStatus& queue : queues) {
    total.received += queue.received;
    total.accepted += queue.accepted;
    total.dropped += queue.dropped;
    total.rejected += queue.rejected;
    total.passed += queue.passed;
    total.waiting += queue.waiting;
    for (const auto& [name, count] : queue.errors) total.errors[name] += count;
  }
  return total;
}

std::string queue_numbers(const std::vector<QueueStatus>& queues) {
  if (queues.empty()) return "none";
  const auto first = queues.front().queue, last = queues.back().queue;
  return first == last ? format("{}", first) : format("{}-{}", first, last);
}

std::string errors_text(const std::map<std::string, std::uint64_t>& errors) {
  std::string text;
  for (const auto& [name, count] : errors)
    if (count > 0) text += format("{}{} {}", text.empty() ? "" : "   ", name, count);
  return text.empty() ? "none" : text;
}

// A cache that holds nothing and was not asked is not worth a line: it may be off.
std::string cache_text(const char* title, const CacheCounts& cache) {
  if (cache.entries + cache.hits + cache.misses == 0) return "";
  return format("{} entries {}   hits {}   misses {}   evictions {}\n", title, cache.entries,
                cache.hits, cache.misses, cache.evictions);
}

std::string conntrack_text(const ConntrackStatus& conntrack) {
  if (conntrack.max == 0) return "";
  return format("conntrack entries {} of {}   events {}   overruns {}   resyncs {}   deleted {}\n",
                conntrack.entries, conntrack.max, conntrack.events, conntrack.overruns,
                conntrack.resyncs, conntrack.deleted);
}

std::string traffic_text(const TrafficStatistics& traffic) {
  if (traffic.active + traffic.total == 0) return "";
  return format("flows    active {}   total {}   failed {}   packets {}   bytes {}\n",
                traffic.active, traffic.total, traffic.failed, traffic.packets, traffic.bytes);
}

std::string summary(const Status& status) {
  const QueueStatus total = sum(status.queues);
  return format("nfsteer {}  {}  pid {}  up {}  configuration {}  engine start {}\n",
                status.version, status.state, status.pid, duration(status.uptime_s),
                status.generation, status.starts) +
         format("queues   {}   waiting {}\n", queue_numbers(status.queues), total.waiting) +
         format("packets  received {}   accepted {}   dropped {}   rejected {}   passed {}\n",
                total.received, total.accepted, total.dropped, total.rejected, total.passed) +
         format("errors   {}\n", errors_text(total.errors)) +
         cache_text("cache   ", status.counted.cache) +
         cache_text("routes  ", status.counted.route_cache) + traffic_text(status.counted.traffic) +
         conntrack_text(status.conntrack);
}

// ---- the tables ---------------------------------------------------------------

std::string endpoint(const ServerStatistics& server) {
  if (!server.port) return server.address;
  const bool v6 = server.address.find(':') != std::string::npos;
  return v6 ? format("[{}]:{}", server.address, *server.port)
            : format("{}:{}", server.address, *server.port);
}

std::string share(const ServerStatistics& server, const GroupStatistics& group) {
  if (group.selected == 0) return "-";
  const auto of_all = static_cast<double>(server.selected) / static_cast<double>(group.selected);
  return format("{:.0f} %", 100 * of_all);
}

// "850us", "1.2ms", "3.0s"; "-" where none was measured.
std::string latency(std::uint64_t us, const Latencies::Summary& summary) {
  if (summary.samples == 0) return "-";
  const auto value = static_cast<double>(us);
  if (us < 1'000) return format("{}us", us);
  return us < 1'000'000 ? format("{:.1f}ms", value / 1e3) : format("{:.1f}s", value / 1e6);
}

// The first tier that gets flows.
std::string tier(const GroupStatistics& group) {
  const std::string text = group.tier ? number(*group.tier) : "-";
  return group.panic ? text + " PANIC" : text;
}

// In capitals what somebody has set.
std::string state(const ServerStatistics& server) {
  if (server.state == name(ServerState::Drain)) return "DRAIN";
  if (server.state == name(ServerState::Maintenance)) return "MAINTENANCE";
  if (server.health == "down") return "down";
  return server.ejected ? "ejected" : "up";
}

std::string groups_text(const std::vector<GroupStatistics>& groups) {
  TextTable table({Column{"GROUP"}, Column{"ALGORITHM"}, Column{"FAILOVER"}, Column{"TIER"},
                   Column{"REQUESTS", kRight}, Column{"NO SERVER", kRight},
                   Column{"ACTIVE", kRight}, Column{"FAILED", kRight}, Column{"CLIENTS", kRight}});
  for (const GroupStatistics& group : groups)
    table.add({group.name, group.algorithm, group.failover, tier(group), number(group.requests),
               number(group.failed), number(group.traffic.active), number(group.traffic.failed),
               group.affinity ? number(group.affinity->clients) : "-"});
  return table.text();
}

std::string servers_text(const std::vector<GroupStatistics>& groups) {
  TextTable table({Column{"SERVER"}, Column{"ADDRESS"}, Column{"STATE"}, Column{"WEIGHT", kRight},
                   Column{"SHARE", kRight}, Column{"SELECTED", kRight}, Column{"ACTIVE", kRight},
                   Column{"FAILED", kRight}, Column{"P50", kRight}, Column{"P99", kRight}});
  for (const GroupStatistics& group : groups)
    for (const ServerStatistics& server : group.servers) {
      const Latencies::Summary& summary = server.traffic.latency_us;
      table.add({format("{}/{}", group.name, server.name), endpoint(server), state(server),
                 number(server.weight), share(server, group), number(server.selected),
                 number(server.traffic.active), number(server.traffic.failed),
                 latency(summary.p50_us, summary), latency(summary.p99_us, summary)});
    }
  return table.text();
}

// Of the servers that have checks.
std::string checks_text(const std::vector<GroupStatistics>& groups) {
  TextTable table(
      {Column{"SERVER"}, Column{"CHECK"}, Column{"SINCE"}, Column{"LAST"}, Column{"REASON"}});
  for (const GroupStatistics& group : groups)
    for (const ServerStatistics& server : group.servers) {
      if (!server.check) continue;
      const auto& [last, since, reason] = *server.check;
      table.add({format("{}/{}", group.name, server.name), server.health, since ? ago(*since) : "-",
                 last ? ago(*last) : "-", printable(reason)});
    }
  return table.text();
}

bool has_checks(const std::vector<GroupStatistics>& groups) {
  return std::ranges::any_of(groups, [](const GroupStatistics& group) {
    return std::ranges::any_of(group.servers,
                               [](const ServerStatistics& server) { return !!server.check; });
  });
}

std::string policies_text(const std::vector<PolicyStatistics>& policies) {
  TextTable table({Column{"POLICY"}, Column{"PRIORITY", kRight}, Column{"PACKETS", kRight},
                   Column{"BYTES", kRight}, Column{"LAST MATCH"}});
  for (const PolicyStatistics& policy : policies)
    table.add({policy.dry_run ? policy.name + " (dry run)" : policy.name,
               format("{}", policy.priority), number(policy.packets), number(policy.bytes),
               policy.last_match ? ago(*policy.last_match) : "-"});
  return table.text();
}

// The routes that most packets took are named below their table.
constexpr std::size_t kRoutesShown = 10;

std::string tables_text(const std::vector<TableStatistics>& tables) {
  TextTable table({Column{"TABLE"}, Column{"PRIORITY", kRight}, Column{"ROUTES", kRight},
                   Column{"PREFIX"}, Column{"TO"}, Column{"METRIC", kRight},
                   Column{"PACKETS", kRight}, Column{"BYTES", kRight}});
  constexpr std::size_t kColumns = 8;
  for (const TableStatistics& each : tables) {
    std::vector<std::string> row = {each.name, format("{}", each.priority), number(each.routes)};
    if (each.used.empty()) {
      row.resize(kColumns);
      table.add(row);
    }
    for (std::size_t i = 0; i < std::min(each.used.size(), kRoutesShown); ++i) {
      const RouteStatistics& route = each.used[i];
      row.insert(row.end(), {route.prefix, route.target, number(route.metric),
                             number(route.packets), number(route.bytes)});
      table.add(std::move(row));
      row.assign(3, "");  // the table is named once
    }
  }
  return table.text();
}

std::string schedules_text(const std::vector<ScheduleStatistics>& schedules) {
  TextTable table({Column{"SCHEDULE"}, Column{"ACTIVE"}, Column{"NEXT CHANGE"}});
  for (const ScheduleStatistics& schedule : schedules)
    table.add({schedule.name, schedule.active ? "yes" : "no",
               schedule.next_change ? to_utc_string(*schedule.next_change) : "never"});
  return table.text();
}

}  // namespace

std::string status_text(const Status& status) {
  std::string text = summary(status);
  const Statistics& counted = status.counted;
  if (!counted.groups.empty())
    text += '\n' + groups_text(counted.groups) + '\n' + servers_text(counted.groups);
  if (has_checks(counted.groups)) text += '\n' + checks_text(counted.groups);
  if (!counted.policies.empty()) text += '\n' + policies_text(counted.policies);
  if (!counted.tables.empty()) text += '\n' + tables_text(counted.tables);
  if (!counted.schedules.empty()) text += '\n' + schedules_text(counted.schedules);
  return text;
}

}  // namespace nfsteer
