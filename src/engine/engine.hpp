// The engine: workers on the queues, the ruleset in the kernel, and all that the control
// thread looks after.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "checks.hpp"
#include "control.hpp"
#include "control_server.hpp"
#include "drains.hpp"
#include "event_log.hpp"
#include "feed.hpp"
#include "metrics_server.hpp"
#include "reloader.hpp"
#include "ruleset_guard.hpp"
#include "seat.hpp"
#include "server_names.hpp"
#include "state_file.hpp"
#include "status.hpp"
#include "wall_clock.hpp"
#include "worker.hpp"

namespace nfsteer {

// The control thread's, after construction too.
class Engine final : public Control {
 public:
  // Without `config` it is what the seat's vault has.
  Engine(std::unique_ptr<Config> config, Seat& seat);

  // What there is to be looked after, in the loop of the control socket. Before start().
  void attach(ControlServer& server, MetricsServer& metrics);
  // Begins to answer packets, then makes the kernel queue them.
  Result<void> start();
  // `ready` is called once, when the checks have said how the servers are.
  void when_ready(std::function<void()> ready);
  // New flows take the kernel's fallback; packets that wait are still answered.
  void stop();

  Status status() override;
  Result<Explanation> explain(const FlowQuestion& question) override;
  Result<AffinityList> affinity(const AffinityQuestion& question) override;
  Result<std::uint64_t> flush_affinity(const AffinityQuestion& question) override;
  Result<StaleFlows> flush_stale(bool dry_run) override;
  void flush_cache() override;
  void flush_stats() override;
  Result<FlushedFlows> flush_flows(const std::optional<std::string>& group,
                                   const std::optional<std::string>& server) override;
  void reload(std::optional<std::chrono::seconds> confirm, ReloadDone done) override;
  void undo(ReloadDone done) override;
  Result<void> confirm() override;
  void diff(const std::string& path, ReloadDone done) override;
  Result<Setting> set_state(const std::string& server, ServerState state) override;
  Result<Setting> set_weight(const std::string& server, const WeightOverride& weight) override;
  Result<Setting> set_algorithm(const std::string& group, const std::string& algorithm) override;

 private:
  using Clock = std::chrono::steady_clock;
  using Loaded = tl::expected<Candidate, ReloadError>;

  // What begins with the engine.
  Result<void> take_first(std::unique_ptr<Config> config);
  void take_over(const std::map<ServerId, std::uint64_t>& flows);
  void take_over_clients();
  void take_over_state();

  // What comes with time.
  void tick();
  void look_after_failures();
  void follow_checks();
  void look_after_checks();
  void tell_if_ready();
  void end_drains();
  void cut_flows(const Server& server, const char* why);
  void read_interfaces();
  void read_clock();
  void listen_for_scrapes();

  // Reloads.
  void load(std::variant<std::string, Sources> from, ReloadDone done);
  tl::expected<Reload, ReloadError> put_in_force(Loaded loaded, KnownIds known);
  void settle_in(const KnownIds& known);
  void go_back(ReloadDone done);
  void go_back_if_due();
  void tidy();

  // What people set.
  Result<const Server*> find(const std::string& server) const;
  Result<Setting> set(Setting setting, Overrides overrides, const Server* server);
  std::string save();

  // What clients ask.
  using Clients = std::vector<std::pair<const Group*, Prefix>>;
  Result<Clients> read(const AffinityQuestion& question) const;
  ConntrackStatus describe_conntrack() const;
  const Server* find_server(ServerId id) const;
  std::string name_of(const Server& server) const;
  std::string unknown(std::string_view what, const std::string& name) const;
  void wait_until_drained() const;
  const Snapshot& snapshot() const { return steering_.snapshot(); }

  Seat& seat_;
  ControlServer* server_ = nullptr;
  const StateFile state_file_;
  Steering steering_;
  ServerNames server_names_;
  Feed feed_;
  const Fd interface_monitor_;
  WallClock clock_;
  Orders orders_;
  Workers workers_;
  RulesetGuard guard_;
  Checks checks_;
  std::function<void()> ready_;  // empty: it was called
  MetricsServer* metrics_ = nullptr;
  Reloader reloader_;
  EventLog event_log_;
  Drains drains_;
  std::string wrong_;                  // with the configuration
  std::vector<QueueStatus> baseline_;  // what flush_stats() has set aside
  FeedCounts feed_baseline_;           // the same of the feed
  std::string state_ = "starting";
  const Clock::time_point started_ = Clock::now();
  Clock::time_point reloaded_;  // last
  Clock::time_point saved_;     // last
  bool is_saved_ = true;        // what the checks say
  bool is_tidy_ = true;         // the kernel's table has no servers of before
  std::uint64_t reloads_ = 0, reloads_failed_ = 0;
};

}  // namespace nfsteer
