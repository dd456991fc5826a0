#include "tcp_state.hpp"

#include "nfsteer/flow.hpp"

namespace nfsteer {
namespace {

TcpState after_syn(TcpState state, Sender sender) noexcept {
  const bool both_open = state == TcpState::SynSent && sender == Sender::Server;
  return both_open ? TcpState::SynSent2 : state;
}

TcpState after_syn_ack(TcpState state, Sender sender) noexcept {
  const bool answers =
      (state == TcpState::SynSent && sender == Sender::Server) || state == TcpState::SynSent2;
  return answers ? TcpState::SynReceived : state;
}

TcpState after_fin(TcpState state) noexcept {
  switch (state) {
    case TcpState::SynReceived:
    case TcpState::Established:
      return TcpState::FinWait;
    case TcpState::FinWait:
    case TcpState::CloseWait:
      return TcpState::LastAck;
    default:
      return state;
  }
}

TcpState after_ack(TcpState state, Sender sender) noexcept {
  switch (state) {
    case TcpState::SynReceived:
      return sender == Sender::Client ? TcpState::Established : state;
    case TcpState::FinWait:
      return TcpState::CloseWait;
    case TcpState::LastAck:
      return TcpState::TimeWait;
    default:
      return state;
  }
}

}  // namespace

Segment segment_of(std::uint8_t tcp_flags) noexcept {
  const auto has = [tcp_flags](std::uint8_t flag) { return (tcp_flags & flag) != 0; };
  if (has(tcp_flag::kRst)) return Segment::Rst;
  if (has(tcp_flag::kSyn))
    return has(tcp_flag::kAck)   ? Segment::SynAck
           : has(tcp_flag::kFin) ? Segment::Other
                                 : Segment::Syn;
  return has(tcp_flag::kFin) ? Segment::Fin : Segment::Other;
}

TcpState next_state(TcpState state, Segment segment, Sender sender) noexcept {
  switch (segment) {
    case Segment::Syn:
      return after_syn(state, sender);
    case Segment::SynAck:
      return after_syn_ack(state, sender);
    case Segment::Fin:
      return after_fin(state);
    case Segment::Rst:
      return TcpState::Close;
    case Segment::Other:
      break;
  }
  return after_ack(state, sender);
}

}  // namespace nfsteer
