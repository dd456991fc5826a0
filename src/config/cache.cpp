// [cache]
#include "duration.hpp"
#include "nfsteer/base/text.hpp"
#include "reader.hpp"
#include "sections.hpp"

namespace nfsteer {
namespace {

constexpr NumberRange kEntries{0, kCacheEntriesMax};
constexpr SecondsRange kTimeout{std::chrono::seconds(1), std::chrono::hours(24)};

// Absent: "auto".
std::optional<std::uint32_t> read_route_entries(const Node& node, Report& report) {
  if (node.kind == Node::Kind::Text && node.text == "auto") return std::nullopt;
  if (node.kind == Node::Kind::Integer && node.integer >= kEntries.first &&
      node.integer <= kEntries.last)
    return static_cast<std::uint32_t>(node.integer);
  report.value_mistake(node,
                       format("`route_entries` must be \"auto\" or a whole number from {} to {}",
                              kEntries.first, kEntries.last));
  return std::nullopt;
}

}  // namespace

CacheConfig read_cache(const Node& node, Report& report) {
  TableReader in(node, "cache", report);
  CacheConfig cache;
  cache.entries = in.number<std::uint32_t>("entries", kEntries).value_or(cache.entries);
  if (const Node* entries = in.find("route_entries"))
    cache.route_entries = read_route_entries(*entries, report);
  if (const Node* timeout = in.find("timeout")) {
    if (const auto value = read_seconds(*timeout, kTimeout, report))
      cache.timeout_s = static_cast<std::uint32_t>(value->count());
  }
  in.finish();
  return cache;
}

}  // namespace nfsteer
