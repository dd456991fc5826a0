#include "control_server.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <exception>
#include <string>
#include <vector>

#include "nfsteer/base/log.hpp"
#include "protocol.hpp"
#include "request.hpp"

namespace nfsteer {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Protocol = asio::local::stream_protocol;

// What the kernel says of the process at the other end. Unknown: no rights.
Rights rights_of(int socket) noexcept {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return Rights::Look;
  return peer.uid == 0 || peer.uid == ::geteuid() ? Rights::Change : Rights::Look;
}

// What all connections share.
struct Shared {
  Control& control;
  std::chrono::milliseconds idle;
  std::size_t clients = 0;
};

// One connection: reads a request, writes its answer, and again. Kept alive by
// the operation under way; without one it closes.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Protocol::socket socket, Shared& shared, Rights rights)
      : shared_(shared),
        socket_(std::move(socket)),
        deadline_(socket_.get_executor()),
        rights_(rights) {
    ++shared_.clients;
  }
  ~Session() { --shared_.clients; }

  void read() {
    start_clock();
    asio::async_read_until(socket_, asio::dynamic_buffer(received_, kRequestBytesMax), kMessageEnd,
                           [self = shared_from_this()](error_code error, std::size_t bytes) {
                             self->on_read(error, bytes);
                           });
  }

 private:
  void on_read(error_code error, std::size_t bytes) {
    if (error == asio::error::not_found)
      return write(bad_request(format("longer than {} bytes", kRequestBytesMax)));
    if (error) return;
    const std::string request = received_.substr(0, bytes - 1);
    received_.erase(0, bytes);
    deadline_.expires_at(std::chrono::steady_clock::time_point::max());
    answer(request, rights_, shared_.control,
           [self = shared_from_this()](Answer reply) { self->write(std::move(reply)); });
  }

  void write(Answer reply) {
    start_clock();
    to_send_ = std::move(reply.text);
    to_send_ += kMessageEnd;
    asio::async_write(
        socket_, asio::buffer(to_send_),
        [self = shared_from_this(), hang_up = reply.hang_up](error_code error, std::size_t) {
          if (!error && !hang_up) self->read();
        });
  }

  // Gives the peer `idle` from now for the operation that follows, as a whole.
  void start_clock() {
    deadline_.expires_after(shared_.idle);
    deadline_.async_wait([weak = weak_from_this()](error_code cancelled) {
      if (const auto self = weak.lock(); self && !cancelled) self->on_deadline();
    });
  }

  void on_deadline() {
    // The clock may have been started anew while this call was on its way.
    if (deadline_.expiry() > std::chrono::steady_clock::now()) return;
    error_code ignored;
    socket_.close(ignored);  // NOLINT(bugprone-unused-return-value): returns `ignored`
  }

  Shared& shared_;
  Protocol::socket socket_;
  asio::steady_timer deadline_;
  const Rights rights_;
  std::string received_;
  std::string to_send_;
};

}  // namespace

class ControlServer::Loop {
 public:
  using Act = std::function<void()>;

  Loop(Fd listener, Control& control, std::chrono::milliseconds idle)
      : shared_{.control = control, .idle = idle}, acceptor_(io_, Protocol(), listener.release()) {
    signals_.async_wait([this](error_code cancelled, int) {
      if (!cancelled) io_.stop();
    });
    accept();
  }

  void run() {
    // A handler that throws, as for want of memory, costs its client and no more.
    while (!io_.stopped()) try {
        io_.run();
      } catch (const std::exception& error) {
        log::error("control socket: {}", error.what());
      }
  }

  void stop() { io_.stop(); }

  asio::io_context& io() noexcept { return io_; }

  void watch(int fd, Act act) {
    watched_.push_back(
        std::make_unique<Watched>(Watched{Descriptor(io_, ::dup(fd)), std::move(act)}));
    wait(*watched_.back());
  }

  void every(std::chrono::milliseconds interval, Act act) {
    rounds_.push_back(
        std::make_unique<Round>(Round{asio::steady_timer(io_), interval, std::move(act)}));
    wait(*rounds_.back());
  }

  void on_hangup(Act act) {
    hangups_.async_wait([this, act = std::move(act)](error_code cancelled, int) mutable {
      if (cancelled) return;
      do_safely(act);
      on_hangup(std::move(act));
    });
  }

  void post(Act act) {
    asio::post(io_, [act = std::move(act)] { do_safely(act); });
  }

 private:
  using Descriptor = asio::posix::stream_descriptor;
  struct Watched {
    Descriptor descriptor;
    Act act;
  };
  struct Round {
    asio::steady_timer timer;
    std::chrono::milliseconds interval;
    Act act;
  };

  static void do_safely(const Act& act) {
    try {
      act();
    } catch (const std::exception& thrown) {
      log::error("control thread: {}", thrown.what());
    }
  }

  void wait(Watched& watched) {
    watched.descriptor.async_wait(Descriptor::wait_read, [this, &watched](error_code error) {
      if (error) return;
      do_safely(watched.act);
      wait(watched);
    });
  }

  void wait(Round& round) {
    round.timer.expires_after(round.interval);
    round.timer.async_wait([this, &round](error_code cancelled) {
      if (cancelled) return;
      do_safely(round.act);
      wait(round);
    });
  }

  void accept() {
    acceptor_.async_accept([this](error_code error, Protocol::socket socket) {
      if (error) return pause();
      accept();
      // Those who only look cannot keep those out who may act.
      const Rights rights = rights_of(socket.native_handle());
      const std::size_t limit = kClientsMax + (rights == Rights::Change ? kClientsReserved : 0);
      if (shared_.clients < limit)
        std::make_shared<Session>(std::move(socket), shared_, rights)->read();
    });
  }

  void pause() {
    pause_.expires_after(kAcceptPause);
    pause_.async_wait([this](error_code cancelled) {
      if (!cancelled) accept();
    });
  }

  Shared shared_;  // outlives io_, which holds the sessions
  asio::io_context io_{1};
  asio::signal_set signals_{io_, SIGTERM, SIGINT};
  asio::signal_set hangups_{io_, SIGHUP};
  Protocol::acceptor acceptor_;
  asio::steady_timer pause_{io_};
  std::vector<std::unique_ptr<Watched>> watched_;
  std::vector<std::unique_ptr<Round>> rounds_;
};

ControlServer::ControlServer(Fd listener, Control& control, std::chrono::milliseconds idle)
    : loop_(std::make_unique<Loop>(std::move(listener), control, idle)) {}

ControlServer::~ControlServer() = default;

void ControlServer::watch(int fd, std::function<void()> act) {
  loop_->watch(fd, std::move(act));
}

void ControlServer::every(std::chrono::milliseconds interval, std::function<void()> act) {
  loop_->every(interval, std::move(act));
}

void ControlServer::on_hangup(std::function<void()> act) {
  loop_->on_hangup(std::move(act));
}

void ControlServer::post(std::function<void()> act) {
  loop_->post(std::move(act));
}

boost::asio::io_context& ControlServer::io() noexcept {
  return loop_->io();
}

void ControlServer::run() {
  loop_->run();
}

void ControlServer::stop() {
  loop_->stop();
}

}  // namespace nfsteer
