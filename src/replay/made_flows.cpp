#include <algorithm>
#include <utility>

#include "maker.hpp"
#include "nfsteer/replay.hpp"

namespace nfsteer {

// Each flow is over before the next begins: they do not fill servers up.
struct MadeFlows::Inside {
  std::vector<const Snapshot*> snapshots;  // that are left; the last is at work
  std::optional<Maker> maker;
  std::vector<Draft> drafts;
  std::size_t next = 0;
  bool is_open = false;

  bool refill();
};

MadeFlows::MadeFlows(std::vector<const Snapshot*> snapshots) : inside_(std::make_unique<Inside>()) {
  std::ranges::reverse(snapshots);
  inside_->snapshots = std::move(snapshots);
}
MadeFlows::~MadeFlows() = default;

std::optional<FlowEvent> MadeFlows::next() {
  FlowEvent event;
  if (std::exchange(inside_->is_open, false)) return event;
  if (!inside_->refill()) return std::nullopt;
  const Draft& draft = inside_->drafts[inside_->next++];
  event.flow = draft.flow;
  event.at = draft.at;
  inside_->is_open = true;
  return event;
}

bool MadeFlows::Inside::refill() {
  while (next == drafts.size()) {
    if (snapshots.empty()) return false;
    if (!maker) maker.emplace(*snapshots.back());
    if (auto made = maker->next()) {
      drafts = std::move(*made);
      next = 0;
    } else {
      maker.reset();
      snapshots.pop_back();
    }
  }
  return true;
}

}  // namespace nfsteer
