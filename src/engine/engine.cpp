// The engine: workers on the queues, the ruleset in the kernel, and the control
// socket in the main thread.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <thread>

#include "control_server.hpp"
#include "nfsteer/base/log.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/netlink.hpp"
#include "seat.hpp"
#include "status.hpp"
#include "worker.hpp"

namespace nfsteer {
namespace {

using Clock = std::chrono::steady_clock;

// The ids that flows may carry: of the servers in the kernel's table, and of
// those that were there before. Between two engines of one keeper no server is
// new, as long as nobody took the table away.
KnownIds known_ids(const MarkLayout& layout, const Seat& seat) {
  KnownIds known{netlink::installed_servers(layout), {}};
  if (seat.starts > 1 && !known.servers.empty()) return known;
  if (const auto flows = netlink::count_flows(layout.mask))
    for (const auto& [mark, count] : *flows)
      known.in_use.insert(static_cast<ServerId>(mark >> layout.shift()));
  return known;
}

class Engine final : public Control {
 public:
  Engine(const Config& config, const Seat& seat)
      : snapshot_(compile(config, states_, known_ids(config.engine.mark, seat))), seat_(seat) {
    for (const QueueSeat& queue : seat.queues)
      workers_.push_back(std::make_unique<Worker>(*snapshot_, orders_, queue.socket.get(),
                                                  queue.number, *queue.answered));
  }

  // Begins to answer packets, then makes the kernel queue them.
  Result<void> start() {
    const EngineConfig& engine = snapshot_->engine;
    const bool drop = engine.on_bad_packet == Action::Drop;
    const netlink::Answer again{netlink::Verdict::Repeat, std::nullopt};
    const netlink::Answer give_up{drop ? netlink::Verdict::Drop : netlink::Verdict::Accept,
                                  std::nullopt};
    for (const auto& worker : workers_) worker->start(seat_.distrust_abandoned ? give_up : again);
    auto installed = netlink::install(netlink::make_ruleset(*snapshot_));
    state_ = installed ? "steering" : "not steering: " + installed.error().message;
    return installed;
  }

  // New flows take the kernel's fallback; packets that wait are still answered.
  void stop() {
    if (snapshot_->engine.bypass)
      if (const auto stopped = netlink::stop_queueing(); !stopped)
        log::warning("the kernel still queues new flows: {}", stopped.error().message);
    wait_until_drained();
    orders_.stop = true;
    for (const auto& worker : workers_) worker->join();
  }

  Status status() override {
    Status status = describe(*snapshot_, workers_);
    subtract(status, baseline_);
    status.starts = seat_.starts;
    status.pid = ::getpid();
    status.uptime_s = std::chrono::duration<double>(Clock::now() - started_).count();
    status.state = state_;
    return status;
  }

  void flush_cache() override { orders_.forget.fetch_add(1, std::memory_order_relaxed); }

  void flush_stats() override { baseline_ = describe(*snapshot_, workers_); }

  Result<FlushedFlows> flush_flows(const std::optional<std::string>& group,
                                   const std::optional<std::string>& server) override {
    FlushedFlows flushed;
    bool known = !group && !server;
    const auto counts = netlink::count_flows(snapshot_->engine.mark.mask);
    if (!counts) return tl::unexpected(counts.error());
    flush_cache();  // before, or the next packet of a flow would bring its server back
    for (std::size_t id = 1; id < snapshot_->servers.size(); ++id) {
      if (!snapshot_->servers[id]) continue;
      const std::string& in_group = snapshot_->groups[snapshot_->server_groups[id]].name;
      const std::string name = format("{}/{}", in_group, snapshot_->servers[id]->name);
      if ((group && *group != in_group) || (server && *server != name)) continue;
      known = true;
      const std::uint32_t mark = snapshot_->engine.mark.server(static_cast<ServerId>(id));
      const auto flows = counts->find(mark);
      if (flows == counts->end()) continue;
      if (auto deleted = netlink::delete_flows(mark, snapshot_->engine.mark.mask); !deleted)
        return tl::unexpected(std::move(deleted.error()));
      flushed.flows += flows->second;
    }
    if (!known) return fail(server ? unknown("server", *server) : unknown("group", *group));
    return flushed;
  }

 private:
  std::string unknown(std::string_view what, const std::string& name) const {
    std::vector<std::string> names;
    for (const Group& group : snapshot_->groups) {
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

  GroupStates states_;
  std::unique_ptr<const Snapshot> snapshot_;
  const Seat& seat_;
  Orders orders_;
  std::vector<std::unique_ptr<Worker>> workers_;
  Status baseline_;  // what flush_stats() has set aside
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
  tell(ready, "ready");
  unblock_stop_signals();
  server.run();
  engine.stop();
  return EXIT_SUCCESS;
}

}  // namespace nfsteer
