// Which flow a packet is of, as the kernel's conntrack would tell: both directions
// are one flow, which lives for conntrack's default time-outs after its last packet.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "nfsteer/base/huge_pages.hpp"
#include "nfsteer/flow.hpp"
#include "tcp_state.hpp"

namespace nfsteer {

class FlowTable {
 public:
  using Moment = std::chrono::nanoseconds;  // of a clock that never goes back

  // Beyond `flows_max` flows the one that was silent for longest gives way.
  explicit FlowTable(std::size_t flows_max) : flows_max_(flows_max) {}

  // A packet of a flow.
  struct Packet {
    const Flow& flow;
    std::optional<Segment> segment;  // of TCP
  };
  enum class Kind : std::uint8_t {
    Opens,      // a flow
    Follows,    // is of a flow that is known
    MidStream,  // the first that is seen of a TCP connection, and no SYN
    None,       // opens no flow and is of none: an ICMP error, a packet to many
  };
  struct Met {
    Kind kind = Kind::None;
    std::uint32_t number = 0;  // of the flow, unless None
  };
  // What the packet is. Flows that are too old at that time are over before.
  Met meet(const Packet& packet, Moment now);

  // Fetches into the processor's caches what meet() will look at first.
  void prefetch(const Flow& flow) const noexcept;

  // A flow that was opened and is over: its connection was closed, or it is forgotten.
  // Each is told once. To be asked until nullopt after meet(), before what it met is
  // looked at: numbers are given again at once.
  std::optional<std::uint32_t> next_over();

  std::size_t flows() const noexcept { return flows_; }
  // Flows that gave way.
  std::uint64_t evictions() const noexcept { return evictions_; }

 private:
  // What says how long a flow lives: the states of TCP, by their numbers, and others.
  enum Phase : std::uint8_t { kGeneric = 0, kUdp = 10, kUdpStream, kIcmp, kPhases };
  struct Node {
    TupleKey key;
    Moment opened, seen;
    std::uint32_t hash;          // of the key
    std::uint32_t older, newer;  // of those in its phase; newer: the next that is free
    Phase phase;
    bool is_forward;  // whether the first packet went as `key` says
    bool has_reply;
    bool is_told;  // by next_over(), or was never opened
  };
  // Of one phase, by the last packet.
  struct Queue {
    std::uint32_t oldest = kNone, newest = kNone;
  };
  // What a packet says of its flow.
  struct Name {
    TupleKey key;
    std::uint32_t hash = 0;
    bool is_forward = true;
    bool can_open = true;
  };

  static constexpr std::uint32_t kNone = 0xffff'ffff;
  static constexpr std::size_t kBlock = std::size_t{1} << 15;  // nodes
  static constexpr std::size_t kSlotsMin = std::size_t{1} << 12;
  static constexpr std::array<std::chrono::seconds, kPhases> kLifetimes = {
      std::chrono::seconds(600),      // generic
      std::chrono::seconds(120),      // SYN_SENT
      std::chrono::seconds(60),       // SYN_RECV
      std::chrono::seconds(432'000),  // ESTABLISHED
      std::chrono::seconds(120),      // FIN_WAIT
      std::chrono::seconds(60),       // CLOSE_WAIT
      std::chrono::seconds(30),       // LAST_ACK
      std::chrono::seconds(120),      // TIME_WAIT
      std::chrono::seconds(10),       // CLOSE
      std::chrono::seconds(120),      // SYN_SENT2
      std::chrono::seconds(30),       // UDP
      std::chrono::seconds(120),      // UDP, a stream
      std::chrono::seconds(30),       // ICMP
  };

  static Name name_of(const Flow& flow) noexcept;
  static bool opens_anew(const Node& node, const Packet& packet) noexcept;
  static bool is_ignored(const Node& node, const Packet& packet, Phase next) noexcept;
  static Phase first_phase(const Packet& packet) noexcept;
  static Phase next_phase(const Node& node, const Packet& packet, Sender sender,
                          Moment now) noexcept;

  Node& node(std::uint32_t number) noexcept { return blocks_[number / kBlock][number % kBlock]; }
  std::size_t home_of(std::uint32_t hash) const noexcept;
  std::uint32_t find(const Name& name) noexcept;
  void index(std::uint32_t hash, std::uint32_t number);
  void forget(std::uint32_t number) noexcept;
  Met open(const Name& name, const Packet& packet, Moment now);
  void follow(std::uint32_t number, const Name& name, const Packet& packet, Moment now);
  std::uint32_t make_node();
  void make_slots(std::size_t count);
  void enqueue(std::uint32_t number, Phase phase, Moment now) noexcept;
  void dequeue(std::uint32_t number) noexcept;
  void end(std::uint32_t number);
  void remove(std::uint32_t number);
  void remove_aged(Moment now);
  void remove_oldest();

  const std::size_t flows_max_;
  std::size_t flows_ = 0;
  std::vector<std::vector<Node, HugePages<Node>>> blocks_;
  std::uint32_t numbers_ = 0;  // that were given
  std::uint32_t free_ = kNone;
  // The flows by their hashes: hash << 32 | number + 1, 0 where there is none. A power
  // of two, half of them free at least; what is not at home is in the next that is free.
  std::vector<std::uint64_t, HugePages<std::uint64_t>> slots_;
  std::array<Queue, kPhases> queues_;
  Moment next_death_ = Moment::max();  // no flow is too old before
  std::vector<std::uint32_t> over_;
  std::uint64_t evictions_ = 0;
};

}  // namespace nfsteer
