#include "engine/metrics.hpp"

#include <doctest/doctest.h>

#include <sstream>

#include "fake_control.hpp"

using namespace nfsteer;

TEST_CASE("metrics: what a status says, by names that do not change") {
  const std::string text = metrics_text(test::sample_status());
  for (const char* line : {
           "nfsteer_info{version=\"0.1.0\"} 1\n",
           "nfsteer_steering 1\n",
           "nfsteer_configuration_generation 7\n",
           "nfsteer_reloads_total{result=\"failed\"} 54\n",
           "nfsteer_ruleset_repairs_total 55\n",
           "nfsteer_packets_total{queue=\"1\",outcome=\"rejected\"} 4\n",
           "nfsteer_packet_errors_total{queue=\"0\",error=\"enobufs\"} 3\n",
           "nfsteer_queue_packets{queue=\"0\"} 6\n",
           "nfsteer_group_requests_total{group=\"web\"} 76\n",
           "nfsteer_group_panic{group=\"web\"} 1\n",
           "nfsteer_group_tier{group=\"web\"} 2\n",
           "nfsteer_server_state{group=\"web\",server=\"web6\",state=\"drain\"} 1\n",
           "nfsteer_server_state{group=\"web\",server=\"web6\",state=\"up\"} 0\n",
           "nfsteer_server_health{group=\"web\",server=\"web1\",health=\"down\"} 1\n",
           "nfsteer_server_ejected{group=\"web\",server=\"web1\"} 1\n",
           "nfsteer_server_selected_total{group=\"web\",server=\"web1\"} 50\n",
           "nfsteer_server_answer_seconds{group=\"web\",server=\"web1\",quantile=\"0.99\"} 3\n",
           "nfsteer_server_answer_seconds_count{group=\"web\",server=\"web1\"} 305\n",
           "nfsteer_policy_packets_total{policy=\"trial\"} 12\n",
           "nfsteer_failover_total{reason=\"panic\"} 52\n",
           "nfsteer_cache_hits_total{cache=\"flows\"} 42\n",
           "nfsteer_conntrack_entries_max 62\n",
           "# TYPE nfsteer_server_answer_seconds summary\n",
       })
    CHECK_MESSAGE(text.find(line) != std::string::npos, line);
  CHECK(text.find("192.0.2") == std::string::npos);
}

TEST_CASE("metrics: nothing but families with help, type and values") {
  std::istringstream lines(metrics_text(Status()));
  std::string family;
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    if (line.starts_with("# HELP ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      CHECK(line.size() > 7 + family.size() + 3);
    } else if (line.starts_with("# TYPE ")) {
      CHECK(line.substr(7, family.size()) == family);
    } else {
      CHECK(line.starts_with(family));
    }
  }
}
