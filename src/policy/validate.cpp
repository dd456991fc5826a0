// What compile() refuses in a Config, each with the path to its place.
#include <map>
#include <set>

#include "nfsteer/base/text.hpp"
#include "nfsteer/policy.hpp"

namespace nfsteer {
namespace {

using Path = std::vector<std::string>;

constexpr std::size_t kSuggestionsMax = 50;

std::string element(std::size_t index) {
  return format("[{}]", index);
}

class Validator {
 public:
  explicit Validator(const Config& config) : config_(config) {
    for (const GroupConfig& group : config.groups) {
      Families families;
      for (const ServerConfig& server : group.servers)
        (server.address.family == Family::V4 ? families.v4 : families.v6) = true;
      groups_.emplace(group.name, families);
    }
    for (const TableConfig& table : config.tables) tables_.emplace(table.name, Families{});
  }

  std::vector<Problem> run() && {
    check_engine();
    check_groups();
    check_tables();
    check_policies();
    return std::move(problems_);
  }

 private:
  // The families that a group has servers of.
  struct Families {
    bool v4 = false, v6 = false;
  };
  using Names = std::map<std::string_view, Families>;

  void add(Path path, std::string message, std::string remedy = {}) {
    problems_.push_back({std::move(path), std::move(message), std::move(remedy)});
  }

  void check_engine() {
    const EngineConfig& engine = config_.engine;
    if (engine.queue_count < 1 || engine.queue_count > kQueuesMax ||
        engine.queue_first + engine.queue_count > 65536)
      add({"engine", "queues"}, format("there can be 1 to {} queues", kQueuesMax));
    if (engine.hooks.empty())
      add({"engine", "hooks"}, "no hook: nothing would be steered",
          "use \"prerouting\", \"output\" or both");
    if (auto layout = make_mark_layout(engine.mark.mask); !layout)
      add({"engine", "mark_mask"}, layout.error().message);
  }

  void check_groups() {
    std::set<std::string_view> seen;
    std::size_t servers = 0;
    for (const GroupConfig& group : config_.groups) {
      const Path path{"group", group.name};
      check_name(group.name, path, "group");
      if (!seen.insert(group.name).second)
        add(path, format("group `{}` is defined twice", group.name));
      check_algorithm(group, path);
      if (group.servers.empty())
        add(path, format("group `{}` has no servers", group.name), "add `servers = [ ... ]`");
      check_servers(group, path);
      servers += group.servers.size();
    }
    const bool mask_is_good = make_mark_layout(config_.engine.mark.mask).has_value();
    if (mask_is_good && servers > config_.engine.mark.server_max())
      add({"engine", "mark_mask"},
          format("{} servers are more than mark_mask {:#010x} has room for: {}", servers,
                 config_.engine.mark.mask, config_.engine.mark.server_max()),
          "use a mask of more bits");
  }

  void check_algorithm(const GroupConfig& group, Path path) {
    if (find_algorithm(group.algorithm)) return;
    std::vector<std::string_view> names;
    for (const Algorithm& algorithm : algorithms()) names.emplace_back(algorithm.name);
    path.emplace_back("algorithm");
    add(std::move(path), format("unknown algorithm `{}`", printable(group.algorithm)),
        suggestion(group.algorithm, names));
  }

  void check_servers(const GroupConfig& group, const Path& group_path) {
    std::set<std::string_view> names;
    std::set<std::pair<Address, std::optional<std::uint16_t>>> endpoints;
    for (std::size_t i = 0; i < group.servers.size(); ++i) {
      const ServerConfig& server = group.servers[i];
      Path path = group_path;
      path.insert(path.end(), {"servers", element(i)});
      check_name(server.name, with(path, "name"), "server");
      if (!names.insert(server.name).second)
        add(with(path, "name"),
            format("server `{}` is named twice in group `{}`", server.name, group.name));
      if (!endpoints.insert({server.address, server.port}).second)
        add(with(path, "address"),
            format("group `{}` has this address and port twice", group.name));
      if (server.weight < kWeightMin || server.weight > kWeightMax)
        add(with(path, "weight"), format("a weight is {} to {}", kWeightMin, kWeightMax));
      if (server.port == 0) add(with(path, "port"), "a port is 1 to 65535");
    }
  }

  void check_tables() {
    std::set<std::string_view> seen;
    for (const TableConfig& table : config_.tables) {
      const Path path{"table", table.name};
      check_name(table.name, path, "table");
      if (!seen.insert(table.name).second)
        add(path, format("table `{}` is defined twice", table.name));
      for (std::size_t i = 0; i < table.routes.size(); ++i) {
        Path route = path;
        route.insert(route.end(), {"routes", element(i)});
        check_route(table.routes[i], route);
      }
    }
  }

  void check_route(const RouteConfig& route, const Path& path) {
    check_reference(route.group, with(path, "group"), "group", groups_);
    const auto group = groups_.find(route.group);
    if (group == groups_.end()) return;
    const auto [v4, v6] = group->second;
    const bool is_v4 = route.prefix.address.family == Family::V4;
    if ((v4 || v6) && !(is_v4 ? v4 : v6))
      add(with(path, "group"), format("group `{}` has no {} server for {}", route.group,
                                      is_v4 ? "IPv4" : "IPv6", to_string(route.prefix)));
  }

  void check_policies() {
    std::set<std::string_view> seen;
    for (std::size_t i = 0; i < config_.policies.size(); ++i) {
      const PolicyConfig& policy = config_.policies[i];
      const Path path{"policy", element(i)};
      check_name(policy.name, with(path, "name"), "policy");
      if (!seen.insert(policy.name).second)
        add(with(path, "name"), format("policy `{}` is defined twice", policy.name));
      if (const auto* group = std::get_if<ToGroup>(&policy.target))
        check_reference(group->name, with(path, "group"), "group", groups_);
      if (const auto* table = std::get_if<ToTable>(&policy.target))
        check_reference(table->name, with(path, "table"), "table", tables_);
    }
  }

  void check_name(const std::string& name, Path path, const char* what) {
    constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    const bool good = !name.empty() && name.size() <= 63 && name.front() != '_' &&
                      name.front() != '-' && name.find_first_not_of(kLetters) == std::string::npos;
    if (!good)
      add(std::move(path), format("`{}` is not a name for a {}", printable(name), what),
          "names are 1 to 63 of a-z, 0-9, `_` and `-`, and begin with a letter or digit");
  }

  void check_reference(const std::string& name, Path path, const char* what, const Names& names) {
    if (names.contains(name)) return;
    std::vector<std::string_view> known;
    // More suggestions than a person reads are not worth the search.
    if (problems_.size() < kSuggestionsMax)
      for (const auto& [each, families] : names) known.push_back(each);
    add(std::move(path), format("{} `{}` does not exist", what, printable(name)),
        suggestion(name, known));
  }

  static std::string suggestion(std::string_view word, const std::vector<std::string_view>& names) {
    if (const auto meant = nearest(word, names)) return format("did you mean `{}`?", *meant);
    constexpr std::size_t kListMax = 20;
    if (names.empty() || names.size() > kListMax) return {};
    return format("there are: {}", join(names, ", "));
  }

  static Path with(Path path, const char* key) {
    path.emplace_back(key);
    return path;
  }

  const Config& config_;
  Names groups_, tables_;
  std::vector<Problem> problems_;
};

}  // namespace

std::vector<Problem> validate(const Config& config) {
  return Validator(config).run();
}

}  // namespace nfsteer
