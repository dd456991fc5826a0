// How long the first packet of a new flow takes to a server and back:
//   bench_first_packet ADDRESS PORT PROBES PROBES_PER_S FIRST_SOURCE
// Each probe is a UDP datagram from the next address from FIRST_SOURCE on, which
// must all be local; it is sent when it is due, whether or not others are still on
// their way. Prints for each the nanoseconds until its echo came, or "lost". IPv4.
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "address.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

constexpr std::uint16_t kOwnPort = 4000;
constexpr auto kPatience = std::chrono::milliseconds(500);

struct Probe {
  Clock::time_point sent;
  nanoseconds took{-1};
};

struct Payload {
  std::uint64_t number = 0;
  std::uint64_t unused = 0;  // so that it is longer than a datagram of the flood
};

class Prober {
 public:
  Prober(sockaddr_in to, in_addr_t first_source, std::size_t count)
      : to_(to), first_source_(first_source), probes_(count) {
    socket_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_port = htons(kOwnPort);
    if (::bind(socket_, reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0) return;
    std::perror("bench_first_packet");
    std::exit(1);
  }

  void run(double per_s) {
    const auto start = Clock::now();
    auto until = start;
    for (std::size_t next = 0; next < probes_.size() || (open_ > 0 && Clock::now() < until);) {
      const auto due =
          start + nanoseconds(static_cast<std::int64_t>(1e9 * static_cast<double>(next) / per_s));
      const bool more = next < probes_.size();
      if (more && Clock::now() >= due) {
        send(next++);
        until = Clock::now() + kPatience;
      }
      wait(more ? due : until);
      receive();
    }
  }

  void print() const {
    for (const Probe& probe : probes_) {
      if (probe.took.count() < 0)
        std::puts("lost");
      else
        std::printf("%lld\n", static_cast<long long>(probe.took.count()));
    }
  }

 private:
  void send(std::size_t number) {
    Payload payload{.number = number};
    iovec part{.iov_base = &payload, .iov_len = sizeof payload};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in_pktinfo))> control{};
    msghdr message{};
    message.msg_name = &to_;
    message.msg_namelen = sizeof to_;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = IPPROTO_IP;
    header->cmsg_type = IP_PKTINFO;
    header->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
    in_pktinfo info{};
    info.ipi_spec_dst.s_addr = htonl(first_source_ + static_cast<in_addr_t>(number));
    std::memcpy(CMSG_DATA(header), &info, sizeof info);
    probes_[number].sent = Clock::now();
    if (::sendmsg(socket_, &message, 0) < 0) {
      std::perror("bench_first_packet: sendmsg");
      std::exit(1);
    }
    ++open_;
  }

  void wait(Clock::time_point until) const {
    const auto left = std::max<nanoseconds>(until - Clock::now(), nanoseconds::zero());
    const timespec limit{.tv_sec = 0, .tv_nsec = static_cast<long>(left.count())};
    pollfd readable{.fd = socket_, .events = POLLIN, .revents = 0};
    ::ppoll(&readable, 1, &limit, nullptr);
  }

  void receive() {
    for (Payload payload; ::recv(socket_, &payload, sizeof payload, 0) == sizeof payload;) {
      if (payload.number >= probes_.size()) continue;
      Probe& probe = probes_[payload.number];
      if (probe.took.count() >= 0) continue;
      probe.took = Clock::now() - probe.sent;
      --open_;
    }
  }

  sockaddr_in to_;
  in_addr_t first_source_;
  std::vector<Probe> probes_;
  int socket_ = -1;
  std::size_t open_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr,
                 "usage: bench_first_packet ADDRESS PORT PROBES PROBES_PER_S FIRST_SOURCE\n");
    return 2;
  }
  ::prctl(PR_SET_TIMERSLACK, 1);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(address(argv[1]));
  to.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[2])));
  Prober prober(to, address(argv[5]), static_cast<std::size_t>(std::atol(argv[3])));
  prober.run(std::atof(argv[4]));
  prober.print();
}
