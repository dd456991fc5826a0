// Answers each TCP connection's first bytes with NAME, and closes:
//   bench_tcp_server NAME PORT
// Prints "ready" when it listens. IPv4 and IPv6.
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

int listen_on(std::uint16_t port) {
  const int listener = ::socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in6 any{};
  any.sin6_family = AF_INET6;
  any.sin6_port = htons(port);
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0 &&
      ::listen(listener, 4096) == 0)
    return listener;
  std::perror("bench_tcp_server");
  std::exit(1);
}

void watch(int epoll, int fd) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

void accept_all(int epoll, int listener) {
  for (int fd; (fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;)
    watch(epoll, fd);
}

void answer(int fd, const std::string& text) {
  std::array<char, 1024> request;
  if (::recv(fd, request.data(), request.size(), 0) > 0)
    ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
  ::close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bench_tcp_server NAME PORT\n");
    return 2;
  }
  const std::string text = std::string(argv[1]) + "\n";
  const int listener = listen_on(static_cast<std::uint16_t>(std::atoi(argv[2])));
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, listener);
  std::puts("ready");
  std::fflush(stdout);
  for (std::array<epoll_event, 256> events;;) {
    const int count = ::epoll_wait(epoll, events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == listener)
        accept_all(epoll, listener);
      else
        answer(fd, text);
    }
  }
}
