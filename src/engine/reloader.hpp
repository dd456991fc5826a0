// Reads and compiles configurations beside the control thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <variant>

#include "nfsteer/config.hpp"
#include "nfsteer/engine.hpp"
#include "nfsteer/steering.hpp"

namespace nfsteer {

// A configuration that can be put in force.
struct Candidate {
  Prepared prepared;
  Sources sources;
};

// What is wrong with a configuration that replaces another while all runs: what would
// need other queues or marks. Empty: nothing.
std::string needs_restart(const EngineConfig& from, const EngineConfig& to);

// One thread at a time, of its own, for one configuration. The control thread's.
class Reloader {
 public:
  using Done = std::function<void(tl::expected<Candidate, ReloadError>)>;

  // `post` has a function called on the control thread.
  explicit Reloader(std::function<void(std::function<void()>)> post) : post_(std::move(post)) {}
  ~Reloader();  // waits

  bool is_busy() const noexcept { return busy_; }
  // Reads the file, or what was read before, and compiles it; `done` is called on the
  // control thread. `stage` is called before, in the other thread, with what was made;
  // its error ends it. REQUIRES: !is_busy()
  using Stage = std::function<Result<void>(const Candidate&)>;
  void load(std::variant<std::string, Sources> from, Stage stage, Done done);

 private:
  std::function<void(std::function<void()>)> post_;
  std::thread thread_;
  bool busy_ = false;
};

}  // namespace nfsteer
