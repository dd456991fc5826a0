// [schedule.NAME]
#include <utility>

#include "nfsteer/base/text.hpp"
#include "reader.hpp"
#include "sections.hpp"

namespace nfsteer {
namespace {

Weekdays read_days(const Node& node, Report& report) {
  Weekdays days = 0;
  for (const Node& each : one_or_many(node, report))
    days = static_cast<Weekdays>(days | read_parsed(each, parse_weekdays, report).value_or(0));
  return days;
}

std::optional<Window> read_window(const Node& node, const std::string& where, Report& report) {
  TableReader in(node, where, report);
  if (node.kind != Node::Kind::Table) return std::nullopt;
  Window window;
  if (const Node* days = in.find("days")) window.days = read_days(*days, report);
  window.from = in.parsed("from", parse_time_of_day).value_or(window.from);
  window.to = in.parsed("to", parse_time_of_day).value_or(window.to);
  in.finish();
  return window;
}

std::optional<Date> read_day(const Node& node, Report& report) {
  if (node.kind != Node::Kind::Text && node.kind != Node::Kind::Date) {
    report.value_mistake(node, format("`{}` must be a date such as 2026-12-25", node.key));
    return std::nullopt;
  }
  const auto date = parse_date(node.text);
  if (date) return *date;
  report.value_mistake(node, date.error().message);
  return std::nullopt;
}

// A date, or a table with one at `date`.
std::optional<Date> read_exception(const Node& node, const std::string& where, Report& report) {
  if (node.kind != Node::Kind::Table) return read_day(node, report);
  TableReader in(node, where, report);
  in.require({"date"});
  const Node* date = in.find("date");
  in.finish();
  return date ? read_day(*date, report) : std::nullopt;
}

ScheduleConfig read_schedule(const Node& node, Report& report) {
  const std::string where = format("schedule.{}", printable(node.key));
  TableReader in(node, where, report);
  in.require({"timezone"});
  in.require({"windows"});
  ScheduleConfig schedule;
  schedule.name = node.key;
  schedule.timezone = in.text("timezone").value_or("");
  if (const Node* windows = in.find("windows"))
    schedule.windows = read_list<Window>(*windows, where + ".windows", report, read_window);
  if (const Node* except = in.find("except")) {
    for (const Node& each : one_or_many(*except, report))
      if (const auto date = read_exception(each, where + ".except", report))
        schedule.except.push_back(*date);
  }
  in.finish();
  return schedule;
}

}  // namespace

std::vector<ScheduleConfig> read_schedules(const Node& node, Report& report) {
  std::vector<ScheduleConfig> result;
  for (const Node* each : read_members(node, report))
    result.push_back(read_schedule(*each, report));
  return result;
}

}  // namespace nfsteer
