// What is found while a rules file's tree becomes a Config: the mistakes, and
// where the parts of the Config came from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "files.hpp"
#include "nfsteer/policy.hpp"
#include "node.hpp"

namespace nfsteer {

struct TextLine {
  std::uint32_t number = 0;  // from 1
  std::uint32_t offset = 0;  // of its first byte in the text
};

// A text file that the rules file names.
struct TextFile {
  const Node* name;       // where it is named
  std::size_t index = 0;  // as Mistake::file has it; Report::keep() gives it
  std::string path;
  std::string text;
  std::size_t line_count;
  std::vector<TextLine> lines;  // that are in the Config, in its order
  std::size_t mistakes = 0;
};

class Report {
 public:
  // `complete`: the tree is the whole file. Where it is not, what seems to be
  // missing may only have been unreadable. `folder`: of the rules file. `files`: where
  // those come from that it names; they outlive it.
  Report(bool complete, std::string folder, Files& files)
      : complete_(complete), folder_(std::move(folder)), files_(files) {}

  bool complete() const noexcept { return complete_; }
  const std::string& folder() const noexcept { return folder_; }
  Files& files() noexcept { return files_; }

  // A mistake in the node's value, or in its key.
  void value_mistake(const Node& node, std::string message, std::string remedy = {});
  void key_mistake(const Node& node, std::string message, std::string remedy = {});

  // A mistake in a text file; false where the file has so many that it is not
  // worth reading on.
  bool line_mistake(TextFile& file, const Place& place, std::string message, std::string remedy);

  // Whether the node, or one below it, has a mistake.
  bool has_mistake_in(const Node& node) const;

  // Notes that the Config's next element of that list is `element`.
  void element_read(const Node& list, const Node& element);
  // The Config's element at `index` of that list, or nullptr.
  const Node* element(const Node& list, std::size_t index) const;
  // How many elements of the list are in the Config.
  std::size_t count(const Node& list) const;

  // Whether all elements of the list are in the Config.
  bool is_whole(const Node& list) const;

  // Keeps a text file that the table names, for the places in it.
  TextFile& keep(const Node& table, TextFile file);
  // The files that the table names, in their order.
  const std::vector<const TextFile*>& text_files_of(const Node& table) const;
  // The file of a Mistake. REQUIRES: index > 0
  const TextFile& text_file(std::size_t index) const { return *text_files_[index - 1]; }

  const std::vector<Mistake>& mistakes() const noexcept { return mistakes_; }
  // Whether a text file had so many mistakes that it was not read to its end.
  bool is_cut() const noexcept { return is_cut_; }
  // Whether there are so many mistakes that no more are taken up.
  bool is_full() const noexcept { return mistakes_.size() >= kProblemsMax; }

 private:
  void add(const Node& node, const Place& place, std::string message, std::string remedy);

  bool complete_;
  std::string folder_;
  Files& files_;
  std::vector<Mistake> mistakes_;
  std::unordered_set<const Node*> nodes_;                               // that have mistakes
  std::unordered_map<const Node*, std::vector<const Node*>> elements_;  // by list
  bool is_cut_ = false;
  std::vector<std::unique_ptr<TextFile>> text_files_;
  std::unordered_map<const Node*, std::vector<const TextFile*>> files_of_;  // by table
};

}  // namespace nfsteer
