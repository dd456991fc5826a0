// What others do to our table: the events of nf_tables (net/netfilter/nf_tables_api.c).
// Each carries the port of the socket that asked for it; the end of a transaction tells
// who that was.
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "messages.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/netlink.hpp"
#include "socket.hpp"

namespace nfsteer::netlink {
namespace {

// All that can be said of a table, a chain, a rule, a set or its elements begins with
// the table's name.
constexpr int kTableAttribute = 1;
static_assert(NFTA_TABLE_NAME == kTableAttribute && NFTA_CHAIN_TABLE == kTableAttribute &&
              NFTA_RULE_TABLE == kTableAttribute && NFTA_SET_TABLE == kTableAttribute &&
              NFTA_SET_ELEM_LIST_TABLE == kTableAttribute);

// The text of an attribute that ends with a zero; "" where it has none.
std::string text_of(const nlattr* attribute) {
  const auto* text = static_cast<const char*>(mnl_attr_get_payload(attribute));
  return {text, ::strnlen(text, mnl_attr_get_payload_len(attribute))};
}

bool is_of_our_table(const nlmsghdr& message) {
  const auto* header = static_cast<const nfgenmsg*>(mnl_nlmsg_get_payload(&message));
  if (header->nfgen_family != NFPROTO_INET) return false;
  std::string table;
  const auto read = [](const nlattr* attribute, void* name) {
    if (mnl_attr_get_type(attribute) == kTableAttribute)
      *static_cast<std::string*>(name) = text_of(attribute);
    return MNL_CB_OK;
  };
  mnl_attr_parse(&message, sizeof(nfgenmsg), read, &table);
  return table == kTableName;
}

// "nft (pid 812)", of the end of a transaction.
std::string author_of(const nlmsghdr& message) {
  struct Author {
    std::string program = "somebody";
    std::uint32_t pid = 0;
  } author;
  const auto read = [](const nlattr* attribute, void* made) {
    auto& into = *static_cast<Author*>(made);
    if (mnl_attr_get_type(attribute) == NFTA_GEN_PROC_NAME) into.program = text_of(attribute);
    if (mnl_attr_get_type(attribute) == NFTA_GEN_PROC_PID &&
        mnl_attr_get_payload_len(attribute) == sizeof into.pid)
      into.pid = be32toh(mnl_attr_get_u32(attribute));
    return MNL_CB_OK;
  };
  mnl_attr_parse(&message, sizeof(nfgenmsg), read, &author);
  return format("{} (pid {})", printable(author.program), author.pid);
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
  constexpr int kEnd = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN;
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
    int left = static_cast<int>(received);
    for (const auto* message = reinterpret_cast<const nlmsghdr*>(bytes.data());
         mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
      if (message->nlmsg_len < NLMSG_HDRLEN + sizeof(nfgenmsg)) continue;
      if (message->nlmsg_type != kEnd)
        is_ours_ |= is_of_our_table(*message) && !is_own_port(message->nlmsg_pid);
      else if (std::exchange(is_ours_, false))
        change = {author_of(*message), true};
    }
  }
}

}  // namespace nfsteer::netlink
