// Sends each UDP datagram back, from the address that it was sent to:
//   bench_udp_echo PORT
// Prints "ready" when it listens. IPv4.
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

int listen_on(std::uint16_t port) {
  const int made = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(made, IPPROTO_IP, IP_PKTINFO, &yes, sizeof yes);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(port);
  if (::bind(made, reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0) return made;
  std::perror("bench_udp_echo");
  std::exit(1);
}

// What was received says where it was sent to; sent back, where it is sent from.
void turn_round(msghdr& message) {
  cmsghdr* control = CMSG_FIRSTHDR(&message);
  if (!control) return;
  auto* info = reinterpret_cast<in_pktinfo*>(CMSG_DATA(control));
  info->ipi_spec_dst = info->ipi_addr;
  info->ipi_ifindex = 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: bench_udp_echo PORT\n");
    return 2;
  }
  const int socket = listen_on(static_cast<std::uint16_t>(std::atoi(argv[1])));
  std::puts("ready");
  std::fflush(stdout);
  std::array<char, 2048> bytes;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in_pktinfo))> control;
  for (sockaddr_in peer;;) {
    iovec part{.iov_base = bytes.data(), .iov_len = bytes.size()};
    msghdr message{};
    message.msg_name = &peer;
    message.msg_namelen = sizeof peer;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t length = ::recvmsg(socket, &message, 0);
    if (length < 0) continue;
    part.iov_len = static_cast<std::size_t>(length);
    turn_round(message);
    ::sendmsg(socket, &message, 0);
  }
}
