// Makes small databases in MaxMind's format (specification 2.0), in memory.
//
//   write_mmdb({{*parse_prefix("192.0.2.0/24"), mmdb::country("DE", "EU", true)}})
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nfsteer/base/address.hpp"

namespace nfsteer::testing {

// Values of the data section, encoded.
namespace mmdb {

// `count` bytes in network order.
inline std::string big_endian(std::uint64_t value, unsigned count) {
  std::string bytes;
  while (count-- > 0) bytes += static_cast<char>(value >> 8 * count & 0xff);
  return bytes;
}

// What stands before a payload. `type`: as the specification counts; 8 and more
// are in a byte of their own.
inline std::string head(unsigned type, std::size_t size) {
  constexpr std::array<std::size_t, 4> kBase = {0, 29, 29 + 256, 29 + 256 + 65'536};
  unsigned extra = 3;
  while (size < kBase[extra]) --extra;
  const std::size_t short_size = extra == 0 ? size : 28 + extra;
  std::string bytes = big_endian((type < 8 ? type << 5 : 0) | short_size, 1);
  if (type >= 8) bytes += static_cast<char>(type - 7);
  return bytes + big_endian(size - kBase[extra], extra);
}

inline std::string text(std::string_view text) {
  return head(2, text.size()) + std::string(text);
}
inline std::string number(std::uint32_t value) {
  return head(6, 4) + big_endian(value, 4);
}
inline std::string boolean(bool value) {
  return head(14, value ? 1 : 0);
}
inline std::string map(const std::vector<std::pair<std::string_view, std::string>>& members) {
  std::string bytes = head(7, members.size());
  for (const auto& [key, value] : members) bytes += text(key) + value;
  return bytes;
}
inline std::string array(const std::vector<std::string>& elements) {
  std::string bytes = head(11, elements.size());
  for (const std::string& element : elements) bytes += element;
  return bytes;
}

// A record as GeoIP2 and GeoLite2 have it.
inline std::string country(std::string_view code, std::string_view continent = "",
                           bool is_in_european_union = false) {
  std::vector<std::pair<std::string_view, std::string>> members;
  if (!continent.empty())
    members.push_back({"continent", map({{"code", text(continent)}, {"geoname_id", number(1)}})});
  std::vector<std::pair<std::string_view, std::string>> of_country = {{"geoname_id", number(2)}};
  if (is_in_european_union) of_country.push_back({"is_in_european_union", boolean(true)});
  of_country.push_back({"iso_code", text(code)});
  members.push_back({"country", map(of_country)});
  members.push_back({"registered_country", map({{"iso_code", text("XX")}})});
  return map(members);
}

// A record as ip-location-db has it.
inline std::string flat(std::string_view code) {
  return map({{"country_code", text(code)}});
}

}  // namespace mmdb

// What a database says of the addresses of a prefix.
struct MmdbNetwork {
  Prefix prefix;
  std::string record;
};

struct MmdbOptions {
  unsigned ip_version = 6;    // 4: without IPv6
  unsigned record_bits = 24;  // 24, 28 or 32
  bool has_aliases = false;   // IPv4-mapped, Teredo and 6to4 lead to the IPv4 tree
  // Instead of the true ones.
  std::map<std::string_view, std::string> metadata;
};

class MmdbWriter {
 public:
  MmdbWriter(std::vector<MmdbNetwork> networks, MmdbOptions options)
      : options_(std::move(options)) {
    std::stable_sort(networks.begin(), networks.end(), [](const auto& a, const auto& b) {
      return a.prefix.length < b.prefix.length;
    });
    for (const MmdbNetwork& network : networks) insert(network);
    if (options_.has_aliases) add_aliases();
  }

  std::string write() && {
    std::string bytes;
    for (const Node& node : nodes_) bytes += encoded(node);
    return bytes + std::string(kSeparatorBytes, '\0') + data_ + "\xab\xcd\xefMaxMind.com" +
           metadata();
  }

 private:
  // Where an address goes on by its next bit: to a node, to data, or nowhere.
  struct Branch {
    enum { kNowhere, kNode, kData } kind = kNowhere;
    std::uint64_t index = 0;  // of the node; offset of the data
  };
  using Node = std::array<Branch, 2>;
  static constexpr std::size_t kSeparatorBytes = 16;

  // Counted from the left.
  static bool bit(const std::array<std::byte, 16>& address, unsigned index) {
    return (std::to_integer<unsigned>(address[index / 8]) >> (7 - index % 8) & 1) != 0;
  }

  void insert(const MmdbNetwork& network) {
    std::array<std::byte, 16> address{};
    const bool is_v4 = network.prefix.address.family == Family::V4;
    const unsigned before = is_v4 && options_.ip_version == 6 ? 96 : 0;
    network.prefix.address.to_network(address.data() + before / 8);
    const unsigned length = before + network.prefix.length;
    const Branch data{Branch::kData, offset_of(network.record)};
    if (length == 0)
      nodes_[0] = {data, data};
    else
      branch_at(address, length) = data;
  }

  // Makes the nodes that lead there. What was said of all of it is then said of
  // both its parts.
  Branch& branch_at(const std::array<std::byte, 16>& address, unsigned length) {
    std::size_t node = 0;
    for (unsigned depth = 0; depth + 1 < length; ++depth) {
      const Branch branch = nodes_[node][bit(address, depth)];
      std::size_t next = branch.index;
      if (branch.kind != Branch::kNode) {
        next = nodes_.size();
        nodes_.push_back({branch, branch});
        nodes_[node][bit(address, depth)] = {Branch::kNode, next};
      }
      node = next;
    }
    return nodes_[node][bit(address, length - 1)];
  }

  void add_aliases() {
    const Branch v4 = branch_at({}, 96);
    for (const Prefix& alias : {Prefix{Address::v6(0, 0xffff'0000'0000), 96},
                                Prefix{Address::v6(0x2001'0000'0000'0000, 0), 32},
                                Prefix{Address::v6(0x2002'0000'0000'0000, 0), 16}}) {
      std::array<std::byte, 16> address{};
      alias.address.to_network(address.data());
      branch_at(address, alias.length) = v4;
    }
  }

  std::uint64_t offset_of(const std::string& record) {
    const auto [place, is_new] = offsets_.emplace(record, data_.size());
    if (is_new) data_ += record;
    return place->second;
  }

  std::uint64_t encoded(const Branch& branch) const {
    if (branch.kind == Branch::kNode) return branch.index;
    const std::uint64_t nowhere = nodes_.size();
    return branch.kind == Branch::kData ? nowhere + kSeparatorBytes + branch.index : nowhere;
  }

  std::string encoded(const Node& node) const {
    const std::uint64_t left = encoded(node[0]), right = encoded(node[1]);
    if (options_.record_bits != 28)
      return mmdb::big_endian(left, options_.record_bits / 8) +
             mmdb::big_endian(right, options_.record_bits / 8);
    return mmdb::big_endian(left, 3) + mmdb::big_endian(left >> 24 << 4 | right >> 24, 1) +
           mmdb::big_endian(right, 3);
  }

  std::string metadata() const {
    std::map<std::string_view, std::string> members = options_.metadata;
    members.insert({{"node_count", mmdb::number(static_cast<std::uint32_t>(nodes_.size()))},
                    {"record_size", mmdb::head(5, 2) + mmdb::big_endian(options_.record_bits, 2)},
                    {"ip_version", mmdb::head(5, 2) + mmdb::big_endian(options_.ip_version, 2)},
                    {"database_type", mmdb::text("Test")},
                    {"languages", mmdb::array({})},
                    {"binary_format_major_version", mmdb::head(5, 1) + "\x02"},
                    {"binary_format_minor_version", mmdb::head(5, 0)},
                    {"build_epoch", mmdb::head(9, 4) + mmdb::big_endian(1'700'000'000, 4)},
                    {"description", mmdb::map({})}});
    return mmdb::map({members.begin(), members.end()});
  }

  MmdbOptions options_;
  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::map<std::string, std::uint64_t> offsets_;
  std::string data_;
};

// Of networks inside others the smaller holds; of one prefix the last. The bytes
// of the file.
inline std::string write_mmdb(std::vector<MmdbNetwork> networks, MmdbOptions options = {}) {
  return MmdbWriter(std::move(networks), std::move(options)).write();
}

}  // namespace nfsteer::testing
