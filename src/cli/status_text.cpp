#include "status_text.hpp"

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
  const auto s = static_cast<std::uint64_t>(seconds < 0 ? 0 : seconds);
  const auto minutes = s / 60, hours = minutes / 60, days = hours / 24;
  if (days > 0) return format("{}d {}h", days, hours % 24);
  if (hours > 0) return format("{}h {}m", hours, minutes % 60);
  if (minutes > 0) return format("{}m {}s", minutes, s % 60);
  return format("{}s", s);
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

std::string summary(const Status& status) {
  const QueueStatus total = sum(status.queues);
  const CacheStatus& cache = status.cache;
  return format("nfsteer {}  {}  pid {}  up {}  configuration {}  engine start {}\n",
                status.version, status.state, status.pid, duration(status.uptime_s),
                status.generation, status.starts) +
         format("queues   {}   waiting {}\n", queue_numbers(status.queues), total.waiting) +
         format("packets  received {}   accepted {}   dropped {}   rejected {}   passed {}\n",
                total.received, total.accepted, total.dropped, total.rejected, total.passed) +
         format("errors   {}\n", errors_text(total.errors)) +
         format("cache    entries {}   hits {}   misses {}   evictions {}\n", cache.entries,
                cache.hits, cache.misses, cache.evictions);
}

// ---- the tables ---------------------------------------------------------------

std::string endpoint(const ServerStatus& server) {
  if (!server.port) return server.address;
  const bool v6 = server.address.find(':') != std::string::npos;
  return v6 ? format("[{}]:{}", server.address, *server.port)
            : format("{}:{}", server.address, *server.port);
}

std::string share(const ServerStatus& server, const GroupStatus& group) {
  if (group.selected == 0) return "-";
  const auto of_all = static_cast<double>(server.selected) / static_cast<double>(group.selected);
  return format("{:.0f} %", 100 * of_all);
}

std::string groups_text(const std::vector<GroupStatus>& groups) {
  TextTable table({Column{"GROUP"}, Column{"ALGORITHM"}, Column{"REQUESTS", kRight},
                   Column{"FAILED", kRight}, Column{"SERVER"}, Column{"ADDRESS"}, Column{"STATE"},
                   Column{"WEIGHT", kRight}, Column{"SHARE", kRight}, Column{"SELECTED", kRight}});
  for (const GroupStatus& group : groups) {
    std::vector<std::string> row = {group.name, group.algorithm, number(group.requests),
                                    number(group.failed)};
    for (const ServerStatus& server : group.servers) {
      row.insert(row.end(), {server.name, endpoint(server), server.state, number(server.weight),
                             share(server, group), number(server.selected)});
      table.add(std::move(row));
      row.assign(4, "");  // the group is named once
    }
  }
  return table.text();
}

std::string policies_text(const std::vector<PolicyStatus>& policies) {
  TextTable table({Column{"POLICY"}, Column{"PRIORITY", kRight}, Column{"PACKETS", kRight},
                   Column{"BYTES", kRight}});
  for (const PolicyStatus& policy : policies)
    table.add(
        {policy.name, format("{}", policy.priority), number(policy.packets), number(policy.bytes)});
  return table.text();
}

std::string tables_text(const std::vector<TableStatus>& tables) {
  TextTable table({Column{"TABLE"}, Column{"PRIORITY", kRight}, Column{"ROUTES", kRight}});
  for (const TableStatus& row : tables)
    table.add({row.name, format("{}", row.priority), number(row.routes)});
  return table.text();
}

}  // namespace

std::string status_text(const Status& status) {
  std::string text = summary(status);
  if (!status.groups.empty()) text += '\n' + groups_text(status.groups);
  if (!status.policies.empty()) text += '\n' + policies_text(status.policies);
  if (!status.tables.empty()) text += '\n' + tables_text(status.tables);
  return text;
}

}  // namespace nfsteer
