#include "field.hpp"

namespace nfsteer {

const Field k_oif{
    .name = "oif",
    .expects = "an interface such as \"eth0\" or \"eth*\"",
    .parse = parse_interface,
    .address = [](const Subject& subject) noexcept -> const Address* {
      const InterfaceKey& key = subject.flow.out_interface;
      return key == kNoInterface ? nullptr : &key;
    },
};

}  // namespace nfsteer
