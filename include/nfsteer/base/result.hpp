// Errors as values. A Result<T> holds a T or says what went wrong, in one
// sentence for the person who has to mend it.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace nfsteer {

// What went wrong, and where there is one, the remedy. Not for control flow:
// callers print it or pass it on.
struct Error {
  std::string message;
};

template <typename T>
using Result = tl::expected<T, Error>;

// The failed Result: return fail("queue {} is taken", number);
inline tl::unexpected<Error> fail(std::string message) {
  return tl::unexpected<Error>(Error{std::move(message)});
}

}  // namespace nfsteer
