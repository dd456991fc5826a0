#include "explanation_text.hpp"

#include <algorithm>
#include <map>

#include "nfsteer/base/text.hpp"
#include "output.hpp"
#include "text_table.hpp"

namespace nfsteer {
namespace {

// Of the steps of one kind that lead nowhere, the last are shown.
constexpr std::uint64_t kShownMax = 20;

bool leads_on(const Step& step) {
  return step.outcome == "taken" || step.outcome == "next";
}

// By kind.
using Counts = std::map<std::string, std::uint64_t>;

Counts count_hidden(const std::vector<Step>& steps) {
  Counts counts;
  for (const Step& step : steps)
    if (!leads_on(step)) ++counts[step.kind];
  for (auto& [kind, count] : counts) count -= std::min(count, kShownMax);
  return counts;
}

std::string steps_text(const Explanation& explanation) {
  TextTable table({{"STEP"}, {"NAME"}, {"OUTCOME"}, {"WHY"}});
  Counts to_hide = count_hidden(explanation.steps);
  Counts to_mention = to_hide;
  to_mention["policy"] += explanation.policies_left_out;
  to_mention["route"] += explanation.routes_left_out;
  std::string last;  // a kind is named once
  for (const Step& step : explanation.steps) {
    const bool is_new = step.kind != last;
    if (auto& count = to_mention[step.kind]; is_new && count > 0) {
      table.add({step.kind, "...", "", format("{} before are not shown", count)});
      last = step.kind;
      count = 0;
    }
    if (auto& count = to_hide[step.kind]; !leads_on(step) && count > 0) {
      --count;
      continue;
    }
    table.add({step.kind == last ? "" : step.kind, step.name, step.outcome, step.why});
    last = step.kind;
    if (step.kind == "policy" && leads_on(step) && explanation.policies_not_reached > 0)
      table.add({"", "...", "",
                 format("{} behind it",
                        counted(explanation.policies_not_reached, "policy", "policies"))});
  }
  return table.text();
}

}  // namespace

std::string explanation_text(const Explanation& explanation) {
  const std::string answer = explanation.server
                                 ? format("{} to {}", explanation.action, *explanation.server)
                                 : explanation.action;
  return format("flow    {}\ntime    {}\n\n{}\nanswer  {}\nkernel  {}\n", explanation.flow,
                explanation.at, steps_text(explanation), answer, explanation.kernel);
}

}  // namespace nfsteer
