// [set.NAME]
#include <span>

#include "nfsteer/base/text.hpp"
#include "reader.hpp"
#include "sections.hpp"
#include "text_file.hpp"

namespace nfsteer {
namespace {

// A set is what a criterion names: "!" stands there, and sets have no sets in them.
Result<Prefix> parse_member(std::string_view text) {
  if (text.starts_with('!'))
    return fail(format("`{}`: a set has no exceptions; write \"!@NAME\" where a policy names it",
                       printable(text)));
  if (text.starts_with('@'))
    return fail(format("`{}`: a set has prefixes, and no other sets", printable(text)));
  return parse_prefix(text);
}

LineResult<Prefix> read_line(std::span<const std::string_view> words) {
  if (words.size() > 1)
    return tl::unexpected(LineMistake{words[1], "a line of a set is one prefix"});
  auto prefix = parse_member(words.front());
  if (!prefix) return tl::unexpected(LineMistake{words.front(), prefix.error().message});
  return *prefix;
}

SetConfig read_set(const Node& node, Report& report) {
  TableReader in(node, format("set.{}", printable(node.key)), report);
  in.require({"prefixes", "files"});
  SetConfig set;
  set.name = node.key;
  if (const Node* prefixes = in.find("prefixes")) {
    for (const Node& each : one_or_many(*prefixes, report)) {
      const auto prefix = read_parsed(each, parse_member, report);
      if (!prefix) continue;
      set.prefixes.push_back(*prefix);
      report.element_read(*prefixes, each);
    }
  }
  if (const Node* files = in.find("files"))
    read_text_files(node, *files, set.prefixes, report, read_line);
  in.finish();
  return set;
}

}  // namespace

std::vector<SetConfig> read_sets(const Node& node, Report& report) {
  std::vector<SetConfig> result;
  for (const Node* set : read_members(node, report)) result.push_back(read_set(*set, report));
  return result;
}

}  // namespace nfsteer
