#include "affinity_json.hpp"

#include "described_json.hpp"

namespace nfsteer {

template <Is<AffinityEntry> S>
void each_field(S& entry, auto field) {
  field("group", entry.group);
  field("client", entry.client);
  field("server", entry.server);
  field("age_s", entry.age_s);
}

template <Is<AffinityList> S>
void each_field(S& list, auto field) {
  field("entries", list.entries);
  field("total", list.total);
}

OrderedJson affinity_to_json(const AffinityList& list) {
  return list;
}

Result<AffinityList> affinity_from_json(const OrderedJson& json) try {
  return json.get<AffinityList>();
} catch (const nlohmann::json::exception& error) {
  return fail(format("the engine's list of clients cannot be read: {}", error.what()));
}

}  // namespace nfsteer
