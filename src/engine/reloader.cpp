#include "reloader.hpp"

#include <pthread.h>

#include <memory>

#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

using Loaded = tl::expected<Candidate, ReloadError>;

// A configuration made of a file, or of what was read before.
LoadResult read(const std::variant<std::string, Sources>& from, Sources& sources) {
  if (const auto* path = std::get_if<std::string>(&from)) return load_config(*path, sources);
  sources = std::get<Sources>(from);
  return load_config(sources);
}

Loaded load(const std::variant<std::string, Sources>& from, const Reloader::Stage& stage) {
  Candidate candidate;
  const LoadResult loaded = read(from, candidate.sources);
  if (const auto* mistakes = std::get_if<std::vector<Diagnostic>>(&loaded))
    return tl::unexpected(ReloadError{true, render(*mistakes)});
  candidate.prepared = prepare(std::get<Config>(loaded));
  if (const auto staged = stage(candidate); !staged)
    return tl::unexpected(ReloadError{false, staged.error().message});
  candidate.sources.contents.clear();  // they are no more needed, and may be large
  return candidate;
}

}  // namespace

std::string needs_restart(const EngineConfig& from, const EngineConfig& to) {
  std::vector<const char*> keys;
  if (from.queue_first != to.queue_first || from.queue_count != to.queue_count)
    keys.push_back("queues");
  if (from.queue_length != to.queue_length) keys.push_back("queue_length");
  if (from.copy_bytes != to.copy_bytes) keys.push_back("copy_bytes");
  if (!(from.mark == to.mark)) keys.push_back("mark_mask");
  if (from.manage != to.manage) keys.push_back("manage");
  // The rules of base chains that depend on these are the operator's.
  if (to.manage == Manage::Elements && from.hooks != to.hooks) keys.push_back("hooks");
  if (to.manage == Manage::Elements && from.bypass != to.bypass) keys.push_back("on_engine_down");
  if (keys.empty()) return {};
  return format("{} of [engine] cannot change while flows are steered: restart nfsteer",
                join(keys, ", "));
}

Reloader::~Reloader() {
  if (thread_.joinable()) thread_.join();
}

void Reloader::load(std::variant<std::string, Sources> from, Stage stage, Done done) {
  if (thread_.joinable()) thread_.join();
  busy_ = true;
  thread_ =
      std::thread([this, from = std::move(from), stage = std::move(stage), done = std::move(done)] {
        auto loaded = std::make_shared<Loaded>();
        try {
          *loaded = nfsteer::load(from, stage);
        } catch (const std::exception& error) {  // as for want of memory
          *loaded = tl::unexpected(ReloadError{false, error.what()});
        }
        post_([this, loaded, done] {
          busy_ = false;
          done(std::move(*loaded));
        });
      });
  ::pthread_setname_np(thread_.native_handle(), "reload");
}

}  // namespace nfsteer
