#include <doctest/doctest.h>

#include <map>
#include <string>

#include "nfsteer/balance.hpp"
#include "nfsteer/base/mix.hpp"

using namespace nfsteer;

namespace {

double all(const Server&) {
  return 1;
}

// A group of IPv4 servers, with what outlives it.
struct Lab {
  Gauges gauges;
  GroupState state;
  Group group;

  explicit Lab(const char* algorithm) {
    group.algorithm = algorithm;
    group.v4.state = &state.v4;
    group.v6.state = &state.v6;
  }
  Server& add(std::uint32_t max_connections = 0) {
    Server& server = group.v4.servers.emplace_back();
    server.id = static_cast<ServerId>(group.v4.servers.size());
    server.identity = mix(server.id);
    server.max_connections = max_connections;
    return server;
  }
  Lineup::Side side(const std::function<double(const Server&)>& portion = all) const {
    return {group, group.v4, gauges, 1, portion};
  }
};

// The servers that flows go to, as "1 2 -", each until it has the flow.
std::string assigned(Lab& lab, const Lineup::Side& side, int flows) {
  std::string text;
  for (int i = 0; i < flows; ++i) {
    const auto chosen = side.choose({mix(static_cast<std::uint64_t>(i)), 0, Turn::Take});
    if (chosen) lab.gauges.assign(*chosen);
    text += (text.empty() ? "" : " ") + (chosen ? std::to_string(*chosen) : std::string("-"));
  }
  return text;
}

}  // namespace

TEST_CASE("lineup: priorities before lower ones, backups last") {
  Lab lab("round-robin");
  lab.add().backup = true;  // 1
  lab.add();                // 2
  lab.add().priority = 5;   // 3
  lab.add().priority = 5;   // 4
  Server& high_backup = lab.add();
  high_backup.backup = true;
  high_backup.priority = 9;  // 5
  CHECK(lab.side().tiers().size() == 4);

  const auto without = [](std::initializer_list<ServerId> ids) {
    return [gone = std::vector<ServerId>(ids)](const Server& server) {
      return std::count(gone.begin(), gone.end(), server.id) > 0 ? 0.0 : 1.0;
    };
  };
  CHECK(assigned(lab, lab.side(), 3) == "3 4 3");
  CHECK(assigned(lab, lab.side(without({3})), 2) == "4 4");
  CHECK(assigned(lab, lab.side(without({3, 4})), 2) == "2 2");
  CHECK(assigned(lab, lab.side(without({2, 3, 4})), 2) == "5 5");
  CHECK(assigned(lab, lab.side(without({2, 3, 4, 5})), 2) == "1 1");
  CHECK(assigned(lab, lab.side(without({1, 2, 3, 4, 5})), 2) == "- -");
}

TEST_CASE("lineup: a full server is passed, a full tier too, and then there is nobody") {
  Lab lab("round-robin");
  lab.add(1);
  lab.add(2);
  lab.add(1).backup = true;
  const auto side = lab.side();
  CHECK(side.is_usable());
  CHECK(assigned(lab, side, 3) == "1 2 2");
  CHECK(!side.takes(1));
  CHECK(side.takes(3));
  CHECK(side.is_usable());
  CHECK(assigned(lab, side, 3) == "3 - -");
  CHECK(!side.is_usable());
  CHECK(!side.takes(3));
  // Where a limit was reached just now, the flow goes on as if there were none.
  CHECK(side.choose_beyond({}) <= 2);
  lab.gauges.settle(2);
  CHECK(side.is_usable());
  CHECK(assigned(lab, side, 2) == "2 -");
}

TEST_CASE("lineup: what a full server does not take is spread") {
  Lab lab("maglev");
  for (int i = 0; i < 10; ++i) lab.add(i == 3 ? 1 : 0);
  lab.gauges.assign(4);
  const auto side = lab.side();
  std::map<ServerId, int> counts;
  for (std::uint64_t i = 0; i < 10'000; ++i) ++counts[*side.choose({mix(i), 0, Turn::Take})];
  CHECK(counts.size() == 9);
  CHECK(!counts.contains(4));
  for (const auto& [server, count] : counts) {
    CHECK(count > 900);
    CHECK(count < 1'350);
  }
}

TEST_CASE("lineup: who takes flows") {
  Lab lab("weighted");
  for (int i = 0; i < 3; ++i) lab.add();
  const auto side = lab.side([](const Server& server) { return server.id == 2 ? 0 : 0.5; });
  CHECK(side.takes(1));
  CHECK(!side.takes(2));
  CHECK(side.takes(3));
  CHECK(!side.takes(4));  // nobody
  CHECK(assigned(lab, side, 4) == "1 3 1 3");
}

TEST_CASE("lineup: nobody at all") {
  Lab lab("maglev");
  CHECK(!lab.side().is_usable());
  CHECK(!lab.side().choose({}));
  CHECK(!Lineup::Side().is_usable());
  CHECK(!Lineup::Side().choose({}));
  lab.add();
  CHECK(lab.side().is_usable());
  CHECK(!lab.side([](const Server&) { return 0; }).is_usable());
}

TEST_CASE("lineup: every algorithm, with limits, tiers and portions") {
  for (const Algorithm& algorithm : algorithms()) {
    CAPTURE(std::string(algorithm.name));
    Lab lab(algorithm.name);
    for (int i = 0; i < 12; ++i) {
      Server& server = lab.add(i % 3 == 0 ? 5 : 0);
      server.priority = i % 2;
    }
    const auto side = lab.side([](const Server& server) { return server.id % 4 == 0 ? 0 : 1; });
    for (std::uint64_t i = 0; i < 500; ++i) {
      const auto told = side.choose({mix(i), 0, Turn::Peek});
      const auto chosen = side.choose({mix(i), 0, Turn::Take});
      REQUIRE(chosen);
      CHECK(told == chosen);
      CHECK(side.takes(*chosen));
      CHECK(*chosen % 4 != 0);
      lab.gauges.assign(*chosen);
    }
    for (const Server& server : lab.group.v4.servers)
      if (server.max_connections > 0) CHECK(lab.gauges[server.id].load() <= 5);
  }
}

TEST_CASE("group: whether anybody of the family is up") {
  Lab lab("weighted");
  CHECK(!lab.group.is_usable(Family::V4));
  lab.add().state = ServerState::Drain;
  lab.add().state = ServerState::Maintenance;
  CHECK(!lab.group.is_usable(Family::V4));
  lab.add();
  CHECK(lab.group.is_usable(Family::V4));
  CHECK(!lab.group.is_usable(Family::V6));
}

TEST_CASE("gauges: what is assigned and settled, of a server") {
  Gauges gauges;
  for (int i = 0; i < 5; ++i) gauges.assign(1);
  gauges.assign(2);
  CHECK(gauges[1].load() == 5);
  gauges.settle(1, 2);
  CHECK(gauges[1].load() == 3);
  gauges.settle(2, 4);  // more than it had
  CHECK(gauges[2].load() == 0);
  gauges.settle(2, -3);
  CHECK(gauges[2].load() == 0);
  gauges.settle(2, -1);
  CHECK(gauges[2].load() == 1);

  gauges[1].latency_us = 300;
  gauges.renew(1);  // another has the id now
  CHECK(gauges[1].load() == 0);
  CHECK(gauges[1].latency_us == 0);
}

TEST_CASE("gauges: numbers wrap") {
  Gauges gauges;
  gauges[1].assigned = 0xffff'ffff;
  gauges[1].settled = 0xffff'fffe;
  CHECK(gauges[1].load() == 1);
  gauges.assign(1);
  gauges.assign(1);
  CHECK(gauges[1].load() == 3);
  gauges.settle(1, 3);
  CHECK(gauges[1].load() == 0);
}
