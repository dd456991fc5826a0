// The table in nft's language.
#include "nfsteer/base/text.hpp"
#include "table.hpp"

namespace nfsteer::netlink {
namespace {

constexpr std::string_view kHeader =
    R"(# The nftables table of nfsteer: the first packet of each new flow is queued to the
# engine, whose answer the conntrack entry keeps; later packets of the flow stay in
# the kernel. `nfsteer ruleset` prints this text, `nft -f` loads it, also over an
# earlier one: in one transaction, and without taking away a base chain, which
# would drop every packet that waits in a queue.
)";

std::string_view keyword(const Set& set) {
  return set.data ? "map" : "set";
}

// What a set's elements refer to must exist before the elements do, and what an
// earlier load left in the sets and chains must be gone.
std::string clear(const TableDescription& table) {
  std::string text = format("table inet {} {{\n", kTableName);
  for (const Set& set : table.sets)
    text += format("\t{} {} {{ {};{} }}\n", keyword(set), set.name, type_text(set),
                   set.intervals ? " flags interval;" : "");
  for (const Chain& chain : table.chains)
    if (!chain.place) text += format("\tchain {} {{ }}\n", chain.name);
  text += format("}}\nflush table inet {}\n", kTableName);
  for (const Set& set : table.sets)
    text += format("flush {} inet {} {}\n", keyword(set), kTableName, set.name);
  return text;
}

std::string set_text(const Set& set) {
  std::string text = format("\t{} {} {{\n\t\t{}\n", keyword(set), set.name, type_text(set));
  if (set.intervals) text += "\t\tflags interval\n";
  bool any = false;
  set.elements([&](const Element& element) {
    text += any ? ",\n\t\t\t" : "\t\telements = {\n\t\t\t";
    text += to_text(element);
    any = true;
  });
  if (any) text += "\n\t\t}\n";
  return text + "\t}\n";
}

std::string rule_text(const Rule& rule) {
  std::string text;
  for (const Statement& statement : rule)
    text += format("{}{}", text.empty() ? "" : " ", statement.text);
  return text;
}

std::string chain_text(const Chain& chain) {
  std::string text = format("\tchain {} {{\n", chain.name);
  if (const auto& place = chain.place) text += format("\t\t{}; policy accept;\n", to_text(*place));
  for (const Rule& rule : chain.rules) text += format("\t\t{}\n", rule_text(rule));
  return text + "\t}\n";
}

}  // namespace

std::string type_text(const Set& set) {
  return format("type {}{}", set.key.name, set.data ? format(" : {}", set.data->name) : "");
}

std::string to_text(const Place& place) {
  return format("type {} hook {} priority {}", place.type, place.hook, place.priority_name);
}

std::string to_nft(const Ruleset& ruleset) {
  const TableDescription table = describe(ruleset, QueueForm::Native);
  std::string text = format("{}\n{}\ntable inet {} {{\n", kHeader, clear(table), kTableName);
  const char* separator = "";
  for (const Set& set : table.sets) {
    text += format("{}{}", separator, set_text(set));
    separator = "\n";
  }
  for (const Chain& chain : table.chains) text += format("{}{}", separator, chain_text(chain));
  return text + "}\n";
}

}  // namespace nfsteer::netlink
