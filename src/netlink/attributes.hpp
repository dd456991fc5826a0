// Netlink messages as they arrive, whatever lengths they claim.
#pragma once

#include <libmnl/libmnl.h>
#include <linux/netlink.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

namespace nfsteer::netlink {

// The length of a message or an attribute with what fills it up to the next.
constexpr std::size_t aligned(std::size_t length) noexcept {
  return (length + 3) & ~std::size_t{3};
}

using MessageBytes = std::span<const std::byte>;

inline MessageBytes payload_of(const nlattr& attribute) noexcept {
  return {static_cast<const std::byte*>(mnl_attr_get_payload(&attribute)),
          mnl_attr_get_payload_len(&attribute)};
}

// Calls `take` with each message of a datagram while it returns true, up to one that
// does not fit; mnl_nlmsg_ok() takes a length from 2^31 on for one that does.
// REQUIRES: aligned as a nlmsghdr
template <typename Take>
void each_message(MessageBytes datagram, Take take) {
  while (datagram.size() >= sizeof(nlmsghdr)) {
    const auto& message = *reinterpret_cast<const nlmsghdr*>(datagram.data());
    if (message.nlmsg_len < sizeof message || message.nlmsg_len > datagram.size()) return;
    if (!take(message)) return;
    datagram = datagram.subspan(std::min(aligned(message.nlmsg_len), datagram.size()));
  }
}

// What a message holds behind its header and `head` bytes more; empty where it is
// shorter. REQUIRES: message.nlmsg_len bytes are there
inline MessageBytes behind(const nlmsghdr& message, std::size_t head) noexcept {
  const std::size_t before = sizeof(nlmsghdr) + aligned(head);
  if (message.nlmsg_len <= before) return {};
  return {reinterpret_cast<const std::byte*>(&message) + before, message.nlmsg_len - before};
}

// A text up to its NUL, where it has one.
inline std::string_view text_of(MessageBytes bytes) noexcept {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return text.substr(0, text.find('\0'));
}

// The attribute that the bytes begin with, or nullptr where it does not fit.
// REQUIRES: aligned as in a message
inline const nlattr* first_attribute(MessageBytes bytes) noexcept {
  const auto* attribute = reinterpret_cast<const nlattr*>(bytes.data());
  return mnl_attr_ok(attribute, static_cast<int>(bytes.size())) ? attribute : nullptr;
}

// Calls `take` with each attribute of a message or nest, up to one that does not fit.
// REQUIRES: aligned as in a message
template <typename Take>
void each_attribute(MessageBytes bytes, Take take) {
  while (const nlattr* attribute = first_attribute(bytes)) {
    take(*attribute);
    bytes = bytes.subspan(std::min(aligned(attribute->nla_len), bytes.size()));
  }
}

// Attributes by their types, those up to kTypeMax. Of one type the last. Points into
// the message.
template <std::size_t kTypeMax>
class Attributes {
 public:
  // REQUIRES: aligned as in a message
  explicit Attributes(MessageBytes bytes) noexcept {
    each_attribute(bytes, [this](const nlattr& attribute) {
      const std::size_t type = mnl_attr_get_type(&attribute);
      if (type <= kTypeMax) all_[type] = &attribute;
    });
  }
  // Those in a nest; none where there is no nest.
  explicit Attributes(const nlattr* nest) noexcept
      : Attributes(nest ? payload_of(*nest) : MessageBytes()) {}

  const nlattr* operator[](std::size_t type) const noexcept { return all_[type]; }

  // Empty where there is no such attribute.
  MessageBytes bytes(std::size_t type) const noexcept {
    return all_[type] ? payload_of(*all_[type]) : MessageBytes();
  }
  std::string_view text(std::size_t type) const noexcept { return text_of(bytes(type)); }
  // As it lies in the message; nullopt where there is none, or another length.
  template <typename T>
  std::optional<T> number(std::size_t type) const noexcept {
    const MessageBytes payload = bytes(type);
    if (payload.size() != sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, payload.data(), sizeof value);
    return value;
  }

 private:
  std::array<const nlattr*, kTypeMax + 1> all_{};
};

// The errno that a message of type NLMSG_ERROR tells; 0: it acknowledges. EPROTO
// where it tells none. REQUIRES: message.nlmsg_len bytes are there
int error_in(const nlmsghdr& message) noexcept;
// Where the attribute that it refuses is in the message that it answers; 0: not told.
std::size_t refused_offset(const nlmsghdr& message) noexcept;

// What is received at once of a dump, or of the answer to a request.
struct DumpPart {
  bool is_last = false;
  bool was_interrupted = false;  // what was listed changed meanwhile
  int error = 0;                 // an errno; then it is the last
};
// Calls `take` with each message that lists something.
// REQUIRES: aligned as a nlmsghdr
template <typename Take>
DumpPart read_dump(MessageBytes bytes, Take take) {
  DumpPart part;
  each_message(bytes, [&](const nlmsghdr& message) {
    if ((message.nlmsg_flags & NLM_F_DUMP_INTR) != 0) part.was_interrupted = true;
    part.is_last = message.nlmsg_type == NLMSG_DONE || message.nlmsg_type == NLMSG_ERROR;
    if (message.nlmsg_type == NLMSG_ERROR) part.error = error_in(message);
    if (message.nlmsg_type >= NLMSG_MIN_TYPE) take(message);
    return !part.is_last;
  });
  return part;
}

}  // namespace nfsteer::netlink
