#include "report.hpp"

#include <algorithm>
#include <utility>

#include "nfsteer/config.hpp"

namespace nfsteer {

void Report::value_mistake(const Node& node, std::string message, std::string remedy) {
  add(node, node.place, std::move(message), std::move(remedy));
}

void Report::key_mistake(const Node& node, std::string message, std::string remedy) {
  add(node, node.key_place, std::move(message), std::move(remedy));
}

void Report::add(const Node& node, const Place& place, std::string message, std::string remedy) {
  if (is_full()) return;
  mistakes_.push_back({place, std::move(message), std::move(remedy)});
  nodes_.insert(&node);
}

bool Report::line_mistake(TextFile& file, const Place& place, std::string message,
                          std::string remedy) {
  mistakes_.push_back({place, std::move(message), std::move(remedy), file.index});
  nodes_.insert(file.name);
  const bool has_too_many = ++file.mistakes > kDiagnosticsMax;
  is_cut_ = is_cut_ || has_too_many;
  return !has_too_many;
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

std::size_t Report::count(const Node& list) const {
  const auto found = elements_.find(&list);
  return found == elements_.end() ? 0 : found->second.size();
}

bool Report::is_whole(const Node& list) const {
  return list.kind == Node::Kind::List && count(list) == list.children.size();
}

TextFile& Report::keep(const Node& table, TextFile file) {
  text_files_.push_back(std::make_unique<TextFile>(std::move(file)));
  TextFile& kept = *text_files_.back();
  kept.index = text_files_.size();
  files_of_[&table].push_back(&kept);
  return kept;
}

const std::vector<const TextFile*>& Report::text_files_of(const Node& table) const {
  static const std::vector<const TextFile*> kNone;
  const auto found = files_of_.find(&table);
  return found == files_of_.end() ? kNone : found->second;
}

}  // namespace nfsteer
