#include "change_json.hpp"

#include "described_json.hpp"

namespace nfsteer {

template <Is<Reload> S>
void each_field(S& reload, auto field) {
  field("generation", reload.generation);
  field("seconds", reload.seconds);
  field("changes", reload.changes);
  field("changes_left_out", reload.changes_left_out);
  field("confirm_within_s", reload.confirm_within_s);
}

template <Is<Setting> S>
void each_field(S& setting, auto field) {
  field("subject", setting.subject);
  field("before", setting.before);
  field("after", setting.after);
  field("active", setting.active);
  field("warning", setting.warning);
}

namespace {

template <typename T>
Result<T> read(const OrderedJson& json, const char* what) try {
  return json.get<T>();
} catch (const nlohmann::json::exception& error) {
  return fail(format("the engine's answer is no {}: {}", what, error.what()));
}

}  // namespace

OrderedJson reload_to_json(const Reload& reload) {
  return reload;
}

Result<Reload> reload_from_json(const OrderedJson& json) {
  return read<Reload>(json, "reload");
}

OrderedJson setting_to_json(const Setting& setting) {
  return setting;
}

Result<Setting> setting_from_json(const OrderedJson& json) {
  return read<Setting>(json, "setting");
}

}  // namespace nfsteer
