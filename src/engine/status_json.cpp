#include "status_json.hpp"

#include <concepts>
#include <optional>
#include <type_traits>

namespace nfsteer {

// The members of each struct with their names in JSON, once for both
// directions: `field(name, member)` writes where S is const and reads where it
// is not.
template <typename S, typename Struct>
concept Is = std::same_as<std::remove_const_t<S>, Struct>;

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

template <Is<ServerStatus> S>
void each_field(S& server, auto field) {
  field("name", server.name);
  field("address", server.address);
  field("port", server.port);
  field("id", server.id);
  field("weight", server.weight);
  field("state", server.state);
  field("selected", server.selected);
}

template <Is<GroupStatus> S>
void each_field(S& group, auto field) {
  field("name", group.name);
  field("algorithm", group.algorithm);
  field("requests", group.requests);
  field("selected", group.selected);
  field("failed", group.failed);
  field("servers", group.servers);
}

template <Is<PolicyStatus> S>
void each_field(S& policy, auto field) {
  field("name", policy.name);
  field("priority", policy.priority);
  field("packets", policy.packets);
  field("bytes", policy.bytes);
}

template <Is<TableStatus> S>
void each_field(S& table, auto field) {
  field("name", table.name);
  field("priority", table.priority);
  field("routes", table.routes);
}

template <Is<CacheStatus> S>
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
}

// The parts that are lists and objects.
void each_part(auto& status, auto field) {
  field("queues", status.queues);
  field("groups", status.groups);
  field("policies", status.policies);
  field("tables", status.tables);
  field("cache", status.cache);
}

template <typename S>
concept Described = requires(S& value) {
  each_field(value, [](const char*, auto&) {});
};

// nlohmann's hooks, found by the type's namespace.
template <Described S>
void to_json(OrderedJson& json, const S& value);
template <Described S>
void from_json(const OrderedJson& json, S& value);

}  // namespace nfsteer

// A member that may be absent is null.
template <typename T>
struct nlohmann::adl_serializer<std::optional<T>> {
  static void to_json(nfsteer::OrderedJson& json, const std::optional<T>& value) {
    if (value)
      json = *value;
    else
      json = nullptr;
  }
  static void from_json(const nfsteer::OrderedJson& json, std::optional<T>& value) {
    if (json.is_null())
      value.reset();
    else
      value = json.get<T>();
  }
};

namespace nfsteer {
namespace {

auto writer(OrderedJson& json) {
  return [&json](const char* name, const auto& member) { json[name] = member; };
}

auto reader(const OrderedJson& json) {
  return [&json](const char* name, auto& member) { json.at(name).get_to(member); };
}

}  // namespace

template <Described S>
void to_json(OrderedJson& json, const S& value) {
  each_field(value, writer(json));
}

template <Described S>
void from_json(const OrderedJson& json, S& value) {
  each_field(value, reader(json));
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
  if (const int schema = json.at("schema").get<int>(); schema != kStatusSchema)
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
