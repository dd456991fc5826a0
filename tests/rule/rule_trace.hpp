// Headers that meet a set of rules.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "nfsteer/rule.hpp"
#include "rule_sets.hpp"

namespace nfsteer::testing {

// A flow, and what a snapshot knows beside it.
struct Header {
  Flow flow;
  CountryId source_country = 0;
  CountryId destination_country = 0;

  Subject subject(const Activity& activity) const {
    return {flow, activity, source_country, destination_country};
  }
};

// A number of the value.
inline std::uint32_t number_in(const Value& value, Random& random) {
  if (const auto* interval = std::get_if<Interval>(&value))
    return interval->first + static_cast<std::uint32_t>(
                                 random() % (std::uint64_t{interval->last} - interval->first + 1));
  const auto& masked = std::get<Masked>(value);
  return masked.value | (static_cast<std::uint32_t>(random()) & ~masked.mask);
}

// Makes the header hold for the value of the field.
inline void put(Header& header, std::string_view field, const Value& value, Random& random) {
  Flow& flow = header.flow;
  FiveTuple& tuple = flow.tuple;
  if (const auto* prefix = std::get_if<Prefix>(&value)) {
    Address& address = field == "saddr"   ? tuple.source
                       : field == "daddr" ? tuple.destination
                       : field == "iif"   ? flow.in_interface
                                          : flow.out_interface;
    address = address_in(*prefix, random);
    return;
  }
  const std::uint32_t number = number_in(value, random);
  if (field == "proto") tuple.protocol = static_cast<std::uint8_t>(number);
  if (field == "sport") tuple.source_port = static_cast<std::uint16_t>(number);
  if (field == "dport") tuple.destination_port = static_cast<std::uint16_t>(number);
  if (field == "mark") flow.mark = number;
  if (field == "uid") flow.uid = number;
  if (field == "gid") flow.gid = number;
  if (field == "scountry") header.source_country = static_cast<CountryId>(number);
  if (field == "dcountry") header.destination_country = static_cast<CountryId>(number);
  if (field == "icmp_type") {
    tuple.protocol = static_cast<std::uint8_t>(number / 256);
    flow.icmp_type = static_cast<std::uint8_t>(number % 256);
  }
}

// What the rules do not decide. Addresses are often those of another rule.
inline Header random_header(const std::vector<Match>& rules, Random& random) {
  Header header;
  FiveTuple& tuple = header.flow.tuple;
  tuple.source = Address::v4(static_cast<std::uint32_t>(random()));
  tuple.destination = Address::v4(static_cast<std::uint32_t>(random()));
  tuple.source_port = static_cast<std::uint16_t>(1024 + below(random, 64'000));
  tuple.destination_port = static_cast<std::uint16_t>(below(random, 10'000));
  tuple.protocol = percent(random, 75) ? protocol::kTcp : protocol::kUdp;
  for (int i = 0; i < 3 && !rules.empty(); ++i)
    for (const Criterion& criterion : rules[random() % rules.size()])
      if (!criterion.any.empty() && criterion.field->name != std::string_view("icmp_type"))
        put(header, criterion.field->name, criterion.any[random() % criterion.any.size()], random);
  return header;
}

// Nine of ten inside a rule, each as likely as the other; the tenth mixed of
// several. A rule's addresses decide the family.
inline std::vector<Header> make_trace(const std::vector<Match>& rules, std::size_t count,
                                      std::uint64_t seed = 2) {
  Random random(seed);
  std::vector<Header> trace;
  while (trace.size() < count) {
    Header header = random_header(rules, random);
    if (!rules.empty() && percent(random, 90))
      for (const Criterion& criterion : rules[random() % rules.size()])
        if (!criterion.any.empty())
          put(header, criterion.field->name, criterion.any[random() % criterion.any.size()],
              random);
    Flow& flow = header.flow;
    if (flow.tuple.source.family != flow.tuple.destination.family) continue;
    flow.has_ports = flow.tuple.protocol == protocol::kTcp || flow.tuple.protocol == protocol::kUdp;
    if (flow.has_ports) flow.icmp_type.reset();
    trace.push_back(header);
  }
  return trace;
}

}  // namespace nfsteer::testing
