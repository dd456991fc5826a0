// What a Classifier is inside: one index or two, and the schedules.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "bit_vectors.hpp"
#include "nfsteer/rule.hpp"
#include "pair_table.hpp"
#include "residue.hpp"
#include "rule_table.hpp"

namespace nfsteer {

// How rules are found. The choice is by the memory that bit vectors would take.
enum class ClassifierMethod : std::uint8_t { Chosen, BitVectors, Pairs };

class ClassifierIndex {
 public:
  explicit ClassifierIndex(std::span<const Match* const> rules,
                           ClassifierMethod method = ClassifierMethod::Chosen);

  std::uint32_t first_match(const Subject& subject, std::uint32_t from) const noexcept;
  std::vector<std::uint64_t> awake(std::span<const std::uint64_t> schedules) const;
  std::size_t bytes() const noexcept;
  // What was chosen.
  ClassifierMethod method() const noexcept { return method_; }

 private:
  ClassifierIndex(const RuleTable& table, ClassifierMethod method);

  ClassifierMethod method_;
  std::uint32_t size_;
  PairTable pairs_;         // of no rules, where the method is bit vectors
  BitVectors bit_vectors_;  // of all other rules
  Residue residue_;         // of the rules in bit_vectors_
  Scheduled scheduled_;
};

}  // namespace nfsteer
