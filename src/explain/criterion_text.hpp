// How criteria, and why they do not hold, are told to people. Long lists are cut.
#pragma once

#include <string>

#include "nfsteer/policy.hpp"

namespace nfsteer {

// What a criterion's numbers stand for, and from when to when.
struct Meaning {
  const Snapshot& snapshot;
  Time at;
};

// "proto tcp; dport 22, 3389 !3390"; "every flow".
std::string text_of(const Match& match, const Meaning& meaning);

// "dport 443 is not in 22, 3389". REQUIRES: the criterion does not hold
std::string why_not(const Criterion& criterion, const Subject& subject, const Meaning& meaning);

// The first criterion of each alternative that does not hold.
// REQUIRES: none of the alternatives holds
std::string why_not(const Policy& policy, const Subject& subject, const Meaning& meaning);

}  // namespace nfsteer
