// What problems_of() refuses in a check.
#include <algorithm>
#include <utility>

#include "nfsteer/base/text.hpp"
#include "nfsteer/health.hpp"

namespace nfsteer {
namespace {

using std::chrono::milliseconds;

std::string listed(const std::vector<std::string_view>& names, std::string_view word) {
  if (const auto meant = nearest(word, names)) return format("did you mean `{}`?", *meant);
  return format("there are: {}", join(names, ", "));
}

class Examiner {
 public:
  explicit Examiner(const CheckConfig& check) : check_(check), kind_(find_check_kind(check.kind)) {}

  std::vector<CheckProblem> run() && {
    examine_times();
    examine_counts();
    if (kind_) {
      examine_port();
      for (const auto& [key, value] : check_.options) examine_key(key);
      for (const CheckOption& option : kind_->options) examine_option(option);
    } else {
      std::vector<std::string_view> names;
      for (const CheckKind& kind : check_kinds()) names.emplace_back(kind.name);
      add({"kind"}, format("unknown kind of check `{}`", printable(check_.kind)),
          listed(names, check_.kind));
    }
    return std::move(problems_);
  }

 private:
  using Path = std::vector<std::string>;

  void add(Path path, std::string message, std::string remedy = {}) {
    problems_.push_back({std::move(path), std::move(message), std::move(remedy)});
  }

  void examine_duration(const char* key, milliseconds value, milliseconds min) {
    if (value < min || value > kCheckIntervalMax)
      add({key},
          format("`{}` is {} to {}", key, duration_text(min), duration_text(kCheckIntervalMax)));
  }

  void examine_times() {
    examine_duration("interval", check_.interval, kCheckIntervalMin);
    examine_duration("interval_down", check_.interval_down, kCheckIntervalMin);
    examine_duration("timeout", check_.timeout, kCheckTimeoutMin);
    if (check_.timeout > check_.interval)
      add({"timeout"},
          format("the time-out of {} is longer than the interval of {}",
                 duration_text(check_.timeout), duration_text(check_.interval)),
          "a probe ends before the next one is due");
  }

  void examine_count(const char* key, std::uint32_t value) {
    if (value < 1 || value > kCheckInRowMax)
      add({key}, format("`{}` is 1 to {} in a row", key, kCheckInRowMax));
  }

  void examine_counts() {
    examine_count("rise", check_.rise);
    examine_count("fall", check_.fall);
    if (check_.jitter_percent > kCheckJitterMax)
      add({"jitter"}, format("`jitter` is 0 to {} percent", kCheckJitterMax));
  }

  void examine_port() {
    if (check_.port == 0) add({"port"}, "a port is 1 to 65535");
    if (check_.port && kind_->port == CheckKind::Port::None)
      add({"port"}, format("a check of the kind `{}` has no port", kind_->name));
  }

  void examine_key(const std::string& key) {
    std::vector<std::string_view> keys;
    for (const CheckOption& option : kind_->options) keys.emplace_back(option.key);
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) return;
    add({key}, format("a check of the kind `{}` has no option `{}`", kind_->name, printable(key)),
        keys.empty() ? "" : listed(keys, key));
  }

  void examine_option(const CheckOption& option) {
    const auto found = check_.options.find(option.key);
    if (found == check_.options.end()) {
      if (option.required)
        add({}, format("a check of the kind `{}` needs `{}`", kind_->name, option.key),
            format("{}", option.expects));
      return;
    }
    const CheckValue& value = found->second;
    if (value.index() != static_cast<std::size_t>(option.type))
      return add({option.key}, format("`{}` must be {}", option.key, option.expects));
    if (const auto* text = std::get_if<std::string>(&value)) examine_text(option, *text, 0, {});
    if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) {
      if (texts->empty()) add({option.key}, format("`{}` must be {}", option.key, option.expects));
      for (std::size_t i = 0; i < texts->size(); ++i)
        examine_text(option, (*texts)[i], i, format("[{}]", i));
    }
  }

  // `step` leads to it in a list.
  void examine_text(const CheckOption& option, const std::string& text, std::size_t index,
                    std::string step) {
    if (!option.check) return;
    const auto good = option.check(text, index);
    if (good) return;
    Path path{option.key};
    if (!step.empty()) path.push_back(std::move(step));
    add(std::move(path), good.error().message);
  }

  const CheckConfig& check_;
  const CheckKind* const kind_;
  std::vector<CheckProblem> problems_;
};

}  // namespace

std::vector<CheckProblem> problems_of(const CheckConfig& check) {
  return Examiner(check).run();
}

}  // namespace nfsteer
