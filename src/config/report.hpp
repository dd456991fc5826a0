// What is found while a rules file's tree becomes a Config: the mistakes, and
// where the parts of the Config came from.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "node.hpp"

namespace nfsteer {

class Report {
 public:
  // `complete`: the tree is the whole file. Where it is not, what seems to be
  // missing may only have been unreadable.
  explicit Report(bool complete) : complete_(complete) {}

  bool complete() const noexcept { return complete_; }

  // A mistake in the node's value, or in its key.
  void value_mistake(const Node& node, std::string message, std::string remedy = {});
  void key_mistake(const Node& node, std::string message, std::string remedy = {});

  // Whether the node, or one below it, has a mistake.
  bool has_mistake_in(const Node& node) const;

  // Notes that the Config's next element of that list is `element`.
  void element_read(const Node& list, const Node& element);
  // The Config's element at `index` of that list, or nullptr.
  const Node* element(const Node& list, std::size_t index) const;

  // Whether all elements of the list are in the Config.
  bool is_whole(const Node& list) const;

  const std::vector<Mistake>& mistakes() const noexcept { return mistakes_; }

 private:
  void add(const Node& node, const Place& place, std::string message, std::string remedy);

  bool complete_;
  std::vector<Mistake> mistakes_;
  std::unordered_set<const Node*> nodes_;                               // that have mistakes
  std::unordered_map<const Node*, std::vector<const Node*>> elements_;  // by list
};

}  // namespace nfsteer
