// Netlink messages for tests, byte by byte.
#pragma once

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace nfsteer::testing {

using Message = std::vector<char>;

inline void append(Message& message, const void* bytes, std::size_t length) {
  const auto* from = static_cast<const char*>(bytes);
  message.insert(message.end(), from, from + length);
}

inline void attribute(Message& message, std::uint16_t type, const void* value, std::size_t length) {
  const nlattr head{static_cast<std::uint16_t>(sizeof(nlattr) + length), type};
  append(message, &head, sizeof head);
  append(message, value, length);
  message.resize((message.size() + 3) / 4 * 4);
}
inline void attribute(Message& message, std::uint16_t type, std::string_view value) {
  attribute(message, type, value.data(), value.size());
}
inline void attribute(Message& message, std::uint16_t type, const Message& nest) {
  attribute(message, type, nest.data(), nest.size());
}

// Begins a message of nfnetlink.
inline Message start(std::uint16_t type) {
  Message message(sizeof(nlmsghdr));
  const nfgenmsg generic{AF_INET, NFNETLINK_V0, htons(3)};
  append(message, &generic, sizeof generic);
  reinterpret_cast<nlmsghdr*>(message.data())->nlmsg_type = type;
  return message;
}

inline Message finish(Message message) {
  reinterpret_cast<nlmsghdr*>(message.data())->nlmsg_len =
      static_cast<std::uint32_t>(message.size());
  return message;
}

inline Message error_message(int error) {
  Message message(sizeof(nlmsghdr) + sizeof(nlmsgerr));
  reinterpret_cast<nlmsghdr*>(message.data())->nlmsg_type = NLMSG_ERROR;
  std::memcpy(&message[sizeof(nlmsghdr)], &error, sizeof error);
  return finish(message);
}

}  // namespace nfsteer::testing
