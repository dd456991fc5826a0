// Conntrack entries: counted, listed, deleted.
#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include <array>
#include <cassert>
#include <cerrno>

#include "conntrack_message.hpp"
#include "nfsteer/netlink.hpp"
#include "socket.hpp"

namespace nfsteer::netlink {
namespace {

using Counts = std::map<std::uint32_t, std::uint64_t>;
using Request = std::array<char, 256>;

// A request about the entry of that tuple.
nlmsghdr* put_request(Request& bytes, std::uint16_t type, std::uint16_t flags,
                      const FiveTuple& tuple) {
  nlmsghdr* message = put_conntrack_request(bytes.data(), type, flags);
  static_cast<nfgenmsg*>(mnl_nlmsg_get_payload(message))->nfgen_family =
      tuple.source.family == Family::V4 ? AF_INET : AF_INET6;
  put_tuple(*message, CTA_TUPLE_ORIG, tuple);
  return message;
}

// What is not there any more is as good as deleted.
Result<void> request_deletion(const std::string& of, const nlmsghdr& message) {
  const int code = request(message);
  if (code != 0 && code != ENOENT) return tl::unexpected(netlink_error("deleting " + of, code));
  return {};
}

}  // namespace

Result<Counts> count_flows(std::uint32_t mask) {
  alignas(nlmsghdr) Request bytes{};
  const nlmsghdr* message = put_conntrack_request(bytes.data(), IPCTNL_MSG_CT_GET, NLM_F_DUMP);
  return dump<Counts>("counting conntrack entries", *message,
                      [mask](Counts& counts, const nlmsghdr& entry) {
                        const std::uint32_t mark = read_mark(entry) & mask;
                        if (mark != 0) ++counts[mark];
                      });
}

Result<void> delete_flows(std::uint32_t mark, std::uint32_t mask) {
  assert((mark & ~mask) == 0 && "no entry carries such a mark");
  alignas(nlmsghdr) Request bytes{};
  nlmsghdr* message = put_conntrack_request(bytes.data(), IPCTNL_MSG_CT_DELETE, NLM_F_ACK);
  mnl_attr_put_u32(message, CTA_MARK, htobe32(mark));
  mnl_attr_put_u32(message, CTA_MARK_MASK, htobe32(mask));
  return request_deletion("conntrack entries", *message);
}

Result<void> delete_flow(const FiveTuple& tuple, std::uint32_t id) {
  alignas(nlmsghdr) Request bytes{};
  nlmsghdr* message = put_request(bytes, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, tuple);
  mnl_attr_put_u32(message, CTA_ID, htobe32(id));
  return request_deletion("a conntrack entry", *message);
}

std::optional<FlowReport> find_flow(const FiveTuple& tuple, const MarkLayout& layout) {
  alignas(nlmsghdr) Request bytes{};
  const nlmsghdr* message = put_request(bytes, IPCTNL_MSG_CT_GET, 0, tuple);
  const Socket socket = open_socket();
  if (!socket || mnl_socket_sendto(socket.get(), message, message->nlmsg_len) < 0)
    return std::nullopt;
  alignas(nlmsghdr) std::array<char, 4096> answer;
  const ssize_t received = mnl_socket_recvfrom(socket.get(), answer.data(), answer.size());
  if (received < 0) return std::nullopt;
  return read_flow(std::as_bytes(std::span(answer)).first(static_cast<std::size_t>(received)), true,
                   layout);
}

// ---- listing ----------------------------------------------------------------

struct FlowListing::Part {
  alignas(nlmsghdr) std::array<char, 1 << 16> bytes;
  std::vector<FlowReport> flows;
};

FlowListing::FlowListing(Fd socket, const MarkLayout& layout)
    : socket_(std::move(socket)), layout_(layout), part_(std::make_unique<Part>()) {}
FlowListing::FlowListing(FlowListing&&) noexcept = default;
FlowListing::~FlowListing() = default;

Result<FlowListing> FlowListing::begin(const MarkLayout& layout) {
  alignas(nlmsghdr) Request bytes{};
  const nlmsghdr* message = put_conntrack_request(bytes.data(), IPCTNL_MSG_CT_GET, NLM_F_DUMP);
  Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!socket || ::send(socket.get(), message, message->nlmsg_len, 0) < 0)
    return tl::unexpected(netlink_error("listing conntrack entries", errno));
  return FlowListing(std::move(socket), layout);
}

Result<bool> FlowListing::next() {
  part_->flows.clear();
  ssize_t received;
  do {
    received = ::recv(socket_.get(), part_->bytes.data(), part_->bytes.size(), 0);
  } while (received < 0 && errno == EINTR);
  if (received < 0) return tl::unexpected(netlink_error("listing conntrack entries", errno));
  const auto* bytes = reinterpret_cast<const std::byte*>(part_->bytes.data());
  const DumpPart part =
      read_listing({bytes, static_cast<std::size_t>(received)}, layout_, part_->flows);
  was_interrupted_ |= part.was_interrupted;
  if (part.error != 0)
    return tl::unexpected(netlink_error("listing conntrack entries", part.error));
  return !part.is_last;
}

std::span<const FlowReport> FlowListing::flows() const noexcept {
  return part_->flows;
}

}  // namespace nfsteer::netlink
