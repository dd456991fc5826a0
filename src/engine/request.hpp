// One request of a client of the control socket, carried out: the text of a
// JSON object in, the text of another out. No socket, no clock.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "control.hpp"

namespace nfsteer {

// What a client may ask for; decided by its uid.
enum class Rights : std::uint8_t { Look, Change };

struct Answer {
  std::string text;      // without the NUL at its end
  bool hang_up = false;  // what follows from this client cannot be trusted to be a request
};

// Never fails: what cannot be done, or throws, is an answer too. `reply` is called once:
// at once, or in the thread of the control for what takes time.
void answer(std::string_view request, Rights rights, Control& control,
            std::function<void(Answer)> reply);

// The answer to bytes that are not a request.
Answer bad_request(const std::string& reason);

}  // namespace nfsteer
