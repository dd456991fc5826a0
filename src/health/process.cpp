#include "process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <memory>

#include "launch.hpp"
#include "nfsteer/base/fd.hpp"
#include "nfsteer/base/text.hpp"

// ThreadSanitizer's clone() takes every child for one with memory of its own.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
extern "C" int __clone(int (*run)(void*), void* stack, int flags, void* argument, ...);
#define clone __clone
#endif
#endif

namespace nfsteer {
namespace {

namespace asio = boost::asio;

constexpr const char* kEnvironment[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", nullptr};

// Kept off a thread's signals for as long as it lives: their handlers would run in the
// child as if it were the parent.
class NoSignals {
 public:
  NoSignals() noexcept {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~NoSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;

 private:
  sigset_t before_;
};

// A child that becomes another user makes the memory that it shares undumpable, which
// is for the child alone.
class Dumpable {
 public:
  Dumpable() noexcept : before_(::prctl(PR_GET_DUMPABLE)) {}
  ~Dumpable() {
    if (before_ == 1 && ::prctl(PR_GET_DUMPABLE) != before_) ::prctl(PR_SET_DUMPABLE, before_);
  }
  Dumpable(const Dumpable&) = delete;
  Dumpable& operator=(const Dumpable&) = delete;

 private:
  const int before_;
};

// Above standard input, output and error, which may be closed in this process.
Fd above_standard(int fd) noexcept {
  return Fd(::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

// A directory has a link for each of its folders, and two more.
std::uint64_t own_threads() noexcept {
  struct stat tasks {};
  return ::stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink > 2 ? tasks.st_nlink - 2 : 1;
}

// A process, or why there is none.
struct Made {
  pid_t pid = -1;
  Fd pidfd;
  std::string problem = {};    // empty: there is one
  bool may_be_shared = false;  // the problem is that it is to have namespaces of its own
};

// What waitid() tells of a process that has ended; waits for `limit_ms` at most.
ProcessEnd reap(int pidfd, int limit_ms) noexcept {
  pollfd ended{pidfd, POLLIN, 0};
  if (limit_ms > 0) ::poll(&ended, 1, limit_ms);
  siginfo_t info{};
  if (::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG | __WALL) != 0)
    return {};
  return {info.si_code != CLD_EXITED, info.si_status};
}

Made clone_process(unsigned namespaces, Launch& launch) {
  constexpr std::size_t kStackBytes = 64 * 1024;
  const auto stack = std::make_unique<std::byte[]>(kStackBytes);
  const int flags = static_cast<int>(CLONE_VM | CLONE_VFORK | CLONE_PIDFD | namespaces);
  const NoSignals meanwhile;
  const Dumpable again;
  int pidfd = -1;
  const pid_t pid = ::clone(run_launch, stack.get() + kStackBytes, flags, &launch, &pidfd);
  if (pid >= 0) return {pid, Fd(pidfd)};
  const bool is_busy = errno == EAGAIN || errno == ENOMEM || errno == EMFILE || errno == ENFILE;
  return {-1, Fd(), format("no process: {}", std::strerror(errno)), namespaces != 0 && !is_busy};
}

Made make_process(unsigned namespaces, std::uint64_t shared_processes_max, Launch launch) {
  const bool counts_alone = (namespaces & CLONE_NEWUSER) != 0;
  const std::string user_map = format("{0} {0} 1", ::geteuid());
  const std::string group_map = format("{0} {0} 1", ::getegid());
  if (counts_alone) {
    launch.user_map = user_map.c_str();
    launch.group_map = group_map.c_str();
  }
  launch.processes_max = counts_alone ? Children::kProcessesMax : shared_processes_max;
  launch.is_pinned = namespaces == 0;

  Made made = clone_process(namespaces, launch);
  if (made.pid >= 0 && launch.failed) {
    reap(made.pidfd.get(), Children::kEndLimit_ms);
    made.pid = -1;
    made.problem = format("{}: {}", launch.failed, std::strerror(launch.error));
    made.may_be_shared = launch.failed == kMapIds;
  }
  return made;
}

}  // namespace

// ---- a process ------------------------------------------------------------------

void Process::kill_all() noexcept {
  ::syscall(SYS_pidfd_send_signal, descriptor_->native_handle(), SIGKILL, nullptr, 0);
  ::kill(-pid_, SIGKILL);  // its number is its own until its end is taken
}

Process::~Process() {
  if (!descriptor_) return;
  kill_all();
  children_.bury(std::move(descriptor_));
}

ProcessEnd Process::take_end() noexcept {
  kill_all();  // what it left
  const ProcessEnd end = reap(descriptor_->native_handle(), 0);
  descriptor_.reset();
  --children_.running_;
  return end;
}

// ---- all of them ------------------------------------------------------------------

Children::~Children() {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::milliseconds(kEndLimit_ms);
  for (const Process::Descriptor& descriptor : dying_) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    reap(descriptor->native_handle(), std::max(static_cast<int>(left.count()), 0));
  }
}

void Children::bury(Process::Descriptor descriptor) {
  const auto place = dying_.insert(dying_.end(), std::move(descriptor));
  (*place)->async_wait(asio::posix::stream_descriptor::wait_read,
                       [this, place](const boost::system::error_code&) {
                         reap((*place)->native_handle(), 0);
                         dying_.erase(place);
                         --running_;
                       });
}

Result<Process> Children::start(const Command& command, int output) {
  std::vector<const char*> argv;
  for (const std::string& argument : command.argv) argv.push_back(argument.c_str());
  argv.push_back(nullptr);
  const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Fd input = above_standard(null.get()), above = above_standard(output);
  if (!input || !above) return fail(std::strerror(errno));

  Launch launch;
  launch.argv = argv.data();
  launch.environment = kEnvironment;
  launch.input = input.get();
  launch.output = above.get();
  Launch::User user;
  if (const Identity* identity = command.identity) {
    user = {identity->user, identity->group, identity->groups.size(), identity->groups.data()};
    launch.user = &user;
  }
  const unsigned own = ::geteuid() == 0 ? CLONE_NEWPID : CLONE_NEWPID | CLONE_NEWUSER;
  const std::uint64_t processes_max = own_threads() + kProcessesMax * (running_ + 1);
  Made made = make_process(own, processes_max, launch);
  if (made.may_be_shared) made = make_process(0, processes_max, launch);
  if (made.pid < 0) return fail(std::move(made.problem));
  return adopt(made.pid, std::move(made.pidfd));
}

Result<Process> Children::adopt(pid_t pid, Fd pidfd) {
  auto descriptor = std::make_unique<asio::posix::stream_descriptor>(io_);
  boost::system::error_code error;
  descriptor->assign(pidfd.get(), error);
  if (error) {
    ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
    reap(pidfd.get(), kEndLimit_ms);
    return fail(error.message());
  }
  pidfd.release();
  ++running_;
  return Process(*this, pid, std::move(descriptor));
}

}  // namespace nfsteer
