// The keeper: a process of one thread that opens every socket, starts the
// engine and, when it dies, the next one.
//
// A queue lives as long as its socket. Because the sockets are the keeper's, a
// killed engine loses no packet: they wait, and the next engine has what its
// predecessor had read but not answered decided again (NF_REPEAT). The page
// with the last answered id of each queue is shared by all of them.
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <new>

#include "listener.hpp"
#include "namespace_lock.hpp"
#include "nfsteer/base/log.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/engine.hpp"
#include "nfsteer/netlink.hpp"
#include "notify.hpp"
#include "seat.hpp"

namespace nfsteer {
namespace {

using Clock = std::chrono::steady_clock;

// So many groups, of each family, go on in order in the next engine.
constexpr std::size_t kTicketsMax = 2 * 1'024;

// Zeros that are shared with every engine.
template <typename T>
Result<std::span<T>> share(std::size_t count) {
  void* pages =
      ::mmap(nullptr, sizeof(T) * count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return fail(std::strerror(errno));
  return std::span(new (pages) T[count]{}, count);
}

Result<void> keep_files(Seat& seat, const Sources& sources) {
  auto rules = Vault::make(seat.shared->rules);
  auto notes = Vault::make(seat.shared->notes);
  if (!rules || !notes) return fail(rules ? notes.error().message : rules.error().message);
  seat.rules = std::move(*rules);
  seat.notes = std::move(*notes);
  if (auto staged = seat.rules.stage(sources); !staged) return staged;
  seat.rules.commit();
  return {};
}

Result<Seat> take_seat(const EngineConfig& engine, const Sources& sources,
                       const RunOptions& options) {
  Seat seat;
  seat.options = options;
  seat.engine = engine;
  using Answered = std::atomic<std::uint32_t>;
  static_assert(Answered::is_always_lock_free, "shared between processes");
  const auto answered = share<Answered>(engine.queue_count);
  const auto tickets = share<Ticket>(kTicketsMax);
  const auto shared = share<SharedState>(1);
  if (!answered || !tickets || !shared) return fail("no memory to share with the engine");
  seat.tickets = *tickets;
  seat.shared = &shared->front();
  if (auto kept = keep_files(seat, sources); !kept) return tl::unexpected(kept.error());
  // A queue that was opened and is closed again drops what came meanwhile: all
  // that may fail comes first.
  auto lock = lock_namespace();
  if (!lock) return tl::unexpected(std::move(lock.error()));
  seat.lock = std::move(*lock);
  if (engine.manage == Manage::Elements)
    if (auto checked = netlink::check_loaded(netlink::make_ruleset(engine)); !checked)
      return tl::unexpected(std::move(checked.error()));
  auto control = listen_control(options.control_socket);
  if (!control) return tl::unexpected(std::move(control.error()));
  seat.control = std::move(*control);
  for (std::uint16_t i = 0; i < engine.queue_count; ++i) {
    const auto number = static_cast<std::uint16_t>(engine.queue_first + i);
    auto socket = netlink::open_queue(number, engine);
    if (!socket) return tl::unexpected(std::move(socket.error()));
    seat.queues.push_back({number, std::move(*socket), &(*answered)[i]});
  }
  return seat;
}

// The signals that the keeper waits for, as a descriptor. They are blocked from
// here on, in the engine too until it is ready for them.
Fd watch_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) ::sigaddset(&set, signal);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  return Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

class Keeper {
 public:
  Keeper(Config config, Seat seat)
      : config_(std::make_unique<Config>(std::move(config))),
        seat_(std::move(seat)),
        signals_(watch_signals()) {}

  // Until asked to stop, or the first engine could not start.
  Result<void> keep() {
    if (!signals_) return fail(std::strerror(errno));
    while (!stopping_) {
      if (start_engine()) {
        watch_engine();
        if (!ever_ready_) return fail(first_error());
        if (!stopping_) log::warning("the engine ended; starting the next");
      } else if (!ever_ready_) {
        return fail(format("no process for the engine: {}", std::strerror(errno)));
      }
      if (!stopping_) delay_after_quick_deaths();
    }
    if (ended_cleanly_) return {};
    // What waits in the queues is lost with them; new flows need not be.
    if (seat_.engine.bypass) (void)netlink::stop_queueing(seat_.engine.manage);
    return fail("the engine did not stop by itself: packets that waited are lost");
  }

 private:
  static constexpr auto kQuick = std::chrono::seconds(1);
  static constexpr int kQuickDeathsMax = 3;  // then a packet is suspected
  static constexpr auto kDelay = std::chrono::milliseconds(500);
  static constexpr int kPoll_ms = 100;
  static constexpr int kLook_ms = 500;  // at the engine's pulse
  static constexpr int kStop_ms = 10'000;

  std::string first_error() const {
    if (stopping_) return "stopped before it was ready";
    return message_.empty() ? "the engine ended before it was ready" : message_;
  }

  bool start_engine() {
    engine_made_ = false;
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    Fd receiver(ends[0]), sender(ends[1]);
    ++seat_.starts;
    seat_.distrust_abandoned = quick_deaths_ >= kQuickDeathsMax;
    started_ = Clock::now();
    engine_ = ::fork();
    engine_made_ = engine_ > 0;
    if (engine_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // no engine outlives its keeper
      if (::getppid() != keeper_) ::_exit(EXIT_FAILURE);
      receiver.reset();
      signals_.reset();
      ::_exit(run_engine(std::move(config_), seat_, std::move(sender)));
    }
    ready_ = std::move(receiver);
    is_ready_ = false;
    return engine_made_;
  }

  // Until the engine has ended. One that was told to stop and does not is killed.
  void watch_engine() {
    for (bool running = true; running;) {
      std::array<pollfd, 2> watched{
          {{signals_.get(), POLLIN, 0}, {ready_ ? ready_.get() : -1, POLLIN, 0}}};
      const int limit = stopping_ ? kStop_ms : is_ready_ ? kLook_ms : -1;
      const int ready = ::poll(watched.data(), watched.size(), limit);
      if (ready < 0 && errno != EINTR) return;
      if (ready == 0 && stopping_) ::kill(engine_, SIGKILL);
      if (is_ready_ && !stopping_) look_at_pulse();
      if (watched[1].revents != 0) read_ready();
      if (watched[0].revents != 0) running = !read_signals();
    }
  }

  void read_ready() {
    std::array<char, 4096> text;
    const ssize_t length = ::read(ready_.get(), text.data(), text.size());
    ready_.reset();
    if (length <= 0) return;
    message_.assign(text.data(), static_cast<std::size_t>(length));
    if (message_ != "ready") return;
    is_ready_ = true;
    watch_.begin(*seat_.shared, seat_.queues.size(), Clock::now());
    if (std::exchange(ever_ready_, true)) return;
    config_.reset();  // later engines have it from the vault
    ::malloc_trim(0);
    constexpr std::string_view kReady = "ready\n";
    if (::write(STDERR_FILENO, kReady.data(), kReady.size()) < 0) log::warning("stderr is closed");
    notify_service_manager("READY=1");
  }

  // The service manager hears of an engine that moves.
  void look_at_pulse() {
    const auto stuck = watch_.look(*seat_.shared, Clock::now());
    if (!stuck) return notify_service_manager("WATCHDOG=1");
    log::error("{} has not moved for {} s: the engine is killed", stuck->thread,
               stuck->limit.count());
    ::kill(engine_, SIGKILL);
    is_ready_ = false;
  }

  // True when the engine has ended.
  bool read_signals() {
    bool ended = false;
    signalfd_siginfo signal{};
    while (::read(signals_.get(), &signal, sizeof signal) == sizeof signal) {
      if (signal.ssi_signo == SIGCHLD) {
        int status = 0;
        if (engine_ <= 0 || ::waitpid(engine_, &status, WNOHANG) != engine_) continue;
        ended = true;
        ended_cleanly_ = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
        engine_ = -1;
      } else if (signal.ssi_signo == SIGHUP) {
        if (engine_ > 0 && is_ready_) ::kill(engine_, SIGHUP);
      } else {
        stopping_ = true;
        notify_service_manager("STOPPING=1");
        if (engine_ > 0) ::kill(engine_, SIGTERM);
      }
    }
    if (ended && ready_) read_ready();
    return ended;
  }

  void delay_after_quick_deaths() {
    quick_deaths_ = Clock::now() - started_ < kQuick ? quick_deaths_ + 1 : 0;
    if (quick_deaths_ < kQuickDeathsMax && engine_made_) return;
    const auto end = Clock::now() + kDelay;
    while (!stopping_ && Clock::now() < end) {
      pollfd signal{signals_.get(), POLLIN, 0};
      if (::poll(&signal, 1, kPoll_ms) > 0) read_signals();
    }
  }

  std::unique_ptr<Config> config_;  // until the first engine is ready
  Seat seat_;
  Fd signals_;
  Fd ready_;  // the current engine's; closed once it has spoken
  const pid_t keeper_ = ::getpid();
  pid_t engine_ = -1;
  Clock::time_point started_;
  bool engine_made_ = false;
  int quick_deaths_ = 0;
  bool ever_ready_ = false, is_ready_ = false;
  PulseWatch watch_;
  bool stopping_ = false;
  bool ended_cleanly_ = true;  // the last engine
  std::string message_;
};

}  // namespace

Result<void> run(Config config, Sources sources, const RunOptions& options) {
  auto seat = take_seat(config.engine, sources, options);
  if (!seat) return tl::unexpected(std::move(seat.error()));
  sources.contents.clear();
  auto kept = Keeper(std::move(config), std::move(*seat)).keep();
  ::unlink(options.control_socket.c_str());
  return kept;
}

}  // namespace nfsteer
