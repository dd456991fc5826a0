// What it costs to probe a thousand targets once a second, on one thread: CPU time of the
// prober's thread, in a network namespace with servers that answer.
#include <netinet/in.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "measure.hpp"
#include "nfsteer/base/fd.hpp"
#include "nfsteer/health.hpp"

using namespace nfsteer;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t kTargets = 1'000;
constexpr auto kTime = 10s;
constexpr std::uint16_t kPort = 8'080, kSilentPort = 8'082;

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(EXIT_FAILURE);
}

Fd bound(int type) {
  Fd socket(::socket(AF_INET, type | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(kPort);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) die("bind");
  return socket;
}

// Sends a datagram back from the address that it came to.
void send_back(int socket) {
  std::array<char, 64> bytes, control;
  sockaddr_in client{};
  iovec data{bytes.data(), bytes.size()};
  msghdr message{};
  message.msg_name = &client;
  message.msg_namelen = sizeof client;
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t size = ::recvmsg(socket, &message, 0);
  if (size <= 0) return;
  data.iov_len = static_cast<std::size_t>(size);
  ::sendmsg(socket, &message, 0);  // IP_PKTINFO, as it was received, says from where
}

// Answers all that connections and datagrams ask for, until `stop`.
void serve(const std::atomic<bool>& stop) {
  const Fd listener = bound(SOCK_STREAM), datagrams = bound(SOCK_DGRAM);
  if (::listen(listener.get(), 4'096) != 0) die("listen");
  const int yes = 1;
  ::setsockopt(datagrams.get(), IPPROTO_IP, IP_PKTINFO, &yes, sizeof yes);
  const Fd poll(::epoll_create1(0));
  const auto watch = [&](int fd) {
    epoll_event event{EPOLLIN, {.fd = fd}};
    ::epoll_ctl(poll.get(), EPOLL_CTL_ADD, fd, &event);
  };
  watch(listener.get());
  watch(datagrams.get());
  constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  std::array<char, 2'048> bytes;
  while (!stop) {
    epoll_event event{};
    if (::epoll_wait(poll.get(), &event, 1, 100) != 1) continue;
    if (event.data.fd == listener.get()) {
      watch(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK));
    } else if (event.data.fd == datagrams.get()) {
      send_back(datagrams.get());
    } else {
      if (::recv(event.data.fd, bytes.data(), bytes.size(), 0) > 0)
        ::send(event.data.fd, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
      ::close(event.data.fd);
    }
  }
}

// Of the thread of that name, in seconds.
double cpu_time(const std::string& name) {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string is_named;
    std::getline(std::ifstream(task.path() / "comm"), is_named);
    if (is_named != name) continue;
    double nanoseconds = 0;  // /proc/PID/schedstat: time on the CPU first
    std::ifstream(task.path() / "schedstat") >> nanoseconds;
    return nanoseconds / 1e9;
  }
  return 0;
}

void measure(const char* title, const CheckConfig& check, bool passes = true) {
  std::vector<WantedTarget> wanted;
  for (std::uint32_t i = 1; i <= kTargets; ++i)
    wanted.push_back({*target_of(check, Address::v4(0x7f00'0000 + i), kPort)});
  Prober prober([](const HealthEvent&) {});
  prober.set_targets({check}, wanted);
  if (!prober.start()) die("the prober");
  std::this_thread::sleep_for(2s);  // the first second is as any other then
  const double before = cpu_time("prober");
  std::this_thread::sleep_for(kTime);
  const double used = cpu_time("prober") - before;
  std::size_t right = 0;
  for (const TargetStatus& status : prober.statuses())
    if (status.last && status.last->passed == passes) ++right;
  const double probes = kTargets * std::chrono::duration<double>(kTime).count();
  std::printf("%-24s %6.1f %% of one CPU, %6.1f us a probe; %zu of %u as expected\n", title,
              100 * used / std::chrono::duration<double>(kTime).count(), 1e6 * used / probes, right,
              kTargets);
}

CheckConfig check_of(const char* kind) {
  CheckConfig check;
  check.name = check.kind = kind;
  check.interval = check.interval_down = 1s;
  return check;
}

}  // namespace

int main() {
  if (::unshare(CLONE_NEWNET) != 0) die("a network namespace of its own");
  if (std::system("ip link set lo up && sysctl -qw net.ipv4.ping_group_range='0 0' && nft "
                  "'table ip silent { chain o { type filter hook output priority 0; "
                  "tcp dport 8082 drop; }; }'") != 0)
    die("ip, sysctl and nft");
  bench::print_machine();
  std::printf("%u targets, each probed once a second, on one thread\n\n", kTargets);
  std::atomic<bool> stop = false;
  std::thread server([&] { serve(stop); });
  measure("tcp", check_of("tcp"));
  measure("http", check_of("http"));
  measure("icmp", check_of("icmp"));
  CheckConfig udp = check_of("udp");
  udp.options["send"] = std::string("x");
  measure("udp", udp);
  CheckConfig refused = check_of("tcp");
  refused.port = kPort + 1;
  measure("tcp, refused", refused, false);
  CheckConfig silent = check_of("tcp");
  silent.port = kSilentPort;
  measure("tcp, silent", silent, false);
  stop = true;
  server.join();
}
