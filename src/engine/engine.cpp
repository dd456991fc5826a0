// The engine: workers on the queues, the ruleset in the kernel, and the control
// socket in the main thread.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <thread>

#include "control_server.hpp"
#include "feed.hpp"
#include "nfsteer/base/log.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/netlink.hpp"
#include "nfsteer/steering.hpp"
#include "seat.hpp"
#include "server_names.hpp"
#include "status.hpp"
#include "wall_clock.hpp"
#include "worker.hpp"

namespace nfsteer {
namespace {

using Clock = std::chrono::steady_clock;

// How many flows there are already, by the id that they carry.
using FlowCounts = std::map<ServerId, std::uint64_t>;

FlowCounts count_flows(const MarkLayout& layout) {
  FlowCounts counts;
  if (const auto flows = netlink::count_flows(layout.mask))
    for (const auto& [mark, count] : *flows)
      counts[static_cast<ServerId>(mark >> layout.shift())] = count;
  return counts;
}

// The ids that flows may carry: of the servers in the kernel's table, and of
// those that were there before.
KnownIds known_ids(const MarkLayout& layout, const FlowCounts& flows) {
  KnownIds known{netlink::installed_servers(layout), {}};
  for (const auto& [id, count] : flows) known.in_use.insert(id);
  return known;
}

class Engine final : public Control {
 public:
  Engine(const Config& config, const Seat& seat)
      : seat_(seat),
        steering_(seat.queues.size(), seat.tickets),
        feed_(config.engine.mark, steering_.gauges(), steering_.records(),
              [this](ServerId id) { return server_names_.why_stale(id); }),
        interface_monitor_(watch_interfaces()) {
    const FlowCounts flows = count_flows(config.engine.mark);
    const KnownIds known = known_ids(config.engine.mark, flows);
    const auto problems = steering_.apply(config, known);
    server_names_.set(snapshot(), known);
    take_over(flows);
    if (!problems.empty()) wrong_ = problems.front().message;
    read_interfaces();
    read_clock();
    for (std::size_t i = 0; i < seat.queues.size(); ++i) {
      const QueueSeat& queue = seat.queues[i];
      workers_.push_back(std::make_unique<Worker>(steering_.decider(i), config.engine, orders_,
                                                  queue.socket.get(), queue.number,
                                                  *queue.answered));
    }
  }

  // What changes beside us, to be watched by the loop of the control thread.
  void watch(ControlServer& server) {
    if (interface_monitor_)
      server.watch(interface_monitor_.get(), [this] {
        netlink::drain_interface_monitor(interface_monitor_.get());
        read_interfaces();
      });
    if (clock_.fd() >= 0) server.watch(clock_.fd(), [this] { read_clock(); });
  }

  // Begins to answer packets, then makes the kernel queue them.
  Result<void> start() {
    if (!wrong_.empty()) return fail(format("the configuration: {}", wrong_));
    const EngineConfig& engine = snapshot().engine;
    const bool drop = engine.on_bad_packet == Action::Drop;
    const netlink::Answer again{netlink::Verdict::Repeat, std::nullopt};
    const netlink::Answer give_up{drop ? netlink::Verdict::Drop : netlink::Verdict::Accept,
                                  std::nullopt};
    for (const auto& worker : workers_) worker->start(seat_.distrust_abandoned ? give_up : again);
    auto installed =
        netlink::install(netlink::make_ruleset(snapshot(), steering_.world().situation));
    feed_.start();
    state_ = installed ? "steering" : "not steering: " + installed.error().message;
    return installed;
  }

  // New flows take the kernel's fallback; packets that wait are still answered.
  void stop() {
    if (snapshot().engine.bypass)
      if (const auto stopped = netlink::stop_queueing(); !stopped)
        log::warning("the kernel still queues new flows: {}", stopped.error().message);
    wait_until_drained();
    orders_.stop = true;
    for (const auto& worker : workers_) worker->join();
    feed_.stop();
  }

  Status status() override {
    Status status;
    status.version = NFSTEER_VERSION;
    status.queues = describe_queues(workers_);
    subtract(status.queues, baseline_);
    status.counted = steering_.statistics(seconds());
    status.starts = seat_.starts;
    status.pid = ::getpid();
    status.uptime_s = std::chrono::duration<double>(Clock::now() - started_).count();
    status.state = state_;
    status.conntrack = describe_conntrack();
    return status;
  }

  Result<Explanation> explain(const FlowQuestion& question) override {
    const Time now = std::chrono::system_clock::now();
    const auto flow = parse_flow(question);
    if (!flow) return tl::unexpected(flow.error());
    const auto at = parse_time(question, now);
    if (!at) return tl::unexpected(at.error());
    Situation then = steering_.world().situation;
    if (question.at) then.activity = activity_at(snapshot(), *at);
    return nfsteer::explain(snapshot(), then, *flow, *at, seconds());
  }

  Result<AffinityList> affinity(const AffinityQuestion& question) override {
    const auto wanted = read(question);
    if (!wanted) return tl::unexpected(wanted.error());
    AffinityList list;
    for (const auto& [group, prefix] : *wanted)
      for (const Affinity::Entry& entry : group->affinity->list(prefix, seconds()))
        if (const Server* server = find_server(entry.server); ++list.total <= kAffinityListMax)
          list.entries.push_back(
              {group->name, to_string(entry.client), server ? server->name : "-", entry.age_s});
    return list;
  }

  Result<std::uint64_t> flush_affinity(const AffinityQuestion& question) override {
    const auto wanted = read(question);
    if (!wanted) return tl::unexpected(wanted.error());
    std::uint64_t forgotten = 0;
    for (const auto& [group, prefix] : *wanted) forgotten += group->affinity->forget(prefix);
    return forgotten;
  }

  Result<StaleFlows> flush_stale(bool dry_run) override {
    const auto found = feed_.reconcile(dry_run);
    if (!found) return tl::unexpected(found.error());
    StaleFlows stale;
    for (const StaleFlow& flow : *found)
      stale.flows.push_back(format("{}: {}", to_string(flow.tuple), flow.reason));
    return stale;
  }

  void flush_cache() override { steering_.flush_cache(); }

  void flush_stats() override {
    steering_.reset_statistics();
    baseline_ = describe_queues(workers_);
    feed_baseline_ = feed_.counts();
  }

  Result<FlushedFlows> flush_flows(const std::optional<std::string>& group,
                                   const std::optional<std::string>& server) override {
    FlushedFlows flushed;
    bool known = !group && !server;
    const auto counts = netlink::count_flows(snapshot().engine.mark.mask);
    if (!counts) return tl::unexpected(counts.error());
    flush_cache();  // before, or the next packet of a flow would bring its server back
    for (std::size_t id = 1; id < snapshot().servers.size(); ++id) {
      if (!snapshot().servers[id]) continue;
      const std::string& in_group = snapshot().groups[snapshot().server_groups[id]].name;
      const std::string name = format("{}/{}", in_group, snapshot().servers[id]->name);
      if ((group && *group != in_group) || (server && *server != name)) continue;
      known = true;
      const std::uint32_t mark = snapshot().engine.mark.server(static_cast<ServerId>(id));
      const auto flows = counts->find(mark);
      if (flows == counts->end()) continue;
      if (auto deleted = netlink::delete_flows(mark, snapshot().engine.mark.mask); !deleted)
        return tl::unexpected(std::move(deleted.error()));
      flushed.flows += flows->second;
    }
    if (!known) return fail(server ? unknown("server", *server) : unknown("group", *group));
    return flushed;
  }

 private:
  // What flows there are from before: servers have as much to do as they have, and
  // clients stay where they are. The feed corrects what is not so any more.
  void take_over(const FlowCounts& flows) {
    bool has_affinity = false;
    for (const Group& group : snapshot().groups) has_affinity |= group.affinity != nullptr;
    for (const auto& [id, count] : flows)
      if (find_server(id)) steering_.gauges().settle(id, -static_cast<std::int32_t>(count));
    if (has_affinity && !flows.empty()) take_over_clients();
  }

  void take_over_clients() {
    auto listing = netlink::FlowListing::begin(snapshot().engine.mark);
    while (listing && listing->next().value_or(false))
      for (const FlowReport& flow : listing->flows()) {
        if (!find_server(flow.server)) continue;
        const Group& group = snapshot().groups[snapshot().server_groups[flow.server]];
        if (group.affinity) group.affinity->keep(flow.tuple.source, flow.server, seconds());
      }
  }

  // The groups that the question is about, each with each prefix.
  Result<std::vector<std::pair<const Group*, Prefix>>> read(
      const AffinityQuestion& question) const {
    std::vector<Prefix> prefixes = {{Address::v4(0), 0}, {Address::v6(0, 0), 0}};
    if (question.client) {
      const auto client = parse_prefix(*question.client);
      if (!client) return tl::unexpected(client.error());
      prefixes = {*client};
    }
    std::vector<std::pair<const Group*, Prefix>> wanted;
    bool known = !question.group;
    for (const Group& group : snapshot().groups) {
      if (question.group && *question.group != group.name) continue;
      known = true;
      if (question.group && !group.affinity)
        return fail(format("group `{}` has no affinity", group.name));
      for (const Prefix& prefix : prefixes)
        if (group.affinity) wanted.emplace_back(&group, prefix);
    }
    if (!known) return fail(unknown("group", *question.group));
    return wanted;
  }

  ConntrackStatus describe_conntrack() const {
    const FeedCounts counts = feed_.counts();
    const auto usage = netlink::conntrack_usage().value_or(netlink::ConntrackUsage());
    return {.entries = usage.entries,
            .max = usage.max,
            .flows = counts.flows,
            .events = counts.events - feed_baseline_.events,
            .overruns = counts.overruns - feed_baseline_.overruns,
            .resyncs = counts.resyncs - feed_baseline_.resyncs,
            .unknown = counts.unknown - feed_baseline_.unknown,
            .broken = counts.broken - feed_baseline_.broken,
            .deleted = counts.deleted - feed_baseline_.deleted};
  }

  const Server* find_server(ServerId id) const {
    return id < snapshot().servers.size() ? snapshot().servers[id] : nullptr;
  }

  std::string unknown(std::string_view what, const std::string& name) const {
    std::vector<std::string> names;
    for (const Group& group : snapshot().groups) {
      if (what == "group") names.push_back(group.name);
      for (const Pool* pool : {&group.v4, &group.v6})
        for (const Server& server : pool->servers)
          if (what == "server") names.push_back(format("{}/{}", group.name, server.name));
    }
    const std::vector<std::string_view> views(names.begin(), names.end());
    const auto meant = nearest(name, views);
    return format("there is no {} `{}`{}", what, printable(name),
                  meant ? format(": did you mean `{}`?", *meant) : "");
  }

  void wait_until_drained() const {
    constexpr auto kLimit = std::chrono::seconds(2);
    for (const auto end = Clock::now() + kLimit; Clock::now() < end;) {
      std::uint64_t waiting = 0;
      for (const netlink::QueueState& queue : netlink::queue_states())
        for (const QueueSeat& own : seat_.queues)
          if (queue.number == own.number) waiting += queue.waiting;
      if (waiting == 0) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  static Fd watch_interfaces() {
    auto monitor = netlink::open_interface_monitor();
    if (monitor) return std::move(*monitor);
    log::warning("changes of interfaces go unnoticed: {}", monitor.error().message);
    return {};
  }

  void read_interfaces() {
    const auto interfaces = netlink::interfaces();
    if (!interfaces)
      log::warning("the names of interfaces are not known: {}", interfaces.error().message);
    else
      steering_.set_interfaces(InterfaceNames(*interfaces));
  }

  // Puts the schedules of now in force, and sets the clock for the next change.
  void read_clock() { clock_.set(steering_.set_time(std::chrono::system_clock::now())); }

  const Snapshot& snapshot() const { return steering_.snapshot(); }

  const Seat& seat_;
  Steering steering_;
  ServerNames server_names_;
  Feed feed_;
  const Fd interface_monitor_;
  WallClock clock_;
  Orders orders_;
  Workers workers_;
  std::string wrong_;                  // with the configuration
  std::vector<QueueStatus> baseline_;  // what flush_stats() has set aside
  FeedCounts feed_baseline_;           // the same of the feed
  std::string state_;
  const Clock::time_point started_ = Clock::now();
};

void tell(const Fd& ready, const std::string& text) {
  if (::write(ready.get(), text.data(), text.size()) < 0) ::_exit(EXIT_FAILURE);  // no keeper
}

void unblock_stop_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGINT);
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace

int run_engine(const Config& config, Seat& seat, Fd ready) {
  const bool first = seat.starts == 1;
  Engine engine(config, seat);
  if (const auto started = engine.start(); !started) {
    if (first) {
      tell(ready, started.error().message);
      engine.stop();
      return EXIT_FAILURE;
    }
    log::error("the ruleset stays as the last engine left it: {}", started.error().message);
  }
  ControlServer server(Fd(::dup(seat.control.get())), engine);
  engine.watch(server);
  tell(ready, "ready");
  unblock_stop_signals();
  server.run();
  engine.stop();
  return EXIT_SUCCESS;
}

}  // namespace nfsteer
