// Conntrack entries by their mark.
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

#include <array>
#include <cassert>

#include "nfsteer/netlink.hpp"
#include "socket.hpp"

namespace nfsteer::netlink {
namespace {

// A request for the entries that carry `mark` under `mask`; the kernel picks them.
class Request {
 public:
  Request(std::uint16_t type, std::uint16_t flags, std::uint32_t mark, std::uint32_t mask) {
    assert((mark & ~mask) == 0 && "no entry carries such a mark");
    message_ = mnl_nlmsg_put_header(bytes_.data());
    message_->nlmsg_type = static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | type);
    message_->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    message_->nlmsg_seq = 1;
    auto* header = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message_, sizeof(nfgenmsg)));
    header->nfgen_family = AF_UNSPEC;
    header->version = NFNETLINK_V0;
    header->res_id = 0;
    mnl_attr_put_u32(message_, CTA_MARK, htonl(mark));
    mnl_attr_put_u32(message_, CTA_MARK_MASK, htonl(mask));
  }

  const nlmsghdr& message() const { return *message_; }

 private:
  alignas(nlmsghdr) std::array<char, 256> bytes_{};
  nlmsghdr* message_ = nullptr;
};

}  // namespace

Result<std::uint64_t> count_flows(std::uint32_t mark, std::uint32_t mask) {
  const Request request(IPCTNL_MSG_CT_GET, NLM_F_DUMP, mark, mask);
  return dump<std::uint64_t>("counting conntrack entries", request.message(),
                             [](std::uint64_t& count, const nlmsghdr&) { ++count; });
}

Result<void> delete_flows(std::uint32_t mark, std::uint32_t mask) {
  const Request deletion(IPCTNL_MSG_CT_DELETE, NLM_F_ACK, mark, mask);
  const int code = request(deletion.message());
  if (code != 0 && code != ENOENT)
    return tl::unexpected(netlink_error("deleting conntrack entries", code));
  return {};
}

}  // namespace nfsteer::netlink
