#include <pthread.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <mutex>
#include <random>
#include <thread>
#include <unordered_map>

#include "check.hpp"
#include "nfsteer/base/text.hpp"
#include "process.hpp"

namespace nfsteer {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using boost::system::error_code;

// A check, or why there is none on this machine.
struct Ready {
  std::chrono::milliseconds timeout{0};
  std::shared_ptr<const Check> check;  // null: there is none
  std::string problem;
};

Ready make_ready(const CheckConfig& config) {
  auto made = find_check_kind(config.kind)->make(config);
  if (made) return {config.timeout, *std::move(made), {}};
  return {config.timeout, nullptr, std::move(made.error().message)};
}

// Its thread has no signals: they are for others of the process.
std::thread start_without_signals(std::function<void()> run) {
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::move(run));
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace

// What the prober's thread shares with others.
struct Prober::Shared {
  std::mutex mutex;
  CheckBoard board{std::random_device{}()};                    // guarded by mutex
  std::map<std::string, std::shared_ptr<const Ready>> checks;  // guarded by mutex
};

// The thread, and what is its own.
class Prober::Loop {
 public:
  Loop(Shared& shared, const std::function<void(const HealthEvent&)>& report, std::uint32_t mark)
      : shared_(shared),
        report_(report),
        children_(io_),
        room_{io_, children_, mark},
        timer_(io_),
        thread_(start_without_signals([this] { run(); })) {}
  ~Loop() {
    io_.stop();
    thread_.join();
  }

  // What is due, or runs, may have changed. Any thread.
  void wake() {
    asio::post(io_, [this] { catch_up(); });
  }

 private:
  // A probe that runs.
  struct Run {
    ProbeTicket ticket;
    std::shared_ptr<const Ready> ready;
    Clock::time_point started;
    asio::steady_timer deadline;
    std::unique_ptr<Probe> probe;
  };

  void run();
  void catch_up();
  void drop_given_up();
  void start_due();
  void start_probe(Run& run);
  void end(std::uint64_t number, ProbeEnd end);
  void wait_for_due();

  Shared& shared_;
  const std::function<void(const HealthEvent&)>& report_;
  asio::io_context io_{1};
  Children children_;
  ProbeRoom room_;
  asio::steady_timer timer_;
  Clock::time_point awaited_ = Clock::time_point::max();  // by the timer
  std::unordered_map<std::uint64_t, Run> runs_;           // by ProbeTicket::number
  std::thread thread_;
};

void Prober::Loop::run() {
  ::pthread_setname_np(::pthread_self(), "prober");
  const auto work = asio::make_work_guard(io_);
  catch_up();
  io_.run();
}

void Prober::Loop::catch_up() {
  drop_given_up();
  start_due();
  wait_for_due();
}

void Prober::Loop::drop_given_up() {
  const std::lock_guard lock(shared_.mutex);
  std::erase_if(runs_,
                [this](const auto& run) { return !shared_.board.is_running(run.second.ticket); });
}

void Prober::Loop::start_due() {
  const auto now = Clock::now();
  std::vector<std::uint64_t> started;
  {
    const std::lock_guard lock(shared_.mutex);
    for (ProbeTicket& ticket : shared_.board.begin_due(now)) {
      started.push_back(ticket.number);
      auto ready = shared_.checks.at(ticket.target.check);
      runs_.emplace(ticket.number, Run{std::move(ticket), std::move(ready), now,
                                       asio::steady_timer(io_), nullptr});
    }
  }
  for (const std::uint64_t number : started) start_probe(runs_.at(number));
}

void Prober::Loop::start_probe(Run& run) {
  const std::uint64_t number = run.ticket.number;
  const Ready& ready = *run.ready;
  if (!ready.check) {
    asio::post(io_, [this, number, problem = ready.problem] {
      end(number, {ProbeOutcome::Skipped, problem});
    });
    return;
  }
  run.deadline.expires_after(ready.timeout);
  run.deadline.async_wait([this, number, timeout = ready.timeout](const error_code& cancelled) {
    if (!cancelled)
      end(number, {ProbeOutcome::Failed, format("no answer within {}", duration_text(timeout))});
  });
  run.probe = ready.check->start(room_, run.ticket.target,
                                 [this, number](ProbeEnd how) { end(number, std::move(how)); });
}

void Prober::Loop::end(std::uint64_t number, ProbeEnd how) {
  const auto found = runs_.find(number);
  if (found == runs_.end()) return;
  const auto node = runs_.extract(found);
  const Run& run = node.mapped();
  const auto now = Clock::now();
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(now - run.started);
  std::vector<HealthEvent> events;
  {
    const std::lock_guard lock(shared_.mutex);
    events = shared_.board.finish(run.ticket, {how.outcome, std::move(how.reason), took}, now);
  }
  for (const HealthEvent& event : events) report_(event);
  wait_for_due();
}

void Prober::Loop::wait_for_due() {
  Clock::time_point due;
  {
    const std::lock_guard lock(shared_.mutex);
    due = shared_.board.next_due();
  }
  if (due == awaited_) return;
  awaited_ = due;
  timer_.expires_at(due);
  timer_.async_wait([this](const error_code& cancelled) {
    if (cancelled) return;
    awaited_ = Clock::time_point::max();
    catch_up();
  });
}

// ---- the public class -----------------------------------------------------------

Prober::Prober(std::function<void(const HealthEvent&)> report, std::uint32_t mark)
    : report_(std::move(report)), mark_(mark), shared_(std::make_unique<Shared>()) {}

Prober::~Prober() = default;

void Prober::set_targets(const std::vector<CheckConfig>& checks,
                         const std::vector<WantedTarget>& targets) {
  std::map<std::string, std::shared_ptr<const Ready>> ready;
  for (const CheckConfig& check : checks)
    ready.emplace(check.name, std::make_shared<const Ready>(make_ready(check)));
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->board.set_targets(checks, targets, Clock::now());
    shared_->checks = std::move(ready);
  }
  if (loop_) loop_->wake();
}

void Prober::remove(const CheckTarget& target) {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->board.remove(target);
  }
  if (loop_) loop_->wake();
}

void Prober::set_awake(const CheckTarget& target, bool awake) {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->board.set_awake(target, awake, Clock::now());
  }
  if (loop_) loop_->wake();
}

Result<void> Prober::start() {
  try {
    loop_ = std::make_unique<Loop>(*shared_, report_, mark_);
  } catch (const std::exception& error) {
    return fail(format("checks cannot be run: {}", error.what()));
  }
  return {};
}

void Prober::stop() {
  loop_.reset();
}

std::vector<TargetStatus> Prober::statuses() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->board.statuses();
}

}  // namespace nfsteer
