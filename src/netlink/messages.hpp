// Messages to nf_tables, and the transaction that they are sent in.
#pragma once

#include <libmnl/libmnl.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "attributes.hpp"
#include "nfsteer/base/result.hpp"
#include "table.hpp"

struct nftnl_expr;
struct nftnl_rule;

namespace nfsteer::netlink {

// One expression of a rule, such as "meta" or "lookup", while it is being made.
// The attributes are libnftnl's NFTNL_EXPR_*.
class Expression {
 public:
  explicit Expression(const char* name);

  Expression&& u8(std::uint16_t attribute, std::uint8_t value) &&;
  Expression&& u16(std::uint16_t attribute, std::uint16_t value) &&;
  Expression&& u32(std::uint16_t attribute, std::uint32_t value) &&;
  Expression&& text(std::uint16_t attribute, const std::string& value) &&;
  Expression&& bytes(std::uint16_t attribute, std::span<const std::byte> value) &&;
  // For libnftnl's attributes that keep the pointer: `value` is malloc()ed, and
  // freed by libnftnl.
  Expression&& owned_bytes(std::uint16_t attribute, void* value, std::uint32_t size) &&;

  nftnl_expr* release() && { return expression_.release(); }

 private:
  struct Free {
    void operator()(nftnl_expr* expression) const noexcept;
  };
  std::unique_ptr<nftnl_expr, Free> expression_;
};

// What the kernel refused of a transaction.
struct Refusal {
  int code = 0;            // an errno
  std::string object;      // such as "chain steer"; empty: the transaction itself
  std::string expression;  // of a rule, where the kernel named it
};

// Whether the netlink port was one of the last that sent a transaction of this process.
bool is_own_port(std::uint32_t port);

// A transaction: what is added happens in this order, and all or nothing.
class Transaction {
 public:
  Transaction();

  void add_table();
  void delete_table();
  void delete_all_rules();
  void delete_rules(const std::string& chain);
  void delete_set(const std::string& name);
  void delete_chain(const std::string& name);
  void add_chain(const Chain& chain);
  void add_rule(const std::string& chain, const Rule& rule);
  void add_set(const Set& set);
  // Of a set that is there, or was added before.
  void empty_set(const std::string& name);
  void add_elements(const Set& set);
  // REQUIRES: it has no intervals
  void delete_elements(const Set& set);

  // Carries it out.
  tl::expected<void, Refusal> send() &&;
  // Asks whether the kernel would carry it out, without a trace. A base chain
  // that is not there yet must not be in it: even that one would be made, and
  // taken away again, which drops every packet that waits in any queue.
  tl::expected<void, Refusal> check() &&;

 private:
  friend class RuleMessage;
  friend class ElementMessages;

  // A message in buffer_.
  struct Sent {
    std::size_t offset = 0;
    std::string object;
  };

  // The number of the set in this transaction, by which rules find it.
  std::uint32_t add_set_messages(const Set& set);
  void write_elements(std::uint16_t type, const Set& set, std::uint32_t id);
  nlmsghdr* begin_message(std::uint16_t type, std::uint16_t flags);
  void end_message(std::string object);
  Refusal refusal(std::uint32_t sequence, int code, std::size_t bad_attribute) const;
  std::string expression_name(const Sent& message, std::size_t offset) const;
  tl::expected<void, Refusal> talk() const;
  tl::expected<void, Refusal> read_answers(mnl_socket* socket) const;

  std::vector<char> buffer_;
  std::vector<char> scratch_;  // the message that is being made
  std::vector<Sent> sent_;     // by sequence number
  std::uint32_t sets_ = 0;
};

// A rule on its way into a transaction.
class RuleMessage {
 public:
  RuleMessage(Transaction& transaction, nftnl_rule& rule)
      : transaction_(transaction), rule_(rule) {}

  void add(Expression&& expression);
  // Makes the set, which will live as long as the rule; returns its number.
  std::uint32_t add_anonymous_set(const Set& set) { return transaction_.add_set_messages(set); }

 private:
  Transaction& transaction_;
  nftnl_rule& rule_;
};

// The name by which rules use an anonymous set; the kernel puts in a number.
inline const char* anonymous_name(const Set& set) {
  return set.data ? "__map%d" : "__set%d";
}

}  // namespace nfsteer::netlink
