// The states of a TCP connection as conntrack tells them apart: from the flags
// alone, whatever the sequence numbers.
#pragma once

#include <cstdint>

#include "nfsteer/feedback.hpp"

namespace nfsteer {

// What a segment does, by its flags.
enum class Segment : std::uint8_t { Syn, SynAck, Fin, Rst, Other };
Segment segment_of(std::uint8_t tcp_flags) noexcept;

// The state after a segment of the connection's client (who sent the first SYN), or
// of its server.
enum class Sender : std::uint8_t { Client, Server };
TcpState next_state(TcpState state, Segment segment, Sender sender) noexcept;

}  // namespace nfsteer
