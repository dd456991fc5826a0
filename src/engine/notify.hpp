// Messages to the service manager (sd_notify(3)'s protocol).
#pragma once

#include <string_view>

namespace nfsteer {

// Sends `state`, such as "READY=1", to the socket that NOTIFY_SOCKET names.
// Does nothing where there is none.
void notify_service_manager(std::string_view state);

}  // namespace nfsteer
