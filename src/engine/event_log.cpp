#include "event_log.hpp"

#include <iterator>
#include <utility>

#include "nfsteer/base/log.hpp"
#include "nfsteer/base/text.hpp"

namespace nfsteer {

void EventLog::add(std::vector<FailoverEvent> events, Instant now) {
  for (FailoverEvent& event : events) {
    const auto [found, is_new] = subjects_.try_emplace(event.subject);
    Subject& subject = found->second;
    subject.last = std::move(event);
    ++subject.unsaid;
    if (is_new || now - subject.said >= kInterval) say(subject, now);
  }
}

void EventLog::tick(Instant now) {
  for (auto at = subjects_.begin(); at != subjects_.end();) {
    Subject& subject = at->second;
    const bool is_quiet = now - subject.said >= kInterval;
    if (is_quiet && subject.unsaid > 0) say(subject, now);
    at = is_quiet && subject.unsaid == 0 && subject.said != now ? subjects_.erase(at)
                                                                : std::next(at);
  }
}

void EventLog::say(Subject& subject, Instant now) {
  const std::size_t others = std::exchange(subject.unsaid, 0) - 1;
  subject.said = now;
  const auto& [reason, name, text] = subject.last;
  log::warning(
      "{} {} [{}]{}", name, text, nfsteer::name(reason),
      others == 0 ? "" : format(", after {}", counted(others, "other change", "other changes")));
}

}  // namespace nfsteer
