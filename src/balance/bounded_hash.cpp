// Bounded hash: by a hash of the flow, but no server has more flows than `factor`
// percent of the mean for its weight. What is too much for a server goes to others:
// those at further slots, that the hash names one after the other, so a flow has its
// second and third server too (Mirrokni, Thorup, Zadimoghaddam, "Consistent hashing
// with bounded loads", 2018; jumps rather than neighbours as Chen, Coleman,
// Shrivastava, "Revisiting consistent hashing with bounded loads", 2021).
#include <atomic>
#include <numeric>
#include <vector>

#include "candidates.hpp"
#include "nfsteer/base/mix.hpp"
#include "registry.hpp"
#include "rendezvous.hpp"
#include "slots.hpp"

namespace nfsteer {
namespace {

// At 125 percent four of five slots at most are those of full servers: after so many
// nearly every flow has found one.
constexpr int kJumps = 32;

// How many flows the servers that take flows have. Up to kAsked servers all are asked
// each time. Of more the sum is renewed at every 16th choice; in between, the choices
// since then are added and flows that ended count still. Any thread.
class Flows {
 public:
  explicit Flows(const Roster& roster) : candidates_(candidates_of(roster)) {}

  // With the one that is to be assigned.
  std::uint64_t with_next(Turn turn) const noexcept {
    if (candidates_.size() <= kAsked) return sum() + 1;
    const std::uint64_t known = turn == Turn::Take ? known_.fetch_add(1, std::memory_order_relaxed)
                                                   : known_.load(std::memory_order_relaxed);
    const std::uint64_t choices = known & kChoicesMask;
    if (choices < kRenewal) return (known >> kChoicesBits) + choices + 1;
    const std::uint64_t renewed = sum();
    if (turn == Turn::Take) known_.store(renewed << kChoicesBits | 1, std::memory_order_relaxed);
    return renewed + 1;
  }

 private:
  static constexpr std::size_t kAsked = 24;
  static constexpr std::uint64_t kRenewal = 16;
  // More than workers can make while one of them renews the sum: each that is
  // beyond kRenewal renews it too.
  static constexpr int kChoicesBits = 16;
  static constexpr std::uint64_t kChoicesMask = (1u << kChoicesBits) - 1;

  std::uint64_t sum() const noexcept {
    std::uint64_t sum = 0;
    for (const Candidate& candidate : candidates_) sum += candidate.gauge->load();
    return sum;
  }

  const std::vector<Candidate> candidates_;
  // The sum << kChoicesBits | choices since; at first due to be renewed.
  mutable std::atomic<std::uint64_t> known_{kRenewal};
};

class BoundedHash final : public Balancer {
 public:
  explicit BoundedHash(const Roster& roster)
      : members_(roster.members), flows_(roster), slots_(maglev_slots(roster)) {
    const double shares =
        std::accumulate(members_.begin(), members_.end(), 0.0,
                        [](double sum, const Member& member) { return sum + member.share(); });
    const double factor = roster.factor / 100.0;
    for (const Member& member : members_)
      servers_.push_back({&roster.gauges[member.id], factor * member.share() / shares});
  }

  std::size_t pick(const Pick& pick) const noexcept override {
    const auto flows = static_cast<double>(flows_.with_next(pick.turn));
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
  const Flows flows_;
  const Slots slots_;
  std::vector<Entry> servers_;  // by member
};

}  // namespace

std::unique_ptr<const Balancer> make_bounded_hash(const Roster& roster) {
  return std::make_unique<BoundedHash>(roster);
}

}  // namespace nfsteer
