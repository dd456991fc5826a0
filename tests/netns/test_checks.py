"""Servers that are asked how they are, and what follows for flows."""

import pytest
from clients import udp_flows
from lab import SERVER4, VIP4, wait_until
from rules import SERVERS, rules
from test_failover import FOUR, IS_SILENT, REFUSES, TCP, Sick, tries

FAST = 'interval = "200ms"\ninterval_down = "200ms"\ntimeout = "150ms"\n'
NOBODY = """
[check.web]
kind = "exec"
command = ["/bin/sh", "-c", "echo not {address}; exit 1"]
"""


def checked(check=FAST, group='failover = "probe"', servers=FOUR, more="", **options):
    return rules(servers=servers, group=f'check = "web"\n{group}',
                 more=f"[check.web]\n{check}\n{more}", **options)


def health(engine):
    return engine.figures("health")


def wait_for(engine, **wanted):
    wait_until(lambda: all(health(engine)[name] == state for name, state in wanted.items()), 30)


@pytest.mark.parametrize("verdict, reason", [(REFUSES, "refused"),
                                             (IS_SILENT, "no answer within 150ms")])
def test_a_server_goes_down_and_comes_back(lab, steer, verdict, reason):
    engine = steer(checked())
    wait_for(engine, web1="up", web2="up", web3="up")
    sick = Sick(lab, "web2", verdict, TCP)
    wait_for(engine, web2="down")
    assert engine.server("web2")["check"]["reason"] == reason
    assert set(tries(lab, 20)) == {"web1", "web3"}
    assert f"web/web2 is down: {reason} [check-failed]" in engine.log
    assert engine.group("web")["panic"] is False
    sick.heal()
    wait_for(engine, web2="up")
    assert set(tries(lab, 20)) == {"web1", "web2", "web3"}
    wait_until(lambda: "web/web2 is up: connected [check-passed]" in engine.log)


def test_both_families(lab, steer):
    engine = steer(checked(servers=SERVERS))
    wait_for(engine, web1="up", six1="up", six2="up", six3="up")


def test_failover_none_only_shows(lab, steer):
    engine = steer(checked(group='failover = "none"'))
    Sick(lab, "web2", REFUSES, "tcp dport 8080")
    wait_for(engine, web1="up", web2="down")
    assert {answer.server for answer in udp_flows(lab.client, VIP4, 80, 30)} == \
        {"web1", "web2", "web3"}


def test_ready_after_the_first_answers(lab, steer):
    """Who is held for down until it is asked takes flows as soon as that is said."""
    engine = steer(checked(FAST + 'start = "down"\n'))
    assert set(health(engine).values()) == {"up"}
    assert set(tries(lab, 9)) == {"web1", "web2", "web3"}


def test_last_state_outlives_a_restart(lab, steer):
    slow = 'interval = "1h"\ntimeout = "150ms"\nstart = "last"\n'
    engine = steer(checked(FAST + 'start = "last"\n'))
    Sick(lab, "web2", REFUSES, TCP)
    wait_for(engine, web1="up", web2="down", web3="up")
    engine.close()
    engine.rules_file.write_text(checked(slow))
    engine.launch()
    wait_until(lambda: engine.command("status", check=False).returncode == 0)
    assert health(engine) == {"web1": "up", "web2": "down", "web3": "up"}
    engine.kill_engine()
    assert health(engine) == {"web1": "up", "web2": "down", "web3": "up"}


def test_reload_keeps_what_is_known(lab, steer):
    engine = steer(checked())
    Sick(lab, "web2", REFUSES, TCP)
    wait_for(engine, web1="up", web2="down", web3="up")
    since = engine.server("web2")["check"]["since"]
    engine.rules_file.write_text(checked(engine='on_bad_packet = "drop"'))
    engine.command("reload")
    assert health(engine) == {"web1": "up", "web2": "down", "web3": "up"}
    assert engine.server("web2")["check"]["since"][:19] == since[:19]
    engine.rules_file.write_text(rules(servers=FOUR))
    said = engine.command("reload").stdout
    assert "check.web" in said
    assert set(health(engine).values()) == {"unknown"}
    assert engine.server("web2")["check"] is None


def test_probes_are_never_steered(lab, steer):
    """Everything that this machine sends is steered, but for the checks."""
    engine = steer(checked(engine='hooks = ["output"]', more="""
        [[policy]]
        name = "all"
        group = "web"
        """))
    wait_for(engine, web1="up", web2="up", web3="up")
    wait_until(lambda: engine.server("web1")["check"]["last"] is not None)
    assert engine.total("received") == 0


def test_probes_of_programs_are_never_steered(lab, steer):
    """They cannot mark what they send: their user's packets are left alone."""
    engine = steer(rules(servers=FOUR, group='check = "web"', engine='hooks = ["output"]', more="""
        [check.web]
        kind = "exec"
        command = ["/usr/bin/curl", "-sS", "-m", "5", "telnet://{address}:{port}"]
        user = "games"

        [[policy]]
        name = "all"
        group = "web"
        """))
    wait_until(lambda: engine.server("web1")["check"]["last"], 20)
    assert engine.total("received") == 0
    lab.router.run("curl", "-sS", "-m", "1", f"telnet://{SERVER4['web1']}:8080", check=False)
    assert engine.total("received") == 1


def test_lazy_checks_wait_until_flows_fail(lab, steer):
    engine = steer(checked(group='failover = "probe"\nlazy = true'))
    assert set(health(engine).values()) == {"unknown"}
    sick = Sick(lab, "web2", REFUSES, TCP)
    tries(lab, 60)  # of which a third fails
    wait_for(engine, web2="down")
    assert set(tries(lab, 20)) == {"web1", "web3"}
    sick.heal()
    wait_for(engine, web2="up")


def test_prober_is_suspected_when_all_fail(lab, steer):
    """Not the servers fail, but the way to them: nobody goes down for it."""
    engine = steer(checked(FAST + "fall = 2\n"))
    wait_for(engine, web1="up", web2="up", web3="up")
    sick = [Sick(lab, name, IS_SILENT, TCP) for name in ("web1", "web2", "web3")]
    wait_until(lambda: "[prober-suspected]" in engine.log, 20)
    assert set(health(engine).values()) == {"up"}
    assert engine.status()["failover"]["prober-suspected"] == 1
    for each in sick:
        each.heal()
    wait_until(lambda: "[prober-trusted]" in engine.log, 20)
    assert set(health(engine).values()) == {"up"}


def test_exec_says_why(lab, steer):
    engine = steer(rules(servers=FOUR, group='check = "web"\nfailover = "probe"', more=NOBODY))
    wait_until(lambda: engine.server("web1")["check"]["last"], 20)
    assert engine.server("web1")["check"]["reason"].endswith("not 10.2.0.1")


def test_status_shows_checks(lab, steer):
    engine = steer(checked())
    wait_for(engine, web1="up", web2="up", web3="up")
    text = engine.command("status").stdout
    assert "connected" in text and "web/web1" in text
