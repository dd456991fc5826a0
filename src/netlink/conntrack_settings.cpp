// How full conntrack is, and what it has to be told.
#include <cerrno>
#include <cstring>
#include <fstream>

#include "nfsteer/base/text.hpp"
#include "nfsteer/netlink.hpp"

namespace nfsteer::netlink {
namespace {

std::string path_of(std::string_view setting) {
  return format("/proc/sys/net/netfilter/{}", setting);
}

std::optional<std::uint64_t> read_number(std::string_view setting) {
  std::ifstream file(path_of(setting));
  std::string text;
  if (!std::getline(file, text)) return std::nullopt;
  return parse_number(text);
}

// What went wrong, or nothing.
std::string write_one(std::string_view setting) {
  errno = 0;
  std::ofstream file(path_of(setting));
  file << '1' << std::flush;
  return file ? "" : std::strerror(errno);
}

constexpr struct {
  const char* name;
  const char* purpose;
} kNeeded[] = {
    {"nf_conntrack_acct", "packets and bytes of servers"},
    {"nf_conntrack_timestamp", "latencies by the kernel's clock"},
};

}  // namespace

std::optional<ConntrackUsage> conntrack_usage() {
  const auto entries = read_number("nf_conntrack_count");
  const auto max = read_number("nf_conntrack_max");
  if (!entries || !max) return std::nullopt;
  return ConntrackUsage{*entries, *max};
}

std::vector<ConntrackSetting> prepare_conntrack() {
  std::vector<ConntrackSetting> settings;
  for (const auto& [name, purpose] : kNeeded)
    if (read_number(name) != 1)
      settings.push_back({format("net.netfilter.{}", name), purpose, write_one(name)});
  return settings;
}

}  // namespace nfsteer::netlink
