// What changes the engine while it runs: reloads, and what people set.
#include <malloc.h>
#include <time.h>

#include <chrono>
#include <memory>
#include <utility>

#include "engine.hpp"
#include "nfsteer/base/log.hpp"
#include "nfsteer/base/text.hpp"
#include "notify.hpp"

namespace nfsteer {
namespace {

// How long after a reload the kernel's table keeps servers that left: verdicts that were
// given before may still name them.
constexpr std::chrono::seconds kTidyAfter{1};

using Seconds = std::chrono::duration<double>;

tl::unexpected<ReloadError> refuse(std::string message) {
  return tl::unexpected(ReloadError{false, std::move(message)});
}

// By the clock that all processes share.
std::uint64_t monotonic_s() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec);
}

// sd_notify(3): when a reload began.
std::string reloading() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return format("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1'000'000 + now.tv_nsec / 1'000);
}

}  // namespace

// ---- reloads ------------------------------------------------------------------------

void Engine::reload(std::optional<std::chrono::seconds> confirm, ReloadDone done) {
  if (seat_.shared->confirm_by_s != 0)
    return done(refuse("the last reload waits for `nfsteer confirm` or `nfsteer undo`"));
  const auto rules = seat_.rules.current();
  if (!rules) return done(refuse(rules.error().message));
  if (rules->path == "-")
    return done(refuse("the rules were read from standard input, which cannot be read again"));
  load(rules->path, [this, confirm, done = std::move(done)](auto reloaded) {
    if (reloaded && confirm) {
      seat_.shared->confirm_by_s = monotonic_s() + static_cast<std::uint64_t>(confirm->count());
      reloaded->confirm_within_s = static_cast<std::uint64_t>(confirm->count());
    }
    done(std::move(reloaded));
  });
}

void Engine::load(std::variant<std::string, Sources> from, ReloadDone done) {
  if (reloader_.is_busy()) return done(refuse("another reload is under way"));
  notify_service_manager(reloading());
  const auto began = Clock::now();
  // Which ids flows carry matters where a new one is given. To read it from conntrack may
  // take longer than the control thread has.
  const auto known = std::make_shared<KnownIds>();
  const auto stage = [this, known, given = steering_.known_ids(),
                      layout = snapshot().engine.mark](const Candidate& candidate) {
    if (!knows_all(given, candidate.prepared.groups))
      if (const auto flows = netlink::count_flows(layout.mask))
        for (const auto& [mark, count] : *flows)
          known->in_use.insert(static_cast<ServerId>(mark >> layout.shift()));
    return seat_.rules.stage(candidate.sources);
  };
  reloader_.load(std::move(from), stage, [this, known, began, done](Loaded loaded) {
    auto reloaded = put_in_force(std::move(loaded), *known);
    notify_service_manager("READY=1");
    if (reloaded) {
      reloaded->seconds = Seconds(Clock::now() - began).count();
      log::info(
          "configuration {} is in force, {}", reloaded->generation,
          counted(reloaded->changes.size() + reloaded->changes_left_out, "change", "changes"));
    } else {
      ++reloads_failed_;
      log::error("the rules stay as they are: {}", reloaded.error().message);
    }
    notify_service_manager(format("STATUS=configuration {}{}", seat_.rules.number(),
                                  reloaded ? "" : "; the last reload failed"));
    done(std::move(reloaded));
  });
}

// All or nothing: the kernel's table first, where servers of both stand for a while, as
// workers go over from one to the other at a moment of their own.
tl::expected<Reload, ReloadError> Engine::put_in_force(Loaded loaded, KnownIds known) {
  if (!loaded) return tl::unexpected(loaded.error());
  Prepared& prepared = loaded->prepared;
  if (auto why = needs_restart(snapshot().engine, prepared.snapshot->engine); !why.empty())
    return refuse(std::move(why));
  Difference difference = steering_.difference(prepared);
  const auto install = [this](const World& next) { return guard_.install_beside(next); };
  if (const auto applied = steering_.apply(std::move(prepared), known, install); !applied)
    return refuse(applied.error().message);
  seat_.rules.commit();
  ++reloads_;
  reloaded_ = Clock::now();
  is_tidy_ = false;
  settle_in(known);
  return Reload{seat_.rules.number(), 0, std::move(difference.changes), difference.left_out, {}};
}

void Engine::settle_in(const KnownIds& known) {
  server_names_.set(steering_, known);
  listen_for_scrapes();
  read_clock();
  follow_checks();
  look_after_failures();
  feed_.reconcile_soon();
}

void Engine::tidy() {
  if (is_tidy_ || Clock::now() - reloaded_ < kTidyAfter || steering_.worlds_left() > 0) return;
  is_tidy_ = true;
  ::malloc_trim(0);  // what the configuration before took
  if (const auto installed = guard_.install(steering_.world()); !installed)
    log::warning("the table keeps servers that left: {}", installed.error().message);
}

void Engine::go_back(ReloadDone done) {
  auto before = seat_.rules.previous();
  if (!before) return done(refuse(before.error().message));
  load(*std::move(before), [this, done = std::move(done)](auto reloaded) {
    if (reloaded) seat_.shared->confirm_by_s = 0;
    done(std::move(reloaded));
  });
}

void Engine::undo(ReloadDone done) {
  if (seat_.shared->confirm_by_s == 0)
    return done(refuse("there is nothing to undo: no reload waits to be confirmed"));
  go_back(std::move(done));
}

Result<void> Engine::confirm() {
  if (seat_.shared->confirm_by_s.exchange(0) == 0)
    return fail("there is nothing to confirm: no reload waits for it");
  return {};
}

void Engine::go_back_if_due() {
  const std::uint64_t due = seat_.shared->confirm_by_s;
  if (due == 0 || monotonic_s() < due || reloader_.is_busy()) return;
  log::warning("the last reload was not confirmed: the rules of before come back");
  go_back([this](const auto& reloaded) {
    if (reloaded) return;
    seat_.shared->confirm_by_s = 0;  // it would fail again
  });
}

void Engine::diff(const std::string& path, ReloadDone done) {
  if (reloader_.is_busy()) return done(refuse("a reload is under way"));
  const auto began = Clock::now();
  reloader_.load(
      path, [](const Candidate&) { return Result<void>(); },
      [this, began, done = std::move(done)](Loaded loaded) {
        if (!loaded) return done(tl::unexpected(loaded.error()));
        const Prepared& prepared = loaded->prepared;
        Difference difference = steering_.difference(prepared);
        if (auto why = needs_restart(snapshot().engine, prepared.snapshot->engine); !why.empty())
          difference.changes.insert(difference.changes.begin(), "! " + why);
        done(Reload{seat_.rules.number(),
                    Seconds(Clock::now() - began).count(),
                    std::move(difference.changes),
                    difference.left_out,
                    {}});
      });
}

// ---- what people set ----------------------------------------------------------------

Result<const Server*> Engine::find(const std::string& server) const {
  const Server* found = steering_.find_server(server);
  if (found) return found;
  return fail(unknown("server", server));
}

// Without a warning it is kept.
Result<Setting> Engine::set(Setting setting, Overrides overrides, const Server* server) {
  steering_.set_overrides(std::move(overrides), Clock::now());
  server_names_.update(steering_);
  look_after_failures();
  feed_.reconcile_soon();
  if (server) setting.active = steering_.records().read(server->id).active;
  setting.warning = save();
  log::info("{}: {} -> {}", setting.subject, setting.before, setting.after);
  return setting;
}

Result<Setting> Engine::set_state(const std::string& server, ServerState state) {
  const auto found = find(server);
  if (!found) return tl::unexpected(found.error());
  const ServerState before = steering_.state_of(**found);
  Overrides overrides = steering_.overrides();
  auto& set = overrides.servers[server];
  const bool is_configured = state == (*found)->state;
  set.state = is_configured ? std::nullopt : std::optional(state);
  if (state != before) set.since = std::chrono::system_clock::now();
  if (is_configured) set.since.reset();
  if (set == Overrides::OfServer()) overrides.servers.erase(server);
  return this->set({server, name(before), name(state), 0, {}}, std::move(overrides), *found);
}

Result<Setting> Engine::set_weight(const std::string& server, const WeightOverride& weight) {
  const auto found = find(server);
  if (!found) return tl::unexpected(found.error());
  const std::uint32_t before = steering_.weight_of(**found);
  Overrides overrides = steering_.overrides();
  auto& set = overrides.servers[server];
  set.weight = weight == WeightOverride() ? std::nullopt : std::optional(weight);
  if (set == Overrides::OfServer()) overrides.servers.erase(server);
  auto made =
      this->set({server, format("weight {}", before), {}, 0, {}}, std::move(overrides), *found);
  if (made) made->after = format("weight {}", steering_.weight_of(**found));
  return made;
}

Result<Setting> Engine::set_algorithm(const std::string& group, const std::string& algorithm) {
  const auto& groups = snapshot().groups;
  const auto found = std::ranges::find(groups, group, &Group::name);
  if (found == groups.end()) return fail(unknown("group", group));
  if (!find_algorithm(algorithm)) {
    std::vector<std::string_view> names;
    for (const Algorithm& each : algorithms()) names.emplace_back(each.name);
    const auto meant = nearest(algorithm, names);
    return fail(format(
        "there is no algorithm `{}`: {}", printable(algorithm),
        meant ? format("did you mean `{}`?", *meant) : format("there are {}", join(names, ", "))));
  }
  const std::size_t index = static_cast<std::size_t>(found - groups.begin());
  const std::string before = steering_.world().situation.lineups[index]->algorithm->name;
  Overrides overrides = steering_.overrides();
  if (algorithm == found->algorithm)
    overrides.algorithms.erase(group);
  else
    overrides.algorithms[group] = algorithm;
  return set({group, before, algorithm, 0, {}}, std::move(overrides), nullptr);
}

// What is wrong where it is not kept for the next run; the next engine has it anyway.
std::string Engine::save() {
  saved_ = Clock::now();
  is_saved_ = true;
  EngineState state;
  state.overrides = steering_.overrides();
  state.checks = checks_.last();
  const std::string text = to_text(state);
  if (const auto staged = seat_.notes.stage({text, {}}))
    seat_.notes.commit();
  else
    log::warning("{}", staged.error().message);
  if (const auto saved = state_file_.save(text); !saved)
    return format("it is forgotten when nfsteer ends: {}", saved.error().message);
  return {};
}

}  // namespace nfsteer
