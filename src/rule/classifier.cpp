#include <algorithm>
#include <numeric>
#include <utility>

#include "classifier_index.hpp"

namespace nfsteer {
namespace {

// The memory that bit vectors may have for the rows of prefixes. From then on
// the pairs are quicker too.
constexpr double kRowBytesMax = 8e6;

// The fields of addresses that most rules ask for; kNoDimension where there are
// fewer than two.
BitVectors::Pair choose_pair(std::span<const Dimension> dimensions) {
  BitVectors::Pair pair = {kNoDimension, kNoDimension};
  for (std::uint32_t d = 0; d < dimensions.size(); ++d) {
    if (!dimensions[d].is_address()) continue;
    const auto rules = [&](std::uint32_t i) {
      return pair[i] == kNoDimension ? 0 : dimensions[pair[i]].rules;
    };
    if (dimensions[d].rules > rules(0))
      pair = {d, pair[0]};
    else if (dimensions[d].rules > rules(1))
      pair[1] = d;
  }
  return pair;
}

// What the rows of all prefixes take, each of n/4096 words and n/512 places.
double row_bytes(const RuleTable& table) {
  double prefixes = 0;
  for (std::uint32_t rule = 0; rule < table.size(); ++rule)
    for (const auto& [dimension, criterion] : table.constraints(rule))
      if (dimension != kNoDimension && table.dimensions()[dimension].is_address())
        prefixes += static_cast<double>(criterion->any.size() + criterion->none.size());
  return prefixes * table.size() * (8.0 / 4096 + 4.0 / 512);
}

}  // namespace

ClassifierIndex::ClassifierIndex(std::span<const Match* const> rules, ClassifierMethod method)
    : ClassifierIndex(RuleTable(rules), method) {}

ClassifierIndex::ClassifierIndex(const RuleTable& table, ClassifierMethod method)
    : method_(method), size_(table.size()), scheduled_(table.scheduled()) {
  if (method_ == ClassifierMethod::Chosen)
    method_ =
        row_bytes(table) <= kRowBytesMax ? ClassifierMethod::BitVectors : ClassifierMethod::Pairs;
  const auto pair = choose_pair(table.dimensions());
  std::vector<std::uint32_t> rules(size_);
  std::iota(rules.begin(), rules.end(), 0);
  if (method_ == ClassifierMethod::Pairs) {
    const auto few = std::stable_partition(rules.begin(), rules.end(), [&](std::uint32_t rule) {
      return PairTable::pairs(table, rule, pair) > PairTable::kPairsMax;
    });
    pairs_ = PairTable(table, {few, rules.end()}, pair);
    rules.erase(few, rules.end());
  }
  bit_vectors_ = BitVectors::grouped(table, rules, pair);
  for (const std::uint32_t rule : rules)
    for (const auto& [dimension, criterion] : table.constraints(rule))
      if (dimension == kNoDimension) residue_.add(rule, *criterion);
}

std::uint32_t ClassifierIndex::first_match(const Subject& subject,
                                           std::uint32_t from) const noexcept {
  const std::uint64_t* awake =
      subject.activity.rules.empty() ? nullptr : subject.activity.rules.data();
  const auto is_awake = [awake](std::uint32_t rule) {
    return !awake || (awake[rule / 64] >> rule % 64 & 1) != 0;
  };
  const std::uint32_t best =
      bit_vectors_.find(subject, from, Classifier::kNone, [&](std::uint32_t rule) {
        return is_awake(rule) && (residue_.empty() || residue_.holds(rule, subject));
      });
  return pairs_.find(subject, from, best, is_awake);
}

std::vector<std::uint64_t> ClassifierIndex::awake(std::span<const std::uint64_t> schedules) const {
  if (scheduled_.empty()) return {};
  std::vector<std::uint64_t> awake((size_ + 63) / 64, ~std::uint64_t{0});
  const Activity activity{{schedules.begin(), schedules.end()}, {}};
  const Flow no_flow;
  for (const auto& [rule, criterion] : scheduled_)
    if (!criterion.matches({no_flow, activity}))
      awake[rule / 64] &= ~(std::uint64_t{1} << rule % 64);
  return awake;
}

std::size_t ClassifierIndex::bytes() const noexcept {
  std::size_t sum = sizeof *this + pairs_.bytes() + bit_vectors_.bytes() + residue_.bytes() +
                    scheduled_.capacity() * sizeof(Scheduled::value_type);
  for (const auto& [rule, criterion] : scheduled_)
    sum += (criterion.any.capacity() + criterion.none.capacity()) * sizeof(Value);
  return sum;
}

class Classifier::Index : public ClassifierIndex {
 public:
  using ClassifierIndex::ClassifierIndex;
};

Classifier::Classifier(std::span<const Match* const> rules)
    : index_(std::make_unique<const Index>(rules)) {}
Classifier::Classifier(Classifier&&) noexcept = default;
Classifier& Classifier::operator=(Classifier&&) noexcept = default;
Classifier::~Classifier() = default;

std::uint32_t Classifier::first_match(const Subject& subject, std::uint32_t from) const noexcept {
  return index_->first_match(subject, from);
}

std::vector<std::uint64_t> Classifier::awake(std::span<const std::uint64_t> schedules) const {
  return index_->awake(schedules);
}

std::size_t Classifier::bytes() const noexcept {
  return index_->bytes();
}

}  // namespace nfsteer
