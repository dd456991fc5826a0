#include <algorithm>
#include <utility>

#include "capture.hpp"
#include "capture_clock.hpp"
#include "flow_table.hpp"
#include "nfsteer/replay.hpp"

namespace nfsteer {

namespace {

// A packet that was read, and is yet to be looked up.
struct ReadPacket {
  Time stamp;
  bool is_whole = true;
  bool is_ip = true;
  std::optional<ParseError> error;
  Flow flow;
  std::optional<Segment> segment;  // of TCP
};

ReadPacket read(const CapturedPacket& packet, std::size_t copy_bytes) {
  ReadPacket made{packet.stamp, packet.is_whole, packet.bytes.has_value(), {}, {}, {}};
  if (!made.is_ip) return made;
  const auto bytes = packet.bytes->first(std::min(packet.bytes->size(), copy_bytes));
  made.error = parse_packet(bytes, made.flow);
  if (made.error || made.flow.tuple.protocol != protocol::kTcp) return made;
  if (const auto flags = tcp_flags(bytes))
    made.segment = segment_of(*flags);
  else
    made.error = ParseError::TruncatedTransport;
  return made;
}

}  // namespace

struct CaptureFlows::Inside {
  Inside(Capture opened, std::uint32_t copied) : capture(std::move(opened)), copy_bytes(copied) {}

  void read_ahead();
  std::optional<FlowEvent> take(const ReadPacket& packet);
  void note(const ReadPacket& packet);
  FlowEvent event_of(std::uint32_t number) const;

  // So many are read before the first of them is looked up, so that the memory where
  // their flows are arrives meanwhile.
  static constexpr std::size_t kAhead = 16;

  Capture capture;
  std::size_t copy_bytes;
  CaptureClock clock;
  FlowTable table{kFlowsMax};
  CaptureCounts counts;
  std::array<std::uint64_t, kParseErrors> malformed{};
  std::vector<ReadPacket> ahead;
  std::size_t taken = 0;           // of them
  std::optional<FlowEvent> begun;  // to be told once all that is over is
  Progress progress;
};

CaptureFlows::CaptureFlows(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
CaptureFlows::CaptureFlows(CaptureFlows&&) noexcept = default;
CaptureFlows::~CaptureFlows() = default;

Result<CaptureFlows> CaptureFlows::open(const std::string& path, std::uint32_t copy_bytes) {
  auto capture = Capture::open(path);
  if (!capture) return tl::unexpected(std::move(capture.error()));
  return CaptureFlows(std::make_unique<Inside>(std::move(*capture), copy_bytes));
}

std::optional<FlowEvent> CaptureFlows::next() {
  for (;;) {
    if (const auto over = inside_->table.next_over()) return inside_->event_of(*over);
    if (inside_->begun) return std::exchange(inside_->begun, std::nullopt);
    if (inside_->taken == inside_->ahead.size()) inside_->read_ahead();
    if (inside_->ahead.empty()) return std::nullopt;
    inside_->begun = inside_->take(inside_->ahead[inside_->taken++]);
  }
}

void CaptureFlows::Inside::read_ahead() {
  ahead.clear();
  taken = 0;
  while (ahead.size() < kAhead) {
    const auto packet = capture.next();
    if (!packet) return;
    ahead.push_back(read(*packet, copy_bytes));
    if (ahead.back().is_ip && !ahead.back().error) table.prefetch(ahead.back().flow);
  }
}

FlowEvent CaptureFlows::Inside::event_of(std::uint32_t number) const {
  FlowEvent event;
  event.number = number;
  event.at = clock.wall();
  event.after = clock.elapsed();
  event.packet = counts.packets;
  return event;
}

// The event of the flow that the packet opens.
std::optional<FlowEvent> CaptureFlows::Inside::take(const ReadPacket& packet) {
  note(packet);
  if (!packet.is_ip || packet.error) {
    ++(packet.is_ip ? malformed[static_cast<std::size_t>(*packet.error)] : counts.not_ip);
    return std::nullopt;
  }
  const auto [kind, number] = table.meet({packet.flow, packet.segment}, clock.elapsed());
  switch (kind) {
    case FlowTable::Kind::Follows:
      ++counts.followed;
      return std::nullopt;
    case FlowTable::Kind::MidStream:
      ++counts.mid_stream;
      return std::nullopt;
    case FlowTable::Kind::None:
      ++counts.apart;
      return std::nullopt;
    case FlowTable::Kind::Opens:
      break;
  }
  ++counts.opened;
  FlowEvent event = event_of(number);
  event.flow = packet.flow;
  return event;
}

void CaptureFlows::Inside::note(const ReadPacket& packet) {
  constexpr std::uint64_t kProgressStep = std::uint64_t{1} << 18;
  clock.advance(packet.stamp);
  if (!counts.first) counts.first = packet.stamp;
  if (!packet.is_whole) ++counts.truncated;
  if (++counts.packets % kProgressStep == 0 && progress) progress(counts.packets, capture.share());
}

CaptureCounts CaptureFlows::counts() const {
  CaptureCounts counts = inside_->counts;
  for (std::size_t i = 0; i < kParseErrors; ++i)
    if (inside_->malformed[i] > 0)
      counts.malformed[name(static_cast<ParseError>(i))] = inside_->malformed[i];
  counts.backward = inside_->clock.backward();
  counts.evicted = inside_->table.evictions();
  counts.span = inside_->clock.elapsed();
  return counts;
}

const std::optional<Error>& CaptureFlows::error() const noexcept {
  return inside_->capture.error();
}

void CaptureFlows::on_progress(Progress progress) {
  inside_->progress = std::move(progress);
}

}  // namespace nfsteer
