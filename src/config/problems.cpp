#include "problems.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_set>

#include "nfsteer/base/text.hpp"
#include "text_file.hpp"

namespace nfsteer {
namespace {

using Path = std::vector<std::string>;

// "[2]" is 2.
std::optional<std::size_t> parse_index(std::string_view step) {
  if (!step.starts_with('[') || !step.ends_with(']')) return std::nullopt;
  return parse_number(step.substr(1, step.size() - 2));
}

// The node below that a step of a problem's path leads to, or nullptr. Where the
// file has a table alone, it is the first of one.
const Node* step_down(const Node& node, std::string_view step, const Report& report) {
  const auto index = parse_index(step);
  if (node.kind != Node::Kind::Table) return index ? report.element(node, *index) : nullptr;
  return index == 0 ? &node : find_member(node, step);
}

// The deepest node on the way of the path that the rules file has.
const Node& follow(const Path& path, const Node& root, const Report& report) {
  const Node* node = &root;
  for (const std::string& step : path) {
    const Node* next = step_down(*node, step, report);
    if (!next) break;
    node = next;
  }
  return *node;
}

// Where a problem is, and what stands there.
struct Spot {
  Place place;
  std::size_t file = 0;  // as Mistake::file
  std::string_view key, text;
};

// The part of a line of routes that has the key, or all of it.
Spot find_in_line(const TextFile& file, TextLine line, std::string_view key) {
  constexpr std::string_view kColumns[] = {"prefix", "group", "metric", "weight"};
  LineReader reader(std::string_view(file.text).substr(line.offset));
  reader.next();
  const auto words = reader.words();
  const auto column = static_cast<std::size_t>(
      std::find(std::begin(kColumns), std::end(kColumns), key) - std::begin(kColumns));
  const std::string_view part =
      column < words.size()
          ? words[column]
          : std::string_view(words.front().data(), words.back().data() + words.back().size());
  return {place_in_line(file, line, part), file.index, key, part};
}

// The spot of a path such as {"table", "main", "routes", "[7]", "group"}, where
// that element is a line of a text file: the lines count on from the list.
std::optional<Spot> find_line(const Path& path, const Node& root, const Report& report) {
  constexpr std::size_t kIndexStep = 3;
  if (path.size() <= kIndexStep) return std::nullopt;
  const auto section = find_member(root, path[0]);
  const auto table = section ? find_member(*section, path[1]) : nullptr;
  auto index = parse_index(path[kIndexStep]);
  if (!table || !index) return std::nullopt;

  const Node* list = find_member(*table, path[2]);
  const std::size_t listed = list ? report.count(*list) : 0;
  const std::string_view key = path.size() > kIndexStep + 1 ? path[kIndexStep + 1] : path[2];
  if (*index < listed) return std::nullopt;
  *index -= listed;
  for (const TextFile* file : report.text_files_of(*table)) {
    if (*index < file->lines.size()) return find_in_line(*file, file->lines[*index], key);
    *index -= file->lines.size();
  }
  return std::nullopt;
}

// What of the Config is known to be less than the file means, and is no
// measure for the rest.
class ReadInPart {
 public:
  ReadInPart(const Node& root, const Report& report) {
    if (const Node* groups = find_member(root, "group"))
      for (const Node& group : groups->children) add_group(group, report);
    const Node* geoip = find_member(root, "geoip");
    countries_ = geoip && report.has_mistake_in(*geoip);
  }

  // Whether the problem at the end of the path may be of its making.
  bool explains(const Path& path, std::string_view key, std::string_view text) const {
    const bool refers = key == "group" || key == "default_group" || key == "on_no_route";
    if (refers && groups_.contains(text)) return true;
    return countries_ && !path.empty() &&
           (path.front() == "geoip" || path.back() == "scountry" || path.back() == "dcountry");
  }

 private:
  // Some servers could not be read.
  void add_group(const Node& group, const Report& report) {
    const Node* servers = find_member(group, "servers");
    if (servers ? !report.is_whole(*servers) : report.has_mistake_in(group))
      groups_.insert(group.key);
  }

  std::unordered_set<std::string_view> groups_;
  bool countries_ = false;
};

}  // namespace

std::vector<Mistake> locate(const std::vector<Problem>& problems, const Node& root,
                            const Report& report) {
  const ReadInPart in_part(root, report);
  std::vector<Mistake> mistakes;
  for (const Problem& problem : problems) {
    auto spot = find_line(problem.path, root, report);
    if (!spot) {
      const Node& node = follow(problem.path, root, report);
      const bool is_file = &node == &root;
      if (!is_file && report.has_mistake_in(node)) continue;
      spot = Spot{is_file ? Place{} : node.place, 0, node.key, node.text};
    }
    if (!in_part.explains(problem.path, spot->key, spot->text))
      mistakes.push_back({spot->place, problem.message, problem.remedy, spot->file});
  }
  return mistakes;
}

}  // namespace nfsteer
