// What conntrack tells of flows as it happens.
//
// A TCP connection makes eight messages: its beginning, each of its states, its
// end. Those of ESTABLISHED and TIME_WAIT follow others by which all is known, and
// are dropped, like those of flows that are not ours, before they take room in the
// buffer. CLOSE_WAIT and LAST_ACK may be the first that tells of a FIN: events that
// happen at once on two CPUs become one message, with the state of the later.
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstddef>

#include "conntrack_message.hpp"
#include "nfsteer/netlink.hpp"
#include "socket.hpp"

namespace nfsteer::netlink {
namespace {

// An event is 340 bytes for IPv6 with counters and stamps; labels and security
// contexts add to that.
constexpr std::size_t kSlotBytes = 1024;
constexpr std::size_t kBatch = 128;

// ---- the filter -------------------------------------------------------------

// A program of classic BPF. Numbers are loaded in network order; the fields of
// the netlink header are in the host's.
class Filter {
 public:
  void load(int size, std::size_t offset) { add(BPF_LD | BPF_ABS | size, offset); }
  // A is the offset of the attribute among those after the headers, or 0.
  void find_attribute(std::uint32_t type) {
    add(BPF_LD | BPF_IMM, sizeof(nlmsghdr) + sizeof(nfgenmsg));
    add(BPF_LDX | BPF_IMM, type);
    add(BPF_LD | BPF_W | BPF_ABS, kExtensions + SKF_AD_NLATTR);
  }
  // The same in the nest at A.
  void find_in_nest(std::uint32_t type) {
    add(BPF_LDX | BPF_IMM, type);
    add(BPF_LD | BPF_W | BPF_ABS, kExtensions + SKF_AD_NLATTR_NEST);
  }
  // A is what the attribute at A holds.
  void load_attribute(int size) {
    add(BPF_MISC | BPF_TAX, 0);
    add(BPF_LD | BPF_IND | size, sizeof(nlattr));
  }
  void keep_bits(std::uint32_t mask) { add(BPF_ALU | BPF_AND | BPF_K, mask); }

  void drop_if(int test, std::uint32_t number) { decide(test, number, 0, 1, kDrop); }
  void take_if(int test, std::uint32_t number) { decide(test, number, 0, 1, kTake); }
  void take_unless(int test, std::uint32_t number) { decide(test, number, 1, 0, kTake); }
  void take() { add(BPF_RET | BPF_K, kTake); }

  bool attach(int socket) {
    const sock_fprog program{static_cast<unsigned short>(code_.size()), code_.data()};
    return ::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
  }

 private:
  static constexpr std::uint32_t kDrop = 0, kTake = 0xffff'ffff;
  static constexpr std::uint32_t kExtensions = static_cast<std::uint32_t>(SKF_AD_OFF);

  void add(int code, std::size_t number) {
    code_.push_back({static_cast<std::uint16_t>(code), 0, 0, static_cast<std::uint32_t>(number)});
  }
  // The test skips so many instructions where it is true, or false.
  void decide(int test, std::uint32_t number, std::uint8_t if_true, std::uint8_t if_false,
              std::uint32_t verdict) {
    code_.push_back(
        {static_cast<std::uint16_t>(BPF_JMP | BPF_K | test), if_true, if_false, number});
    add(BPF_RET | BPF_K, verdict);
  }

  std::vector<sock_filter> code_;
};

Filter news_of_servers(const MarkLayout& layout) {
  constexpr std::uint16_t kNew = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW;
  Filter filter;
  // Marks that are no server's: 0, which is not told either, REJECT and PASS.
  filter.find_attribute(CTA_MARK);
  filter.drop_if(BPF_JEQ, 0);
  filter.load_attribute(BPF_W);
  filter.keep_bits(layout.mask);
  filter.drop_if(BPF_JEQ, 0);
  filter.drop_if(BPF_JGE, layout.reject());
  // All but updates are news.
  filter.load(BPF_H, offsetof(nlmsghdr, nlmsg_type));
  filter.take_unless(BPF_JEQ, htons(kNew));
  filter.load(BPF_H, offsetof(nlmsghdr, nlmsg_flags));
  filter.take_if(BPF_JSET, htons(NLM_F_CREATE));
  // Updates of these TCP states are none: the first reply, or the FIN, was told.
  filter.find_attribute(CTA_PROTOINFO);
  filter.take_if(BPF_JEQ, 0);
  filter.find_in_nest(CTA_PROTOINFO_TCP);
  filter.take_if(BPF_JEQ, 0);
  filter.find_in_nest(CTA_PROTOINFO_TCP_STATE);
  filter.take_if(BPF_JEQ, 0);
  filter.load_attribute(BPF_B);
  filter.drop_if(BPF_JEQ, static_cast<std::uint32_t>(TcpState::Established));
  filter.drop_if(BPF_JEQ, static_cast<std::uint32_t>(TcpState::TimeWait));
  filter.take();
  return filter;
}

// ---- the socket -------------------------------------------------------------

// An error is left in errno.
bool set_up(int socket, const MarkLayout& layout, std::size_t buffer) {
  if (!news_of_servers(layout).attach(socket)) return false;
  const int bytes = buffer < INT_MAX ? static_cast<int>(buffer) : INT_MAX;
  if (::setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
    ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return false;
  for (const int group :
       {NFNLGRP_CONNTRACK_NEW, NFNLGRP_CONNTRACK_UPDATE, NFNLGRP_CONNTRACK_DESTROY})
    if (::setsockopt(socket, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
      return false;
  return true;
}

}  // namespace

struct ConntrackEvents::Buffers {
  Buffers() {
    for (std::size_t i = 0; i < kBatch; ++i) {
      parts[i] = {slots[i].data(), kSlotBytes};
      messages[i].msg_hdr = {};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    reports.reserve(kBatch);
  }

  alignas(nlmsghdr) std::array<std::array<char, kSlotBytes>, kBatch> slots;
  std::array<iovec, kBatch> parts;
  std::array<mmsghdr, kBatch> messages{};
  std::vector<FlowReport> reports;
};

ConntrackEvents::ConntrackEvents(Fd socket, const MarkLayout& layout)
    : socket_(std::move(socket)), layout_(layout), buffers_(std::make_unique<Buffers>()) {}
ConntrackEvents::ConntrackEvents(ConntrackEvents&&) noexcept = default;
ConntrackEvents& ConntrackEvents::operator=(ConntrackEvents&&) noexcept = default;
ConntrackEvents::~ConntrackEvents() = default;

Result<ConntrackEvents> ConntrackEvents::open(const MarkLayout& layout, std::size_t buffer) {
  Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER));
  if (!socket || !set_up(socket.get(), layout, buffer))
    return tl::unexpected(netlink_error("listening to conntrack", errno));
  return ConntrackEvents(std::move(socket), layout);
}

std::span<const FlowReport> ConntrackEvents::read() {
  buffers_->reports.clear();
  // Until one of a batch is an event, or there is none.
  while (buffers_->reports.empty()) {
    const int got = ::recvmmsg(socket_.get(), buffers_->messages.data(), kBatch, 0, nullptr);
    if (got < 0 && errno == ENOBUFS) ++overruns_;
    if (got < 0 && (errno == ENOBUFS || errno == EINTR)) continue;
    for (int i = 0; i < got; ++i) {
      const auto slot = static_cast<std::size_t>(i);
      const auto* message = reinterpret_cast<const std::byte*>(buffers_->slots[slot].data());
      const auto report = read_flow({message, buffers_->messages[slot].msg_len}, false, layout_);
      if (report)
        buffers_->reports.push_back(*report);
      else
        ++broken_;
    }
    if (got <= 0) break;
  }
  return buffers_->reports;
}

}  // namespace nfsteer::netlink
