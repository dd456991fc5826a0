#include "report.hpp"

#include <algorithm>
#include <utility>

namespace nfsteer {

void Report::value_mistake(const Node& node, std::string message, std::string remedy) {
  add(node, node.place, std::move(message), std::move(remedy));
}

void Report::key_mistake(const Node& node, std::string message, std::string remedy) {
  add(node, node.key_place, std::move(message), std::move(remedy));
}

void Report::add(const Node& node, const Place& place, std::string message, std::string remedy) {
  mistakes_.push_back({place, std::move(message), std::move(remedy)});
  nodes_.insert(&node);
}

bool Report::has_mistake_in(const Node& node) const {
  if (nodes_.empty()) return false;
  return nodes_.contains(&node) ||
         std::any_of(node.children.begin(), node.children.end(),
                     [this](const Node& child) { return has_mistake_in(child); });
}

void Report::element_read(const Node& list, const Node& element) {
  elements_[&list].push_back(&element);
}

const Node* Report::element(const Node& list, std::size_t index) const {
  const auto found = elements_.find(&list);
  return found != elements_.end() && index < found->second.size() ? found->second[index] : nullptr;
}

bool Report::is_whole(const Node& list) const {
  const auto found = elements_.find(&list);
  const std::size_t read = found == elements_.end() ? 0 : found->second.size();
  return list.kind == Node::Kind::List && read == list.children.size();
}

}  // namespace nfsteer
