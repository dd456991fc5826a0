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
  Lineup::Side side(const std::function<double(const Server&)>& portion = all,
                    std::vector<double> shares = {}) const {
    const auto standing = [&portion](const Server& server) {
      return Standing{server.weight, portion(server)};
    };
    return {group, group.v4, *find_algorithm(group.algorithm), gauges, 1, {standing, shares}};
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

TEST_CASE("lineup: tiers share flows as planned") {
  Lab lab("weighted");
  lab.add();
  lab.add();
  lab.add().backup = true;
  const auto count = [&](const Lineup::Side& side) {
    std::map<ServerId, int> counts;
    for (std::uint64_t i = 0; i < 10'000; ++i) ++counts[*side.choose({mix(i), 0, Turn::Take})];
    return counts;
  };
  SUBCASE("of both") {
    const auto side = lab.side(all, {0.7, 0.3});
    auto counts = count(side);
    CHECK(std::abs(counts[1] - counts[2]) < 100);  // the tiers have one order
    CHECK(std::abs(counts[3] - 3'000) < 200);
    CHECK((side.takes(1) && side.takes(2) && side.takes(3)));
  }
  SUBCASE("the first was given up, and takes what the other has no room for") {
    lab.group.v4.servers[2].max_connections = 5;
    const auto side = lab.side(all, {0, 1});
    CHECK(!side.takes(1));
    CHECK(side.takes(3));
    CHECK(assigned(lab, side, 7) == "3 3 3 3 3 2 1");
    CHECK(side.takes(1));
    CHECK(!side.takes(3));
  }
  SUBCASE("what a full tier has a share of goes to the others") {
    lab.group.v4.servers[2].max_connections = 1;
    lab.gauges.assign(3);
    const auto counts = count(lab.side(all, {0.7, 0.3}));
    CHECK(!counts.contains(3));
  }
  SUBCASE("the same flow goes to the same tier") {
    const auto side = lab.side(all, {0.5, 0.5});
    for (std::uint64_t i = 0; i < 100; ++i) {
      const Pick pick{mix(i), 0, Turn::Peek};
      const bool is_backup = *side.choose(pick) == 3;
      for (int again = 0; again < 5; ++again) CHECK((*side.choose(pick) == 3) == is_backup);
    }
  }
}

TEST_CASE("lineup: a barred server is passed by while another can take the flow") {
  Lab lab("round-robin");
  for (int i = 0; i < 3; ++i) lab.add();
  lab.add().backup = true;
  const auto side = lab.side();
  lab.gauges.set_patience(2, 2);
  CHECK(!lab.gauges.fail(2, 1));
  CHECK(!lab.gauges.is_barred(2));
  CHECK(lab.gauges.fail(2, 2));
  CHECK(lab.gauges.is_barred(2));
  CHECK(lab.gauges.has_failed(2));
  CHECK(!side.takes(2));
  std::map<ServerId, int> counts;
  for (std::uint64_t i = 0; i < 300; ++i) ++counts[*side.choose({mix(i), 0, Turn::Take})];
  CHECK(!counts.contains(2));
  CHECK(!counts.contains(4));
  CHECK(std::min(counts[1], counts[3]) > 100);

  lab.gauges.close(1, true);
  lab.gauges.close(3, true);
  CHECK(!lab.gauges.has_failed(1));
  CHECK(assigned(lab, side, 3) == "4 4 4");  // no other of its tier can
  CHECK(side.is_usable());
  lab.gauges.close(4, true);  // all are barred: the tier's balancer chooses as ever
  const ServerId first = *side.choose({1, 0, Turn::Take});
  CHECK(first != 4);
  CHECK(*side.choose({1, 0, Turn::Take}) != first);

  lab.gauges.forgive(2);
  CHECK(!lab.gauges.is_barred(2));
  CHECK(assigned(lab, side, 3) == "2 2 2");
  lab.gauges.close(1, false);
  lab.gauges.renew(3);  // another has the id now
  CHECK(!lab.gauges.is_barred(1));
  CHECK(!lab.gauges.is_barred(3));
}

TEST_CASE("gauges: how many failures it takes") {
  Gauges gauges;
  CHECK(!gauges.fail(1, 1'000'000));  // never comes to that
  gauges.set_patience(1, 1);
  CHECK(!gauges.fail(1, 0));
  CHECK(gauges.fail(1, 1));
  gauges.forgive(1);
  gauges.set_patience(1, 3);
  CHECK(!gauges.fail(1, 2));
  CHECK(gauges.fail(1, 4));
  CHECK(!gauges.is_barred(2));
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
