// The packets of a capture file, by libpcap: pcap and pcapng, of either byte order,
// with microseconds or nanoseconds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "link.hpp"
#include "nfsteer/base/result.hpp"
#include "nfsteer/schedule.hpp"

namespace nfsteer {

struct CapturedPacket {
  Time stamp;
  // From its network header on, as far as it was captured; nullopt: not IP. Holds
  // until the next packet is read.
  std::optional<std::span<const std::byte>> bytes;
  bool is_whole = true;
};

// Read once, from the beginning to the end. One thread's own.
class Capture {
 public:
  // Opens the file, or standard input for "-". The errors name the file.
  static Result<Capture> open(const std::string& path);
  // The same of an open file. `name` is for the errors.
  static Result<Capture> read(std::FILE* file, std::string name);

  Capture(Capture&&) noexcept;
  ~Capture();

  // The next packet; nullopt at the end.
  std::optional<CapturedPacket> next();
  // Why no more could be read, where that was not the end.
  const std::optional<Error>& error() const noexcept { return error_; }
  // How much of the file was read, 0 to 1; nullopt where nobody knows.
  std::optional<double> share() const;

 private:
  struct Handle;  // libpcap's
  Capture(std::unique_ptr<Handle> handle, std::string name, Link link, std::uint64_t file_bytes);

  std::unique_ptr<Handle> handle_;
  std::string name_;
  Link link_;
  std::uint64_t file_bytes_;  // 0: not known
  std::optional<Error> error_;
};

}  // namespace nfsteer
