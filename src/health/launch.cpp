#include "launch.hpp"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <iterator>

// What sanitizers keep of a thread is the parent's here.
#if defined(__has_attribute)
#if __has_attribute(disable_sanitizer_instrumentation)
#define NFSTEER_BARE __attribute__((disable_sanitizer_instrumentation))
#endif
#endif
#ifndef NFSTEER_BARE
#define NFSTEER_BARE
#endif

namespace nfsteer {
namespace {

// A system call as it is: the C library's functions of that name may do more, such as
// to change the user of all threads.
template <typename... Args>
NFSTEER_BARE long call(long number, Args... args) noexcept {
  return ::syscall(number, args...);
}

#ifdef SYS_setresuid32  // where the others have 16 bits
constexpr long kSetGroups = SYS_setgroups32, kSetGroup = SYS_setresgid32,
               kSetUser = SYS_setresuid32;
#else
constexpr long kSetGroups = SYS_setgroups, kSetGroup = SYS_setresgid, kSetUser = SYS_setresuid;
#endif

NFSTEER_BARE bool write_file(const char* path, const char* text) noexcept {
  const long file = call(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
  if (file < 0) return false;
  std::size_t size = 0;
  while (text[size] != '\0') ++size;
  const long written = call(SYS_write, file, text, size);
  const int error = errno;
  call(SYS_close, file);
  errno = error;
  return written == static_cast<long>(size);
}

// ---- the steps ------------------------------------------------------------------

// Handlers are the parent's; what it ignores would be ignored by the program. All zeros
// is SIG_DFL in the kernel's structure of every architecture.
NFSTEER_BARE bool reset_signals(const Launch&) noexcept {
  static constexpr unsigned char kDefault[64]{};
  constexpr int kSignals = 64;
  for (int signal = 1; signal <= kSignals; ++signal)
    call(SYS_rt_sigaction, signal, kDefault, nullptr, std::size_t{kSignals / 8});
  return true;
}

NFSTEER_BARE bool take_descriptors(const Launch& launch) noexcept {
  return call(SYS_dup3, launch.input, STDIN_FILENO, 0) >= 0 &&
         call(SYS_dup3, launch.output, STDOUT_FILENO, 0) >= 0 &&
         call(SYS_dup3, launch.output, STDERR_FILENO, 0) >= 0 &&
         call(SYS_close_range, STDERR_FILENO + 1, ~0u, 0) == 0;
}

NFSTEER_BARE bool map_ids(const Launch& launch) noexcept {
  if (!launch.user_map) return true;
  return write_file("/proc/self/setgroups", "deny") &&
         write_file("/proc/self/uid_map", launch.user_map) &&
         write_file("/proc/self/gid_map", launch.group_map);
}

NFSTEER_BARE bool set_limits(const Launch& launch) noexcept {
  // The parent may be spared when memory is short; this is not.
  write_file("/proc/self/oom_score_adj", "1000");
  const std::uint64_t processes[2] = {launch.processes_max, launch.processes_max};
  static constexpr std::uint64_t kNone[2] = {0, 0};
  return call(SYS_prlimit64, 0, RLIMIT_NPROC, processes, nullptr) == 0 &&
         call(SYS_prlimit64, 0, RLIMIT_CORE, kNone, nullptr) == 0;
}

NFSTEER_BARE bool become(const Launch& launch) noexcept {
  if (!launch.user) return true;
  const auto [user, group, count, groups] = *launch.user;
  return call(kSetGroups, count, groups) == 0 && call(kSetGroup, group, group, group) == 0 &&
         call(kSetUser, user, user, user) == 0;
}

NFSTEER_BARE bool give_up_rights(const Launch&) noexcept {
  call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  return call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0;
}

// A filter that says of setsid() and setpgid() that they are done, and does not know the
// calls of architectures that it does not know. Empty where it knows none.
constexpr sock_filter kPin[] = {
#if defined(__x86_64__) || defined(__aarch64__)
#if defined(__x86_64__)
#define NFSTEER_ARCH AUDIT_ARCH_X86_64
#define NFSTEER_ARCH_32 AUDIT_ARCH_I386
#else
#define NFSTEER_ARCH AUDIT_ARCH_AARCH64
#define NFSTEER_ARCH_32 AUDIT_ARCH_ARM
#endif
    /* 0 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
    /* 1 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NFSTEER_ARCH, 0, 4),
    /* 2 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
    /* 3 */ BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x4000'0000, 8, 0),  // x32
    /* 4 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setsid, 6, 0),
    /* 5 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setpgid, 5, 4),
    /* 6 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NFSTEER_ARCH_32, 0, 5),
    /* 7 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
    /* 8 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 66, 2, 0),  // setsid, of i386 and of ARM
    /* 9 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 57, 1, 0),  // setpgid
    /* 10 */ BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    /* 11 */ BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO),
    /* 12 */ BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
#else
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
#endif
};

NFSTEER_BARE bool pin(const Launch& launch) noexcept {
  if (!launch.is_pinned) return true;
  const sock_fprog program{std::size(kPin), const_cast<sock_filter*>(kPin)};
  return call(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

NFSTEER_BARE bool settle(const Launch&) noexcept {
  static constexpr std::uint64_t kNone = 0;
  call(SYS_umask, 022);
  return call(SYS_chdir, "/") == 0 && call(SYS_setsid) >= 0 &&
         call(SYS_rt_sigprocmask, SIG_SETMASK, &kNone, nullptr, sizeof kNone) == 0;
}

NFSTEER_BARE bool execute(const Launch& launch) noexcept {
  return call(SYS_execve, launch.argv[0], launch.argv, launch.environment) == 0;
}

constexpr struct {
  const char* name;
  bool (*take)(const Launch& launch) noexcept;
} kSteps[] = {
    {"its signals", reset_signals},
    {"its descriptors", take_descriptors},
    {kMapIds, map_ids},
    {"its limits", set_limits},
    {"its user", become},
    {"no new privileges", give_up_rights},
    {"its session", settle},
    {"its process group", pin},
    {"execve", execute},
};

}  // namespace

NFSTEER_BARE int run_launch(void* raw) noexcept {
  Launch& launch = *static_cast<Launch*>(raw);
  for (const auto& step : kSteps) {
    if (step.take(launch)) continue;
    launch.error = errno;
    launch.failed = step.name;
    break;
  }
  constexpr int kNotExecuted = 127;
  call(SYS_exit_group, kNotExecuted);
  return kNotExecuted;
}

}  // namespace nfsteer
