#include "replay/tcp_state.hpp"

#include <doctest/doctest.h>

#include <string_view>

#include "nfsteer/flow.hpp"

using namespace nfsteer;
using enum TcpState;

TEST_CASE("segments by their flags") {
  const struct {
    const char* flags;
    int value;
    Segment want;
  } kCases[] = {
      {"SYN", 0x02, Segment::Syn},         {"SYN ECE CWR", 0xc2, Segment::Syn},
      {"SYN PSH URG", 0x2a, Segment::Syn}, {"SYN ACK", 0x12, Segment::SynAck},
      {"SYN FIN", 0x03, Segment::Other},   {"SYN RST", 0x06, Segment::Rst},
      {"FIN", 0x01, Segment::Fin},         {"FIN ACK", 0x11, Segment::Fin},
      {"RST ACK", 0x14, Segment::Rst},     {"FIN RST", 0x05, Segment::Rst},
      {"ACK", 0x10, Segment::Other},       {"PSH ACK", 0x18, Segment::Other},
      {"none", 0x00, Segment::Other},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.flags);
    CHECK(segment_of(static_cast<std::uint8_t>(row.value)) == row.want);
  }
}

TEST_CASE("states of TCP: what each segment makes of each state") {
  // The columns are the states before; in a cell the one after, "." where it stays.
  //   SS SYN_SENT, SR SYN_RECV, ES ESTABLISHED, FW FIN_WAIT, CW CLOSE_WAIT,
  //   LA LAST_ACK, TW TIME_WAIT, CL CLOSE, S2 SYN_SENT2
  constexpr TcpState kStates[] = {SynSent, SynReceived, Established, FinWait, CloseWait,
                                  LastAck, TimeWait,    Close,       SynSent2};
  constexpr std::string_view kNames[] = {"SS", "SR", "ES", "FW", "CW", "LA", "TW", "CL", "S2"};
  const struct {
    Segment segment;
    Sender sender;
    std::string_view after[9];
  } kRows[] = {
      {Segment::Syn, Sender::Client, {".", ".", ".", ".", ".", ".", ".", ".", "."}},
      {Segment::Syn, Sender::Server, {"S2", ".", ".", ".", ".", ".", ".", ".", "."}},
      {Segment::SynAck, Sender::Client, {".", ".", ".", ".", ".", ".", ".", ".", "SR"}},
      {Segment::SynAck, Sender::Server, {"SR", ".", ".", ".", ".", ".", ".", ".", "SR"}},
      {Segment::Fin, Sender::Client, {".", "FW", "FW", "LA", "LA", ".", ".", ".", "."}},
      {Segment::Fin, Sender::Server, {".", "FW", "FW", "LA", "LA", ".", ".", ".", "."}},
      {Segment::Other, Sender::Client, {".", "ES", ".", "CW", ".", "TW", ".", ".", "."}},
      {Segment::Other, Sender::Server, {".", ".", ".", "CW", ".", "TW", ".", ".", "."}},
      {Segment::Rst, Sender::Client, {"CL", "CL", "CL", "CL", "CL", "CL", "CL", "CL", "CL"}},
      {Segment::Rst, Sender::Server, {"CL", "CL", "CL", "CL", "CL", "CL", "CL", "CL", "CL"}},
  };
  const auto name_of = [&](TcpState state) {
    for (std::size_t i = 0; i < std::size(kStates); ++i)
      if (kStates[i] == state) return kNames[i];
    return std::string_view("?");
  };
  for (const auto& row : kRows)
    for (std::size_t i = 0; i < std::size(kStates); ++i) {
      CAPTURE(static_cast<int>(row.segment));
      CAPTURE(static_cast<int>(row.sender));
      CAPTURE(kNames[i]);
      const std::string_view want = row.after[i] == "." ? kNames[i] : row.after[i];
      CHECK(name_of(next_state(kStates[i], row.segment, row.sender)) == want);
    }
}
