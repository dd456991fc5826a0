// Flows as reports tell of them, and a ledger to tell them to.
#pragma once

#include <string_view>

#include "nfsteer/feedback.hpp"

namespace nfsteer::testing {

using Instant = FlowLedger::Instant;
using Kind = FlowReport::Kind;

constexpr Instant at_ms(std::int64_t ms) {
  return Instant(std::chrono::milliseconds(1'000'000 + ms));
}

// The report of the flow of that number, by default a TCP flow to server 1.
struct Report {
  Kind kind = Kind::New;
  TcpState state = TcpState::None;
  bool replied = false;
  std::uint64_t packets = 0;  // of 100 bytes
  std::uint64_t stamp_ms = 0;
  std::uint8_t protocol = protocol::kTcp;
  std::uint32_t flow = 1;
  ServerId server = 1;

  FlowReport made() const {
    FlowReport report;
    report.kind = kind;
    report.tcp_state = state;
    report.seen_reply = replied;
    report.server = server;
    report.stamp_ns = stamp_ms * 1'000'000;
    if (packets != 0) report.volume = Volume{packets, packets * 100};
    report.tuple = {Address::v4(0xc0000201), Address::v4(0x0a000001),
                    static_cast<std::uint16_t>(flow % 50'000), 80, protocol};
    report.key = flow_key(flow, report.tuple);
    return report;
  }
};

struct Book {
  Gauges gauges;
  ServerRecords records;
  FlowLedger ledger{4093, gauges, records};

  // The gauge's account as it is, also where it is below zero.
  std::int32_t load(ServerId id) const {
    return static_cast<std::int32_t>(gauges[id].assigned - gauges[id].settled);
  }
};

}  // namespace nfsteer::testing
