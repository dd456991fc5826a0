// The table in a real kernel, in network namespaces of the test's own.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <span>
#include <sstream>
#include <vector>

#include "fresh_netns.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/netlink.hpp"
#include "samples.hpp"

using namespace nfsteer;
using namespace nfsteer::netlink;
using testing::in_fresh_netns;
using testing::run;

namespace {

constexpr const char* kList = "nft list table inet nfsteer 2>/dev/null";

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> all;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) all.push_back(line);
  return all;
}

// Without the rules that queue, which not every kernel can load from text, and
// without remarks.
std::string without_queues(const std::string& text) {
  std::string rest;
  for (const std::string& line : lines(text))
    if (line.find("daddr @scope") == line.npos && !line.starts_with("#")) rest += line + "\n";
  return rest;
}

// A listing with its sets and chains in alphabetical order.
std::string sorted(const std::string& listing) {
  std::vector<std::string> blocks(1);
  for (const std::string& line : lines(without_queues(listing))) {
    if (line.starts_with("table") || line == "}" || line.empty()) continue;
    blocks.back() += line + "\n";
    if (line == "\t}") blocks.emplace_back();
  }
  std::sort(blocks.begin(), blocks.end());
  std::string all;
  for (const std::string& block : blocks) all += block;
  return all;
}

// The lines between the braces of a set or chain, or "none".
std::string body(const std::string& listing, const std::string& of) {
  const std::size_t start = listing.find("\t" + of + " {\n");
  if (start == listing.npos) return "none";
  const std::size_t begin = listing.find('\n', start) + 1;
  return listing.substr(begin, listing.find("\n\t}", begin) + 1 - begin);
}

// Throws what went wrong: it will be the result of in_fresh_netns().
template <typename T>
void must(const Result<T>& result) {
  if (!result) throw std::runtime_error("refused: " + result.error().message);
}

std::string installed(const std::vector<Ruleset>& rulesets) {
  for (const Ruleset& ruleset : rulesets) must(install(ruleset));
  return run(kList);
}

std::string loaded(const std::vector<Ruleset>& rulesets) {
  for (const Ruleset& ruleset : rulesets) run("nft -f - 2>&1", without_queues(to_nft(ruleset)));
  return run(kList);
}

struct Sample {
  const char* name;
  Ruleset (*make)();
};
const Sample kSamples[] = {
    {"empty", [] { return Ruleset{}; }},        {"sample", testing::sample},
    {"both hooks", testing::both_hooks_sample}, {"other", testing::other_sample},
    {"large", testing::large_sample},
};
// Without the large one: every pair of them is tried.
constexpr std::span<const Sample> kPaired(kSamples, 4);

}  // namespace

TEST_CASE("install: the kernel has what the text says") {
  for (const Sample& sample : kSamples) {
    CAPTURE(sample.name);
    const auto by_install = in_fresh_netns([&] { return installed({sample.make()}); });
    const auto by_text = in_fresh_netns([&] { return loaded({sample.make()}); });
    if (!by_install || !by_text) return;
    CHECK(sorted(*by_install) == sorted(*by_text));
    CHECK(by_text->find("chain source") != by_text->npos);
  }
}

TEST_CASE("install: packets of the scope are queued") {
  for (const Sample& sample : kSamples) {
    CAPTURE(sample.name);
    const auto listing = in_fresh_netns([&] { return installed({sample.make()}); });
    if (!listing) return;
    const Ruleset ruleset = sample.make();
    for (const bool local : {false, true}) {
      const std::string chain = body(*listing, local ? "chain steer_local" : "chain steer");
      const bool wanted = local ? ruleset.output : ruleset.prerouting;
      CHECK((chain.find("ip daddr @scope4 queue") != chain.npos) == wanted);
      CHECK((chain.find("ip6 daddr @scope6 queue") != chain.npos) == wanted);
      if (wanted) CHECK((chain.find("bypass") != chain.npos) == ruleset.bypass);
    }
  }
}

TEST_CASE("install: twice, or over anything else, is as good as once") {
  for (const Sample& sample : kPaired)
    for (const Sample& before : kPaired) {
      CAPTURE(before.name);
      CAPTURE(sample.name);
      // Base chains of both stay: compare with a table that has had them all.
      const auto all = testing::both_hooks_sample();
      const auto once = in_fresh_netns([&] { return installed({all, sample.make()}); });
      const auto over = in_fresh_netns([&] {
        return installed({all, before.make(), sample.make()});
      });
      if (!once || !over) return;
      CHECK(sorted(*once) == sorted(*over));
    }
}

TEST_CASE("to_nft: loads over itself and over anything else") {
  for (const Sample& sample : kPaired)
    for (const Sample& before : kPaired) {
      CAPTURE(before.name);
      CAPTURE(sample.name);
      const auto once = in_fresh_netns([&] { return loaded({sample.make()}); });
      const auto over = in_fresh_netns([&] { return loaded({before.make(), sample.make()}); });
      if (!once || !over) return;
      // Chains of before may stay, without rules.
      for (const char* chain : {"steer", "keep", "steer_local", "keep_local", "source", "server_1"})
        if (const std::string block = std::string("chain ") + chain; body(*once, block) != "none")
          CHECK(body(*over, block) == body(*once, block));
      for (const char* map : {"decided", "server4", "server4_keep_port", "fallback4"})
        CHECK(body(*over, std::string("map ") + map) == body(*once, std::string("map ") + map));
      CHECK(body(*over, "set scope4") == body(*once, "set scope4"));
    }
}

TEST_CASE("install: base chains are emptied at most, never deleted") {
  const auto base_chains = [] {
    return run("nft -a list chains inet | awk '/chain/{chain=$0} /hook/{print chain}' | sort");
  };
  const auto result = in_fresh_netns([&] {
    must(install(testing::both_hooks_sample()));
    const std::string before = base_chains();
    must(install(testing::other_sample()));
    if (const std::string after = base_chains(); after != before) return before + after;
    return body(run(kList), "chain keep");
  });
  if (!result) return;
  CHECK(*result == "\t\ttype filter hook prerouting priority mangle + 1; policy accept;\n");
}

TEST_CASE("install: packets that wait in a queue go on waiting") {
  const auto result = in_fresh_netns([]() -> std::string {
    Ruleset local;
    local.prerouting = false;
    local.output = true;
    local.scope = {{testing::address("127.0.0.1"), testing::address("127.0.0.1")}};
    run("ip link set lo up");
    const auto queue = open_queue(0, EngineConfig{});
    if (!queue) return queue.error().message;
    must(install(local));
    run("bash -c 'echo x >/dev/udp/127.0.0.1/9'");
    const auto waiting = [] { return std::to_string(queue_states().at(0).waiting); };
    if (waiting() != "1") return "not queued: " + waiting();
    for (const Sample& sample : kSamples) {
      must(install(sample.make()));
      if (waiting() != "1") return std::string(sample.name) + ": " + waiting();
    }
    return "waits";
  });
  if (result) CHECK(*result == "waits");
}

namespace {

// A ruleset near the sample, with the same marks.
Ruleset near_sample(std::mt19937& random) {
  const auto below = [&random](std::size_t limit) { return random() % limit; };
  Ruleset made = testing::both_hooks_sample();
  made.output = below(2) == 0;
  made.bypass = below(2) == 0;
  std::erase_if(made.scope, [&](const auto&) { return below(3) == 0; });
  std::set<ServerId> gone;
  std::erase_if(made.servers, [&](const Ruleset::Server& server) {
    const bool goes = below(3) == 0;
    if (goes) gone.insert(server.id);
    return goes;
  });
  for (Ruleset::Server& server : made.servers) server.snat ^= below(4) == 0;
  if (below(2) == 0) made.servers.push_back({9, "web/new", testing::address("10.2.0.9"), 80, true});
  const auto groups = std::exchange(made.fallback_groups, {});
  std::map<std::size_t, std::size_t> places;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    Ruleset::FallbackGroup group = groups[i];
    std::erase_if(group.members, [&](const auto& member) { return gone.contains(member.id); });
    for (auto& member : group.members) member.weight += static_cast<std::uint32_t>(below(2));
    if (group.members.empty() || below(5) == 0) continue;
    places[i] = made.fallback_groups.size();
    made.fallback_groups.push_back(group);
  }
  std::erase_if(made.fallback,
                [&](const auto& range) { return !places.contains(range.group) || below(4) == 0; });
  for (auto& range : made.fallback) range.group = places[range.group];
  return made;
}

// The chains at output stay, without rules, where they are no more needed.
std::string without_empty_chains(const std::string& listing) {
  std::string rest;
  for (std::size_t at = 0; at < listing.size();) {
    const std::size_t end = listing.find("\n\t}\n", at) + 4;
    const std::string block = listing.substr(at, end - at);
    if (block.find("_local {") == block.npos || lines(block).size() > 3) rest += block;
    at = end;
  }
  return rest;
}

}  // namespace

TEST_CASE("update: as if it had been made anew, from any state to any other") {
  for (std::uint32_t seed = 0; seed < 25; ++seed) {
    CAPTURE(seed);
    const auto result = in_fresh_netns([seed]() -> std::string {
      std::mt19937 random(seed);
      const auto queue = open_queue(0, EngineConfig{});
      Ruleset present = near_sample(random);
      const auto form = install(present);
      must(form);
      for (int i = 0; i < 4; ++i) {
        const Ruleset next = near_sample(random);
        const auto changed = update(present, next, *form);
        must(changed);
        if (*changed != !(present == next)) return format("changed: {}", *changed);
        if (update(next, next, *form).value_or(true)) return "changed to the same";
        const std::string updated = without_empty_chains(sorted(run(kList)));
        must(remove_ruleset());
        must(install(next));
        const std::string made = without_empty_chains(sorted(run(kList)));
        if (updated != made) return format("updated:\n{}\nmade:\n{}", updated, made);
        present = next;
      }
      return "the same";
    });
    if (!result) return;
    CHECK(*result == "the same");
  }
}

TEST_CASE("update: packets that wait in a queue go on waiting") {
  const auto result = in_fresh_netns([]() -> std::string {
    std::mt19937 random(5);
    run("ip link set lo up");
    const auto queue = open_queue(0, EngineConfig{});
    must(queue);
    const auto next = [&random] {
      Ruleset made = near_sample(random);
      made.output = true;
      made.scope.push_back({testing::address("127.0.0.1"), testing::address("127.0.0.1")});
      std::ranges::sort(made.scope, {}, &Ruleset::ScopeRange::first);
      return made;
    };
    Ruleset present = next();
    present.queue_count = 1;
    const auto form = install(present);
    must(form);
    run("bash -c 'echo x >/dev/udp/127.0.0.1/9'");
    for (int i = 0; i < 20; ++i) {
      if (const auto waiting = queue_states().at(0).waiting; waiting != 1)
        return format("{} of 1 after {}", waiting, i);
      Ruleset then = next();
      then.queue_count = 1;
      must(update(present, then, *form));
      present = then;
    }
    return "waits";
  });
  if (result) CHECK(*result == "waits");
}

TEST_CASE("update: what the kernel does not have is refused, and nothing is changed") {
  const auto result = in_fresh_netns([]() -> std::string {
    const auto form = install(testing::sample());
    must(form);
    run("nft flush map inet nfsteer server4");
    const std::string before = run(kList);
    Ruleset next = testing::sample();
    next.servers.erase(next.servers.begin());
    next.fallback_groups[0].members.erase(next.fallback_groups[0].members.begin());
    const auto updated = update(testing::sample(), next, *form);
    if (run(kList) != before) return "changed";
    return updated ? "no error" : updated.error().message;
  });
  if (result)
    CHECK(*result ==
          "the kernel refuses the elements of set server4 of table inet nfsteer: No such file or "
          "directory");
}

TEST_CASE("is_installed: the chains and sets are there") {
  const auto result = in_fresh_netns([]() -> std::string {
    std::string seen;
    const auto look = [&seen](const Ruleset& ruleset) {
      const auto found = is_installed(ruleset);
      seen += !found ? "?" : *found ? "+" : "-";
    };
    look(testing::sample());
    must(install(testing::sample()));
    look(testing::sample());
    look(testing::other_sample());
    run("nft flush map inet nfsteer server4");  // what is in them is another matter
    look(testing::sample());
    run("nft delete table inet nfsteer");
    look(testing::sample());
    return seen;
  });
  if (result) CHECK(*result == "-+-+-");
}

TEST_CASE("monitor: who changes our table, and nobody else") {
  const auto result = in_fresh_netns([]() -> std::string {
    auto monitor = RulesetMonitor::open();
    must(monitor);
    std::string seen;
    const auto look = [&](const char* what) {
      const auto change = monitor->read();
      seen += format("{}: {}\n", what,
                     !change ? "nobody" : change->author.substr(0, change->author.find(' ')));
    };
    look("at first");
    must(install(testing::sample()));
    must(update(testing::sample(), testing::sample(), QueueForm::XtTarget));
    look("ourselves");
    run("nft add table inet other");
    run("nft add table ip nfsteer");
    run("nft delete table ip nfsteer");
    look("another table");
    for (const char* what :
         {"flush chain inet nfsteer keep", "flush map inet nfsteer server4",
          "add chain inet nfsteer mine", "delete table inet nfsteer", "flush ruleset"}) {
      if (std::string_view(what) == "flush ruleset") must(install(testing::sample()));
      run(std::string("nft ") + what);
      look(what);
    }
    return seen;
  });
  if (result)
    CHECK(*result ==
          "at first: nobody\nourselves: nobody\nanother table: nobody\n"
          "flush chain inet nfsteer keep: nft\nflush map inet nfsteer server4: nft\n"
          "add chain inet nfsteer mine: nft\ndelete table inet nfsteer: nft\n"
          "flush ruleset: nft\n");
}

TEST_CASE("install: the fallback drops, refuses, and lets go") {
  const auto result = in_fresh_netns([] {
    Ruleset local;
    local.prerouting = false;
    local.output = true;
    local.fallback_groups = {
        {"drop", Family::V4, {{0, 1, Action::Drop}}},
        {"reject", Family::V4, {{0, 1, Action::Reject}}},
        {"shared.2", Family::V4, {{0, 1, Action::Accept}, {0, 1, Action::Accept}}}};
    for (std::uint32_t i = 0; i < 3; ++i) {
      const Address each = Address::v4(0x7f000002 + i);
      local.fallback.push_back({each, each, i});
    }
    run("ip link set lo up");
    run("nft -f - 2>&1", R"(table ip arrived {
      chain input {
        type filter hook input priority 0
        udp dport 9 ip daddr 127.0.0.2 counter
        icmp type destination-unreachable icmp code admin-prohibited counter
        udp dport 9 ip daddr 127.0.0.3 counter
        udp dport 9 ip daddr 127.0.0.4 counter
        udp dport 9 ip daddr 127.0.0.5 counter
      }
    })");
    must(install(local));
    for (const char* last : {"2", "3", "4", "5"})
      run(std::string("bash -c 'echo x >/dev/udp/127.0.0.") + last + "/9' 2>/dev/null || true");
    return run("nft list table ip arrived | grep -o 'packets [0-9]*' | tr -d '\n'");
  });
  // Not the dropped one; word of the refused one, not itself; the other two.
  if (result) CHECK(*result == "packets 0packets 1packets 0packets 1packets 1");
}

TEST_CASE("install: regular chains and sets of an earlier run are gone") {
  const auto listing = in_fresh_netns([] {
    run("nft -f - 2>&1",
        "table inet nfsteer { set decided { type ipv4_addr; }; set old { type ether_addr; }; "
        "chain older { }; chain old { jump older; }; chain keep { }; }");
    return installed({testing::large_sample(), testing::sample()});
  });
  if (!listing) return;
  for (const char* gone : {"old", "server_6", "fallback_all_4"})
    CHECK_MESSAGE(listing->find(gone) == listing->npos, gone);
}

TEST_CASE("other tables stay as they are") {
  constexpr const char* kForeign = R"(
    table inet other {
      set s { type ipv4_addr; elements = { 10.0.0.1 } }
      chain steer { type filter hook prerouting priority 0; ip daddr @s counter; }
    }
    table ip nfsteer {
      chain steer { type filter hook prerouting priority 0; counter; }
    })";
  const auto result = in_fresh_netns([&]() -> std::string {
    const auto foreign = [] { return run("nft list table inet other; nft list table ip nfsteer"); };
    run("nft -f - 2>&1", kForeign);
    const std::string before = foreign();
    must(install(testing::sample()));
    if (foreign() != before) return "install: " + foreign();
    must(stop_queueing(Manage::Table));
    if (foreign() != before) return "stop: " + foreign();
    must(remove_ruleset());
    if (foreign() != before) return "remove: " + foreign();
    return "same";
  });
  if (result) CHECK(*result == "same");
}

TEST_CASE("stop_queueing: only the chains that queue are emptied") {
  const auto result = in_fresh_netns([]() -> std::string {
    must(stop_queueing(Manage::Table));  // without a table
    const std::string before = installed({testing::both_hooks_sample()});
    must(stop_queueing(Manage::Table));
    must(stop_queueing(Manage::Table));
    const std::string after = run(kList);
    for (const char* chain : {"chain keep", "chain keep_local", "chain source", "chain server_1"})
      if (body(after, chain) != body(before, chain)) return chain;
    return body(after, "chain steer") + body(after, "chain steer_local");
  });
  if (!result) return;
  CHECK(*result ==
        "\t\ttype filter hook prerouting priority mangle; policy accept;\n"
        "\t\ttype route hook output priority mangle; policy accept;\n");
}

TEST_CASE("remove_ruleset: the table is gone; where there is none, no error") {
  const auto result = in_fresh_netns([] {
    must(remove_ruleset());
    must(install(testing::sample()));
    must(remove_ruleset());
    must(remove_ruleset());
    return run("nft list ruleset");
  });
  if (result) CHECK(result->empty());
}

TEST_CASE("refusals say what to do") {
  const auto without_privilege = [](auto action) {
    return in_fresh_netns([action]() -> std::string {
      if (::setresuid(65534, 65534, 65534) != 0) return "still root";
      const auto result = action();
      return result ? "no error" : result.error().message;
    });
  };
  const auto needs_privilege = [](const std::optional<std::string>& message) {
    return !message || message->find("CAP_NET_ADMIN is needed") != message->npos;
  };
  CHECK(needs_privilege(without_privilege([] { return install(Ruleset{}); })));
  CHECK(needs_privilege(without_privilege([] { return stop_queueing(Manage::Table); })));
  CHECK(needs_privilege(without_privilege(remove_ruleset)));

  const auto other_layout = in_fresh_netns([]() -> std::string {
    run("nft -f - 2>&1",
        "table inet nfsteer { chain keep { type filter hook prerouting priority 5; }; }");
    const auto result = install(Ruleset{});
    return result ? "no error" : result.error().message;
  });
  if (other_layout)
    CHECK(*other_layout ==
          "table inet nfsteer exists with another layout (chain keep): remove it with "
          "`nfsteer ruleset --remove`");
}
