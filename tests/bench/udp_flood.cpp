// Sends UDP datagrams, each a new flow, as fast as one core can, or FLOWS_PER_S:
//   bench_udp_flood ADDRESS PORT FLOWS FIRST_SOURCE SOURCES [FLOWS_PER_S]
// The flows come from the SOURCES addresses from FIRST_SOURCE on, which need not
// be this machine's. Prints how many were sent, and in how many seconds. IPv4,
// root only.
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "address.hpp"

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBatch = 64;
constexpr std::size_t kPacedBatch = 8;  // at a given rate, without bursts
constexpr std::uint16_t kFirstPort = 1024;

struct Datagram {
  iphdr ip;
  udphdr udp;
  std::array<char, 4> payload;
};

// Host order.
struct Flood {
  in_addr_t destination = 0;
  std::uint16_t port = 0;
  std::uint32_t flows = 0;
  in_addr_t first_source = 0;
  std::uint32_t sources = 1;
  double flows_per_s = 0;  // 0: as fast as can be
};

// The kernel fills in what is left zero: identification, length, checksum. A
// UDP checksum of zero is none.
Datagram first_datagram(const Flood& flood) {
  Datagram made{};
  made.ip.version = 4;
  made.ip.ihl = sizeof(iphdr) / 4;
  made.ip.ttl = 64;
  made.ip.protocol = IPPROTO_UDP;
  made.ip.daddr = htonl(flood.destination);
  made.udp.dest = htons(flood.port);
  made.udp.len = htons(sizeof(udphdr) + sizeof made.payload);
  return made;
}

// Flow `number` of the flood: sources take turns, then the port moves on.
void aim(Datagram& datagram, const Flood& flood, std::uint32_t number) {
  datagram.ip.saddr = htonl(flood.first_source + number % flood.sources);
  datagram.udp.source = htons(static_cast<std::uint16_t>(kFirstPort + number / flood.sources));
}

class Sender {
 public:
  Sender(int socket, const Flood& flood) : socket_(socket) {
    to_.sin_family = AF_INET;
    to_.sin_addr.s_addr = htonl(flood.destination);
    datagrams_.fill(first_datagram(flood));
    for (std::size_t i = 0; i < kBatch; ++i) {
      parts_[i] = {.iov_base = &datagrams_[i], .iov_len = sizeof(Datagram)};
      messages_[i].msg_hdr.msg_name = &to_;
      messages_[i].msg_hdr.msg_namelen = sizeof to_;
      messages_[i].msg_hdr.msg_iov = &parts_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
    }
  }

  Datagram& operator[](std::size_t i) { return datagrams_[i]; }

  bool send(std::size_t count) {
    for (std::size_t sent = 0; sent < count;) {
      const int done =
          ::sendmmsg(socket_, &messages_[sent], static_cast<unsigned>(count - sent), 0);
      if (done > 0) sent += static_cast<std::size_t>(done);
      if (done < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR) return false;
    }
    return true;
  }

 private:
  int socket_;
  sockaddr_in to_{};
  std::array<Datagram, kBatch> datagrams_;
  std::array<iovec, kBatch> parts_;
  std::array<mmsghdr, kBatch> messages_{};
};

bool run(Sender& sender, const Flood& flood, Clock::time_point start) {
  const bool paced = flood.flows_per_s > 0;
  const std::size_t batch = paced ? kPacedBatch : kBatch;
  for (std::uint32_t next = 0; next < flood.flows;) {
    if (paced)
      std::this_thread::sleep_until(start +
                                    std::chrono::duration<double>(next / flood.flows_per_s));
    std::size_t count = 0;
    while (count < batch && next < flood.flows) aim(sender[count++], flood, next++);
    if (!sender.send(count)) return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6 && argc != 7) {
    std::fprintf(stderr,
                 "usage: bench_udp_flood ADDRESS PORT FLOWS FIRST_SOURCE SOURCES [FLOWS_PER_S]\n");
    return 2;
  }
  const Flood flood{.destination = address(argv[1]),
                    .port = static_cast<std::uint16_t>(std::atoi(argv[2])),
                    .flows = static_cast<std::uint32_t>(std::atol(argv[3])),
                    .first_source = address(argv[4]),
                    .sources = static_cast<std::uint32_t>(std::atol(argv[5])),
                    .flows_per_s = argc == 7 ? std::atof(argv[6]) : 0};
  if (flood.sources == 0 || flood.flows / flood.sources > 65535u - kFirstPort) {
    std::fprintf(stderr, "more flows than these sources have ports\n");
    return 2;
  }
  Sender sender(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW), flood);
  const auto start = Clock::now();
  if (!run(sender, flood, start)) {
    std::perror("sendmmsg");
    return 1;
  }
  const std::chrono::duration<double> elapsed = Clock::now() - start;
  std::printf("%u %.6f\n", flood.flows, elapsed.count());
}
