// Checks and targets of tests, and a board that is moved on probe by probe.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "nfsteer/base/mix.hpp"
#include "nfsteer/health.hpp"

namespace nfsteer::testing {

inline const CheckBoard::Instant kStart{std::chrono::hours(100)};

// With no jitter.
inline CheckConfig plain_check(std::string name = "plain") {
  CheckConfig check;
  check.name = std::move(name);
  check.jitter_percent = 0;
  return check;
}

// 10.0.0.NUMBER port 80.
inline CheckTarget target_number(std::uint32_t number, std::string check = "plain") {
  return {std::move(check), Address::v4(0x0a00'0000 + number), 80};
}

inline ProbeResult passed(std::chrono::microseconds took = {}) {
  return {ProbeOutcome::Passed, "passed", took};
}
inline ProbeResult failed(std::chrono::microseconds took = {}) {
  return {ProbeOutcome::Failed, "failed", took};
}
// P passed, F failed, S skipped.
inline ProbeResult result_of(char letter, std::chrono::microseconds took = {},
                             const char* reason = nullptr) {
  ProbeResult result = letter == 'P' ? passed(took) : failed(took);
  if (letter == 'S') result = {ProbeOutcome::Skipped, "skipped", took};
  if (reason) result.reason = reason;
  return result;
}

// The next probe that is due begins, and ends so after `took`.
inline std::vector<HealthEvent> finish_next_events(
    CheckBoard& board, char result, std::chrono::milliseconds took = std::chrono::milliseconds(1),
    const char* reason = nullptr) {
  const auto now = board.next_due();
  const ProbeTicket ticket = board.begin_due(now).front();
  return board.finish(ticket, result_of(result, took, reason), now + took);
}
// The same; returns when it began.
inline CheckBoard::Instant finish_next(
    CheckBoard& board, char result, std::chrono::milliseconds took = std::chrono::milliseconds(1)) {
  const auto now = board.next_due();
  finish_next_events(board, result, took);
  return now;
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint32_t below(std::uint32_t end) {
    return static_cast<std::uint32_t>(mix(state_ += kGolden) % end);
  }

 private:
  std::uint64_t state_;
};

}  // namespace nfsteer::testing
