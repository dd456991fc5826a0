#include "engine.hpp"

#include "metrics.hpp"

#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "nfsteer/base/log.hpp"
#include "nfsteer/base/text.hpp"
#include "notify.hpp"

namespace nfsteer {
namespace {

// How often the control thread looks after what comes with time.
constexpr std::chrono::milliseconds kTick{100};
// What checks say is kept on the disk no more often.
constexpr std::chrono::seconds kSaveInterval{1};

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

Fd watch_interfaces() {
  auto monitor = netlink::open_interface_monitor();
  if (monitor) return std::move(*monitor);
  log::warning("changes of interfaces go unnoticed: {}", monitor.error().message);
  return {};
}

}  // namespace

// ---- life -----------------------------------------------------------------------

Engine::Engine(std::unique_ptr<Config> config, Seat& seat)
    : seat_(seat),
      state_file_(seat.options.state_directory),
      steering_(seat.queues.size(), seat.tickets),
      feed_(
          seat.engine.mark, steering_.gauges(), steering_.records(),
          [this](ServerId id, bool replied) { return server_names_.why_stale(id, replied); },
          [this] { server_->post([this] { look_after_failures(); }); }),
      interface_monitor_(watch_interfaces()),
      guard_(seat.shared->installed),
      checks_(steering_, seat.engine.mark.pass(),
              [this] { server_->post([this] { look_after_checks(); }); }),
      reloader_([this](std::function<void()> act) { server_->post(std::move(act)); }) {
  if (const auto taken = take_first(std::move(config)); !taken) wrong_ = taken.error().message;
  read_interfaces();
  read_clock();
  for (std::size_t i = 0; i < seat.queues.size(); ++i) {
    const QueueSeat& queue = seat.queues[i];
    workers_.push_back(std::make_unique<Worker>(steering_.decider(i), seat.engine, orders_,
                                                queue.socket.get(), queue.number, *queue.answered,
                                                seat.shared->workers[i]));
  }
}

void Engine::attach(ControlServer& server, MetricsServer& metrics) {
  server_ = &server;
  metrics_ = &metrics;
  if (interface_monitor_)
    server.watch(interface_monitor_.get(), [this] {
      netlink::drain_interface_monitor(interface_monitor_.get());
      read_interfaces();
    });
  if (clock_.fd() >= 0) server.watch(clock_.fd(), [this] { read_clock(); });
  if (guard_.fd() >= 0) server.watch(guard_.fd(), [this] { guard_.look(); });
  listen_for_scrapes();
  server.every(kTick, [this] { tick(); });
  server.on_hangup([this] { reload({}, [](const auto&) {}); });
}

Result<void> Engine::start() {
  if (!wrong_.empty()) return fail(format("the configuration: {}", wrong_));
  const bool drop = snapshot().engine.on_bad_packet == Action::Drop;
  const netlink::Answer again{netlink::Verdict::Repeat, std::nullopt};
  const netlink::Answer give_up{drop ? netlink::Verdict::Drop : netlink::Verdict::Accept,
                                std::nullopt};
  for (const auto& worker : workers_) worker->start(seat_.distrust_abandoned ? give_up : again);
  auto installed = guard_.install(steering_.world());
  feed_.start();
  follow_checks();
  state_ = installed ? "steering" : "not steering: " + installed.error().message;
  return installed;
}

void Engine::stop() {
  if (snapshot().engine.bypass)
    if (const auto stopped = netlink::stop_queueing(snapshot().engine.manage); !stopped)
      log::warning("the kernel still queues new flows: {}", stopped.error().message);
  wait_until_drained();
  orders_.stop = true;
  for (const auto& worker : workers_) worker->join();
  feed_.stop();
  checks_.stop();
  save();
}

// The configuration is given back as soon as it is compiled: it may be large.
Result<void> Engine::take_first(std::unique_ptr<Config> config) {
  if (!config) {
    const auto sources = seat_.rules.current();
    if (!sources) return tl::unexpected(sources.error());
    LoadResult loaded = load_config(*sources);
    if (const auto* mistakes = std::get_if<std::vector<Diagnostic>>(&loaded))
      return fail(mistakes->front().message);
    config = std::make_unique<Config>(std::get<Config>(std::move(loaded)));
  }
  take_over_state();
  const FlowCounts flows = count_flows(config->engine.mark);
  const KnownIds known = known_ids(config->engine.mark, flows);
  const auto problems = steering_.apply(*config, known);
  config.reset();
  ::malloc_trim(0);  // what the file took, and its compilation
  if (!problems.empty()) return fail(problems.front().message);
  server_names_.set(steering_, known);
  take_over(flows);
  return {};
}

// What flows there are from before: servers have as much to do as they have, and
// clients stay where they are. The feed corrects what is not so any more.
void Engine::take_over(const FlowCounts& flows) {
  bool has_affinity = false;
  for (const Group& group : snapshot().groups) has_affinity |= group.affinity != nullptr;
  for (const auto& [id, count] : flows)
    if (find_server(id)) steering_.gauges().settle(id, -static_cast<std::int32_t>(count));
  if (has_affinity && !flows.empty()) take_over_clients();
}

void Engine::take_over_clients() {
  auto listing = netlink::FlowListing::begin(snapshot().engine.mark);
  while (listing && listing->next().value_or(false))
    for (const FlowReport& flow : listing->flows()) {
      if (!find_server(flow.server)) continue;
      const Group& group = snapshot().groups[snapshot().server_groups[flow.server]];
      if (group.affinity) group.affinity->keep(flow.tuple.source, flow.server, seconds());
    }
}

// What an engine of this keeper knew is newer than what the disk has.
void Engine::take_over_state() {
  Result<EngineState> state = fail("");
  if (seat_.notes.number() > 0) {
    const auto notes = seat_.notes.current();
    state = notes ? parse_engine_state(notes->path) : tl::unexpected(notes.error());
  } else {
    state = state_file_.load();
  }
  if (state) {
    steering_.set_overrides(state->overrides, Clock::now());
    checks_.remember(std::move(state->checks));
  } else {
    log::warning("what was set in earlier runs is not known, and left alone: {}",
                 state.error().message);
  }
}

void Engine::wait_until_drained() const {
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

// ---- what comes with time ---------------------------------------------------------

void Engine::tick() {
  seat_.shared->control.beat();
  look_after_checks();
  guard_.follow(steering_.world());
  guard_.tick();
  event_log_.tick(Clock::now());
  end_drains();
  go_back_if_due();
  tidy();
}

void Engine::look_after_checks() {
  const Clock::time_point now = Clock::now();
  is_saved_ &= !checks_.look(now);
  look_after_failures();
  tell_if_ready();
  if (!is_saved_ && now - saved_ >= kSaveInterval) save();
}

void Engine::follow_checks() {
  if (const auto followed = checks_.follow(Clock::now()); !followed)
    log::error("servers are not checked: {}", followed.error().message);
}

void Engine::when_ready(std::function<void()> ready) {
  ready_ = std::move(ready);
  tell_if_ready();
}

void Engine::tell_if_ready() {
  if (ready_ && checks_.have_answered(Clock::now())) std::exchange(ready_, nullptr)();
}

void Engine::look_after_failures() {
  const Clock::time_point now = Clock::now();
  steering_.advance(now);
  auto events = steering_.take_events();
  if (events.empty()) return;
  server_names_.update(steering_);
  for (const FailoverEvent& event : events) {
    const bool is_down =
        event.reason == FailoverReason::CheckFailed || event.reason == FailoverReason::Ejected;
    const Server* server = is_down ? steering_.find_server(event.subject) : nullptr;
    if (!server) continue;
    feed_.reconcile_soon();
    if (snapshot().groups[snapshot().server_groups[server->id]].failover.cut)
      cut_flows(*server, "it is down");
  }
  event_log_.add(std::move(events), now);
}

void Engine::end_drains() {
  for (const Server* server : drains_.expired(steering_, std::chrono::system_clock::now())) {
    const auto active = steering_.records().read(server->id).active;
    if (active == 0) continue;
    if (snapshot().groups[snapshot().server_groups[server->id]].drain.cut)
      cut_flows(*server, "its drain is over");
    else
      log::warning("{} is drained, and still has {}: they go on", name_of(*server),
                   counted(active, "flow", "flows"));
  }
}

void Engine::cut_flows(const Server& server, const char* why) {
  const MarkLayout& layout = snapshot().engine.mark;
  const auto cut = netlink::delete_flows(layout.server(server.id), layout.mask);
  if (cut)
    log::warning("the flows of {} were cut: {}", name_of(server), why);
  else
    log::error("the flows of {} could not be cut: {}", name_of(server), cut.error().message);
}

void Engine::read_interfaces() {
  const auto interfaces = netlink::interfaces();
  if (!interfaces)
    log::warning("the names of interfaces are not known: {}", interfaces.error().message);
  else
    steering_.set_interfaces(InterfaceNames(*interfaces));
}

// Puts the schedules of now in force, and sets the clock for the next change.
void Engine::read_clock() {
  clock_.set(steering_.set_time(std::chrono::system_clock::now()));
}

void Engine::listen_for_scrapes() {
  if (const auto listens = metrics_->listen(snapshot().engine.metrics); !listens)
    log::warning("no metrics: {}", listens.error().message);
}

// ---- run_engine ---------------------------------------------------------------------

namespace {

void tell(const Fd& ready, const std::string& text) {
  if (::write(ready.get(), text.data(), text.size()) < 0) ::_exit(EXIT_FAILURE);  // no keeper
}

void unblock_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, signal);
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace

int run_engine(std::unique_ptr<Config> config, Seat& seat, Fd ready) {
  const bool first = seat.starts == 1;
  Engine engine(std::move(config), seat);
  ControlServer server(Fd(::dup(seat.control.get())), engine);
  MetricsServer metrics(server, [&engine] { return metrics_text(engine.status()); });
  engine.attach(server, metrics);
  if (const auto started = engine.start(); !started) {
    if (first) {
      tell(ready, started.error().message);
      engine.stop();
      return EXIT_FAILURE;
    }
    log::error("the ruleset stays as the last engine left it: {}", started.error().message);
  }
  engine.when_ready([&ready] { tell(ready, "ready"); });
  unblock_signals();
  server.run();
  engine.stop();
  return EXIT_SUCCESS;
}

}  // namespace nfsteer
