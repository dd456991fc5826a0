// Bounded hash: by a hash of the flow, but no server has more flows than `factor`
// percent of the mean for its weight. What is too much for a server goes to others:
// those at further slots, that the hash names one after the other, so a flow has its
// second and third server too (Mirrokni, Thorup, Zadimoghaddam, "Consistent hashing
// with bounded loads", 2018; jumps rather than neighbours as Chen, Coleman,
// Shrivastava, "Revisiting consistent hashing with bounded loads", 2021).
#include <numeric>
#include <vector>

#include "nfsteer/base/mix.hpp"
#include "registry.hpp"
#include "rendezvous.hpp"
#include "slots.hpp"

namespace nfsteer {
namespace {

// At 125 percent four of five slots at most are those of full servers: after so many
// nearly every flow has found one.
constexpr int kJumps = 32;

class BoundedHash final : public Balancer {
 public:
  explicit BoundedHash(const Roster& roster)
      : members_(roster.members), state_(roster.state), slots_(maglev_slots(roster)) {
    const double shares =
        std::accumulate(members_.begin(), members_.end(), 0.0,
                        [](double sum, const Member& member) { return sum + member.share(); });
    const double factor = roster.factor / 100.0;
    for (const Member& member : members_)
      servers_.push_back({&roster.gauges[member.id], factor * member.share() / shares});
  }

  std::size_t pick(const Pick& pick) const noexcept override {
    const double flows = static_cast<double>(state_.sum.load()) + 1;
    const auto has_room = [&](std::size_t i) {
      return servers_[i].gauge->load() < flows * servers_[i].bound;
    };
    const std::size_t owner = slots_[slot_of(pick.hash, slots_.size())];
    if (has_room(owner)) return owner;
    std::uint64_t hash = pick.hash;
    for (int jump = 0; jump < kJumps; ++jump) {
      hash = mix(hash + kGolden);
      const std::size_t other = slots_[slot_of(hash, slots_.size())];
      if (has_room(other)) return other;
    }
    return rendezvous(members_, pick.hash, has_room).value_or(owner);
  }

 private:
  struct Entry {
    const Gauge* gauge;
    double bound;  // what of all flows it may have
  };

  const std::vector<Member> members_;
  const PoolState& state_;
  const Slots slots_;
  std::vector<Entry> servers_;  // by member
};

}  // namespace

std::unique_ptr<const Balancer> make_bounded_hash(const Roster& roster) {
  return std::make_unique<BoundedHash>(roster);
}

}  // namespace nfsteer
