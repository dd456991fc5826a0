// What rules are known by, whoever wrote them: programs and their versions put
// the same rule into different expressions, and operators add rules of their own.
#pragma once

#include <set>
#include <string>

#include "table.hpp"

struct nftnl_rule;

namespace nfsteer::netlink {

// In nft's words: "@scope4", "ct mark & 0xfff00000", "queue flags bypass to 0-3".
using Traits = std::set<std::string>;

Traits traits_of(nftnl_rule& rule);
Traits traits_of(const Chain& chain);

// Those that queue.
Traits queues_of(const Traits& traits);

}  // namespace nfsteer::netlink
