// A hash table by linear probing, of which every flow is also in the queue of those
// that live as long: the queues are in the order of their last packets, so that a packet
// and a death cost the same however many flows there are.
#include "flow_table.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace nfsteer {
namespace {

// ---- ICMP -----------------------------------------------------------------------

// The types of ICMP and ICMPv6 that ask, and those that answer (as conntrack has them).
struct Query {
  std::uint8_t protocol, request, reply;
};
constexpr Query kQueries[] = {
    {protocol::kIcmp, 8, 0},        // echo
    {protocol::kIcmp, 13, 14},      // timestamp
    {protocol::kIcmp, 15, 16},      // information
    {protocol::kIcmp, 17, 18},      // address mask
    {protocol::kIcmpV6, 128, 129},  // echo
    {protocol::kIcmpV6, 139, 140},  // node information
};

bool is_icmp(const FiveTuple& tuple) noexcept {
  return tuple.protocol == protocol::kIcmp || tuple.protocol == protocol::kIcmpV6;
}

const Query* query_of(const Flow& flow) noexcept {
  const auto found = std::ranges::find_if(kQueries, [&](const Query& query) {
    return query.protocol == flow.tuple.protocol &&
           (query.request == flow.icmp_type || query.reply == flow.icmp_type);
  });
  return found == std::end(kQueries) ? nullptr : &*found;
}

// Multicast, or everybody: no conntrack entry that is ours begins so.
bool is_to_many(const Address& address) noexcept {
  constexpr std::uint64_t kMulticast4 = 0xe, kBroadcast4 = 0xffff'ffff, kMulticast6 = 0xff;
  if (address.family == Family::V6) return address.high >> 56 == kMulticast6;
  return address.low >> 28 == kMulticast4 || address.low == kBroadcast4;
}

bool is_forward(const FiveTuple& tuple) noexcept {
  return std::tie(tuple.source, tuple.source_port) <=
         std::tie(tuple.destination, tuple.destination_port);
}

void turn_round(FiveTuple& tuple) noexcept {
  std::swap(tuple.source, tuple.destination);
  std::swap(tuple.source_port, tuple.destination_port);
}

}  // namespace

// One key for both directions: the lower end first. An ICMP query is told apart by
// its identifier and its type.
FlowTable::Name FlowTable::name_of(const Flow& flow) noexcept {
  FiveTuple tuple = flow.tuple;
  Name name;
  std::uint16_t identifier = 0;
  const Query* query = nullptr;
  if (is_icmp(tuple)) {
    query = query_of(flow);
    name.can_open = query && query->request == flow.icmp_type;
    identifier = std::exchange(tuple.source_port, std::uint16_t{0});
  }
  name.can_open = name.can_open && !is_to_many(tuple.destination);
  name.is_forward = nfsteer::is_forward(tuple);
  if (!name.is_forward) turn_round(tuple);
  if (query) {
    tuple.source_port = identifier;
    tuple.destination_port = query->request;
  }
  name.key = TupleKey(tuple);
  name.hash = static_cast<std::uint32_t>(nfsteer::hash(name.key));
  return name;
}

// ---- what becomes of a flow -------------------------------------------------------

// A SYN where the connection before is closed.
bool FlowTable::opens_anew(const Node& node, const Packet& packet) noexcept {
  return packet.segment == Segment::Syn && (node.phase == static_cast<Phase>(TcpState::TimeWait) ||
                                            node.phase == static_cast<Phase>(TcpState::Close));
}

// A SYN that is out of place does not prolong a connection's life.
bool FlowTable::is_ignored(const Node& node, const Packet& packet, Phase next) noexcept {
  return (packet.segment == Segment::Syn || packet.segment == Segment::SynAck) &&
         next == node.phase && next != static_cast<Phase>(TcpState::SynSent);
}

FlowTable::Phase FlowTable::first_phase(const Packet& packet) noexcept {
  if (packet.segment)
    return static_cast<Phase>(
        *packet.segment == Segment::Syn
            ? TcpState::SynSent
            : next_state(TcpState::Established, *packet.segment, Sender::Client));
  if (packet.flow.tuple.protocol == protocol::kUdp) return kUdp;
  return is_icmp(packet.flow.tuple) ? kIcmp : kGeneric;
}

// UDP is a stream once it is answered and goes on for two seconds.
FlowTable::Phase FlowTable::next_phase(const Node& node, const Packet& packet, Sender sender,
                                       Moment now) noexcept {
  constexpr std::chrono::seconds kStream{2};
  if (packet.segment)
    return static_cast<Phase>(
        next_state(static_cast<TcpState>(node.phase), *packet.segment, sender));
  if (node.phase == kUdp && node.has_reply && now - node.opened > kStream) return kUdpStream;
  return node.phase;
}

FlowTable::Met FlowTable::meet(const Packet& packet, Moment now) {
  if (now >= next_death_) remove_aged(now);
  const Name name = name_of(packet.flow);
  const std::uint32_t number = find(name);
  if (number == kNone) return open(name, packet, now);
  if (opens_anew(node(number), packet)) {
    remove(number);
    return open(name, packet, now);
  }
  follow(number, name, packet, now);
  return {Kind::Follows, number};
}

void FlowTable::prefetch(const Flow& flow) const noexcept {
  if (!slots_.empty()) __builtin_prefetch(&slots_[home_of(name_of(flow).hash)]);
}

FlowTable::Met FlowTable::open(const Name& name, const Packet& packet, Moment now) {
  if (!name.can_open) return {};
  if (flows_ >= flows_max_) remove_oldest();
  const std::uint32_t number = make_node();
  const bool is_new = !packet.segment || *packet.segment == Segment::Syn;
  Node& made = node(number);
  made.key = name.key;
  made.hash = name.hash;
  made.opened = now;
  made.is_forward = name.is_forward;
  made.has_reply = false;
  made.is_told = !is_new;
  ++flows_;
  index(name.hash, number);
  enqueue(number, first_phase(packet), now);
  return {is_new ? Kind::Opens : Kind::MidStream, number};
}

void FlowTable::follow(std::uint32_t number, const Name& name, const Packet& packet, Moment now) {
  Node& known = node(number);
  const Sender sender = name.is_forward == known.is_forward ? Sender::Client : Sender::Server;
  known.has_reply |= sender == Sender::Server;
  const Phase phase = next_phase(known, packet, sender, now);
  if (is_ignored(known, packet, phase)) return;
  dequeue(number);
  enqueue(number, phase, now);
  if (packet.segment && is_over(static_cast<TcpState>(phase))) end(number);
}

void FlowTable::end(std::uint32_t number) {
  if (!std::exchange(node(number).is_told, true)) over_.push_back(number);
}

std::optional<std::uint32_t> FlowTable::next_over() {
  if (over_.empty()) return std::nullopt;
  const std::uint32_t number = over_.back();
  over_.pop_back();
  return number;
}

// ---- ages -------------------------------------------------------------------------

void FlowTable::enqueue(std::uint32_t number, Phase phase, Moment now) noexcept {
  Node& added = node(number);
  Queue& queue = queues_[phase];
  added.phase = phase;
  added.seen = now;
  added.newer = kNone;
  added.older = queue.newest;
  (queue.newest == kNone ? queue.oldest : node(queue.newest).newer) = number;
  queue.newest = number;
  next_death_ = std::min(next_death_, now + kLifetimes[phase]);
}

void FlowTable::dequeue(std::uint32_t number) noexcept {
  const Node& taken = node(number);
  Queue& queue = queues_[taken.phase];
  (taken.older == kNone ? queue.oldest : node(taken.older).newer) = taken.newer;
  (taken.newer == kNone ? queue.newest : node(taken.newer).older) = taken.older;
}

void FlowTable::remove_aged(Moment now) {
  next_death_ = Moment::max();
  for (std::size_t phase = 0; phase < kPhases; ++phase) {
    Queue& queue = queues_[phase];
    while (queue.oldest != kNone && node(queue.oldest).seen + kLifetimes[phase] <= now)
      remove(queue.oldest);
    if (queue.oldest != kNone)
      next_death_ = std::min(next_death_, node(queue.oldest).seen + kLifetimes[phase]);
  }
}

void FlowTable::remove_oldest() {
  std::uint32_t oldest = kNone;
  for (const Queue& queue : queues_)
    if (queue.oldest != kNone && (oldest == kNone || node(queue.oldest).seen < node(oldest).seen))
      oldest = queue.oldest;
  // The next is probably the next to go.
  if (const std::uint32_t next = node(oldest).newer; next != kNone)
    __builtin_prefetch(&slots_[home_of(node(next).hash)]);
  remove(oldest);
  ++evictions_;
}

// ---- memory -----------------------------------------------------------------------

std::uint32_t FlowTable::make_node() {
  if (free_ != kNone) return std::exchange(free_, node(free_).newer);
  if (numbers_ % kBlock == 0) blocks_.emplace_back(kBlock);
  return numbers_++;
}

void FlowTable::remove(std::uint32_t number) {
  end(number);
  dequeue(number);
  forget(number);
  node(number).newer = std::exchange(free_, number);
  --flows_;
}

// The high bits, so that a slot tells its flow's home.
std::size_t FlowTable::home_of(std::uint32_t hash) const noexcept {
  return std::uint64_t{hash} * slots_.size() >> 32;
}

std::uint32_t FlowTable::find(const Name& name) noexcept {
  if (slots_.empty()) return kNone;
  for (std::size_t i = home_of(name.hash); slots_[i] != 0; i = (i + 1) & (slots_.size() - 1)) {
    const auto number = static_cast<std::uint32_t>(slots_[i]) - 1;
    if (slots_[i] >> 32 == name.hash && node(number).key == name.key) return number;
  }
  return kNone;
}

void FlowTable::index(std::uint32_t hash, std::uint32_t number) {
  if (2 * flows_ > slots_.size()) make_slots(std::max(kSlotsMin, 2 * slots_.size()));
  std::size_t i = home_of(hash);
  while (slots_[i] != 0) i = (i + 1) & (slots_.size() - 1);
  slots_[i] = std::uint64_t{hash} << 32 | (number + 1);
}

void FlowTable::make_slots(std::size_t count) {
  const auto old = std::exchange(slots_, decltype(slots_)(count));
  for (const std::uint64_t slot : old)
    if (slot != 0)
      index(static_cast<std::uint32_t>(slot >> 32), static_cast<std::uint32_t>(slot) - 1);
}

// What stands behind the slot moves up, unless that would be before its home (Knuth,
// "The Art of Computer Programming" 3, 6.4, algorithm R).
void FlowTable::forget(std::uint32_t number) noexcept {
  const std::size_t last = slots_.size() - 1;
  std::size_t free = home_of(node(number).hash);
  while (static_cast<std::uint32_t>(slots_[free]) != number + 1) free = (free + 1) & last;
  for (std::size_t i = (free + 1) & last; slots_[i] != 0; i = (i + 1) & last) {
    const std::size_t home = home_of(static_cast<std::uint32_t>(slots_[i] >> 32));
    if (((i - home) & last) < ((i - free) & last)) continue;
    slots_[free] = slots_[i];
    free = i;
  }
  slots_[free] = 0;
}

}  // namespace nfsteer
