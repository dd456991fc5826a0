#include "darts.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "nfsteer/base/mix.hpp"
#include "rendezvous.hpp"

namespace nfsteer {
namespace {

// Darts for each slot, by all members that there are, until a slot is given away
// without one. With equal shares some 13 are enough.
constexpr double kPatience = 16;

struct Thrower {
  std::uint64_t key;     // of its darts
  double share, wait;    // darts a unit of time, and the reverse
  std::uint64_t thrown;  // darts
  std::uint16_t member;  // its index
};

std::vector<Thrower> throwers_of(std::span<const Member> members, std::uint64_t seed) {
  std::vector<Thrower> throwers;
  for (std::size_t i = 0; i < members.size(); ++i)
    if (members[i].portion > 0)
      throwers.push_back({mix(members[i].identity ^ mix(seed)), members[i].share(),
                          1 / members[i].share(), 0, static_cast<std::uint16_t>(i)});
  return throwers;
}

class Board {
 public:
  // A slot that somebody had does not wait for a dart beyond `end`.
  Board(const std::vector<bool>& open, Slots& slots, double end)
      : end_(end), former_(slots), slots_(slots), hit_at_(slots.size(), kClosed) {
    for (std::size_t slot = 0; slot < slots.size(); ++slot)
      if (open[slot]) hit_at_[slot] = former_[slot] == kNobody ? kNever : end;
  }

  // All the darts that may hit before that time and were not thrown yet. Dart n is
  // thrown between n and n + 1 times the thrower's wait.
  void throw_until(double time, Thrower& thrower) {
    for (; static_cast<double>(thrower.thrown) < time * thrower.share; ++thrower.thrown) {
      const std::uint64_t dart = mix(thrower.key + thrower.thrown * kGolden);
      const double within = static_cast<double>(dart & 0xffff'ffff) * 0x1p-32;
      const double at = (static_cast<double>(thrower.thrown) + within) * thrower.wait;
      const std::size_t slot = slot_of(dart, slots_.size());
      if (at >= hit_at_[slot] || former_[slot] == thrower.member) continue;
      hit_at_[slot] = at;
      slots_[slot] = thrower.member;
    }
  }

  // Whether no dart after that time changes anything.
  bool is_settled_at(double time) const {
    return std::all_of(hit_at_.begin(), hit_at_.end(), [time](double at) { return at <= time; });
  }

  // Gives away the slots that no dart hit.
  void give_rest(std::span<const Member> members, std::uint64_t seed) {
    for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
      if (hit_at_[slot] != end_) continue;
      const auto heir = rendezvous(members, mix(mix(seed) + slot * kGolden),
                                   [&](std::size_t i) { return i != former_[slot]; });
      slots_[slot] = static_cast<std::uint16_t>(*heir);
    }
  }

 private:
  static constexpr double kClosed = -1;
  static constexpr double kNever = std::numeric_limits<double>::infinity();

  const double end_;
  const Slots former_;
  Slots& slots_;
  std::vector<double> hit_at_;  // by slot
};

}  // namespace

std::uint64_t throw_darts(std::span<const Member> members, std::uint64_t seed,
                          const std::vector<bool>& open, Slots& slots) {
  std::vector<Thrower> throwers = throwers_of(members, seed);
  if (throwers.size() == 1) {
    for (std::size_t slot = 0; slot < slots.size(); ++slot)
      if (open[slot]) slots[slot] = throwers.front().member;
    return 0;
  }
  double share = 0, weight = 0;
  for (const Thrower& thrower : throwers) share += thrower.share;
  for (const Member& member : members) weight += member.weight;
  const auto count = static_cast<double>(slots.size());
  // In a round there are as many darts as slots. The end does not depend on who is
  // away, or slots of others would move with them.
  const double round = count / share, end = kPatience * count / weight;
  Board board(open, slots, end);
  for (double time = 0; !board.is_settled_at(time);) {
    time += round;
    for (Thrower& thrower : throwers) board.throw_until(time, thrower);
  }
  board.give_rest(members, seed);
  return std::accumulate(throwers.begin(), throwers.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const Thrower& each) { return sum + each.thrown; });
}

}  // namespace nfsteer
