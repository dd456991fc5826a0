// What others do to our table: the events of nf_tables (net/netfilter/nf_tables_api.c).
// Each carries the port of the socket that asked for it; the end of a transaction tells
// who that was.
#include "ruleset_monitor.hpp"

#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "messages.hpp"
#include "nfsteer/base/text.hpp"
#include "socket.hpp"

namespace nfsteer::netlink {
namespace {

// All that can be said of a table, a chain, a rule, a set or its elements begins with
// the table's name.
constexpr int kTableAttribute = 1;
static_assert(NFTA_TABLE_NAME == kTableAttribute && NFTA_CHAIN_TABLE == kTableAttribute &&
              NFTA_RULE_TABLE == kTableAttribute && NFTA_SET_TABLE == kTableAttribute &&
              NFTA_SET_ELEM_LIST_TABLE == kTableAttribute);

bool is_of_our_table(const nlmsghdr& message) {
  const MessageBytes header = behind(message, 0);
  if (header.size() < sizeof(nfgenmsg)) return false;
  if (reinterpret_cast<const nfgenmsg*>(header.data())->nfgen_family != NFPROTO_INET) return false;
  const Attributes<kTableAttribute> attributes(behind(message, sizeof(nfgenmsg)));
  return attributes.text(kTableAttribute) == kTableName;
}

// "nft (pid 812)", of the end of a transaction.
std::string author_of(const nlmsghdr& message) {
  const Attributes<NFTA_GEN_PROC_NAME> attributes(behind(message, sizeof(nfgenmsg)));
  const std::string_view program =
      attributes[NFTA_GEN_PROC_NAME] ? attributes.text(NFTA_GEN_PROC_NAME) : "somebody";
  return format("{} (pid {})", printable(program),
                be32toh(attributes.number<std::uint32_t>(NFTA_GEN_PROC_PID).value_or(0)));
}

}  // namespace

Result<RulesetMonitor> RulesetMonitor::open() {
  constexpr const char* kDoing = "watching nftables";
  constexpr int kBuffer = 4 << 20;
  Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER));
  if (!socket) return tl::unexpected(netlink_error(kDoing, errno));
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kBuffer, sizeof kBuffer);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  const int group = NFNLGRP_NFTABLES;
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::setsockopt(socket.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
    return tl::unexpected(netlink_error(kDoing, errno));
  return RulesetMonitor(std::move(socket));
}

std::optional<RulesetMonitor::Change> RulesetMonitor::read() {
  std::optional<Change> change;
  alignas(nlmsghdr) std::array<char, 1 << 16> bytes;
  for (;;) {
    const ssize_t received = ::recv(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (received < 0 && errno == EINTR) continue;
    if (received < 0 && errno == ENOBUFS) {
      if (!change) change = {"somebody", false};
      continue;
    }
    if (received < 0) return change;
    auto read = read_changes(
        std::as_bytes(std::span(bytes)).first(static_cast<std::size_t>(received)), is_ours_);
    if (read) change = std::move(read);
  }
}

std::optional<RulesetMonitor::Change> read_changes(MessageBytes datagram, bool& is_ours) {
  constexpr int kEnd = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN;
  std::optional<RulesetMonitor::Change> change;
  each_message(datagram, [&](const nlmsghdr& message) {
    if (message.nlmsg_type != kEnd)
      is_ours |= is_of_our_table(message) && !is_own_port(message.nlmsg_pid);
    else if (std::exchange(is_ours, false))
      change = {author_of(message), true};
    return true;
  });
  return change;
}

}  // namespace nfsteer::netlink
