"""New rules while all runs: reload, diff, confirm and undo, and what stays as it was."""

import collections
import json
import os
import pathlib
import signal
import socket
import threading

import pytest
from clients import Connection, SteadyFlows, tcp_ask, udp_flows
from lab import SERVER4, VIP4, wait_until
from rules import SERVERS, rules

WITHOUT_WEB2 = SERVERS.replace('{ name = "web2", address = "10.2.0.2", port = 8080 },', "")
ALL = {"web1", "web2", "web3"}


def reload(engine, text=None, *options, check=True):
    if text is not None:
        engine.rules_file.write_text(text)
    return engine.command("reload", *options, check=check)


def share(answers):
    return collections.Counter(answer.server for answer in answers)


def test_reload_says_what_changed(lab, steer):
    engine = steer(rules(group='algorithm = "weighted"'))
    assert reload(engine).stdout.startswith("nothing has changed\nconfiguration 2 in force after ")
    done = reload(engine, rules(group='algorithm = "weighted"', servers=WITHOUT_WEB2.replace(
        '"10.2.0.1", port = 8080', '"10.2.0.1", port = 8080, weight = 3')))
    assert done.stdout.splitlines()[:2] == ["- group.web.web2", "~ group.web.web1.weight 1 -> 3"]
    assert engine.status()["engine"]["generation"] == 3
    assert engine.status()["engine"]["reloads"] == 2
    answers = udp_flows(lab.client, VIP4, 80, 400)
    assert share(answers)["web1"] == pytest.approx(300, abs=10)
    assert share(answers)["web3"] == pytest.approx(100, abs=10)


def test_reload_keeps_flows_counts_and_order(lab, steer):
    engine = steer(rules())
    udp_flows(lab.client, VIP4, 80, 31)
    with Connection(lab.client, VIP4, 80) as connection:
        before = connection.ask()
        server = engine.server(before.server)
        reload(engine, rules(servers=SERVERS + '{ name = "new", address = "10.2.0.4" },'))
        assert connection.ask() == before
        after = engine.server(before.server)
        assert after["id"] == server["id"]
        assert after["selected"] == server["selected"]
        assert after["active"] >= 1
    assert sum(engine.selected("web").values()) == 32


def test_invalid_rules_change_nothing(lab, steer):
    engine = steer(rules())
    before = engine.rules_file.read_text()
    ruleset = lab.router.run("nft", "-j", "list", "table", "inet", "nfsteer").stdout
    refused = reload(engine, before.replace("routes =", "rotues ="), check=False)
    assert refused.returncode == 5
    assert f"{engine.rules_file}:" in refused.stderr and "did you mean `routes`?" in refused.stderr
    assert refused.stderr.endswith("1 error.\n")
    expectation = f'\n[[expect]]\nflow = "tcp 192.0.2.7:1 {VIP4}:80"\naction = "drop"\n'
    refused = reload(engine, before + expectation, check=False)
    assert refused.returncode == 5
    assert "expected action `drop`, but it is `steer`" in refused.stderr
    engine.rules_file.unlink()
    refused = reload(engine, check=False)
    assert refused.returncode == 5 and "No such file or directory" in refused.stderr
    status = engine.status()["engine"]
    assert (status["generation"], status["reloads"], status["reloads_failed"]) == (1, 0, 3)
    assert lab.router.run("nft", "-j", "list", "table", "inet", "nfsteer").stdout == ruleset
    assert len(udp_flows(lab.client, VIP4, 80, 30)) == 30


def test_what_needs_a_restart_is_refused(lab, steer):
    engine = steer(rules())
    refused = reload(engine, rules(queues=1, engine="queue_length = 99"), check=False)
    assert refused.returncode == 1
    assert "queues, queue_length of [engine] cannot change" in refused.stderr
    assert engine.command("diff", engine.rules_file, check=False).stdout.startswith("! queues, ")
    assert engine.status()["engine"]["generation"] == 1


def test_diff_changes_nothing(lab, steer, tmp_path):
    engine = steer(rules())
    assert engine.command("diff", engine.rules_file).stdout == "no difference\n"
    other = tmp_path / "other.toml"
    other.write_text(rules(servers=WITHOUT_WEB2))
    found = engine.command("diff", other, check=False)
    assert (found.returncode, found.stdout) == (10, "- group.web.web2\n")
    other.write_text("[group.web]\n")
    assert engine.command("diff", other, check=False).returncode == 5
    assert set(share(udp_flows(lab.client, VIP4, 80, 30))) == ALL
    assert engine.status()["engine"]["generation"] == 1


def test_sighup_reloads(lab, steer):
    engine = steer(rules())
    engine.rules_file.write_text(rules(servers=WITHOUT_WEB2))
    os.kill(engine.keeper_pid, signal.SIGHUP)
    wait_until(lambda: engine.status()["engine"]["generation"] == 2)
    assert set(share(udp_flows(lab.client, VIP4, 80, 30))) == {"web1", "web3"}
    engine.rules_file.write_text("nonsense")
    os.kill(engine.keeper_pid, signal.SIGHUP)
    wait_until(lambda: engine.status()["engine"]["reloads_failed"] == 1)
    assert "the rules stay as they are" in engine.log


def test_unconfirmed_rules_go_back(lab, steer):
    engine = steer(rules())
    done = reload(engine, rules(servers=WITHOUT_WEB2), "--confirm", "1s")
    assert done.stdout.endswith("`nfsteer confirm` within 1 s, or the one before comes back\n")
    wait_until(lambda: engine.status()["engine"]["generation"] == 3)
    assert set(share(udp_flows(lab.client, VIP4, 80, 30))) == ALL
    assert "was not confirmed" in engine.log


def test_confirm_and_undo(lab, steer):
    engine = steer(rules())
    for command in ("confirm", "undo"):
        refused = engine.command(command, check=False)
        assert refused.returncode == 1 and f"nothing to {command}" in refused.stderr
    reload(engine, rules(servers=WITHOUT_WEB2), "--confirm", "1h")
    refused = reload(engine, check=False)
    assert "waits for `nfsteer confirm` or `nfsteer undo`" in refused.stderr
    assert engine.command("confirm").stdout == "confirmed\n"
    reload(engine, rules(), "--confirm", "1h")
    engine.rules_file.unlink()  # what was in force before is not on the disk any more
    assert "- group.web.web2" in engine.command("undo").stdout
    assert set(share(udp_flows(lab.client, VIP4, 80, 30))) == {"web1", "web3"}


def test_an_unconfirmed_reload_outlives_a_crash(lab, steer):
    engine = steer(rules())
    reload(engine, rules(servers=WITHOUT_WEB2), "--confirm", "4s")
    engine.kill_engine()
    wait_until(lambda: engine.status()["engine"]["starts"] == 2)
    wait_until(lambda: "web2" in engine.selected("web"), 20)


def test_crash_after_a_reload(lab, steer):
    """The next engine has the rules that were in force, not those of the start, nor
    those that lie on the disk."""
    engine = steer(rules())
    reload(engine, rules(servers=WITHOUT_WEB2))
    engine.rules_file.write_text("nonsense")
    engine.kill_engine()
    assert set(share(udp_flows(lab.client, VIP4, 80, 30))) == {"web1", "web3"}
    assert engine.status()["engine"]["generation"] == 2


def test_rules_from_standard_input_cannot_be_read_again(lab, steer):
    engine = steer(rules(), start=False)
    with engine.rules_file.open() as text:
        engine.launch(file="-", stdin=text)
    wait_until(engine.is_ready)
    refused = engine.command("reload", check=False)
    assert refused.returncode == 1 and "standard input" in refused.stderr


def test_two_people_reload_at_once(lab, steer):
    """One is served, the others are told so; the engine is whole."""
    engine = steer(rules(), start=False)
    (engine.rules_file.parent / "routes.txt").write_text(
        "\n".join(f"10.{i // 256}.{i % 256}.0/24 web 5" for i in range(20_000)))
    engine.rules_file.write_text(rules(more='[table.more]\nfiles = "routes.txt"\n'))
    engine.start()
    done = []
    threads = [threading.Thread(target=lambda: done.append(reload(engine, check=False)))
               for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 in {each.returncode for each in done}
    for each in done:
        assert each.returncode == 0 or "another reload is under way" in each.stderr
    assert len(udp_flows(lab.client, VIP4, 80, 30)) == 30


def test_reload_storm_under_load(lab, steer):
    """Half of the reloads are invalid, every other takes a server away or brings it back:
    no flow is lost, and each goes where some generation wanted it."""
    engine = steer(rules())
    good = [rules(), rules(servers=WITHOUT_WEB2)]
    flows = SteadyFlows(lab.client, VIP4, 80, flows_per_s=500)
    wait_until(lambda: flows.answered > 100)
    for i in range(30):
        assert reload(engine, good[i % 2]).returncode == 0
        assert reload(engine, "[group.web]\nnonsense = 1\n", check=False).returncode == 5
    answers, lost = flows.stop()
    assert lost == 0, f"{lost} of {flows.sent}"
    assert set(share(answers)) == ALL
    status = engine.status()
    assert status["engine"]["reloads"] == 30 and status["engine"]["reloads_failed"] == 30
    total = sum(queue["received"] for queue in status["queues"])
    assert total == sum(queue["accepted"] for queue in status["queues"])


def test_hooks_may_change(lab, steer):
    engine = steer(rules())
    reload(engine, rules(engine='hooks = ["prerouting", "output"]'))
    lab.router.ip(f"route add {VIP4} via {SERVER4['web1']}")
    assert tcp_ask(lab.router, VIP4, 80).server in ALL
    reload(engine, rules())
    chains = json.loads(lab.router.run("nft", "-j", "list", "chains", "inet").stdout)["nftables"]
    assert "steer_local" in {each["chain"]["name"] for each in chains if "chain" in each}
    assert len(udp_flows(lab.client, VIP4, 80, 30)) == 30


def test_tells_systemd(lab, steer):
    """RELOADING=1 with the time, then READY=1 again; and that it moves."""
    path = pathlib.Path(f"/run/{lab.router.name}-notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(20)
        engine = steer(rules(), wrapper=("env", f"NOTIFY_SOCKET={path}"))
        reload(engine)
        told = []
        while told.count("READY=1") < 2:
            message = listener.recv(4096).decode()
            if message != "WATCHDOG=1":
                told.append(message)
        assert told[0] == "READY=1"
        assert told[1].startswith("RELOADING=1\nMONOTONIC_USEC=")
        assert told[2] == "READY=1"
        wait_until(lambda: listener.recv(4096) == b"WATCHDOG=1", 20)
