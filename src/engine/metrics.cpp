#include "metrics.hpp"

#include <initializer_list>
#include <string_view>
#include <utility>

#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

enum class Kind : std::uint8_t { Counter, Gauge, Summary };

const char* name(Kind kind) {
  switch (kind) {
    case Kind::Counter:
      return "counter";
    case Kind::Gauge:
      return "gauge";
    case Kind::Summary:
      break;
  }
  return "summary";
}

using Labels = std::initializer_list<std::pair<const char*, std::string_view>>;

// Values of labels are names of ours, and words: of what has to be escaped they may have
// nothing, but what a later version brings.
std::string escaped(std::string_view text) {
  std::string made;
  for (const char c : text) {
    if (c == '\\' || c == '"') made += '\\';
    made += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return made;
}

class Text {
 public:
  void family(const char* metric, Kind kind, const char* help) {
    metric_ = metric;
    text_ +=
        format("# HELP nfsteer_{} {}\n# TYPE nfsteer_{} {}\n", metric, help, metric, name(kind));
  }
  template <typename Number>
  void value(Labels labels, Number number, const char* suffix = "") {
    text_ += format("nfsteer_{}{}", metric_, suffix);
    const char* separator = "{";
    for (const auto& [label, value] : labels) {
      text_ += format("{}{}=\"{}\"", separator, label, escaped(value));
      separator = ",";
    }
    text_ += format("{} {}\n", labels.size() == 0 ? "" : "}", number);
  }
  std::string take() && { return std::move(text_); }

 private:
  const char* metric_ = "";
  std::string text_;
};

// One family: a value of each element. `each` is called for every one.
template <typename Elements, typename Each>
void write(Text& text, const char* metric, Kind kind, const char* help, const Elements& elements,
           Each each) {
  text.family(metric, kind, help);
  for (const auto& element : elements) each(element);
}

void write_engine(Text& text, const Status& status) {
  text.family("info", Kind::Gauge, "The program.");
  text.value({{"version", status.version}}, 1);
  text.family("steering", Kind::Gauge, "Whether flows are being steered.");
  text.value({}, status.state == "steering" ? 1 : 0);
  text.family("uptime_seconds", Kind::Gauge, "Since the engine's start.");
  text.value({}, status.uptime_s);
  text.family("engine_starts_total", Kind::Counter, "Engine processes of this keeper.");
  text.value({}, status.starts);
  text.family("configuration_generation", Kind::Gauge, "Of the configuration in force.");
  text.value({}, status.generation);
  text.family("reloads_total", Kind::Counter, "Reloads by their result.");
  text.value({{"result", "done"}}, status.reloads);
  text.value({{"result", "failed"}}, status.reloads_failed);
  text.family("ruleset_repairs_total", Kind::Counter, "After others changed our nftables table.");
  text.value({}, status.ruleset_repairs);
  text.family("fallback_updates_total", Kind::Counter, "Of the kernel's own choice of servers.");
  text.value({}, status.fallback_updates);
  text.family("snapshots", Kind::Gauge, "Compiled configurations in memory.");
  text.value({}, status.snapshots);
}

void write_queues(Text& text, const std::vector<QueueStatus>& queues) {
  write(text, "packets_total", Kind::Counter, "Packets by what became of them.", queues,
        [&](const QueueStatus& queue) {
          const std::string number = format("{}", queue.queue);
          text.value({{"queue", number}, {"outcome", "accepted"}}, queue.accepted);
          text.value({{"queue", number}, {"outcome", "dropped"}}, queue.dropped);
          text.value({{"queue", number}, {"outcome", "rejected"}}, queue.rejected);
          text.value({{"queue", number}, {"outcome", "passed"}}, queue.passed);
        });
  write(text, "packet_errors_total", Kind::Counter, "What went wrong, by name.", queues,
        [&](const QueueStatus& queue) {
          for (const auto& [error, count] : queue.errors)
            text.value({{"queue", format("{}", queue.queue)}, {"error", error}}, count);
        });
  write(text, "queue_packets", Kind::Gauge, "That wait in the kernel.", queues,
        [&](const QueueStatus& queue) {
          text.value({{"queue", format("{}", queue.queue)}}, queue.waiting);
        });
}

void write_groups(Text& text, const std::vector<GroupStatistics>& groups) {
  const auto each_group = [&](const char* metric, Kind kind, const char* help, auto value) {
    write(text, metric, kind, help, groups, [&](const GroupStatistics& group) {
      text.value({{"group", group.name}}, value(group));
    });
  };
  each_group("group_requests_total", Kind::Counter, "Flows for which the group was asked.",
             [](const GroupStatistics& group) { return group.requests; });
  each_group("group_without_server_total", Kind::Counter, "Of these, those that got no server.",
             [](const GroupStatistics& group) { return group.failed; });
  each_group("group_panic", Kind::Gauge, "Whether health is ignored.",
             [](const GroupStatistics& group) { return group.panic ? 1 : 0; });
  each_group("group_tier", Kind::Gauge, "The first tier that gets flows, from 1; 0: none.",
             [](const GroupStatistics& group) { return group.tier.value_or(0); });
  each_group(
      "group_clients", Kind::Gauge, "Clients that stay with their servers.",
      [](const GroupStatistics& group) { return group.affinity ? group.affinity->clients : 0; });
}

void write_servers(Text& text, const std::vector<GroupStatistics>& groups) {
  const auto each = [&](const char* metric, Kind kind, const char* help, auto write_values) {
    text.family(metric, kind, help);
    for (const GroupStatistics& group : groups)
      for (const ServerStatistics& server : group.servers) write_values(group.name, server);
  };
  const auto each_server = [&](const char* metric, Kind kind, const char* help, auto value) {
    each(metric, kind, help, [&](const std::string& group, const ServerStatistics& server) {
      text.value({{"group", group}, {"server", server.name}}, value(server));
    });
  };
  each("server_state", Kind::Gauge, "1 for the state that was set.",
       [&](const std::string& group, const ServerStatistics& server) {
         for (const char* state : {"up", "drain", "maintenance"})
           text.value({{"group", group}, {"server", server.name}, {"state", state}},
                      server.state == state ? 1 : 0);
       });
  each("server_health", Kind::Gauge, "1 for what its check says.",
       [&](const std::string& group, const ServerStatistics& server) {
         for (const char* health : {"up", "down", "unknown"})
           text.value({{"group", group}, {"server", server.name}, {"health", health}},
                      server.health == health ? 1 : 0);
       });
  each_server("server_ejected", Kind::Gauge, "Whether it is left out, as its flows failed.",
              [](const ServerStatistics& server) { return server.ejected ? 1 : 0; });
  each_server("server_weight", Kind::Gauge, "The weight in force.",
              [](const ServerStatistics& server) { return server.weight; });
  each_server("server_selected_total", Kind::Counter, "Flows that it was chosen for.",
              [](const ServerStatistics& server) { return server.selected; });
  each_server("server_active", Kind::Gauge, "Flows now.",
              [](const ServerStatistics& server) { return server.traffic.active; });
  each_server("server_flows_total", Kind::Counter, "Flows that conntrack reported.",
              [](const ServerStatistics& server) { return server.traffic.total; });
  each_server("server_failed_total", Kind::Counter, "Of these, refused or never answered.",
              [](const ServerStatistics& server) { return server.traffic.failed; });
  each_server("server_packets_total", Kind::Counter, "Of both directions.",
              [](const ServerStatistics& server) { return server.traffic.packets; });
  each_server("server_bytes_total", Kind::Counter, "Of both directions.",
              [](const ServerStatistics& server) { return server.traffic.bytes; });
  each("server_answer_seconds", Kind::Summary, "From a flow's first packet to the first reply.",
       [&](const std::string& group, const ServerStatistics& server) {
         const Latencies::Summary& latency = server.traffic.latency_us;
         const auto seconds = [](std::uint64_t us) { return static_cast<double>(us) / 1e6; };
         for (const auto& [quantile, us] :
              {std::pair("0.5", latency.p50_us), {"0.9", latency.p90_us}, {"0.99", latency.p99_us}})
           text.value({{"group", group}, {"server", server.name}, {"quantile", quantile}},
                      seconds(us));
         text.value({{"group", group}, {"server", server.name}},
                    seconds(latency.avg_us * latency.samples), "_sum");
         text.value({{"group", group}, {"server", server.name}}, latency.samples, "_count");
       });
}

void write_policies(Text& text, const Statistics& counted) {
  write(text, "policy_packets_total", Kind::Counter, "That the policy matched.", counted.policies,
        [&](const PolicyStatistics& policy) {
          text.value({{"policy", policy.name}}, policy.packets);
        });
  write(text, "policy_bytes_total", Kind::Counter, "Of these packets.", counted.policies,
        [&](const PolicyStatistics& policy) {
          text.value({{"policy", policy.name}}, policy.bytes);
        });
  write(text, "table_routes", Kind::Gauge, "Routes of the table.", counted.tables,
        [&](const TableStatistics& table) {
          text.value({{"table", table.name}}, table.routes);
        });
  write(text, "schedule_active", Kind::Gauge, "Whether it is active.", counted.schedules,
        [&](const ScheduleStatistics& schedule) {
          text.value({{"schedule", schedule.name}}, schedule.active ? 1 : 0);
        });
  write(text, "failover_total", Kind::Counter, "What failures led to, by its reason.",
        counted.failover, [&](const auto& each) {
          text.value({{"reason", each.first}}, each.second);
        });
}

void write_caches(Text& text, const Statistics& counted) {
  const std::pair<const char*, const CacheCounts&> caches[] = {{"flows", counted.cache},
                                                               {"ways", counted.route_cache}};
  const auto each = [&](const char* metric, Kind kind, const char* help,
                        std::uint64_t CacheCounts::*count) {
    write(text, metric, kind, help, caches, [&](const auto& cache) {
      text.value({{"cache", cache.first}}, cache.second.*count);
    });
  };
  each("cache_entries", Kind::Gauge, "What is remembered now.", &CacheCounts::entries);
  each("cache_hits_total", Kind::Counter, "Found.", &CacheCounts::hits);
  each("cache_misses_total", Kind::Counter, "Not found.", &CacheCounts::misses);
  each("cache_evictions_total", Kind::Counter, "Put out before their time.",
       &CacheCounts::evictions);
}

void write_conntrack(Text& text, const ConntrackStatus& conntrack) {
  const auto one = [&](const char* metric, Kind kind, const char* help, std::uint64_t value) {
    text.family(metric, kind, help);
    text.value({}, value);
  };
  one("conntrack_entries", Kind::Gauge, "Of the network namespace.", conntrack.entries);
  one("conntrack_entries_max", Kind::Gauge, "Then the kernel drops new flows.", conntrack.max);
  one("conntrack_flows", Kind::Gauge, "Steered flows that are known.", conntrack.flows);
  one("conntrack_events_total", Kind::Counter, "That were read.", conntrack.events);
  one("conntrack_overruns_total", Kind::Counter, "Times that events were lost.",
      conntrack.overruns);
  one("conntrack_resyncs_total", Kind::Counter, "Whole tables read for that.", conntrack.resyncs);
  one("conntrack_deleted_total", Kind::Counter, "Stale entries.", conntrack.deleted);
}

}  // namespace

std::string metrics_text(const Status& status) {
  Text text;
  write_engine(text, status);
  write_queues(text, status.queues);
  write_groups(text, status.counted.groups);
  write_servers(text, status.counted.groups);
  write_policies(text, status.counted);
  write_caches(text, status.counted);
  write_conntrack(text, status.conntrack);
  return std::move(text).take();
}

}  // namespace nfsteer
