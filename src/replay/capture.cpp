#include "capture.hpp"

#include <fcntl.h>
#include <pcap/pcap.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

std::optional<Link> link_of(int type) noexcept {
  switch (type) {
    case DLT_EN10MB:
      return Link::Ethernet;
    case DLT_LINUX_SLL:
      return Link::Cooked;
    case DLT_LINUX_SLL2:
      return Link::Cooked2;
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6:
      return Link::Raw;
    case DLT_NULL:
    case DLT_LOOP:
      return Link::Loopback;
    default:
      return std::nullopt;
  }
}

std::string link_name(int type) {
  const char* name = ::pcap_datalink_val_to_name(type);
  return name ? std::string(name) : format("{}", type);
}

// Of what a file says 32 bits of seconds are taken, which are enough until 2106. Those
// of a pcap file libpcap takes for signed.
Time time_of(const timeval& stamp) noexcept {
  using namespace std::chrono;
  constexpr std::int64_t kSecondsMax = 0xffff'ffff, kNanosecondsMax = 999'999'999;
  const std::int64_t s = stamp.tv_sec > kSecondsMax ? kSecondsMax : stamp.tv_sec & kSecondsMax;
  const std::int64_t ns = std::clamp<std::int64_t>(stamp.tv_usec, 0, kNanosecondsMax);
  return Time(duration_cast<Time::duration>(seconds(s) + nanoseconds(ns)));
}

std::string quoted(const std::string& path) {
  return path == "-" ? "standard input" : format("`{}`", printable(path, 200));
}

}  // namespace

struct Capture::Handle {
  struct Close {
    void operator()(pcap_t* opened) const noexcept { ::pcap_close(opened); }
  };
  std::unique_ptr<pcap_t, Close> pcap;  // owns the file
};

Capture::Capture(std::unique_ptr<Handle> handle, std::string name, Link link,
                 std::uint64_t file_bytes)
    : handle_(std::move(handle)), name_(std::move(name)), link_(link), file_bytes_(file_bytes) {}
Capture::Capture(Capture&&) noexcept = default;
Capture::~Capture() = default;

Result<Capture> Capture::open(const std::string& path) {
  const int fd = path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                             : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  std::FILE* file = fd < 0 ? nullptr : ::fdopen(fd, "rb");
  if (!file) return fail(format("cannot open {}: {}", quoted(path), std::strerror(errno)));
  return read(file, quoted(path));
}

Result<Capture> Capture::read(std::FILE* file, std::string name) {
  constexpr std::size_t kBuffer = std::size_t{1} << 18;
  struct stat status {};
  const bool is_file = ::fstat(::fileno(file), &status) == 0 && S_ISREG(status.st_mode);
  std::setvbuf(file, nullptr, _IOFBF, kBuffer);
  std::array<char, PCAP_ERRBUF_SIZE> reason{};
  auto handle = std::make_unique<Handle>();
  handle->pcap.reset(
      ::pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, reason.data()));
  if (!handle->pcap) {
    std::fclose(file);
    return fail(format("{} is no capture: {}", name, reason.data()));
  }
  const int type = ::pcap_datalink(handle->pcap.get());
  const auto link = link_of(type);
  if (!link)
    return fail(format("{} has frames of {}: Ethernet, Linux cooked, raw IP and loopback are read",
                       name, link_name(type)));
  return Capture(std::move(handle), std::move(name), *link,
                 is_file ? static_cast<std::uint64_t>(status.st_size) : 0);
}

std::optional<CapturedPacket> Capture::next() {
  pcap_pkthdr* header = nullptr;
  const unsigned char* data = nullptr;
  const int got = error_ ? PCAP_ERROR : ::pcap_next_ex(handle_->pcap.get(), &header, &data);
  if (got == 1) {
    const std::span frame(reinterpret_cast<const std::byte*>(data), header->caplen);
    return CapturedPacket{time_of(header->ts), network_packet(link_, frame),
                          header->caplen >= header->len};
  }
  if (got == PCAP_ERROR && !error_)
    error_ =
        Error{format("{} cannot be read further: {}", name_, ::pcap_geterr(handle_->pcap.get()))};
  return std::nullopt;
}

std::optional<double> Capture::share() const {
  if (file_bytes_ == 0) return std::nullopt;
  const auto at = static_cast<double>(::ftello(::pcap_file(handle_->pcap.get())));
  return std::clamp(at / static_cast<double>(file_bytes_), 0.0, 1.0);
}

}  // namespace nfsteer
