#include "status_json.hpp"

#include "described_json.hpp"

// Times are text, in UTC.
template <>
struct nlohmann::adl_serializer<nfsteer::Time> {
  static void to_json(nfsteer::OrderedJson& json, const nfsteer::Time& time) {
    json = nfsteer::to_utc_string(time);
  }
  static void from_json(const nfsteer::OrderedJson& json, nfsteer::Time& time) {
    const auto parsed = nfsteer::parse_moment(json.get<std::string>(), nfsteer::Time());
    if (!parsed) throw nfsteer::OrderedJson::type_error::create(302, "not a time", &json);
    time = *parsed;
  }
};

namespace nfsteer {

template <Is<QueueStatus> S>
void each_field(S& queue, auto field) {
  field("queue", queue.queue);
  field("received", queue.received);
  field("accepted", queue.accepted);
  field("dropped", queue.dropped);
  field("rejected", queue.rejected);
  field("passed", queue.passed);
  field("errors", queue.errors);
  field("waiting", queue.waiting);
}

template <Is<Latencies::Summary> S>
void each_field(S& latency, auto field) {
  field("avg", latency.avg_us);
  field("min", latency.min_us);
  field("max", latency.max_us);
  field("p50", latency.p50_us);
  field("p90", latency.p90_us);
  field("p99", latency.p99_us);
  field("samples", latency.samples);
}

template <Is<TrafficStatistics> S>
void each_field(S& traffic, auto field) {
  field("active", traffic.active);
  field("total", traffic.total);
  field("failed", traffic.failed);
  field("packets", traffic.packets);
  field("bytes", traffic.bytes);
  field("latency_us", traffic.latency_us);
  field("last_flow", traffic.last_flow);
}

template <Is<AffinityStatistics> S>
void each_field(S& affinity, auto field) {
  field("clients", affinity.clients);
  field("evictions", affinity.evictions);
}

template <Is<CheckStatistics> S>
void each_field(S& check, auto field) {
  field("last", check.last);
  field("since", check.since);
  field("reason", check.reason);
}

template <Is<ServerStatistics> S>
void each_field(S& server, auto field) {
  field("name", server.name);
  field("address", server.address);
  field("port", server.port);
  field("id", server.id);
  field("weight", server.weight);
  field("state", server.state);
  field("health", server.health);
  field("check", server.check);
  field("ejected", server.ejected);
  field("selected", server.selected);
  each_field(server.traffic, field);
}

template <Is<GroupStatistics> S>
void each_field(S& group, auto field) {
  field("name", group.name);
  field("algorithm", group.algorithm);
  field("failover", group.failover);
  field("panic", group.panic);
  field("tier", group.tier);
  field("requests", group.requests);
  field("selected", group.selected);
  field("failed", group.failed);
  field("traffic", group.traffic);
  field("affinity", group.affinity);
  field("servers", group.servers);
}

template <Is<PolicyStatistics> S>
void each_field(S& policy, auto field) {
  field("name", policy.name);
  field("priority", policy.priority);
  field("dry_run", policy.dry_run);
  field("packets", policy.packets);
  field("bytes", policy.bytes);
  field("last_match", policy.last_match);
}

template <Is<RouteStatistics> S>
void each_field(S& route, auto field) {
  field("prefix", route.prefix);
  field("target", route.target);
  field("metric", route.metric);
  field("weight", route.weight);
  field("packets", route.packets);
  field("bytes", route.bytes);
}

template <Is<TableStatistics> S>
void each_field(S& table, auto field) {
  field("name", table.name);
  field("priority", table.priority);
  field("routes", table.routes);
  field("used", table.used);
}

template <Is<ScheduleStatistics> S>
void each_field(S& schedule, auto field) {
  field("name", schedule.name);
  field("active", schedule.active);
  field("next_change", schedule.next_change);
}

template <Is<ConntrackStatus> S>
void each_field(S& conntrack, auto field) {
  field("entries", conntrack.entries);
  field("max", conntrack.max);
  field("flows", conntrack.flows);
  field("events", conntrack.events);
  field("overruns", conntrack.overruns);
  field("resyncs", conntrack.resyncs);
  field("unknown", conntrack.unknown);
  field("broken", conntrack.broken);
  field("deleted", conntrack.deleted);
}

template <Is<CacheCounts> S>
void each_field(S& cache, auto field) {
  field("entries", cache.entries);
  field("hits", cache.hits);
  field("misses", cache.misses);
  field("evictions", cache.evictions);
}

// The object "engine", which Status holds flat.
void each_engine_field(auto& status, auto field) {
  field("pid", status.pid);
  field("generation", status.generation);
  field("starts", status.starts);
  field("uptime_s", status.uptime_s);
  field("state", status.state);
  field("reloads", status.reloads);
  field("reloads_failed", status.reloads_failed);
  field("ruleset_repairs", status.ruleset_repairs);
  field("fallback_updates", status.fallback_updates);
  field("snapshots", status.snapshots);
}

// The parts that are lists and objects.
void each_part(auto& status, auto field) {
  field("queues", status.queues);
  field("traffic", status.counted.traffic);
  field("groups", status.counted.groups);
  field("policies", status.counted.policies);
  field("tables", status.counted.tables);
  field("schedules", status.counted.schedules);
  field("failover", status.counted.failover);
  field("cache", status.counted.cache);
  field("route_cache", status.counted.route_cache);
  field("conntrack", status.conntrack);
}

OrderedJson status_to_json(const Status& status) {
  OrderedJson json;
  json["schema"] = kStatusSchema;
  json["version"] = status.version;
  each_engine_field(status, writer(json["engine"]));
  each_part(status, writer(json));
  return json;
}

Result<Status> status_from_json(const OrderedJson& json) try {
  int schema = 0;
  read_value(json.at("schema"), schema);
  if (schema != kStatusSchema)
    return fail(format("the engine's status is of schema {}, this program reads {}", schema,
                       kStatusSchema));
  Status status;
  json.at("version").get_to(status.version);
  each_engine_field(status, reader(json.at("engine")));
  each_part(status, reader(json));
  return status;
} catch (const nlohmann::json::exception& error) {
  return fail(format("the engine's status cannot be read: {}", error.what()));
}

}  // namespace nfsteer
