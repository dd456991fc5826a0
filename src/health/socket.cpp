#include "socket.hpp"

#include <sys/socket.h>

#include <array>
#include <boost/asio/error.hpp>
#include <cerrno>

namespace nfsteer {

namespace asio = boost::asio;
using boost::system::error_code;

asio::ip::address to_asio(const Address& address) {
  if (address.family == Family::V4)
    return asio::ip::address_v4(static_cast<asio::ip::address_v4::uint_type>(address.low));
  asio::ip::address_v6::bytes_type bytes;
  address.to_network(reinterpret_cast<std::byte*>(bytes.data()));
  return asio::ip::address_v6(bytes);
}

ProbeEnd end_of(const error_code& error) {
  constexpr std::array kOurs = {EMFILE, ENFILE, ENOBUFS, ENOMEM, EAGAIN, EADDRNOTAVAIL};
  for (const int number : kOurs)
    if (error == error_code(number, boost::system::system_category()))
      return {ProbeOutcome::Skipped, error.message()};
  if (error == asio::error::connection_refused) return {ProbeOutcome::Failed, "refused"};
  if (error == asio::error::connection_reset) return {ProbeOutcome::Failed, "reset"};
  return {ProbeOutcome::Failed, error.message()};
}

void set_mark(int socket, std::uint32_t mark) noexcept {
  if (mark != 0) (void)::setsockopt(socket, SOL_SOCKET, SO_MARK, &mark, sizeof mark);
}

}  // namespace nfsteer
