// The members that take flows now, with what picks read of them at hand.
#pragma once

#include <cstdint>
#include <vector>

#include "nfsteer/balance.hpp"

namespace nfsteer {

struct Candidate {
  const Gauge* gauge;
  float inverse_share;  // 1 / Member::share()
  std::uint16_t index;  // in Roster::members

  // What it has to do with one flow more, for its size.
  float pressure() const noexcept { return static_cast<float>(gauge->load() + 1) * inverse_share; }
};

inline std::vector<Candidate> candidates_of(const Roster& roster) {
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < roster.members.size(); ++i) {
    const Member& member = roster.members[i];
    if (member.portion > 0)
      candidates.push_back({&roster.gauges[member.id], static_cast<float>(1 / member.share()),
                            static_cast<std::uint16_t>(i)});
  }
  return candidates;
}

}  // namespace nfsteer
