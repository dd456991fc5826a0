// What can become of a flow.
#pragma once

#include <cstdint>

namespace nfsteer {

enum class Action : std::uint8_t {
  Steer,   // to the server of the decision
  Accept,  // passed on as it is
  Drop,
  Reject,  // refused: TCP reset, or ICMP administratively prohibited
};
// "steer", "accept", "drop", "reject".
const char* name(Action action) noexcept;

}  // namespace nfsteer
