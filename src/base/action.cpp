#include "nfsteer/base/action.hpp"

namespace nfsteer {

const char* name(Action action) noexcept {
  switch (action) {
    case Action::Steer:
      return "steer";
    case Action::Accept:
      return "accept";
    case Action::Drop:
      return "drop";
    case Action::Reject:
      break;
  }
  return "reject";
}

}  // namespace nfsteer
