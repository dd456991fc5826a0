#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>

#include "diagnostic.hpp"
#include "expect.hpp"
#include "files.hpp"
#include "nfsteer/base/file.hpp"
#include "nfsteer/base/result.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/config.hpp"
#include "problems.hpp"
#include "report.hpp"
#include "scan.hpp"
#include "sections.hpp"
#include "syntax.hpp"

namespace nfsteer {
namespace {

Diagnostic whole_file(const std::string& file, std::string message) {
  Diagnostic diagnostic;
  diagnostic.file = file;
  diagnostic.message = std::move(message);
  return diagnostic;
}

// The first mistakes in the order of the files; the last says how many more.
std::vector<Diagnostic> to_diagnostics(std::vector<Mistake> mistakes, std::string_view text,
                                       const std::string& file, const Report& report) {
  std::stable_sort(mistakes.begin(), mistakes.end(),
                   [](const Mistake& a, const Mistake& b) { return is_before(a, b); });
  std::vector<Diagnostic> result;
  const std::size_t shown = std::min(mistakes.size(), kDiagnosticsMax);
  for (std::size_t i = 0; i < shown; ++i) {
    const Mistake& mistake = mistakes[i];
    if (mistake.file == 0) {
      result.push_back(make_diagnostic(mistake, text, file));
    } else {
      const TextFile& lines = report.text_file(mistake.file);
      result.push_back(make_diagnostic(mistake, lines.text, lines.path));
    }
  }
  const bool is_cut = report.is_cut() || mistakes.size() >= kProblemsMax;
  if (const std::size_t more = mistakes.size() - shown; more > 0)
    result.push_back(whole_file(file, format("and {}{} more", is_cut ? "at least " : "", more)));
  return result;
}

std::string folder_of(const std::string& file) {
  return std::filesystem::path(file).parent_path().string();
}

LoadResult parse(std::string_view text, const std::string& file, Files& files,
                 Expectations expectations) {
  if (const auto size = check_size(text.size(), kRulesFileBytesMax); !size)
    return std::vector{whole_file(file, size.error().message)};
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());

  Syntax syntax = read_syntax(text);
  std::vector<Mistake> mistakes = std::move(syntax.mistakes);
  const bool complete = mistakes.empty();
  Report report(complete, folder_of(file), files);
  if (!syntax.root) return to_diagnostics(std::move(mistakes), text, file, report);

  auto [config, expected] = read_rules_file(*syntax.root, report);
  mistakes.insert(mistakes.end(), report.mistakes().begin(), report.mistakes().end());
  if (complete && !report.is_full()) {
    const auto problems = locate(validate(config), *syntax.root, report);
    mistakes.insert(mistakes.end(), problems.begin(), problems.end());
  }
  if (mistakes.empty() && expectations == Expectations::Prove)
    mistakes = prove(expected, config, std::chrono::system_clock::now());
  if (!mistakes.empty()) return to_diagnostics(std::move(mistakes), text, file, report);
  return std::move(config);
}

LoadResult load(const std::string& path, Files& files, Expectations expectations) {
  const std::string name = path == "-" ? "stdin" : path;
  const Result<std::string> text = files.read_rules(path);
  if (!text) return std::vector{whole_file(name, text.error().message)};
  return parse(*text, name, files, expectations);
}

}  // namespace

LoadResult load_config(const std::string& path, Expectations expectations) {
  Files files(nullptr);
  return load(path, files, expectations);
}

LoadResult load_config(const std::string& path, Sources& sources) {
  sources.path = path;
  Files files(&sources);
  return load(path, files, Expectations::Prove);
}

LoadResult load_config(const Sources& sources) {
  Files files(sources);
  return load(sources.path, files, Expectations::Read);
}

LoadResult parse_config(std::string_view text, const std::string& file, Expectations expectations) {
  Files files(nullptr);
  return parse(text, file, files, expectations);
}

}  // namespace nfsteer
