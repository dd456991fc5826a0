// What conntrack could send: one event, and a part of a listing.
#include <linux/netfilter/nfnetlink_conntrack.h>

#include <vector>

#include "../fuzz.hpp"
#include "netlink/conntrack_message.hpp"

using namespace nfsteer;
using namespace nfsteer::netlink;
using fuzz::Bytes;

namespace {

constexpr MarkLayout kLayouts[] = {{0xfff0'0000}, {0x0000'ffff}, {0x0000'0700}};

using Copy = std::vector<std::byte>;

Copy copy_of(Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}

void check(const FlowReport& report, const MarkLayout& layout) {
  FUZZ_CHECK(report.server <= layout.top());
  FUZZ_CHECK(report.tcp_state <= TcpState::SynSent2);
  FUZZ_CHECK(report.tuple.source.family == report.tuple.destination.family);
  FUZZ_CHECK(report.key == flow_key(flow_id(report.key), report.tuple));
}

// The listing message by message, each read by itself.
struct Listing {
  DumpPart part;
  std::vector<FlowReport> flows;

  Listing(Bytes bytes, const MarkLayout& layout) {
    while (bytes.size() >= sizeof(nlmsghdr) && !part.is_last) {
      const Copy copy = copy_of(bytes);
      const auto& header = *reinterpret_cast<const nlmsghdr*>(copy.data());
      if (header.nlmsg_len < sizeof header || header.nlmsg_len > bytes.size()) return;
      take(bytes.first(header.nlmsg_len), layout);
      bytes = bytes.subspan(std::min(aligned(header.nlmsg_len), bytes.size()));
    }
  }

  void take(Bytes message, const MarkLayout& layout) {
    const Copy copy = copy_of(message);
    const auto& header = *reinterpret_cast<const nlmsghdr*>(copy.data());
    if ((header.nlmsg_flags & NLM_F_DUMP_INTR) != 0) part.was_interrupted = true;
    part.is_last = header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR;
    if (header.nlmsg_type == NLMSG_ERROR) part.error = error_in(header);
    (void)read_mark(header);
    if (header.nlmsg_type < NLMSG_MIN_TYPE) return;
    const auto flow = read_flow(copy, true, layout);
    if (flow && flow->server != 0 && flow->server <= layout.server_max()) flows.push_back(*flow);
  }
};

}  // namespace

FUZZ_TARGET(conntrack) {
  fuzz::Input in(input);
  const MarkLayout layout = in.one_of(kLayouts);
  const Copy message = copy_of(in.rest());

  const auto event = read_flow(message, false, layout);
  auto listed = read_flow(message, true, layout);
  FUZZ_CHECK(event.has_value() == listed.has_value());
  if (event) {
    check(*event, layout);
    FUZZ_CHECK(listed->kind == FlowReport::Kind::Listed);
    listed->kind = event->kind;
    FUZZ_CHECK(*listed == *event);
  }

  const Listing want(message, layout);
  std::vector<FlowReport> flows;
  const DumpPart part = read_listing(message, layout, flows);
  FUZZ_CHECK(flows == want.flows);
  FUZZ_CHECK(part.is_last == want.part.is_last && part.error == want.part.error &&
             part.was_interrupted == want.part.was_interrupted);
  FUZZ_CHECK(part.error >= 0);
}
