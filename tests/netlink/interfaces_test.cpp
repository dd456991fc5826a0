// The interfaces of a real kernel, in network namespaces of the test's own.
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

#include "fresh_netns.hpp"
#include "nfsteer/netlink.hpp"

using namespace nfsteer;
using namespace nfsteer::netlink;
using testing::in_fresh_netns;
using testing::run;

namespace {

// Throws what went wrong: it will be the result of in_fresh_netns().
template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

// The names of all interfaces, in alphabetical order.
std::string names() {
  std::vector<std::string> all;
  for (const auto listed = must(interfaces()); const auto& [index, name] : listed)
    all.push_back(name);
  std::sort(all.begin(), all.end());
  std::string text;
  for (const std::string& name : all) text += (text.empty() ? "" : " ") + name;
  return text;
}

// Whether the monitor has been told of something, or is within the time.
bool is_told(const Fd& monitor, int wait_ms) {
  pollfd polled{monitor.get(), POLLIN, 0};
  return ::poll(&polled, 1, wait_ms) == 1;
}

void must_be_told(const Fd& monitor, const std::string& of) {
  if (!is_told(monitor, 10'000)) throw std::runtime_error("not told of " + of);
  drain_interface_monitor(monitor.get());
}

}  // namespace

TEST_CASE("interfaces: index and name of each") {
  const auto result = in_fresh_netns([] {
    run("ip link add left index 70 type veth peer name fifteen-letters index 71");
    std::string text;
    for (const auto listed = must(interfaces()); const auto& [index, name] : listed)
      text += name + "=" + std::to_string(index) + " ";
    return text;
  });
  if (!result) return;
  CHECK(result->find("lo=1 ") != result->npos);
  CHECK(result->find("left=70 ") != result->npos);
  CHECK(result->find("fifteen-letters=71 ") != result->npos);
}

TEST_CASE("interfaces: more than one message tells") {
  const auto result = in_fresh_netns([] {
    std::string batch;
    for (int i = 0; i < 300; ++i)
      batch +=
          "link add a" + std::to_string(i) + " type veth peer name b" + std::to_string(i) + "\n";
    const auto before = must(interfaces()).size();
    run("ip -batch -", batch);
    return std::to_string(must(interfaces()).size() - before);
  });
  if (result) CHECK(*result == "600");
}

TEST_CASE("interfaces: without privilege") {
  const auto result = in_fresh_netns([]() -> std::string {
    if (::setresuid(65534, 65534, 65534) != 0) return "still root";
    must(open_interface_monitor());
    return names();
  });
  if (result) CHECK(result->find("lo") != result->npos);
}

TEST_CASE("interface monitor: is told of what comes, changes its name, and goes") {
  const auto result = in_fresh_netns([] {
    const Fd told = must(open_interface_monitor());
    const std::string lo = names();
    std::string seen;
    for (const char* change :
         {"add veth1 type veth peer name veth2", "set veth1 name eth7", "del veth2"}) {
      if (is_told(told, 0)) throw std::runtime_error(std::string("told before: ") + change);
      run(std::string("ip link ") + change);
      must_be_told(told, change);
      const std::string now = names();
      seen += (now == lo ? "as before" : now) + "; ";
    }
    return seen;
  });
  if (!result) return;
  CHECK(result->find("veth1 veth2; ") != result->npos);
  CHECK(result->find("eth7") < result->find("; as before; "));
}

TEST_CASE("interface monitor: more changes than it has room for are one change") {
  const auto result = in_fresh_netns([]() -> std::string {
    const Fd told = must(open_interface_monitor());
    const int bytes = 1;  // the kernel makes it its least
    ::setsockopt(told.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    std::string batch = "link add veth1 type veth peer name veth2\n";
    for (int i = 0; i < 50; ++i)
      batch += i % 2 == 0 ? "link set veth1 down\n" : "link set veth1 up\n";
    run("ip -batch -", batch);
    must_be_told(told, "many changes");
    if (is_told(told, 0)) return "not drained";
    run("ip link del veth1");
    must_be_told(told, "the next");
    return "told";
  });
  if (result) CHECK(*result == "told");
}
