// What changed the engine, as JSON.
#pragma once

#include "nfsteer/engine.hpp"
#include "protocol.hpp"

namespace nfsteer {

OrderedJson reload_to_json(const Reload& reload);
Result<Reload> reload_from_json(const OrderedJson& json);

OrderedJson setting_to_json(const Setting& setting);
Result<Setting> setting_from_json(const OrderedJson& json);

}  // namespace nfsteer
