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
  const EngineConfig& engine = world_->snapshot->engine;
  Flow flow;
  Decision decision;
  if (const auto error = parse_packet(packet.bytes, flow)) {
    ++account_.parse_errors[static_cast<std::size_t>(*error)];
    decision.action = engine.on_bad_packet;
  } else {
    flow.mark = packet.mark;
    flow.uid = packet.uid;
    flow.gid = packet.gid;
    flow.bytes = packet.length;
    add_interfaces(packet, flow);
    decision = decider_.decide(flow, now_s);
  }
  ++account_.received;
  ++account_.outcomes[static_cast<std::size_t>(outcome_of(decision.action))];
  return answer_of(engine.mark, decision, packet.mark);
}

void Steersman::add_interfaces(const netlink::QueuedPacket& packet, Flow& flow) const noexcept {
  const FlowFields& reads = world_->snapshot->reads;
  if (reads.in_interface) flow.in_interface = world_->interfaces.find(packet.in_interface);
  if (reads.out_interface) flow.out_interface = world_->interfaces.find(packet.out_interface);
}

}  // namespace nfsteer
