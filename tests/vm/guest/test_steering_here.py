"""Tests of tests/netns, on this kernel too."""

from test_control import test_status_has_what_it_promises  # noqa: F401
from test_criteria import test_users as check_users
from test_groups import test_failed_connections, test_maintenance_moves_udp  # noqa: F401
from test_life import (test_ids_after_the_table_was_taken_away,  # noqa: F401
                       test_killed_engine_hurts_no_established_flow, test_on_engine_down_drop,
                       test_restart_keeps_the_ids, test_sigterm_leaves_the_flows)
from test_marks import (test_flush_flows, test_foreign_mark_bits_are_untouched,  # noqa: F401
                        test_foreign_mark_bits_of_flows_that_are_not_steered,
                        test_local_packets_are_routed_by_their_own_mark, test_mark_mask)
from test_ruleset import test_other_tables_stay, test_text_is_what_the_kernel_has  # noqa: F401
from test_steering import (test_hairpin, test_keep_port, test_output,  # noqa: F401
                           test_ping, test_second_packet_is_never_queued, test_snat, test_tcp4,
                           test_tcp6, test_udp4, test_udp6)
from test_verdicts import test_drop, test_reject  # noqa: F401


def test_users(lab, steer):
    check_users(lab, steer, '{ uid = ["12000-12999", "nobody"] }', "1212")
