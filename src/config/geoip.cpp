// [geoip]
#include <utility>

#include "nfsteer/base/text.hpp"
#include "reader.hpp"
#include "sections.hpp"

namespace nfsteer {
namespace {

std::shared_ptr<const Countries> read_database(const Node& node, Report& report) {
  const auto path = read_path(node, report);
  if (!path) return nullptr;
  const auto bytes = report.files().read(*path, kCountriesBytesMax);
  auto countries = bytes ? read_countries(*bytes) : tl::unexpected(bytes.error());
  if (countries) return *std::move(countries);
  report.value_mistake(node, format("country database {}: {}", *path, countries.error().message));
  return nullptr;
}

CountryGroups read_country_groups(const Node& node, Report& report) {
  CountryGroups groups;
  if (node.kind != Node::Kind::Table) {
    report.value_mistake(node, "`groups` must be a table of countries",
                         "write { dach = [\"DE\", \"AT\", \"CH\"] }");
    return groups;
  }
  for (const Node& group : node.children) {
    std::vector<std::string>& members = groups[group.key];
    for (const Node& each : one_or_many(group, report))
      if (auto name = read_text(each, report)) members.push_back(*std::move(name));
  }
  return groups;
}

}  // namespace

GeoipSection read_geoip(const Node& node, Report& report) {
  TableReader in(node, "geoip", report);
  in.require({"country"});
  GeoipSection section;
  if (const Node* country = in.find("country")) section.countries = read_database(*country, report);
  if (const Node* groups = in.find("groups")) section.groups = read_country_groups(*groups, report);
  in.finish();
  return section;
}

}  // namespace nfsteer
