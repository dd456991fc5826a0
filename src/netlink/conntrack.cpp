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

using Counts = std::map<std::uint32_t, std::uint64_t>;

nlmsghdr* put_request(char* bytes, std::uint16_t type, std::uint16_t flags) {
  nlmsghdr* message = mnl_nlmsg_put_header(bytes);
  message->nlmsg_type = static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | type);
  message->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  message->nlmsg_seq = 1;
  auto* header = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
  header->nfgen_family = AF_UNSPEC;
  header->version = NFNETLINK_V0;
  header->res_id = 0;
  return message;
}

int read_mark(const nlattr* attribute, void* mark) {
  if (mnl_attr_get_type(attribute) == CTA_MARK)
    *static_cast<std::uint32_t*>(mark) = ntohl(mnl_attr_get_u32(attribute));
  return MNL_CB_OK;
}

}  // namespace

Result<Counts> count_flows(std::uint32_t mask) {
  alignas(nlmsghdr) std::array<char, 256> bytes{};
  const nlmsghdr* message = put_request(bytes.data(), IPCTNL_MSG_CT_GET, NLM_F_DUMP);
  return dump<Counts>("counting conntrack entries", *message,
                      [mask](Counts& counts, const nlmsghdr& entry) {
                        std::uint32_t mark = 0;
                        mnl_attr_parse(&entry, sizeof(nfgenmsg), read_mark, &mark);
                        if ((mark & mask) != 0) ++counts[mark & mask];
                      });
}

Result<void> delete_flows(std::uint32_t mark, std::uint32_t mask) {
  assert((mark & ~mask) == 0 && "no entry carries such a mark");
  alignas(nlmsghdr) std::array<char, 256> bytes{};
  nlmsghdr* message = put_request(bytes.data(), IPCTNL_MSG_CT_DELETE, NLM_F_ACK);
  mnl_attr_put_u32(message, CTA_MARK, htonl(mark));
  mnl_attr_put_u32(message, CTA_MARK_MASK, htonl(mask));
  const int code = request(*message);
  if (code != 0 && code != ENOENT)
    return tl::unexpected(netlink_error("deleting conntrack entries", code));
  return {};
}

}  // namespace nfsteer::netlink
