#include "attributes.hpp"

#include <cerrno>

namespace nfsteer::netlink {

int error_in(const nlmsghdr& message) noexcept {
  int error = 0;
  const MessageBytes payload = behind(message, 0);
  if (payload.size() < sizeof error) return EPROTO;
  std::memcpy(&error, payload.data(), sizeof error);
  constexpr int kErrnoMax = 4095;  // kernel: MAX_ERRNO
  return error <= 0 && error >= -kErrnoMax ? -error : EPROTO;
}

std::size_t refused_offset(const nlmsghdr& message) noexcept {
  nlmsgerr error;
  const MessageBytes payload = behind(message, 0);
  if ((message.nlmsg_flags & NLM_F_ACK_TLVS) == 0 || payload.size() < sizeof error) return 0;
  std::memcpy(&error, payload.data(), sizeof error);
  // What is sent back of the refused message: its header, or all of it.
  const bool is_capped =
      (message.nlmsg_flags & NLM_F_CAPPED) != 0 || error.msg.nlmsg_len < sizeof error.msg;
  const std::size_t rest = is_capped ? 0 : aligned(error.msg.nlmsg_len) - sizeof error.msg;
  const Attributes<NLMSGERR_ATTR_OFFS> attributes(behind(message, sizeof error + rest));
  return attributes.number<std::uint32_t>(NLMSGERR_ATTR_OFFS).value_or(0);
}

}  // namespace nfsteer::netlink
