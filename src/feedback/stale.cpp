#include "nfsteer/feedback.hpp"

namespace nfsteer {

std::optional<StaleFlow> find_stale(const FlowReport& listed, const WhyStale& why_stale) {
  if (listed.tuple.protocol != protocol::kUdp) return std::nullopt;
  auto reason = why_stale(listed.server, listed.seen_reply);
  if (!reason) return std::nullopt;
  return StaleFlow{listed.key, listed.tuple, std::move(*reason)};
}

}  // namespace nfsteer
