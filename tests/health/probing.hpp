// Single probes, without a prober around them.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include "checks.hpp"
#include "health/check.hpp"
#include "health/process.hpp"

namespace nfsteer::testing {

inline std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

// How much more memory is resident for a byte of the program's: ThreadSanitizer keeps what
// it knows of each beside it.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NFSTEER_SHADOWED
#endif
#endif
#ifdef NFSTEER_SHADOWED
inline constexpr std::size_t kShadowFactor = 8;
#else
inline constexpr std::size_t kShadowFactor = 1;
#endif

inline std::size_t resident_kib() {
  std::size_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}

inline CheckConfig check_of(std::string kind,
                            std::map<std::string, CheckValue, std::less<>> options = {}) {
  CheckConfig check = plain_check();
  check.kind = std::move(kind);
  check.options = std::move(options);
  return check;
}

inline std::shared_ptr<const Check> ready(const CheckConfig& config) {
  const auto problems = problems_of(config);
  REQUIRE_MESSAGE(problems.empty(), problems.front().message);
  auto made = find_check_kind(config.kind)->make(config);
  REQUIRE_MESSAGE(made.has_value(), made.error().message);
  return *made;
}

// A room that probes are run in.
class Laboratory {
 public:
  explicit Laboratory(std::uint32_t mark = 0) : room_{io_, children_, mark} {}

  ProbeRoom& room() { return room_; }
  boost::asio::io_context& io() { return io_; }
  Children& children() { return children_; }

  // How a probe ends; nullopt: not within the limit, and it was ended.
  std::optional<ProbeEnd> probe(const Check& check, const CheckTarget& target,
                                std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    std::optional<ProbeEnd> end;
    int calls = 0;
    auto running = check.start(room_, target, [&](ProbeEnd how) {
      end = std::move(how);
      ++calls;
    });
    CHECK(calls == 0);  // not from within start()
    const auto until = std::chrono::steady_clock::now() + limit;
    io_.restart();
    while (!end && std::chrono::steady_clock::now() < until)
      io_.run_for(std::chrono::milliseconds(2));
    running.reset();
    settle();
    CHECK(calls <= 1);
    return end;
  }

  // "passed: 200", "failed: refused", "skipped: ...", or "silent".
  std::string outcome(const CheckConfig& check, const Address& address, std::uint16_t port,
                      std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    const auto end = probe(*ready(check), {check.name, address, port}, limit);
    if (!end) return "silent";
    constexpr const char* kOutcomes[] = {"passed: ", "failed: ", "skipped: "};
    return kOutcomes[static_cast<int>(end->outcome)] + end->reason;
  }

  // What is left of probes that were ended.
  void settle() {
    io_.restart();
    io_.run();
  }

 private:
  boost::asio::io_context io_;
  Children children_{io_};
  ProbeRoom room_;
};

}  // namespace nfsteer::testing
