#include "kernel.hpp"

#include <algorithm>

#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

bool is_multicast(const Address& address) {
  static const Prefix kV4 = *parse_prefix("224.0.0.0/4"), kV6 = *parse_prefix("ff00::/8");
  return kV4.contains(address) || kV6.contains(address);
}

bool has_hook(const EngineConfig& engine, Hook hook) {
  return std::find(engine.hooks.begin(), engine.hooks.end(), hook) != engine.hooks.end();
}

// What of the table's rules keeps the flow out of the queues; empty: nothing.
std::string why_not_queued(const EngineConfig& engine, const Flow& flow) {
  if ((flow.mark & engine.mark.mask) != 0)
    return format("its packet's mark {:#x} has bits under {:#x}", flow.mark, engine.mark.mask);
  if (is_multicast(flow.tuple.destination)) return "its destination is multicast";
  const bool is_local = flow.uid || flow.gid;
  if (is_local && !has_hook(engine, Hook::Output)) return "`hooks` has no \"output\"";
  if (!is_local && !has_hook(engine, Hook::Prerouting)) return "`hooks` has no \"prerouting\"";
  if (!is_local && interface_name(flow.in_interface) == "lo") return "it comes from `lo`";
  return {};
}

std::string steer_text(const Snapshot& snapshot, const Flow& flow, const Decision& decision) {
  return format("dnat to {}{}", endpoint_text(*snapshot.servers[decision.server], flow),
                snapshot.groups[*decision.group].snat ? ", masquerade" : "");
}

std::string reject_text(const Flow& flow) {
  if (flow.tuple.protocol == protocol::kTcp) return "reject with tcp reset";
  return format("reject with {} admin-prohibited", flow.family() == Family::V4 ? "icmp" : "icmpv6");
}

}  // namespace

std::string endpoint_text(const Server& server, const Flow& flow) {
  if (!flow.has_ports) return to_string(server.address);
  return to_string(Endpoint{server.address, server.port.value_or(flow.tuple.destination_port)});
}

std::string kernel_text(const Snapshot& snapshot, const Flow& flow, const Decision& decision) {
  if (const std::string reason = why_not_queued(snapshot.engine, flow); !reason.empty())
    return format("never queued, so it goes on as it is: {}", reason);
  const MarkLayout& layout = snapshot.engine.mark;
  const auto with_mark = [&](std::string_view does) {
    return format("ct mark {:#010x}/{:#010x}, {}", mark_bits(layout, decision), layout.mask, does);
  };
  switch (decision.action) {
    case Action::Steer:
      return with_mark(steer_text(snapshot, flow, decision));
    case Action::Accept:
      return with_mark("goes on as it is");
    case Action::Reject:
      return reject_text(flow);
    case Action::Drop:
      break;
  }
  return "drop";
}

}  // namespace nfsteer
