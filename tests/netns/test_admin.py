"""What people set while it runs: drain, maintenance, weights, algorithms; and that it is
kept."""

import collections
import json

import pytest
from clients import Connection, UdpSender, udp_flows
from lab import VIP4, wait_until
from rules import rules


def share(lab, flows=90):
    return dict(sorted(collections.Counter(
        answer.server for answer in udp_flows(lab.client, VIP4, 80, flows)).items()))


def test_drain_and_undrain(lab, steer):
    engine = steer(rules())
    with Connection(lab.client, VIP4, 80) as connection:
        server = connection.ask().server
        wait_until(lambda: engine.server(server)["active"] == 1)
        done = engine.command("drain", f"web/{server}")
        assert done.stdout == f"web/{server}  up -> drain   1 connection left\n"
        assert server not in share(lab)
        assert connection.ask().server == server  # what it has goes on
        assert engine.server(server)["state"] == "drain"
        assert "DRAIN" in engine.command("status").stdout
    assert engine.command("undrain", f"web/{server}").stdout.startswith(
        f"web/{server}  drain -> up")
    assert set(share(lab)) == {"web1", "web2", "web3"}


def test_drain_waits_for_the_last_connection(lab, steer):
    engine = steer(rules())
    with Connection(lab.client, VIP4, 80) as connection:
        server = connection.ask().server
        wait_until(lambda: engine.server(server)["active"] == 1)
        late = engine.command("drain", f"web/{server}", "--wait", "--timeout", "500ms",
                              check=False)
        assert late.returncode == 1
        assert f"web/{server} still has 1 connection" in late.stderr
    done = engine.command("drain", f"web/{server}", "--wait")
    assert "drained in " in done.stdout


@pytest.mark.parametrize("arguments, code, message", [
    (("drain", "web/wbe1"), 1, "there is no server `web/wbe1`: did you mean `web/web1`?"),
    (("drain", "web1"), 2, "not of the form GROUP/SERVER"),
    (("undrain", "wbe/web1"), 1, "did you mean `web/web1`?"),
    (("maintenance",), 2, "SERVER is required"),
    (("drain", "web/web1", "--timeout", "5m"), 2, "--timeout requires --wait"),
    (("drain", "web/web1", "--wait", "--timeout", "5"), 2, "is no duration"),
    (("set", "web/web1", "weight", "0"), 1, "to take a server out, drain it"),
    (("set", "web/web1", "weight", "heavy"), 1, "`heavy` is no weight"),
    (("set", "web/web1", "algorithm", "hash"), 2, "a group has an algorithm"),
    (("set", "web", "weight", "5"), 2, "a server (GROUP/SERVER) has a weight"),
    (("set", "web", "algorithm", "hsah"), 1, "did you mean `hash`?"),
    (("set", "wbe", "algorithm", "hash"), 1, "there is no group `wbe`: did you mean `web`?"),
])
def test_what_cannot_be_set(lab, steer, arguments, code, message):
    engine = steer(rules())
    refused = engine.command(*arguments, check=False)
    assert refused.returncode == code and message in refused.stderr, refused.stderr


def test_maintenance_moves_udp(lab, steer):
    engine = steer(rules())
    sender = UdpSender(lab.client, VIP4, 80)
    server = sender.ask().server
    engine.command("maintenance", f"web/{server}")
    wait_until(lambda: not sender.goes_to(server), 20)
    sender.close()


def test_weight_and_algorithm(lab, steer):
    engine = steer(rules(group='algorithm = "weighted"'))
    assert engine.command("set", "web/web1", "weight", "8").stdout == \
        "web/web1  weight 1 -> weight 8\n"
    assert share(lab, 100) == {"web1": 80, "web2": 10, "web3": 10}
    engine.command("set", "web/web1", "weight", "200%")
    assert share(lab, 100) == {"web1": 50, "web2": 25, "web3": 25}
    engine.command("set", "web/web1", "weight", "100%")
    assert engine.command("set", "web", "algorithm", "hash").stdout == "web  weighted -> hash\n"
    assert engine.group("web")["algorithm"] == "hash"
    chosen = set()
    for _ in range(5):
        with Connection(lab.client, VIP4, 80, source="10.1.0.5") as connection:
            chosen.add(connection.ask().server)
    assert len(chosen) == 1


def test_kept_over_reload_crash_and_restart(lab, steer):
    engine = steer(rules(group='algorithm = "weighted"'))
    engine.command("drain", "web/web2")
    engine.command("set", "web/web1", "weight", "3")
    wanted = {"web1": 60, "web3": 20}
    assert share(lab, 80) == wanted
    engine.command("reload")
    assert share(lab, 80) == wanted
    engine.kill_engine()
    assert share(lab, 80) == wanted
    engine.close()
    engine.start()
    assert share(lab, 80) == wanted
    assert engine.server("web2")["state"] == "drain"
    engine.command("undrain", "web/web2")
    engine.command("set", "web/web1", "weight", "100%")
    assert json.loads((engine.state_directory / "state.json").read_text())["servers"] == {}


def test_the_fallback_follows(lab, steer):
    engine = steer(rules())
    engine.command("drain", "web/web2")
    wait_until(lambda: engine.status()["engine"]["fallback_updates"] == 1)
    engine.kill_both()
    assert set(share(lab)) == {"web1", "web3"}


@pytest.mark.parametrize("content", ["", "garbage", '{"schema": 2}', '{"schema": 1}', "\0" * 99])
def test_a_damaged_state_file_is_said_and_ignored(lab, steer, content):
    engine = steer(rules(), start=False)
    engine.state_directory.mkdir()
    (engine.state_directory / "state.json").write_text(content)
    engine.start()
    assert "what was set in earlier runs is not known" in engine.log
    assert set(share(lab)) == {"web1", "web2", "web3"}
    assert (engine.state_directory / "state.json").read_text() == content
    engine.command("drain", "web/web2")
    assert "web/web2" in (engine.state_directory / "state.json").read_text()


def test_a_state_directory_that_takes_nothing_warns_and_drains(lab, steer):
    engine = steer(rules(), start=False)
    engine.state_directory.mkdir()
    (engine.state_directory / "state.json.new").mkdir()  # no file can be written there
    engine.start()
    done = engine.command("drain", "web/web2")
    assert "it is forgotten when nfsteer ends" in done.stderr
    assert set(share(lab)) == {"web1", "web3"}
    engine.kill_engine()  # the next engine knows it all the same
    assert set(share(lab)) == {"web1", "web3"}


def test_drain_deadline(lab, steer):
    """Then the flows that are left end, where the group says so."""
    engine = steer(rules(group='drain_timeout = "1s"\non_drain_timeout = "cut"'))
    with Connection(lab.client, VIP4, 80) as connection:
        server = connection.ask().server
        wait_until(lambda: engine.server(server)["active"] == 1)
        engine.command("drain", f"web/{server}")
        wait_until(lambda: engine.server(server)["active"] == 0, 20)
        assert f"the flows of web/{server} were cut: its drain is over" in engine.log


def test_drain_deadline_keeps(lab, steer):
    engine = steer(rules(group='drain_timeout = "1s"'))
    with Connection(lab.client, VIP4, 80) as connection:
        before = connection.ask()
        wait_until(lambda: engine.server(before.server)["active"] == 1)
        engine.command("drain", f"web/{before.server}")
        wait_until(lambda: "still has 1 flow: they go on" in engine.log, 20)
        assert connection.ask() == before
