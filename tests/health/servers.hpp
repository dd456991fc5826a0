// Servers that probes ask, good and hostile, and a network namespace to ask them in.
#pragma once

#include <doctest/doctest.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <exception>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "../netlink/fresh_netns.hpp"
#include "../netlink/loopback.hpp"
#include "nfsteer/base/address.hpp"
#include "nfsteer/base/fd.hpp"

namespace nfsteer::testing {

// Runs `work` in a thread, with those that it makes, that has a network namespace of its
// own; or says that this is not permitted. What it throws, the caller gets.
inline void in_own_netns(const std::function<void()>& work) {
  std::exception_ptr thrown;
  bool is_permitted = true;
  std::thread thread([&] {
    try {
      is_permitted = ::unshare(CLONE_NEWNET) == 0;
      if (!is_permitted) return;
      run("ip link set lo up");
      work();
    } catch (...) {
      thrown = std::current_exception();
    }
  });
  thread.join();
  if (thrown) std::rethrow_exception(thrown);
  if (!is_permitted) MESSAGE("SKIPPED: a network namespace needs root");
}

inline Address loopback_of(int family) {
  return family == AF_INET ? Address::v4(0x7f00'0001) : Address::v6(0, 1);
}

// What a server's thread heard last.
class Heard {
 public:
  void set(std::string text) {
    const std::lock_guard lock(mutex_);
    text_ = std::move(text);
  }
  std::string get() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

// Writes all, or until the other side is gone.
inline bool send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

// Reads what a client says up to an empty line; what it said.
inline std::string read_request(int socket) {
  std::string request;
  std::array<char, 1024> bytes;
  while (request.find("\r\n\r\n") == std::string::npos) {
    const ssize_t count = ::recv(socket, bytes.data(), bytes.size(), 0);
    if (count <= 0) break;
    request.append(bytes.data(), static_cast<std::size_t>(count));
  }
  return request;
}

// A TCP server of all addresses of the family that serves each connection on a thread of its own.
class TcpServer {
 public:
  using Serve = std::function<void(int socket)>;

  explicit TcpServer(Serve serve, int family = AF_INET)
      : serve_(std::move(serve)), listener_(listen_anywhere(family)), port_(port_of(listener_)) {
    thread_ = std::thread([this] { accept_all(); });
  }
  ~TcpServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    for (Session& session : sessions_) {
      session.hang_up();
      session.thread.join();
    }
  }
  TcpServer(const TcpServer&) = delete;
  TcpServer& operator=(const TcpServer&) = delete;

  std::uint16_t port() const { return port_; }
  int connections() const { return connections_; }

 private:
  struct Session {
    std::mutex mutex;
    Fd socket;  // guarded by mutex
    std::thread thread;

    void hang_up() {
      const std::lock_guard lock(mutex);
      if (socket) ::shutdown(socket.get(), SHUT_RDWR);
    }
    void close() {
      const std::lock_guard lock(mutex);
      socket.reset();
    }
  };

  static Fd listen_anywhere(int family) {
    Fd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::listen(socket.get(), 1'000) == 0);  // binds it to some port
    return socket;
  }

  static std::uint16_t port_of(const Fd& socket) {
    sockaddr_in6 address{};
    socklen_t size = sizeof address;
    ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin6_port);  // at the same place in both families
  }

  void accept_all() {
    for (;;) {
      Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!socket) return;
      ++connections_;
      Session& session = sessions_.emplace_back();
      const int number = socket.get();
      session.socket = std::move(socket);
      session.thread = std::thread([this, &session, number] {
        sigset_t pipe;
        ::sigemptyset(&pipe);
        ::sigaddset(&pipe, SIGPIPE);
        ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
        serve_(number);
        session.close();
      });
    }
  }

  const Serve serve_;
  const Fd listener_;
  const std::uint16_t port_;
  std::atomic<int> connections_{0};
  std::list<Session> sessions_;  // of thread_, until it is joined
  std::thread thread_;
};

// ---- what servers do ------------------------------------------------------------

// Answers each request so.
inline TcpServer::Serve answer(std::string text) {
  return [text = std::move(text)](int socket) {
    read_request(socket);
    send_all(socket, text);
  };
}
// Takes the connection, and nothing more.
inline void be_silent(int socket) {
  std::array<char, 1024> bytes;
  while (::recv(socket, bytes.data(), bytes.size(), 0) > 0) continue;
}
inline void reset(int socket) {
  const linger now{1, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  // An address of no family: disconnects, with RST.
  const sockaddr nobody{};
  ::connect(socket, &nobody, sizeof nobody);
}
// Begins so, then says the rest for ever, as fast as it is read or once in `pause`.
inline TcpServer::Serve endless(std::string head, std::string rest,
                                std::chrono::milliseconds pause = {}) {
  return [=](int socket) {
    if (!send_all(socket, head)) return;
    while (send_all(socket, rest)) std::this_thread::sleep_for(pause);
  };
}

}  // namespace nfsteer::testing
