// Flows from this machine to itself, in a network namespace of a test's own.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>

#include <chrono>
#include <functional>
#include <stdexcept>
#include <thread>

#include "nfsteer/base/fd.hpp"

namespace nfsteer::testing {

// A socket address of 127.0.0.1, or ::1.
class Loopback {
 public:
  Loopback(int family, std::uint16_t port) {
    address_.v6.sin6_family = static_cast<sa_family_t>(family);
    address_.v6.sin6_port = htons(port);  // at the same place in both
    if (family == AF_INET)
      address_.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
      address_.v6.sin6_addr = in6addr_loopback;
    size_ = family == AF_INET ? sizeof address_.v4 : sizeof address_.v6;
  }
  const sockaddr* get() const { return &address_.any; }
  socklen_t size() const { return size_; }

 private:
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6{};
  } address_;
  socklen_t size_;
};

inline void require(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

// `holds` is asked until it is true once.
inline void wait_until(const std::function<bool()>& holds, const char* what) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!holds()) {
    require(std::chrono::steady_clock::now() < end, what);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

inline Fd bound(int family, int type, std::uint16_t port) {
  Fd socket(::socket(family, type | SOCK_CLOEXEC, 0));
  const Loopback at(family, port);
  require(::bind(socket.get(), at.get(), at.size()) == 0, "bind");
  return socket;
}

inline Fd listening(int family, std::uint16_t port) {
  Fd socket = bound(family, SOCK_STREAM, port);
  require(::listen(socket.get(), 1'000) == 0, "listen");
  return socket;
}

// UDP: bound to any port and sent one byte; TCP: connected, or refused.
inline Fd opened(int family, int type, std::uint16_t port) {
  Fd socket(::socket(family, type | SOCK_CLOEXEC, 0));
  const Loopback to(family, port);
  const int connected = ::connect(socket.get(), to.get(), to.size());
  if (type == SOCK_DGRAM) require(connected == 0 && ::send(socket.get(), "x", 1, 0) == 1, "send");
  return socket;
}

}  // namespace nfsteer::testing
