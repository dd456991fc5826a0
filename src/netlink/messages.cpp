#include "messages.hpp"

#include <arpa/inet.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <new>
#include <optional>

#include "nfsteer/base/text.hpp"

namespace nfsteer::netlink {
namespace {

// A message's attributes are counted in 16 bits: elements are spread over
// messages of at most this, with room left for one more element.
constexpr std::size_t kElementsBytesMax = 60'000;
constexpr std::size_t kMessageBytesMax = 1 << 17;

// libnftnl fails to allocate when memory is short, and in no other case here.
template <typename T>
T* checked(T* allocated) {
  if (allocated == nullptr) throw std::bad_alloc();
  return allocated;
}

template <typename T, auto kFree>
struct Freed {
  void operator()(T* object) const noexcept { kFree(object); }
};
template <typename T, auto kFree>
using Owned = std::unique_ptr<T, Freed<T, kFree>>;

Owned<nftnl_chain, nftnl_chain_free> make_chain(const std::string& name) {
  Owned<nftnl_chain, nftnl_chain_free> chain(checked(nftnl_chain_alloc()));
  nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_TABLE, kTableName);
  nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_NAME, name.c_str());
  return chain;
}

Owned<nftnl_rule, nftnl_rule_free> make_rule() {
  Owned<nftnl_rule, nftnl_rule_free> rule(checked(nftnl_rule_alloc()));
  nftnl_rule_set_u32(rule.get(), NFTNL_RULE_FAMILY, NFPROTO_INET);
  nftnl_rule_set_str(rule.get(), NFTNL_RULE_TABLE, kTableName);
  return rule;
}

Owned<nftnl_udata_buf, nftnl_udata_buf_free> make_userdata() {
  return Owned<nftnl_udata_buf, nftnl_udata_buf_free>(
      checked(nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN)));
}

std::uint32_t count_elements(const Set& set) {
  std::uint32_t count = 0;
  set.elements([&count](const Element&) { ++count; });
  return count;
}

Owned<nftnl_set, nftnl_set_free> make_set(const Set& set, std::uint32_t id) {
  Owned<nftnl_set, nftnl_set_free> made(checked(nftnl_set_alloc()));
  const bool anonymous = set.name.empty();
  nftnl_set_set_str(made.get(), NFTNL_SET_TABLE, kTableName);
  nftnl_set_set_str(made.get(), NFTNL_SET_NAME, anonymous ? anonymous_name(set) : set.name.c_str());
  nftnl_set_set_u32(made.get(), NFTNL_SET_FAMILY, NFPROTO_INET);
  nftnl_set_set_u32(made.get(), NFTNL_SET_ID, id);
  nftnl_set_set_u32(made.get(), NFTNL_SET_KEY_TYPE, set.key.number);
  nftnl_set_set_u32(made.get(), NFTNL_SET_KEY_LEN, set.key.bytes);
  std::uint32_t flags = 0;
  if (set.intervals) flags |= NFT_SET_INTERVAL;
  const auto userdata = make_userdata();
  nftnl_udata_put_u32(userdata.get(), NFTNL_UDATA_SET_KEYBYTEORDER,
                      static_cast<std::uint32_t>(set.key.order));
  if (set.data) {
    flags |= NFT_SET_MAP;
    nftnl_set_set_u32(made.get(), NFTNL_SET_DATA_TYPE, set.data->number);
    nftnl_set_set_u32(made.get(), NFTNL_SET_DATA_LEN, set.data->bytes);
    nftnl_udata_put_u32(userdata.get(), NFTNL_UDATA_SET_DATABYTEORDER,
                        static_cast<std::uint32_t>(set.data->order));
  }
  if (anonymous) {
    flags |= NFT_SET_ANONYMOUS | NFT_SET_CONSTANT;
    // For a constant set of known size the kernel has a faster kind.
    if (!set.intervals) nftnl_set_set_u32(made.get(), NFTNL_SET_DESC_SIZE, count_elements(set));
  }
  nftnl_set_set_u32(made.get(), NFTNL_SET_FLAGS, flags);
  nftnl_set_set_data(made.get(), NFTNL_SET_USERDATA, nftnl_udata_buf_data(userdata.get()),
                     nftnl_udata_buf_len(userdata.get()));
  return made;
}

using SetElement = Owned<nftnl_set_elem, nftnl_set_elem_free>;

SetElement make_element(const Bytes& key) {
  SetElement made(checked(nftnl_set_elem_alloc()));
  nftnl_set_elem_set(made.get(), NFTNL_SET_ELEM_KEY, key.data.data(),
                     static_cast<std::uint32_t>(key.size));
  return made;
}

void set_data(nftnl_set_elem* made, const Element& element) {
  if (const auto* value = std::get_if<Value>(&element.data)) {
    const Bytes bytes = to_bytes(*value);
    nftnl_set_elem_set(made, NFTNL_SET_ELEM_DATA, bytes.data.data(),
                       static_cast<std::uint32_t>(bytes.size));
  } else if (const auto* verdict = std::get_if<Goto>(&element.data)) {
    nftnl_set_elem_set_u32(made, NFTNL_SET_ELEM_VERDICT, static_cast<std::uint32_t>(NFT_GOTO));
    nftnl_set_elem_set_str(made, NFTNL_SET_ELEM_CHAIN, verdict->chain.c_str());
  } else if (std::holds_alternative<Drop>(element.data)) {
    nftnl_set_elem_set_u32(made, NFTNL_SET_ELEM_VERDICT, NF_DROP);
  }
}

void set_comment(nftnl_set_elem* made, const std::string& comment) {
  const auto userdata = make_userdata();
  nftnl_udata_put_strz(userdata.get(), NFTNL_UDATA_SET_ELEM_COMMENT, comment.c_str());
  nftnl_set_elem_set(made, NFTNL_SET_ELEM_USERDATA, nftnl_udata_buf_data(userdata.get()),
                     nftnl_udata_buf_len(userdata.get()));
}

}  // namespace

// ---- expressions ------------------------------------------------------------

void Expression::Free::operator()(nftnl_expr* expression) const noexcept {
  nftnl_expr_free(expression);
}

Expression::Expression(const char* name) : expression_(checked(nftnl_expr_alloc(name))) {}

Expression&& Expression::u8(std::uint16_t attribute, std::uint8_t value) && {
  nftnl_expr_set_u8(expression_.get(), attribute, value);
  return std::move(*this);
}

Expression&& Expression::u16(std::uint16_t attribute, std::uint16_t value) && {
  nftnl_expr_set_u16(expression_.get(), attribute, value);
  return std::move(*this);
}

Expression&& Expression::u32(std::uint16_t attribute, std::uint32_t value) && {
  nftnl_expr_set_u32(expression_.get(), attribute, value);
  return std::move(*this);
}

Expression&& Expression::text(std::uint16_t attribute, const std::string& value) && {
  nftnl_expr_set_str(expression_.get(), attribute, value.c_str());
  return std::move(*this);
}

Expression&& Expression::bytes(std::uint16_t attribute, std::span<const std::byte> value) && {
  nftnl_expr_set(expression_.get(), attribute, value.data(),
                 static_cast<std::uint32_t>(value.size()));
  return std::move(*this);
}

Expression&& Expression::owned_bytes(std::uint16_t attribute, void* value, std::uint32_t size) && {
  nftnl_expr_set(expression_.get(), attribute, value, size);
  return std::move(*this);
}

void RuleMessage::add(Expression&& expression) {
  nftnl_rule_add_expr(&rule_, std::move(expression).release());
}

// ---- elements ---------------------------------------------------------------

// The messages of one type about the elements of one set.
class ElementMessages {
 public:
  ElementMessages(Transaction& transaction, std::uint16_t type, const Set& set, std::uint32_t id)
      : transaction_(transaction), type_(type), set_(set), id_(id) {}

  // A range of the kernel reaches up to the next element, so that one more
  // element ends it. nft wants such an end at zero, too. In an anonymous set an
  // end must not stand where the next range begins: kernels such as 6.1 would
  // find that end, and take the set for having no such element.
  void add(const Element& element) {
    const Bytes first = to_bytes(element.first);
    const Bytes zero{{}, first.size};
    if (set_.intervals && !any_ && first != zero) put_range_end(zero);
    if (end_ && !(set_.name.empty() && *end_ == first)) put_range_end(*end_);
    put_start(first, element);
    if (set_.intervals) end_ = successor(to_bytes(element.last));
  }

  void finish() {
    if (end_) put_range_end(*end_);
    if (message_ != nullptr) close_message();
  }

 private:
  void put_start(const Bytes& key, const Element& element) {
    const SetElement made = make_element(key);
    set_data(made.get(), element);
    if (!element.comment.empty()) set_comment(made.get(), element.comment);
    put(made.get());
  }

  void put_range_end(const Bytes& key) {
    const SetElement made = make_element(key);
    nftnl_set_elem_set_u32(made.get(), NFTNL_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
    put(made.get());
  }

  void put(nftnl_set_elem* element) {
    any_ = true;
    if (message_ != nullptr && message_->nlmsg_len > kElementsBytesMax) close_message();
    if (message_ == nullptr) open_message();
    nftnl_set_elem_nlmsg_build(message_, element, NFTA_LIST_ELEM);
  }

  void open_message() {
    message_ = transaction_.begin_message(type_, NLM_F_CREATE);
    mnl_attr_put_strz(message_, NFTA_SET_ELEM_LIST_TABLE, kTableName);
    mnl_attr_put_strz(message_, NFTA_SET_ELEM_LIST_SET,
                      set_.name.empty() ? anonymous_name(set_) : set_.name.c_str());
    mnl_attr_put_u32(message_, NFTA_SET_ELEM_LIST_SET_ID, htonl(id_));
    elements_ = mnl_attr_nest_start(message_, NFTA_SET_ELEM_LIST_ELEMENTS);
  }

  void close_message() {
    mnl_attr_nest_end(message_, elements_);
    transaction_.end_message(format("the elements of set {}", set_.name));
    message_ = nullptr;
  }

  Transaction& transaction_;
  const std::uint16_t type_;
  const Set& set_;
  std::uint32_t id_;
  nlmsghdr* message_ = nullptr;
  nlattr* elements_ = nullptr;
  bool any_ = false;
  std::optional<Bytes> end_;  // of the last range, to come
};

// ---- objects ----------------------------------------------------------------

Transaction::Transaction() : scratch_(kMessageBytesMax) {
  nftnl_batch_begin(scratch_.data(), 0);
  end_message({});
}

nlmsghdr* Transaction::begin_message(std::uint16_t type, std::uint16_t flags) {
  // One acknowledgement tells that the kernel has carried out the transaction.
  const bool first = sent_.size() == 1;
  return nftnl_nlmsg_build_hdr(scratch_.data(), type, NFPROTO_INET,
                               static_cast<std::uint16_t>(flags | (first ? NLM_F_ACK : 0)),
                               static_cast<std::uint32_t>(sent_.size()));
}

void Transaction::end_message(std::string object) {
  const auto* message = reinterpret_cast<const nlmsghdr*>(scratch_.data());
  sent_.push_back({buffer_.size(), std::move(object)});
  buffer_.insert(buffer_.end(), scratch_.data(), scratch_.data() + aligned(message->nlmsg_len));
}

void Transaction::add_table() {
  nlmsghdr* message = begin_message(NFT_MSG_NEWTABLE, NLM_F_CREATE);
  mnl_attr_put_strz(message, NFTA_TABLE_NAME, kTableName);
  end_message("the table");
}

void Transaction::delete_table() {
  nlmsghdr* message = begin_message(NFT_MSG_DELTABLE, 0);
  mnl_attr_put_strz(message, NFTA_TABLE_NAME, kTableName);
  end_message("the table");
}

void Transaction::delete_all_rules() {
  nftnl_rule_nlmsg_build_payload(begin_message(NFT_MSG_DELRULE, 0), make_rule().get());
  end_message("the rules of an earlier run");
}

void Transaction::delete_rules(const std::string& chain) {
  const auto rule = make_rule();
  nftnl_rule_set_str(rule.get(), NFTNL_RULE_CHAIN, chain.c_str());
  nftnl_rule_nlmsg_build_payload(begin_message(NFT_MSG_DELRULE, 0), rule.get());
  end_message(format("the rules of chain {}", chain));
}

void Transaction::delete_set(const std::string& name) {
  nlmsghdr* message = begin_message(NFT_MSG_DELSET, 0);
  mnl_attr_put_strz(message, NFTA_SET_TABLE, kTableName);
  mnl_attr_put_strz(message, NFTA_SET_NAME, name.c_str());
  end_message(format("set {} of an earlier run", name));
}

void Transaction::delete_chain(const std::string& name) {
  nftnl_chain_nlmsg_build_payload(begin_message(NFT_MSG_DELCHAIN, 0), make_chain(name).get());
  end_message(format("chain {} of an earlier run", name));
}

void Transaction::add_chain(const Chain& chain) {
  const auto made = make_chain(chain.name);
  if (chain.place) {
    nftnl_chain_set_str(made.get(), NFTNL_CHAIN_TYPE, chain.place->type);
    nftnl_chain_set_u32(made.get(), NFTNL_CHAIN_HOOKNUM, chain.place->hook_number);
    nftnl_chain_set_s32(made.get(), NFTNL_CHAIN_PRIO, chain.place->priority);
    nftnl_chain_set_u32(made.get(), NFTNL_CHAIN_POLICY, NF_ACCEPT);
  }
  nftnl_chain_nlmsg_build_payload(begin_message(NFT_MSG_NEWCHAIN, NLM_F_CREATE), made.get());
  end_message(format("chain {}", chain.name));
}

void Transaction::add_rule(const std::string& chain, const Rule& rule) {
  const auto made = make_rule();
  nftnl_rule_set_str(made.get(), NFTNL_RULE_CHAIN, chain.c_str());
  RuleMessage writer(*this, *made);
  for (const Statement& statement : rule) statement.emit(writer);
  nftnl_rule_nlmsg_build_payload(begin_message(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND),
                                 made.get());
  end_message(format("a rule of chain {}", chain));
}

void Transaction::add_set(const Set& set) {
  add_set_messages(set);
}

void Transaction::empty_set(const std::string& name) {
  nlmsghdr* message = begin_message(NFT_MSG_DELSETELEM, 0);
  mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, kTableName);
  mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, name.c_str());
  end_message(format("the elements of set {}", name));
}

void Transaction::add_elements(const Set& set) {
  write_elements(NFT_MSG_NEWSETELEM, set, 0);
}

void Transaction::delete_elements(const Set& set) {
  write_elements(NFT_MSG_DELSETELEM, set, 0);
}

void Transaction::write_elements(std::uint16_t type, const Set& set, std::uint32_t id) {
  ElementMessages elements(*this, type, set, id);
  set.elements([&elements](const Element& element) { elements.add(element); });
  elements.finish();
}

std::uint32_t Transaction::add_set_messages(const Set& set) {
  const std::uint32_t id = ++sets_;
  nftnl_set_nlmsg_build_payload(begin_message(NFT_MSG_NEWSET, NLM_F_CREATE),
                                make_set(set, id).get());
  end_message(format("set {}", set.name));
  write_elements(NFT_MSG_NEWSETELEM, set, id);
  return id;
}

}  // namespace nfsteer::netlink
