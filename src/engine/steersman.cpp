#include "steersman.hpp"

namespace nfsteer {
namespace {

Outcome outcome_of(Action action) noexcept {
  switch (action) {
    case Action::Steer:
      return Outcome::Accepted;
    case Action::Drop:
      return Outcome::Dropped;
    case Action::Reject:
      return Outcome::Rejected;
    case Action::Accept:
      break;
  }
  return Outcome::Passed;
}

}  // namespace

netlink::Answer answer_of(const MarkLayout& layout, const Decision& decision,
                          std::uint32_t mark) noexcept {
  if (decision.action == Action::Drop) return {netlink::Verdict::Drop, std::nullopt};
  return {netlink::Verdict::Accept, layout.merge(mark, mark_bits(layout, decision))};
}

netlink::Answer Steersman::answer(const netlink::QueuedPacket& packet,
                                  std::uint32_t now_s) noexcept {
  Flow flow;
  Decision decision;
  if (const auto error = parse_packet(packet.bytes, flow)) {
    ++account_.parse_errors[static_cast<std::size_t>(*error)];
    decision.action = snapshot_.engine.on_bad_packet;
  } else {
    flow.mark = packet.mark;
    flow.in_interface = packet.in_interface;
    flow.out_interface = packet.out_interface;
    flow.uid = packet.uid;
    flow.gid = packet.gid;
    flow.bytes = packet.length;
    decision = decide_once(flow, now_s);
  }
  count(decision, packet.length);
  return answer_of(snapshot_.engine.mark, decision, packet.mark);
}

Decision Steersman::decide_once(const Flow& flow, std::uint32_t now_s) noexcept {
  const std::uint64_t key = hash(flow.tuple);
  if (const Decision* known = memo_.find(flow.tuple, key, now_s)) return *known;
  const Decision decision = decide(snapshot_, flow);
  memo_.insert(flow.tuple, key, decision, now_s);
  if (decision.failed_group) {
    tallies_.groups[*decision.failed_group].requests.add(1);
    tallies_.groups[*decision.failed_group].failed.add(1);
  }
  if (decision.action == Action::Steer) {
    tallies_.groups[*decision.group].requests.add(1);
    tallies_.selected[decision.server].add(1);
  }
  return decision;
}

void Steersman::count(const Decision& decision, std::uint32_t bytes) noexcept {
  ++account_.received;
  ++account_.outcomes[static_cast<std::size_t>(outcome_of(decision.action))];
  if (decision.policy) {
    tallies_.policies[*decision.policy].packets.add(1);
    tallies_.policies[*decision.policy].bytes.add(bytes);
  }
}

QueueAccount Steersman::account() const noexcept {
  QueueAccount account = account_;
  account.memo = memo_.counters();
  return account;
}

}  // namespace nfsteer
