#include "nfsteer/base/text.hpp"
#include "nfsteer/health.hpp"

namespace nfsteer {
namespace {

std::string text_of(const StateChanged& event) {
  return format("check {}: {}, was {}: {}", to_string(event.target), name(event.to),
                name(event.from), event.reason);
}

std::string text_of(const GuardChanged& event) {
  switch (event.step) {
    case GuardChanged::Step::Holds:
      return format(
          "{} of {} targets that are up began to fail at once: no server is held to be down for "
          "it, as perhaps this machine fails",
          event.failing, event.compared);
    case GuardChanged::Step::LetsGo:
      return format("{} of {} targets that are up fail: checks are believed again", event.failing,
                    event.compared);
    case GuardChanged::Step::Believes:
      break;
  }
  return format("{} of {} targets that are up still fail after {} s: it is believed", event.failing,
                event.compared, CheckBoard::kGuardHold.count());
}

std::string text_of(const ProbesSkipped& event) {
  return format("check {}, perhaps others too, cannot ask, which is no failure of the server: {}",
                to_string(event.target), event.reason);
}

}  // namespace

const char* name(CheckState state) noexcept {
  constexpr const char* kNames[] = {"unknown", "up", "down"};
  return kNames[static_cast<std::size_t>(state)];
}

std::string to_string(const CheckTarget& target) {
  const std::string server = format("{} of {}", target.check, to_string(target.address));
  return target.port == 0 ? server : format("{} port {}", server, target.port);
}

std::string to_string(const HealthEvent& event) {
  return std::visit([](const auto& each) { return text_of(each); }, event);
}

}  // namespace nfsteer
