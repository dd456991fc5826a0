// A program that is run without rights, and from which nothing gets away: when it ends or
// is killed, so is all that it started.
//
// Where the kernel permits it, it is process 1 of a PID namespace, with which all others
// end; who is not root makes a user namespace for that. Elsewhere it leads a process
// group that nobody in it can leave: a seccomp filter says of setsid() and setpgid() that
// they are done. (A child subreaper would find those who left as children of this
// process, among its own.) It is made as by vfork(), as this process may have much memory
// and many threads. It sends no SIGCHLD, and waitpid(-1) does not see it.
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nfsteer/base/fd.hpp"
#include "nfsteer/base/result.hpp"

namespace nfsteer {

// Whom a process becomes.
struct Identity {
  uid_t user = 0;
  gid_t group = 0;
  std::vector<gid_t> groups;  // all of them
};

struct Command {
  std::vector<std::string> argv;       // argv[0]: the whole path
  const Identity* identity = nullptr;  // null: who this process is
};

// How a process ended.
struct ProcessEnd {
  bool by_signal = false;
  int number = 0;  // of the signal; else the exit code
};

class Children;

// Killed, with all that it started, when it goes out of scope. Its `Children` outlive it.
class Process {
 public:
  using Descriptor = std::unique_ptr<boost::asio::posix::stream_descriptor>;

  Process(Process&&) = default;
  Process& operator=(Process&&) = delete;
  ~Process();

  // Readable when it has ended.
  boost::asio::posix::stream_descriptor& descriptor() noexcept { return *descriptor_; }
  // REQUIRES: it has ended. Once
  ProcessEnd take_end() noexcept;

 private:
  friend class Children;
  Process(Children& children, pid_t pid, Descriptor descriptor) noexcept
      : children_(children), pid_(pid), descriptor_(std::move(descriptor)) {}

  void kill_all() noexcept;

  Children& children_;
  pid_t pid_;
  Descriptor descriptor_;  // a pidfd; null: its end was taken
};

// All processes of one prober. One thread.
class Children {
 public:
  // So many processes and threads has one command at most. Without a user namespace to
  // count them in, so many for each command that runs, with all others of the user.
  static constexpr std::uint64_t kProcessesMax = 64;
  static constexpr int kEndLimit_ms = 1'000;

  explicit Children(boost::asio::io_context& io) : io_(io) {}
  // Waits until those that were killed have ended, for kEndLimit_ms at most.
  ~Children();

  // Runs a command. Its standard output and error is `output`, its input is empty. An
  // error is this machine's.
  Result<Process> start(const Command& command, int output);

 private:
  friend class Process;
  Result<Process> adopt(pid_t pid, Fd pidfd);
  // A process that was killed; it is waited for.
  void bury(Process::Descriptor descriptor);

  boost::asio::io_context& io_;
  std::uint64_t running_ = 0;  // those that are being buried included
  std::list<Process::Descriptor> dying_;
};

}  // namespace nfsteer
