#include "ruleset_guard.hpp"

#include <functional>
#include <map>
#include <set>
#include <utility>

#include "nfsteer/base/log.hpp"
#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

// Whether the kernel's map has the servers of the ruleset, and no others.
bool is_read_back(const netlink::Ruleset& ruleset) {
  std::map<ServerIdentity, ServerId> wanted;
  for (const auto& server : ruleset.servers)
    wanted[{server.name, server.address, server.port}] = server.id;
  return netlink::installed_servers(ruleset.mark) == wanted;
}

std::uint64_t hash_of(const netlink::Ruleset& ruleset) {
  return std::hash<std::string>{}(netlink::to_nft(ruleset));
}

}  // namespace

RulesetGuard::RulesetGuard(InstalledTable& installed) : installed_(installed) {
  auto monitor = netlink::RulesetMonitor::open();
  if (monitor)
    monitor_ = std::move(*monitor);
  else
    log::warning("what others do to our table goes unnoticed: {}", monitor.error().message);
}

Result<void> RulesetGuard::install(const World& world) {
  return install(world, netlink::make_ruleset(*world.snapshot, world.situation));
}

Result<void> RulesetGuard::install_beside(const World& world) {
  netlink::Ruleset next = netlink::make_ruleset(*world.snapshot, world.situation);
  std::set<ServerId> present;
  for (const auto& server : next.servers) present.insert(server.id);
  for (const auto& server : ruleset_.servers)
    if (!present.contains(server.id)) next.servers.push_back(server);
  return install(world, std::move(next));
}

Result<void> RulesetGuard::install(const World& world, netlink::Ruleset next) {
  if (auto written = write(std::move(next)); !written) return written;
  snapshot_ = world.snapshot;
  plan_ = std::make_unique<netlink::FallbackPlan>(*snapshot_);
  lineups_ = world.situation.lineups;
  return {};
}

// What is known of the kernel's table allows for a change; or else it is made anew.
Result<void> RulesetGuard::write(netlink::Ruleset next) {
  if (!snapshot_ && is_there(next)) {
    form_ = static_cast<netlink::QueueForm>(installed_.queue_form.load());
    ruleset_ = std::move(next);
    return {};
  }
  forget();
  const bool is_known = snapshot_ && !is_stale_ && !change_;
  const bool is_updated = is_known && netlink::update(ruleset_, next, form_).has_value();
  if (!is_updated || !is_read_back(next))
    if (auto made = make(next); !made) return made;
  ruleset_ = std::move(next);
  is_stale_ = false;
  change_.reset();
  remember();
  return {};
}

bool RulesetGuard::is_there(const netlink::Ruleset& ruleset) const {
  const auto generation = netlink::ruleset_generation();
  return generation && *generation == installed_.generation &&
         installed_.text_hash == hash_of(ruleset) && is_read_back(ruleset);
}

void RulesetGuard::remember() {
  installed_.queue_form = static_cast<std::uint32_t>(form_);
  note_generation();
  installed_.text_hash = hash_of(ruleset_);
}

void RulesetGuard::note_generation() {
  if (const auto generation = netlink::ruleset_generation()) installed_.generation = *generation;
}

Result<void> RulesetGuard::make(const netlink::Ruleset& ruleset) {
  const auto installed = netlink::install(ruleset);
  if (!installed) return tl::unexpected(installed.error());
  form_ = *installed;
  if (is_read_back(ruleset)) return {};
  return fail("the kernel's map of servers is not what was written to it");
}

void RulesetGuard::follow(const World& world) {
  if (!snapshot_ || world.snapshot != snapshot_) return;  // there is nothing yet to follow
  if (!is_stale_ && world.situation.lineups == lineups_) return;
  netlink::Ruleset next = ruleset_;
  plan_->write(world.situation, next);
  forget();
  const auto updated = netlink::update(ruleset_, next, form_);
  if (!updated && !is_stale_)
    log::warning("the kernel's fallback is not up to date: {}", updated.error().message);
  is_stale_ = !updated;
  if (!updated) return;
  if (*updated) ++updates_;
  ruleset_ = std::move(next);
  lineups_ = world.situation.lineups;
  if (!change_) remember();
}

void RulesetGuard::look() {
  if (!monitor_) return;
  if (const auto change = monitor_->read()) change_ = change;
  tick();
  if (change_)
    forget();
  else
    note_generation();
}

void RulesetGuard::tick() {
  if (!change_ || !snapshot_ || Clock::now() - repaired_ < kRepairInterval) return;
  if (!change_->is_certain) {
    const auto intact = netlink::is_installed(ruleset_);
    if (intact && *intact) return change_.reset();
  }
  repair();
}

void RulesetGuard::repair() {
  repaired_ = Clock::now();
  const auto installed = make(ruleset_);
  if (!installed) {
    const std::string& why = installed.error().message;
    if (std::exchange(complaint_, why) != why)
      log::error("{} changed table inet nfsteer, which cannot be repaired: {}", change_->author,
                 why);
    return;  // tried again
  }
  complaint_.clear();
  ++repairs_;
  log::warning("{} changed table inet nfsteer: repaired", change_->author);
  change_.reset();
  remember();
}

}  // namespace nfsteer
