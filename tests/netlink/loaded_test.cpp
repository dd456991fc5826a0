// A table that somebody has loaded: which one is taken, and what is filled in.
#include <doctest/doctest.h>

#include "fresh_netns.hpp"
#include "nfsteer/netlink.hpp"
#include "samples.hpp"

using namespace nfsteer;
using namespace nfsteer::netlink;
using testing::in_fresh_netns;
using testing::run;

namespace {

Ruleset elements(Ruleset ruleset) {
  ruleset.manage = Manage::Elements;
  return ruleset;
}

// The settings alone, as `nfsteer ruleset` without a file has them.
Ruleset bare(const Ruleset& of) {
  Ruleset ruleset;
  ruleset.mark = of.mark;
  ruleset.queue_first = of.queue_first;
  ruleset.queue_count = of.queue_count;
  ruleset.bypass = of.bypass;
  ruleset.prerouting = of.prerouting;
  ruleset.output = of.output;
  return ruleset;
}

// Throws what went wrong: it will be the result of in_fresh_netns().
template <typename T>
void must(const Result<T>& result) {
  if (!result) throw std::runtime_error("refused: " + result.error().message);
}

template <typename T>
std::string message(const Result<T>& result) {
  return result ? "" : result.error().message;
}

void change(const std::string& commands) {
  run("nft -f - 2>&1", commands);
}

// With the handles of rules and chains, by which what was made anew is told.
std::string base_chains() {
  return run(
      "nft -a list table inet nfsteer 2>/dev/null | awk '/^\\tchain/{text=\"\"} {text=text $0 "
      "\"\\n\"} / hook /{base=1} /^\\t}/{if (base) printf \"%s\", text; base=0}'");
}

std::string contents() {
  return run("nft list table inet nfsteer 2>/dev/null");
}

}  // namespace

TEST_CASE("install: a loaded table is filled in as one of its own is made") {
  const struct {
    const char* name;
    Ruleset (*make)();
  } cases[] = {{"sample", testing::sample},
               {"both hooks", testing::both_hooks_sample},
               {"other", testing::other_sample},
               {"large", testing::large_sample}};
  for (const auto& each : cases) {
    CAPTURE(each.name);
    const auto result = in_fresh_netns([make = each.make]() -> std::string {
      const Ruleset ruleset = elements(make());
      must(install(bare(ruleset)));
      const std::string loaded = base_chains();
      if (loaded.find("hook") == loaded.npos) return "no base chain: " + loaded;
      for (int i = 0; i < 2; ++i) {  // also over itself
        must(install(ruleset));
        if (base_chains() != loaded) return "base chains differ: " + base_chains();
      }
      const std::string filled = contents();
      must(install(make()));
      // The order of sets and chains is that in which they were made.
      const auto sorted = [](const std::string& text) { return run("sort", text); };
      return sorted(contents()) == sorted(filled) ? "same" : filled;
    });
    if (result) CHECK(*result == "same");
  }
}

TEST_CASE("install: what an earlier run filled in is gone, what others added stays") {
  const auto result = in_fresh_netns([]() -> std::string {
    must(install(bare(testing::sample())));
    change(R"(
      table inet nfsteer {
        set own { type ipv4_addr; elements = { 10.0.0.1 } }
        chain own_chain { ip saddr @own counter; }
      }
      insert rule inet nfsteer keep ip saddr 10.0.0.1 jump own_chain
      add element inet nfsteer scope4 { 10.99.0.0/16 }
      add chain inet nfsteer server_77
      add chain inet nfsteer server_base { type filter hook input priority 0; }
      add element inet nfsteer decided { 0x04d00000 : goto server_77 })");
    change("add rule inet nfsteer server_base counter");
    const std::string loaded = base_chains();
    Ruleset large = elements(testing::large_sample());
    large.queue_count = testing::sample().queue_count;
    must(install(large));
    must(install(elements(testing::sample())));
    if (base_chains() != loaded) return "base chains differ";
    const std::string now = contents();
    for (const char* gone : {"10.99.0.0", "server_77", "server_6 ", "fallback_all"})
      if (now.find(gone) != now.npos) return gone;
    for (const char* stays : {"10.0.0.1", "chain own_chain", "jump own_chain"})
      if (now.find(stays) == now.npos) return std::string("lost: ") + stays;
    return "as it should be";
  });
  if (result) CHECK(*result == "as it should be");
}

TEST_CASE("check_loaded: the first difference, or none") {
  constexpr const char* kQueues = "`queue flags bypass to 0-1`";
  const struct {
    const char* change;  // of the table of the sample
    std::string want;    // empty: taken
  } cases[] = {
      {"", ""},
      {"add rule inet nfsteer steer counter", ""},
      {"insert rule inet nfsteer keep ip saddr 10.0.0.1 accept", ""},
      {"insert rule inet nfsteer steer meta mark & 0xff == 1 accept", ""},
      {"add chain inet nfsteer mine { type filter hook input priority 0; }", ""},
      {"add element inet nfsteer scope4 { 10.99.0.0/16 }", ""},
      {"add chain inet nfsteer steer_local { type route hook output priority -150; }", ""},
      {"flush ruleset", "there is no such table"},
      {"flush chain inet nfsteer source; delete set inet nfsteer masqueraded",
       "there is no set masqueraded"},
      {"flush chain inet nfsteer rewrite; delete map inet nfsteer server4_keep_port",
       "there is no map server4_keep_port"},
      {"flush chain inet nfsteer source; delete set inet nfsteer masqueraded; "
       "add set inet nfsteer masqueraded { type ipv6_addr; }",
       "set masqueraded is not of `type mark`"},
      {"flush chain inet nfsteer steer; delete set inet nfsteer scope4; "
       "add set inet nfsteer scope4 { type ipv4_addr; }",
       "set scope4 is not of `type ipv4_addr; flags interval`"},
      {"flush chain inet nfsteer rewrite; delete map inet nfsteer server6; "
       "add map inet nfsteer server6 { type mark : ipv6_addr; }",
       "map server6 is not of `type mark : ipv6_addr . inet_service`"},
      {"flush chain inet nfsteer keep; delete map inet nfsteer decided; "
       "add map inet nfsteer decided { type mark : mark; }",
       "map decided is not of `type mark : verdict`"},
      {"flush chain inet nfsteer hairpin; delete chain inet nfsteer hairpin",
       "there is no chain hairpin"},
      {"flush chain inet nfsteer keep; delete chain inet nfsteer keep; "
       "add chain inet nfsteer keep { type filter hook prerouting priority -151; }",
       "chain keep is not at `type filter hook prerouting priority mangle + 1`"},
      {"flush chain inet nfsteer keep; delete chain inet nfsteer keep; "
       "add chain inet nfsteer keep",
       "chain keep is not at `type filter hook prerouting priority mangle + 1`"},
      {"flush chain inet nfsteer steer",
       std::string("chain steer has nothing that queues, and should have ") + kQueues},
      {"flush chain inet nfsteer source", "no rule of chain source has `@masqueraded`"},
      {"flush chain inet nfsteer keep; add rule inet nfsteer keep meta mark & 0xfff00000 vmap "
       "@decided; add rule inet nfsteer keep ct mark & 0xfff00000 == 0 ip daddr vmap @fallback4",
       "no rule of chain keep has `@fallback6`"},
  };
  for (const auto& each : cases) {
    CAPTURE(each.change);
    const auto result = in_fresh_netns([&each] {
      must(install(testing::sample()));
      change(each.change);
      return message(check_loaded(elements(testing::sample())));
    });
    if (!result) return;
    const std::string before =
        "table inet nfsteer is not the one that these rules need (`manage = \"elements\"`): ";
    const std::string remedy =
        ". Load it with `nfsteer ruleset FILE | nft -f -`, FILE being the rules file";
    CHECK(*result == (each.want.empty() ? "" : before + each.want + remedy));
  }
}

TEST_CASE("check_loaded: a table for other settings is refused") {
  const struct {
    const char* name;
    void (*change)(Ruleset&);
    const char* want;
  } cases[] = {
      {"more queues", [](Ruleset& r) { r.queue_count = 3; },
       "chain steer has `queue flags bypass to 0-1`, and should have `queue flags bypass to 0-2`"},
      {"another queue", [](Ruleset& r) { r.queue_first = 4; },
       "should have `queue flags bypass to 4-5`"},
      {"no bypass", [](Ruleset& r) { r.bypass = false; }, "should have `queue to 0-1`"},
      {"another mask", [](Ruleset& r) { r.mark.mask = 0xff00; },
       "no rule of chain steer has `ct mark & 0x0000ff00`"},
      {"one more hook", [](Ruleset& r) { r.output = true; }, "there is no chain steer_local"},
      {"another hook", [](Ruleset& r) { r.prerouting = false, r.output = true; },
       "there is no chain steer_local"},
  };
  for (const auto& each : cases) {
    CAPTURE(each.name);
    const auto result = in_fresh_netns([&each]() -> std::string {
      must(install(testing::sample()));
      const std::string before = contents();
      Ruleset other = elements(testing::sample());
      each.change(other);
      const std::string said = message(install(other));
      return contents() == before ? said : "the table is not as it was";
    });
    if (result) CHECK_MESSAGE(result->find(each.want) != result->npos, *result);
  }
  const auto fewer_hooks = in_fresh_netns([] {
    must(install(testing::both_hooks_sample()));
    return message(check_loaded(elements(testing::sample())));
  });
  if (fewer_hooks)
    CHECK_MESSAGE(fewer_hooks->find("chain steer_local has `queue flags bypass to 0-1`, and should "
                                    "have nothing that queues") != fewer_hooks->npos,
                  *fewer_hooks);
}

TEST_CASE("install: packets that wait go on waiting while a loaded table is filled in") {
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
    must(install(elements(local)));
    must(stop_queueing(Manage::Elements));
    run("bash -c 'echo x >/dev/udp/127.0.0.1/9'");  // not queued any more
    return waiting();
  });
  if (result) CHECK(*result == "1");
}

TEST_CASE("stop_queueing: in a loaded table only the sets of what is queued are emptied") {
  const auto result = in_fresh_netns([]() -> std::string {
    must(stop_queueing(Manage::Elements));  // without a table
    must(install(bare(testing::sample())));
    must(install(elements(testing::sample())));
    const std::string chains = base_chains();
    must(stop_queueing(Manage::Elements));
    must(stop_queueing(Manage::Elements));
    if (base_chains() != chains) return base_chains();
    const std::string now = contents();
    if (now.find("10.10.0.1-10.10.0.9\n") != now.npos) return "scope: " + now;
    return now.find("goto fallback_web_4") == now.npos ? "no fallback: " + now : "stopped";
  });
  if (result) CHECK(*result == "stopped");
}
