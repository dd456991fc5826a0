#include <maxminddb.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <unordered_map>

#include "data_section.hpp"
#include "nfsteer/base/fd.hpp"
#include "nfsteer/base/file.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/geo.hpp"

namespace nfsteer {
namespace {

// libmaxminddb 1.7 computes the bytes of so many nodes right; it has 32 bits for it.
constexpr std::uint32_t kNodesMax = std::uint32_t{1} << 25;
constexpr std::size_t kRecordsMax = 65'535;

constexpr std::size_t kSeparatorBytes = 16;  // between search tree and data
constexpr unsigned kDepthOfV4 = 96;          // IPv4 is ::/96 of an IPv6 database

// A file of those bytes that nobody else can change: libmaxminddb maps what it reads,
// and reading a mapped file that somebody has truncated ends the process.
Result<Fd> private_file(std::string_view bytes) {
  if (bytes.empty()) return fail("the file is empty");
  Fd file(::memfd_create("nfsteer-countries", MFD_CLOEXEC));
  while (file && !bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) file.reset();
    if (written > 0) bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (!file) return fail(format("no memory for a copy: {}", std::strerror(errno)));
  return file;
}

// Whether libmaxminddb can be let at the file. Version 1.7 reads the metadata by
// recursion, and all of its lists: a few pointers from list to list would keep it
// busy until there is no memory left.
Result<void> check_metadata(std::string_view file) {
  constexpr std::string_view kMarker = "\xab\xcd\xefMaxMind.com";  // the last one counts
  constexpr std::size_t kMetadataBytesMax = 128 << 10;
  constexpr std::size_t kLevelsMax = 8;
  const std::string_view end = file.substr(file.size() - std::min(file.size(), kMetadataBytesMax));
  const std::size_t marker = end.rfind(kMarker);
  if (marker == end.npos) return fail("not in MaxMind's format, or damaged: it has no metadata");
  const std::string_view metadata = end.substr(marker + kMarker.size());
  DataSection data({reinterpret_cast<const std::uint8_t*>(metadata.data()), metadata.size()});
  if (!data.is_tame(0, kLevelsMax))
    return fail("not in MaxMind's format, or damaged: its metadata cannot be read");
  return {};
}

// An open database.
class Database {
 public:
  Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database() {
    if (is_open_) MMDB_close(&mmdb_);
  }

  Result<void> open(const Fd& file) {
    const std::string path = format("/proc/self/fd/{}", file.get());
    const int status = MMDB_open(path.c_str(), MMDB_MODE_MMAP, &mmdb_);
    if (status != MMDB_SUCCESS)
      return fail(format("not in MaxMind's format, or damaged: {}", MMDB_strerror(status)));
    is_open_ = true;
    if (mmdb_.metadata.node_count > kNodesMax)
      return fail(format("its search tree has more than {} nodes", kNodesMax));
    return {};
  }

  const MMDB_s& get() const noexcept { return mmdb_; }
  unsigned address_bits() const noexcept { return mmdb_.metadata.ip_version == 4 ? 32 : 128; }
  // The node at which all IPv4 addresses are, if it is one of an IPv6 database.
  std::optional<std::uint64_t> v4_node() const noexcept {
    const auto [depth, node] = mmdb_.ipv4_start_node;
    if (address_bits() == 32 || depth != kDepthOfV4 || node >= mmdb_.metadata.node_count)
      return std::nullopt;
    return node;
  }
  DataSection data() const noexcept {
    const auto size = static_cast<std::size_t>(mmdb_.file_size) - tree_bytes() - kSeparatorBytes;
    return DataSection({mmdb_.file_content + tree_bytes() + kSeparatorBytes, size});
  }

 private:
  std::size_t tree_bytes() const noexcept {
    return std::size_t{mmdb_.metadata.node_count} * mmdb_.full_record_byte_size;
  }

  MMDB_s mmdb_{};
  bool is_open_ = false;
};

// A country's or continent's code, "" where it is none. Databases write
// "None", "-" or whole names too.
std::string code_or_none(std::string_view text) {
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  const bool is_code = text.size() == 2 && is_upper(text[0]) &&
                       (is_upper(text[1]) || (text[1] >= '0' && text[1] <= '9'));
  return std::string(is_code ? text : std::string_view());
}

// The first of three places that has a code: MaxMind's map, and those of
// databases without maps.
std::string read_code(DataSection& data, const DataSection::Value& record, std::string_view name,
                      std::string_view key_of_map) {
  const auto value = data.member(record, name);
  for (const auto& place :
       {data.member(value, key_of_map), data.member(record, format("{}_code", name)), value})
    if (auto code = code_or_none(data.text(place)); !code.empty()) return code;
  return {};
}

Countries::Record read_record(DataSection& data, std::size_t offset) {
  const auto record = data.at(offset);
  const auto in_union = data.member(data.member(record, "country"), "is_in_european_union");
  return {read_code(data, record, "country", "iso_code"),
          read_code(data, record, "continent", "code"),
          in_union.type == DataSection::Type::Boolean && in_union.size == 1};
}

// Collects the prefixes of a database's search tree with their records.
class Collector {
 public:
  explicit Collector(const Database& database)
      : database_(database), data_(database.data()), v4_node_(database.v4_node()) {}

  // Depth first, the lower addresses first.
  Result<std::shared_ptr<const Countries>> run() && {
    open_.push_back({.type = MMDB_RECORD_TYPE_SEARCH_NODE});
    while (!open_.empty()) {
      const Branch branch = open_.back();
      open_.pop_back();
      if (auto done = take(branch); !done) return tl::unexpected(done.error());
    }
    if (std::all_of(records_.begin(), records_.end(),
                    [](const auto& record) { return record.code.empty(); }))
      return fail("no country is named in it");
    return std::make_shared<const Countries>(std::move(records_), std::move(entries_));
  }

 private:
  // What the tree has for the addresses that begin with the first `depth` bits of
  // `path`: another node, data, or nothing.
  struct Branch {
    std::uint8_t type = MMDB_RECORD_TYPE_EMPTY;
    std::uint64_t node = 0;
    std::uint32_t data_offset = 0;
    Key128 path = 0;  // right-aligned
    unsigned depth = 0;
  };

  Result<void> take(const Branch& branch) {
    switch (branch.type) {
      case MMDB_RECORD_TYPE_SEARCH_NODE:
        return is_alias(branch) ? Result<void>() : enter(branch);
      case MMDB_RECORD_TYPE_EMPTY:
        return {};
      case MMDB_RECORD_TYPE_DATA:
        return add(branch);
      default:
        return fail("damaged: its search tree leads outside of it");
    }
  }

  // Some IPv6 networks that have IPv4 addresses in theirs, such as 2002::/16,
  // lead to the IPv4 tree again.
  bool is_alias(const Branch& branch) const noexcept {
    return branch.path != 0 && branch.node == v4_node_;
  }

  Result<void> enter(const Branch& branch) {
    // A tree has no more nodes than are counted. Twice that, for writers that
    // give alike branches one node.
    const std::uint64_t visits_max = 2 * std::uint64_t{database_.get().metadata.node_count};
    if (branch.depth == database_.address_bits() || ++visits_ > visits_max)
      return fail("damaged: its search tree does not end");
    MMDB_search_node_s node{};
    if (MMDB_read_node(&database_.get(), static_cast<std::uint32_t>(branch.node), &node) !=
        MMDB_SUCCESS)
      return fail("damaged: its search tree cannot be read");
    const Key128 path = branch.path << 1;
    const unsigned depth = branch.depth + 1;
    open_.push_back({node.right_record_type, node.right_record, node.right_record_entry.offset,
                     path | 1, depth});
    open_.push_back(
        {node.left_record_type, node.left_record, node.left_record_entry.offset, path, depth});
    return {};
  }

  Result<void> add(const Branch& branch) {
    const auto id = record_at(branch.data_offset);
    if (!id) return tl::unexpected(id.error());
    if (*id == 0) return {};
    const unsigned rest = database_.address_bits() - branch.depth;
    const Key128 first = branch.path << rest;
    const auto low = static_cast<std::uint64_t>(first);
    const auto v4 = Address::v4(static_cast<std::uint32_t>(low));
    const auto v6 = Address::v6(static_cast<std::uint64_t>(first >> 64), low);
    if (database_.address_bits() == 32) {
      push(v4, branch.depth, *id);
    } else if (branch.depth >= kDepthOfV4 && first >> 32 == 0) {
      push(v4, branch.depth - kDepthOfV4, *id);
    } else {
      if (first == 0) push(v4, 0, *id);
      push(v6, branch.depth, *id);
    }
    return {};
  }

  void push(const Address& first, unsigned length, std::uint16_t id) {
    entries_.push_back({{first, static_cast<std::uint8_t>(length)}, id});
  }

  // The id of what the data section has there. Many prefixes share an offset.
  Result<std::uint16_t> record_at(std::uint32_t offset) {
    if (const auto known = by_offset_.find(offset); known != by_offset_.end()) return known->second;
    auto record = read_record(data_, offset);
    if (data_.damaged()) return fail(format("damaged: its record at {} cannot be read", offset));
    const auto [place, is_new] = ids_.emplace(record, static_cast<std::uint16_t>(records_.size()));
    if (is_new) {
      if (records_.size() == kRecordsMax)
        return fail(format("more than {} countries are told apart in it", kRecordsMax));
      records_.push_back(std::move(record));
    }
    by_offset_.emplace(offset, place->second);
    return place->second;
  }

  const Database& database_;
  DataSection data_;
  std::optional<std::uint64_t> v4_node_;
  std::vector<Branch> open_;  // a stack
  std::uint64_t visits_ = 0;
  std::unordered_map<std::uint32_t, std::uint16_t> by_offset_;
  std::map<Countries::Record, std::uint16_t> ids_{{{}, std::uint16_t{0}}};
  std::vector<Countries::Record> records_{{}};
  std::vector<Countries::Entry> entries_;
};

}  // namespace

Result<std::shared_ptr<const Countries>> read_countries(std::string_view bytes) {
  Database database;
  {
    const auto file = private_file(bytes);
    if (!file) return tl::unexpected(file.error());
    if (auto good = check_metadata(bytes); !good) return tl::unexpected(good.error());
    if (auto opened = database.open(*file); !opened) return tl::unexpected(opened.error());
  }
  return Collector(database).run();
}

Result<std::shared_ptr<const Countries>> load_countries(const std::string& path) {
  const auto bytes = read_regular_file(path, kCountriesBytesMax);
  auto countries = bytes ? read_countries(*bytes) : tl::unexpected(bytes.error());
  if (!countries) return fail(format("country database {}: {}", path, countries.error().message));
  return countries;
}

}  // namespace nfsteer
