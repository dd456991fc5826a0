// Reports of flows in any order, as no conntrack would send them: the ledger knows no
// more flows than it was told of, its figures hold together, and when nothing happens
// any more each gauge has the active flows.
#include "../../feedback/lives.hpp"
#include "../fuzz.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;
using fuzz::Input;

namespace {

constexpr std::uint32_t kFlows = 12;
constexpr ServerId kServers = 4, kServersMax = 100;
constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 40;  // more than all reports tell

FlowReport read_report(Input& in, Kind kind) {
  const std::uint8_t flow = in.u8(), state = in.u8(), rest = in.u8();
  Report report{.kind = kind,
                .state = TcpState{static_cast<std::uint8_t>(state % 10)},
                .replied = rest % 2 == 0,
                .packets = rest % 5u,
                .stamp_ms = rest % 3 == 0 ? in.u64() : rest,
                .protocol = flow % 2 == 0 ? protocol::kTcp : protocol::kUdp,
                .flow = 1u + flow % kFlows,
                .server = static_cast<ServerId>(flow / kFlows % (kServers + 1))};
  if (report.server == kServers) report.server = in.number<std::uint16_t>();  // nobody's
  FlowReport made = report.made();
  if (made.volume) made.volume->bytes = in.u8();
  return made;
}

void check(const FlowLedger& ledger, const ServerRecords& records) {
  std::uint64_t active = 0;
  for (ServerId id = 1; id < kServers; ++id) {
    const ServerFigures figures = records.read(id);
    FUZZ_CHECK(figures.failed <= figures.total);
    FUZZ_CHECK(figures.volume.bytes < kBytesMax);
    active += figures.active;
  }
  FUZZ_CHECK(active <= ledger.flows() && ledger.flows() <= kFlows);
}

}  // namespace

FUZZ_TARGET(ledger) {
  Input in(input);
  static Gauges gauges;
  for (ServerId id = 0; id < kServers; ++id) gauges.renew(id);
  ServerRecords records;
  FlowLedger ledger(kServersMax, gauges, records);
  std::int64_t now_ms = 0;
  bool is_listing = false;
  while (!in.is_empty()) {
    const std::uint8_t step = in.u8();
    const auto now = at_ms(now_ms);
    if (step < 200) {
      const int kinds = is_listing ? 4 : 3;  // only listings list
      ledger.apply(read_report(in, Kind{static_cast<std::uint8_t>(step % kinds)}), now);
      continue;
    }
    if (step < 220) {
      ledger.tick(at_ms(now_ms += in.number<std::uint16_t>()));
    } else if (step < 225) {
      ledger.lose(now);
    } else if (step < 245) {
      is_listing ? ledger.end_listing(now) : ledger.begin_listing();
      is_listing = !is_listing;
    } else if (is_listing) {
      ledger.give_up_listing();
      is_listing = false;
    }
    check(ledger, records);
  }
  for (int i = 0; i < 5; ++i) ledger.tick(at_ms(now_ms += 1'000));
  for (ServerId id = 1; id < kServers; ++id)
    FUZZ_CHECK(gauges[id].load() == records.read(id).active);
}
