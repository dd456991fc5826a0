#include <doctest/doctest.h>

#include "../policy/build.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/replay.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;

namespace {

// So many flows to an address, each of another client, which are over at once.
class Flows final : public FlowSource {
 public:
  Flows(std::string destination, unsigned count)
      : destination_(std::move(destination)), left_(count) {}

  std::optional<FlowEvent> next() override {
    FlowEvent event;
    if (is_open_) {
      is_open_ = false;
      return event;
    }
    if (left_ == 0) return std::nullopt;
    event.flow = testing::flow("tcp", format("192.0.2.{}", left_), left_, destination_, 80);
    --left_;
    is_open_ = true;
    return event;
  }

 private:
  std::string destination_;
  unsigned left_;
  bool is_open_ = false;
};

Comparison compare_two(const Config& before, const Config& after, unsigned flows = 10) {
  Rehearsal old_one(before), new_one(after);
  Flows source("10.9.9.9", flows);
  return compare(source, old_one, new_one,
                 [](const auto&, const auto&, const auto&) { return true; });
}

Config two_servers(const std::string& algorithm = "round-robin") {
  Config config;
  config.groups.push_back({.name = "web",
                           .algorithm = algorithm,
                           .servers = {server("a", "10.2.0.1"), server("b", "10.2.0.2")}});
  config.tables = {table("main", 0, {route("10.9.9.0/24", "web")})};
  return config;
}

Config one_server() {
  Config config = two_servers();
  config.groups[0].servers.pop_back();
  return config;
}

}  // namespace

TEST_CASE("comparison: the same rules in another order, or by other names, move nothing") {
  const Config base = two_servers();
  Config more = base;
  more.groups.insert(more.groups.begin(), {.name = "other", .servers = {server("z", "10.3.0.1")}});
  more.tables.insert(more.tables.begin(), table("other", 0, {route("10.8.0.0/16", "other")}));
  more.policies = {policy("off", 0, {criterion("dport", {"22"})}, Action::Drop)};
  for (const Config& after : {base, more}) {
    const Comparison made = compare_two(base, after);
    CHECK_FALSE(made.differs());
    CHECK(made.flows == 10);
    CHECK(made.rerouted == 0);
  }
  Config renamed = base;
  renamed.tables[0].name = "lab";
  CHECK(compare_two(base, renamed).rerouted == 10);
  CHECK_FALSE(compare_two(base, renamed).differs());
}

TEST_CASE("comparison: where flows move, and by which rules") {
  const struct {
    const char* remark;
    void (*change)(Config& config);
    const char* from;
    const char* to;
    const char* by;
  } kCases[] = {
      {"a policy", [](Config& c) { c.policies = {policy("p", 0, {}, Action::Drop)}; }, "web/a",
       "drop", "route 10.9.9.0/24 of main -> policy p"},
      {"another action", [](Config& c) { c.tables[0].routes[0].target = Action::Reject; }, "web/a",
       "reject", "route 10.9.9.0/24 of main -> route 10.9.9.0/24 of main"},
      {"no route any more", [](Config& c) { c.tables[0].routes.clear(); }, "web/a", "accept",
       "route 10.9.9.0/24 of main -> on_no_route"},
      {"the default",
       [](Config& c) {
         c.tables[0].routes.clear();
         c.groups.push_back({.name = "new", .servers = {server("n", "10.2.0.9")}});
         c.tables[0].default_group = "new";
       },
       "web/a", "new/n", "route 10.9.9.0/24 of main -> default of main"},
      {"another group",
       [](Config& c) {
         c.groups.push_back(
             {.name = "new", .servers = {server("n", "10.2.0.9"), server("m", "10.2.0.8")}});
         c.tables[0].routes[0].target = ToGroup{"new"};
       },
       "web/a", "new", "route 10.9.9.0/24 of main -> route 10.9.9.0/24 of main"},
      {"another name of the server", [](Config& c) { c.groups[0].servers[0].name = "x"; }, "web/a",
       "web/x", "route 10.9.9.0/24 of main -> route 10.9.9.0/24 of main"},
      {"another address",
       [](Config& c) { c.groups[0].servers[0].address = *parse_address("10.2.0.7"); }, "web/a",
       "web/a", "route 10.9.9.0/24 of main -> route 10.9.9.0/24 of main"},
      {"another port", [](Config& c) { c.groups[0].servers[0].port = 81; }, "web/a", "web/a",
       "route 10.9.9.0/24 of main -> route 10.9.9.0/24 of main"},
      {"a policy to a table",
       [](Config& c) {
         c.tables.push_back(table("lab", -1, {route("10.0.0.0/8", Action::Drop)}));
         c.policies = {policy("p", 0, {}, ToTable{"lab"})};
       },
       "web/a", "drop", "route 10.9.9.0/24 of main -> policy p, route 10.0.0.0/8 of lab"},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.remark);
    Config after = one_server();
    row.change(after);
    const Comparison made = compare_two(one_server(), after);
    CHECK(made.differs());
    CHECK(made.moved == 10);
    REQUIRE(made.moves.size() == 1);
    const Move& move = made.moves[0];
    CHECK(move.flows == 10);
    CHECK(place_text(move.from) == row.from);
    CHECK(place_text(move.to) == row.to);
    CHECK(format("{} -> {}", rule_text(move.from), rule_text(move.to)) == row.by);
    CHECK(move.example == "tcp 192.0.2.10:10 -> 10.9.9.9:80");
  }
}

TEST_CASE("comparison: a hash is compared by server, what goes in turn by group") {
  for (const Algorithm& algorithm : algorithms()) {
    CAPTURE(algorithm.name);
    const bool is_hash = algorithm.hashes != Algorithm::Hashes::Nothing;
    Config after = two_servers(algorithm.name);
    after.groups[0].servers[1].name = "c";
    const Comparison made = compare_two(two_servers(algorithm.name), after, 200);
    CHECK(made.differs());
    CHECK((made.moved > 0) == is_hash);
    CHECK(made.changed.empty() == is_hash);
    CHECK(made.before.groups[0].is_fixed == is_hash);
    if (is_hash) continue;
    REQUIRE(made.changed.size() == 1);
    CHECK(made.changed[0].flows == 200);
    CHECK(made.changed[0].changes == std::vector<std::string>{"b is gone", "c is new"});
  }
}

TEST_CASE("comparison: how a group shares its flows out") {
  const struct {
    const char* want;
    void (*change)(GroupConfig& group);
  } kCases[] = {
      {"", [](GroupConfig&) {}},
      {"", [](GroupConfig& g) { g.snat = true; }},
      {"", [](GroupConfig& g) { std::swap(g.servers[0], g.servers[1]); }},
      {"its algorithm is weighted, not round-robin",
       [](GroupConfig& g) { g.algorithm = "weighted"; }},
      {"its algorithm is maglev, not round-robin", [](GroupConfig& g) { g.algorithm = "maglev"; }},
      {"a has weight 2, not 1", [](GroupConfig& g) { g.servers[0].weight = 2; }},
      {"a has address 10.2.0.1:80, not 10.2.0.1", [](GroupConfig& g) { g.servers[0].port = 80; }},
      {"a has max_connections 9, not 0", [](GroupConfig& g) { g.servers[0].max_connections = 9; }},
      {"a has priority 9, not 0", [](GroupConfig& g) { g.servers[0].priority = 9; }},
      {"a has backup true, not false", [](GroupConfig& g) { g.servers[0].backup = true; }},
      {"a has state drain, not up",
       [](GroupConfig& g) { g.servers[0].state = ServerState::Drain; }},
      {"b is gone", [](GroupConfig& g) { g.servers.pop_back(); }},
      {"c is new", [](GroupConfig& g) { g.servers.push_back(server("c", "10.2.0.3")); }},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.want);
    Config after = two_servers();
    row.change(after.groups[0]);
    const Comparison made = compare_two(two_servers(), after);
    CHECK(made.moved == 0);
    CHECK(made.differs() == (row.want[0] != 0));
    REQUIRE(made.changed.size() == (row.want[0] == 0 ? 0 : 1));
    if (!made.changed.empty()) CHECK(made.changed[0].changes == std::vector<std::string>{row.want});
  }
  // Nobody notices.
  Config after = two_servers();
  after.groups[0].servers.pop_back();
  after.tables.clear();
  Config before = two_servers();
  before.tables.clear();
  CHECK_FALSE(compare_two(before, after).differs());
}

TEST_CASE("comparison: very many kinds of moves are counted, and some listed") {
  Config before, after;
  before.groups = after.groups = {{.name = "web", .servers = {server("a", "10.2.0.1")}}};
  TableConfig routes = table("main", 0, {});
  constexpr std::size_t kMore = 3;
  for (std::uint32_t i = 0; i < kMovesMax + kMore; ++i)
    routes.routes.push_back(
        {.prefix = {Address::v4(0x0a00'0000 + i), 32}, .target = ToGroup{"web"}});
  before.tables = after.tables = {routes};
  for (RouteConfig& route : after.tables[0].routes) route.target = Action::Drop;
  Rehearsal old_one(before), new_one(after);
  MadeFlows flows({&old_one.snapshot()});
  const Comparison made =
      compare(flows, old_one, new_one, [](const auto&, const auto&, const auto&) { return true; });
  CHECK(made.moves.size() == kMovesMax);
  std::uint64_t listed = 0;
  for (const Move& move : made.moves) listed += move.flows;
  CHECK(made.moved == listed + made.moved_unlisted);
  CHECK(made.moved_unlisted >= kMore);
}

TEST_CASE("comparison: ends where it is told to") {
  Config after = one_server();
  after.policies = {policy("p", 0, {}, Action::Drop)};
  Rehearsal old_one(one_server()), new_one(after);
  Flows source("10.9.9.9", 10);
  int calls = 0;
  const Comparison made = compare(
      source, old_one, new_one, [&](const auto&, const auto&, const auto&) { return ++calls < 3; });
  CHECK(made.moved == 3);
}
