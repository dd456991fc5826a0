// New TCP connections at a steady rate, whether or not the last were answered:
//   bench_tcp_clients ADDRESS PORT RATE SECONDS TIMEOUT_MS SOURCE...
// The SOURCEs take turns, with ports that nobody else uses. Each connection asks once
// and reads until the server closes. Prints a line for each, in the order of their
// starts: when it started, in microseconds of CLOCK_MONOTONIC, how many it took, and
// the answer's first word or refused, reset, timeout, unreachable or empty. IPv4.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

constexpr std::uint16_t kFirstPort = 1024, kPorts = 64000;
constexpr std::string_view kRequest = "GET / HTTP/1.0\r\n\r\n";

struct Connection {
  Clock::time_point start;
  Clock::duration took{};
  std::string said;
  int fd = -1;
  bool asked = false;
};

sockaddr_in address(const char* text, const char* port) {
  sockaddr_in made{};
  made.sin_family = AF_INET;
  made.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
  if (::inet_pton(AF_INET, text, &made.sin_addr) == 1) return made;
  std::fprintf(stderr, "not an IPv4 address: %s\n", text);
  std::exit(2);
}

const char* name_of(int error) {
  switch (error) {
    case ECONNREFUSED:
      return "refused";
    case ECONNRESET:
    case EPIPE:
      return "reset";
    case ETIMEDOUT:
      return "timeout";
    default:
      return "unreachable";
  }
}

class Clients {
 public:
  Clients(sockaddr_in to, Clock::duration timeout, std::vector<sockaddr_in> sources)
      : to_(to), timeout_(timeout), sources_(std::move(sources)), epoll_(::epoll_create1(0)) {}

  void run(double rate, double seconds) {
    start_ = Clock::now();
    const auto gap = std::chrono::duration<double>(1 / rate);
    const auto count = static_cast<std::size_t>(rate * seconds);
    while (all_.size() < count || open_ > 0) {
      const auto now = Clock::now();
      while (all_.size() < count && due(gap) <= now) open();
      give_up(now);
      wait(all_.size() < count ? due(gap) : now + std::chrono::milliseconds(10));
    }
  }

  void print() const {
    for (const Connection& one : all_)
      std::printf("%lld %lld %s\n", in_us(one.start.time_since_epoch()), in_us(one.took),
                  one.said.c_str());
  }

 private:
  static long long in_us(Clock::duration time) {
    return std::chrono::duration_cast<microseconds>(time).count();
  }
  Clock::time_point due(std::chrono::duration<double> gap) const {
    return start_ +
           std::chrono::duration_cast<Clock::duration>(gap * static_cast<double>(all_.size()));
  }

  void open() {
    const std::size_t number = all_.size();
    Connection& one = all_.emplace_back();
    ++open_;
    one.start = Clock::now();
    one.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in source = sources_[number % sources_.size()];
    source.sin_port = htons(
        static_cast<std::uint16_t>(kFirstPort + (skipped_ + number / sources_.size()) % kPorts));
    const int yes = 1;
    ::setsockopt(one.fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (::bind(one.fd, reinterpret_cast<const sockaddr*>(&source), sizeof source) < 0 ||
        (::connect(one.fd, reinterpret_cast<const sockaddr*>(&to_), sizeof to_) < 0 &&
         errno != EINPROGRESS)) {
      close(one, name_of(errno));
      return;
    }
    epoll_event event{.events = EPOLLIN | EPOLLOUT, .data = {.u64 = number}};
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, one.fd, &event);
  }

  void close(Connection& one, std::string said) {
    one.took = Clock::now() - one.start;
    one.said = std::move(said);
    ::close(one.fd);
    one.fd = -1;
    --open_;
  }

  void give_up(Clock::time_point now) {
    while (oldest_ < all_.size() &&
           (all_[oldest_].fd < 0 || now - all_[oldest_].start > timeout_)) {
      if (all_[oldest_].fd >= 0) close(all_[oldest_], "timeout");
      ++oldest_;
    }
  }

  void wait(Clock::time_point until) {
    std::array<epoll_event, 256> events;
    const auto left = std::max<Clock::duration>(until - Clock::now(), Clock::duration::zero());
    const timespec limit{.tv_sec = 0, .tv_nsec = std::min<long>(left.count(), 10'000'000)};
    const int count = ::epoll_pwait2(epoll_, events.data(), events.size(), &limit, nullptr);
    for (int i = 0; i < count; ++i) {
      const auto& event = events[static_cast<std::size_t>(i)];
      step(event.data.u64, event.events);
    }
  }

  void step(std::size_t number, std::uint32_t events) {
    Connection& one = all_[number];
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(one.fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return close(one, name_of(error));
    if (!one.asked && (events & EPOLLOUT)) {
      one.asked = true;
      if (::send(one.fd, kRequest.data(), kRequest.size(), MSG_NOSIGNAL) < 0)
        return close(one, name_of(errno));
      epoll_event reading{.events = EPOLLIN, .data = {.u64 = number}};
      ::epoll_ctl(epoll_, EPOLL_CTL_MOD, one.fd, &reading);
    }
    if (events & (EPOLLIN | EPOLLHUP)) read(one);
  }

  void read(Connection& one) {
    std::array<char, 4096> bytes;
    const ssize_t got = ::recv(one.fd, bytes.data(), bytes.size(), 0);
    if (got < 0 && errno != EAGAIN) return close(one, name_of(errno));
    if (got == 0) return close(one, one.said.empty() ? "empty" : one.said);
    if (got > 0 && one.said.empty()) one.said.assign(bytes.data(), ::strcspn(bytes.data(), " \n"));
  }

  sockaddr_in to_;
  Clock::duration timeout_;
  std::vector<sockaddr_in> sources_;
  int epoll_;
  // The ports of a run just before this one are left alone: their connections linger.
  const std::size_t skipped_ = static_cast<std::size_t>(
      std::chrono::duration_cast<std::chrono::seconds>(Clock::now().time_since_epoch()).count() *
      997);
  Clock::time_point start_;
  std::deque<Connection> all_;
  std::size_t oldest_ = 0, open_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7) {
    std::fprintf(stderr,
                 "usage: bench_tcp_clients ADDRESS PORT RATE SECONDS TIMEOUT_MS SOURCE...\n");
    return 2;
  }
  std::vector<sockaddr_in> sources;
  for (int i = 6; i < argc; ++i) sources.push_back(address(argv[i], "0"));
  Clients clients(address(argv[1], argv[2]), std::chrono::milliseconds(std::atoi(argv[5])),
                  std::move(sources));
  clients.run(std::atof(argv[3]), std::atof(argv[4]));
  clients.print();
}
