// [engine]
#include <algorithm>
#include <array>
#include <limits>
#include <thread>
#include <utility>

#include "nfsteer/base/text.hpp"
#include "reader.hpp"
#include "sections.hpp"
#include "target.hpp"

namespace nfsteer {
namespace {

constexpr NumberRange kHashSeed{0, std::numeric_limits<std::int64_t>::max()};
constexpr NumberRange kQueueLength{16, 1'000'000};  // packets
constexpr NumberRange kCopyBytes{64, 65'531};       // an attribute of netlink holds no more

struct Queues {
  std::uint16_t first;
  std::uint16_t count;
};

Queues queue_for_each_cpu() {
  const unsigned cpus = std::max(1u, std::thread::hardware_concurrency());
  return {0, static_cast<std::uint16_t>(std::min<unsigned>(cpus, kQueuesMax))};
}

// "4-7"
std::optional<Queues> parse_queue_numbers(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto first = parse_number(text.substr(0, dash));
  const auto last = parse_number(text.substr(dash + 1));
  if (!first || !last || *first > *last || *last > 65535 || *last - *first >= kQueuesMax)
    return std::nullopt;
  return Queues{static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*last - *first + 1)};
}

std::optional<Queues> read_queues(const Node& node, Report& report) {
  if (node.kind == Node::Kind::Integer && node.integer >= 1 && node.integer <= kQueuesMax)
    return Queues{0, static_cast<std::uint16_t>(node.integer)};
  if (node.kind == Node::Kind::Text) {
    if (node.text == "auto") return queue_for_each_cpu();
    if (const auto numbers = parse_queue_numbers(node.text)) return numbers;
  }
  report.value_mistake(node,
                       format("`queues` must be a number from 1 to {0}, \"auto\", or up to {0} "
                              "queue numbers such as \"4-7\"",
                              kQueuesMax));
  return std::nullopt;
}

std::vector<Hook> read_hooks(const Node& node, Report& report) {
  static constexpr std::array<std::string_view, 2> kWords{"prerouting", "output"};
  static constexpr Hook kHooks[] = {Hook::Prerouting, Hook::Output};
  std::vector<Hook> result;
  for (const Node& value : one_or_many(node, report)) {
    const auto word = read_word(value, kWords, report);
    if (!word) continue;
    if (std::find(result.begin(), result.end(), kHooks[*word]) == result.end())
      result.push_back(kHooks[*word]);
    else
      report.value_mistake(value, format("`hooks` has `{}` twice", kWords[*word]));
  }
  return result;
}

std::optional<RouteTarget> read_no_route(const Node& node, Report& report) {
  if (node.kind != Node::Kind::Text) {
    report.value_mistake(node, format("`{}` must be \"{}\" or the name of a group", node.key,
                                      join(kActionWords, "\" or \"")));
    return std::nullopt;
  }
  if (const auto action = find_action(node.text)) return *action;
  return ToGroup{node.text};
}

}  // namespace

EngineConfig default_engine() {
  EngineConfig engine;
  engine.queue_count = queue_for_each_cpu().count;
  return engine;
}

EngineConfig read_engine(const Node& node, Report& report) {
  static constexpr std::array<std::string_view, 2> kManage{"table", "elements"};
  static constexpr std::array<std::string_view, 2> kOnEngineDown{"bypass", "drop"};
  static constexpr std::array<std::string_view, 2> kOnBadPacket{"accept", "drop"};

  TableReader in(node, "engine", report);
  EngineConfig engine = default_engine();
  if (const Node* queues = in.find("queues")) {
    if (const auto value = read_queues(*queues, report)) {
      engine.queue_first = value->first;
      engine.queue_count = value->count;
    }
  }
  if (const Node* hooks = in.find("hooks")) {
    if (auto value = read_hooks(*hooks, report); !value.empty()) engine.hooks = std::move(value);
  }
  engine.manage = in.word("manage", kManage).value_or(0) == 0 ? Manage::Table : Manage::Elements;
  engine.mark.mask =
      in.number<std::uint32_t>("mark_mask", kAll<std::uint32_t>).value_or(engine.mark.mask);
  engine.queue_length =
      in.number<std::uint32_t>("queue_length", kQueueLength).value_or(engine.queue_length);
  engine.copy_bytes =
      in.number<std::uint32_t>("copy_bytes", kCopyBytes).value_or(engine.copy_bytes);
  engine.bypass = in.word("on_engine_down", kOnEngineDown).value_or(0) == 0;
  engine.on_bad_packet =
      in.word("on_bad_packet", kOnBadPacket).value_or(0) == 0 ? Action::Accept : Action::Drop;
  if (const Node* target = in.find("on_no_route"))
    engine.on_no_route = read_no_route(*target, report).value_or(engine.on_no_route);
  engine.hash_seed = in.number<std::uint64_t>("hash_seed", kHashSeed).value_or(engine.hash_seed);
  in.finish();
  return engine;
}

}  // namespace nfsteer
