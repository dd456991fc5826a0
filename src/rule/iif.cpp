#include "field.hpp"

namespace nfsteer {

const Field k_iif{
    .name = "iif",
    .expects = "an interface such as \"eth0\" or \"eth*\"",
    .parse = parse_interface,
    .address = [](const Subject& subject) noexcept -> const Address* {
      const InterfaceKey& key = subject.flow.in_interface;
      return key == kNoInterface ? nullptr : &key;
    },
};

}  // namespace nfsteer
