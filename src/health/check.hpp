// What a kind of check is made of. Its file defines a CheckKind that makes Checks; a
// Check starts probes. When to start one, and its time-out, are not its business.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "nfsteer/health.hpp"

namespace nfsteer {

#define CHECK_KIND(name) extern const CheckKind k_check_##name;
#include "checks.def"
#undef CHECK_KIND

class Children;

// What probes get from who runs them. Outlives them.
struct ProbeRoom {
  boost::asio::io_context& io;
  Children& children;
  std::uint32_t mark = 0;  // of their packets; 0: none
};

// A probe that runs. Its destruction ends it.
class Probe {
 public:
  virtual ~Probe() = default;
};

// How a probe ended.
struct ProbeEnd {
  ProbeOutcome outcome = ProbeOutcome::Passed;
  std::string reason;  // ASCII
};
using Done = std::function<void(ProbeEnd)>;

// A check that is ready to be used. Constant.
class Check {
 public:
  virtual ~Check() = default;

  // `done` is called once, later and by the thread of room.io, unless the probe is
  // destroyed before. It may destroy the probe.
  virtual std::unique_ptr<Probe> start(ProbeRoom& room, const CheckTarget& target,
                                       Done done) const = 0;
};

// The work of a probe. Handlers of its operations keep it alive, and come to nothing
// once it is over.
class Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  explicit Attempt(Done done) : done_(std::move(done)) {}
  virtual ~Attempt() = default;

  virtual void begin() = 0;
  void abandon() {
    done_ = nullptr;
    close();
  }

  // The handler, of an operation of this attempt.
  template <typename Handler>
  auto bound(Handler handler) {
    return [self = shared_from_this(), handler = std::move(handler)](auto&&... args) mutable {
      if (self->done_) handler(std::forward<decltype(args)>(args)...);
    };
  }

 protected:
  // Ends the operations under way. May be called again.
  virtual void close() = 0;

  void finish(ProbeEnd end) {
    const Done done = std::exchange(done_, nullptr);
    close();
    if (done) done(std::move(end));
  }

 private:
  Done done_;  // null: it is over
};

// Begins the attempt, though not before this returns.
template <typename Kind, typename... Args>
std::unique_ptr<Probe> launch(ProbeRoom& room, Args&&... args) {
  class Launched final : public Probe {
   public:
    explicit Launched(std::shared_ptr<Attempt> attempt) : attempt_(std::move(attempt)) {}
    ~Launched() override { attempt_->abandon(); }

   private:
    const std::shared_ptr<Attempt> attempt_;
  };
  auto attempt = std::make_shared<Kind>(room, std::forward<Args>(args)...);
  boost::asio::post(room.io, attempt->bound([raw = attempt.get()] { raw->begin(); }));
  return std::make_unique<Launched>(std::move(attempt));
}

}  // namespace nfsteer
