// What kinds of check share that ask over a socket.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/system/error_code.hpp>
#include <cstdint>

#include "check.hpp"

namespace nfsteer {

boost::asio::ip::address to_asio(const Address& address);

// How a probe ends with that error: what this machine is short of is not the server's
// failure.
ProbeEnd end_of(const boost::system::error_code& error);

// Gives the socket the mark, where there is one and this process may.
void set_mark(int socket, std::uint32_t mark) noexcept;

// Opens a stream socket to that address, of which nothing remains when it is closed: a
// probe a second to each of many servers would leave a minute's worth of connections.
template <typename Socket>
boost::system::error_code open_stream(Socket& socket, const boost::asio::ip::address& address,
                                      std::uint32_t mark) {
  using Protocol = typename Socket::protocol_type;
  boost::system::error_code error;
  socket.open(address.is_v4() ? Protocol::v4() : Protocol::v6(), error);
  if (error) return error;
  socket.set_option(typename Socket::linger(true, 0), error);
  set_mark(socket.native_handle(), mark);
  return error;
}

}  // namespace nfsteer
