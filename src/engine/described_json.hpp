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
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "protocol.hpp"

namespace nfsteer {

template <typename T>
void read_value(const OrderedJson& json, T& value) {
  json.get_to(value);
}
// nlohmann would convert whatever number there is.
template <std::integral Number>
requires(!std::same_as<Number, bool>) void read_value(const OrderedJson& json, Number& value) {
  const bool fits = json.is_number_unsigned() ? std::in_range<Number>(json.get<std::uint64_t>())
                                              : json.is_number_integer() &&
                                                    std::in_range<Number>(json.get<std::int64_t>());
  if (json.is_number() && !fits)
    throw OrderedJson::type_error::create(302, "not a number that fits", &json);
  value = json.get<Number>();
}
inline void read_value(const OrderedJson& json, std::map<std::string, std::uint64_t>& counts) {
  for (const auto& [name, count] : json.get_ref<const OrderedJson::object_t&>())
    read_value(count, counts[name]);
}

}  // namespace nfsteer

template <typename T>
struct nlohmann::adl_serializer<std::optional<T>> {
  static void to_json(nfsteer::OrderedJson& json, const std::optional<T>& value) {
    if (value)
      json = *value;
    else
      json = nullptr;
  }
  static void from_json(const nfsteer::OrderedJson& json, std::optional<T>& value) {
    value.reset();
    if (!json.is_null()) nfsteer::read_value(json, value.emplace());
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
  return [&json](const char* name, auto& member) { read_value(json.at(name), member); };
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
