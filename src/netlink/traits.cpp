#include "traits.hpp"

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_NFQUEUE.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include "messages.hpp"
#include "nfsteer/base/text.hpp"
#include "statements.hpp"

namespace nfsteer::netlink {
namespace {

constexpr std::string_view kQueue = "queue";

std::string_view text(const nftnl_expr& expression, std::uint16_t attribute) {
  const char* found = nftnl_expr_get_str(&expression, attribute);
  return found != nullptr ? found : "";
}

// Collects the traits of one rule, from its first expression to its last.
class TraitReader {
 public:
  void read(const nftnl_expr& expression) {
    const std::string_view name = text(expression, NFTNL_EXPR_NAME);
    if (name == "lookup") read_lookup(expression);
    if (name == "bitwise") read_bits(expression);
    if (name == "queue") read_queue(expression);
    if (name == "target") read_target(expression);
    if (name == "meta" || name == "ct") mark_ = loaded_mark(expression, name == "meta");
  }

  Traits take() { return std::move(traits_); }

 private:
  static std::optional<MarkOf> loaded_mark(const nftnl_expr& expression, bool of_packet) {
    const auto is = [&expression](std::uint16_t key, std::uint32_t mark, std::uint16_t target) {
      return nftnl_expr_get_u32(&expression, key) == mark && nftnl_expr_is_set(&expression, target);
    };
    if (of_packet && is(NFTNL_EXPR_META_KEY, NFT_META_MARK, NFTNL_EXPR_META_DREG))
      return MarkOf::Packet;
    if (!of_packet && is(NFTNL_EXPR_CT_KEY, NFT_CT_MARK, NFTNL_EXPR_CT_DREG))
      return MarkOf::Conntrack;
    return std::nullopt;
  }

  void read_lookup(const nftnl_expr& expression) {
    const std::string_view set = text(expression, NFTNL_EXPR_LOOKUP_SET);
    if (!set.starts_with("__")) traits_.insert(format("@{}", set));
  }

  void read_bits(const nftnl_expr& expression) {
    const auto kept = number(expression, NFTNL_EXPR_BITWISE_MASK);
    if (mark_ && kept) traits_.insert(format("{} & {:#010x}", name(*mark_), *kept));
    mark_.reset();
  }

  static std::optional<std::uint32_t> number(const nftnl_expr& expression, std::uint16_t which) {
    std::uint32_t length = 0, value = 0;
    const void* data = nftnl_expr_get(&expression, which, &length);
    if (data == nullptr || length != sizeof value) return std::nullopt;
    std::memcpy(&value, data, sizeof value);
    return value;
  }

  void read_queue(const nftnl_expr& expression) {
    const std::uint16_t flags = nftnl_expr_get_u16(&expression, NFTNL_EXPR_QUEUE_FLAGS);
    traits_.insert(queue_text(nftnl_expr_get_u16(&expression, NFTNL_EXPR_QUEUE_NUM),
                              nftnl_expr_get_u16(&expression, NFTNL_EXPR_QUEUE_TOTAL),
                              (flags & NFT_QUEUE_FLAG_BYPASS) != 0));
  }

  void read_target(const nftnl_expr& expression) {
    std::uint32_t length = 0;
    xt_NFQ_info_v3 info{};
    const std::string_view target = text(expression, NFTNL_EXPR_TG_NAME);
    const void* data = nftnl_expr_get(&expression, NFTNL_EXPR_TG_INFO, &length);
    if (target != "NFQUEUE" || data == nullptr || length < sizeof info) return;
    std::memcpy(&info, data, sizeof info);
    traits_.insert(
        queue_text(info.queuenum, info.queues_total, (info.flags & NFQ_FLAG_BYPASS) != 0));
  }

  std::optional<MarkOf> mark_;  // that was loaded last
  Traits traits_;
};

int read_expression(nftnl_expr* expression, void* reader) {
  static_cast<TraitReader*>(reader)->read(*expression);
  return 0;
}

}  // namespace

Traits traits_of(nftnl_rule& rule) {
  TraitReader reader;
  nftnl_expr_foreach(&rule, read_expression, &reader);
  return reader.take();
}

Traits traits_of(const Chain& chain) {
  Traits traits;
  Transaction unsent;
  for (const Rule& rule : chain.rules) {
    const std::unique_ptr<nftnl_rule, decltype(&nftnl_rule_free)> made(nftnl_rule_alloc(),
                                                                       &nftnl_rule_free);
    RuleMessage writer(unsent, *made);
    for (const Statement& statement : rule) statement.emit(writer);
    traits.merge(traits_of(*made));
  }
  return traits;
}

Traits queues_of(const Traits& traits) {
  Traits queues;
  for (const std::string& trait : traits)
    if (trait.starts_with(kQueue)) queues.insert(trait);
  return queues;
}

}  // namespace nfsteer::netlink
