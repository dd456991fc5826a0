// An IPv4 address of the command line.
#pragma once

#include <arpa/inet.h>

#include <cstdio>
#include <cstdlib>

// In host order; ends the program where the text is none.
inline in_addr_t address(const char* text) {
  in_addr parsed{};
  if (::inet_pton(AF_INET, text, &parsed) == 1) return ntohl(parsed.s_addr);
  std::fprintf(stderr, "not an IPv4 address: %s\n", text);
  std::exit(2);
}
