// Structs as JSON objects. The members of a struct with their names in JSON are
// listed once, for both directions:
//
//   template <Is<Server> S>
//   void each_field(S& server, auto field) {
//     field("name", server.name);
//   }
//
// `field(name, member)` writes where S is const and reads where it is not. A
// member that may be absent is null.
#pragma once

#include <concepts>
#include <optional>
#include <type_traits>

#include "protocol.hpp"

template <typename T>
struct nlohmann::adl_serializer<std::optional<T>> {
  static void to_json(nfsteer::OrderedJson& json, const std::optional<T>& value) {
    if (value)
      json = *value;
    else
      json = nullptr;
  }
  static void from_json(const nfsteer::OrderedJson& json, std::optional<T>& value) {
    if (json.is_null())
      value.reset();
    else
      value = json.get<T>();
  }
};

namespace nfsteer {

template <typename S, typename Struct>
concept Is = std::same_as<std::remove_const_t<S>, Struct>;

template <typename S>
concept Described = requires(S& value) {
  each_field(value, [](const char*, auto&) {});
};

// What each_field() is given.
inline auto writer(OrderedJson& json) {
  return [&json](const char* name, const auto& member) { json[name] = member; };
}
inline auto reader(const OrderedJson& json) {
  return [&json](const char* name, auto& member) { json.at(name).get_to(member); };
}

// nlohmann's hooks, found by the type's namespace.
template <Described S>
void to_json(OrderedJson& json, const S& value) {
  each_field(value, writer(json));
}
template <Described S>
void from_json(const OrderedJson& json, S& value) {
  each_field(value, reader(json));
}

}  // namespace nfsteer
