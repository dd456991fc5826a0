// The control socket's server.
//
// Wire form (that of Varlink): a JSON object and a NUL byte each way.
//   {"method": "nfsteer.Status", "parameters": {}}   -> {"parameters": {...}}
//   anything that cannot be done                     -> {"error": "...", "parameters": {"message":
//   "..."}}
// Limits: kClientsMax connections, requests of kRequestBytesMax, kIdle for a
// request to arrive or an answer to be taken; who breaks one is disconnected,
// and the workers never notice. Who may ask is decided by the peer's uid
// (SO_PEERCRED): uid 0 and our own may do all, others may look.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

#include "control.hpp"
#include "nfsteer/base/fd.hpp"

namespace boost::asio {
class io_context;
}

namespace nfsteer {

inline constexpr std::size_t kClientsMax = 64;
inline constexpr std::size_t kClientsReserved = 16;  // beyond that, for who may act
inline constexpr std::size_t kRequestBytesMax = 1u << 20;
inline constexpr std::chrono::seconds kIdle{5};
// Pause after a failed accept: long enough not to spin while file descriptors
// are short, short enough for a person who waits.
inline constexpr std::chrono::milliseconds kAcceptPause{100};

// The control thread's loop: answers clients until SIGTERM or SIGINT.
class ControlServer {
 public:
  // `listener` is a bound, listening unix stream socket. `control` must outlive
  // the server. From here on SIGTERM and SIGINT are the loop's.
  ControlServer(Fd listener, Control& control, std::chrono::milliseconds idle = kIdle);
  ~ControlServer();

  // All that follows is called in the thread of run(); what it throws is logged.

  // Calls `act` whenever the descriptor is readable. The descriptor outlives the
  // server. Before run().
  void watch(int fd, std::function<void()> act);
  // Calls `act` again and again, an interval after it returned. Before run().
  void every(std::chrono::milliseconds interval, std::function<void()> act);
  // Calls `act` at each SIGHUP. Before run().
  void on_hangup(std::function<void()> act);
  // Calls `act` once. Any thread.
  void post(std::function<void()> act);

  // For what serves others in the same loop.
  boost::asio::io_context& io() noexcept;

  // Runs the loop in this thread until SIGTERM, SIGINT or stop().
  void run();
  // Ends run(), also one that has yet to begin. Any thread.
  void stop();

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace nfsteer
