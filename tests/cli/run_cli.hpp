// The program in this process: its arguments in, what it wrote and its exit
// code out.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio_ext.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "nfsteer/base/fd.hpp"
#include "nfsteer/cli.hpp"

namespace nfsteer::test {

struct Outcome {
  Exit exit = Exit::Ok;
  std::string out, err;
};

// Puts another file in the place of stdout or stderr while it lives.
class Redirection {
 public:
  Redirection(FILE* stream, int target) : stream_(stream), original_(::dup(::fileno(stream))) {
    std::fflush(stream_);
    REQUIRE(::dup2(target, ::fileno(stream_)) >= 0);
  }
  ~Redirection() {
    std::fflush(stream_);
    __fpurge(stream_);  // what could not be written
    std::clearerr(stream_);
    ::dup2(original_.get(), ::fileno(stream_));
  }
  Redirection(const Redirection&) = delete;
  Redirection& operator=(const Redirection&) = delete;

 private:
  FILE* stream_;
  Fd original_;
};

inline std::string content(const Fd& file) {
  std::string text;
  char chunk[4096];
  ::lseek(file.get(), 0, SEEK_SET);
  for (ssize_t n; (n = ::read(file.get(), chunk, sizeof(chunk))) > 0;)
    text.append(chunk, static_cast<std::size_t>(n));
  return text;
}

// `out` takes the place of stdout where it is given; its content is not read.
inline Outcome run_cli(std::vector<std::string> arguments, const Fd& out = Fd()) {
  arguments.insert(arguments.begin(), "nfsteer");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  const Fd stdout_file(::memfd_create("stdout", MFD_CLOEXEC));
  const Fd stderr_file(::memfd_create("stderr", MFD_CLOEXEC));
  int code = 0;
  {
    const Redirection stdout_to(stdout, out ? out.get() : stdout_file.get());
    const Redirection stderr_to(stderr, stderr_file.get());
    code = cli_main(static_cast<int>(arguments.size()), argv.data());
  }
  return {Exit(code), content(stdout_file), content(stderr_file)};
}

// Runs `function` in a thread that has no CAP_NET_ADMIN.
inline void without_network_rights(const std::function<void()>& function) {
  std::thread([&] {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
    ::syscall(SYS_capset, &header, data);
    function();
  }).join();
}

inline std::string write_file(const std::string& path, std::string_view text) {
  std::ofstream(path) << text;
  return path;
}

// A rules file without a mistake.
inline constexpr const char* kRules = R"([group.web]
servers = [
  { name = "web1", address = "10.2.0.1", port = 8080 },
  { name = "web2", address = "10.2.0.2" },
]

[group.dns]
servers = [{ name = "dns1", address = "10.2.0.3" }]

[table.main]
routes = [
  { prefix = "10.9.9.9/32", group = "web" },
  { prefix = "10.9.9.0/24", group = "dns" },
]

[[policy]]
name = "ssh"
match = { proto = "tcp", dport = 22 }
action = "accept"
)";

}  // namespace nfsteer::test
