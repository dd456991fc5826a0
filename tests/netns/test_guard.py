"""What others do to our table, and what does not move any more."""

import collections
import os
import signal

import pytest
from clients import Connection, SteadyFlows, tcp_ask, udp_flows
from engine import OUTCOMES, gone
from lab import VIP4, VIP6, wait_until
from rules import rules


def table(lab):
    return lab.router.run("nft", "list", "table", "inet", "nfsteer", check=False).stdout


@pytest.mark.parametrize("meddling", [
    "flush ruleset",
    "delete table inet nfsteer",
    "flush chain inet nfsteer steer",
    "flush table inet nfsteer",
    "flush map inet nfsteer server4",
    "flush map inet nfsteer decided",
    "flush set inet nfsteer scope4",
    "add rule inet nfsteer keep drop",
])
def test_repaired_at_once(lab, steer, meddling):
    engine = steer(rules())
    before = table(lab)
    with Connection(lab.client, VIP4, 80) as connection:
        answer = connection.ask()
        lab.router.nft(meddling)
        wait_until(lambda: engine.status()["engine"]["ruleset_repairs"] == 1, 20)
        assert sorted(table(lab).split()) == sorted(before.split())
        assert connection.ask() == answer
    assert len(udp_flows(lab.client, VIP4, 80, 30)) == 30
    assert tcp_ask(lab.client, VIP6, 80).server in {"web1", "web2", "web3"}
    assert engine.log.count("changed table inet nfsteer: repaired") == 1
    assert "nft (pid" in engine.log


def test_what_others_do_elsewhere_is_none_of_ours(lab, steer):
    engine = steer(rules())
    lab.router.nft("add table inet other\nadd chain inet other nfsteer { type filter hook input "
                   "priority 0; }\nadd table ip nfsteer\nadd chain ip nfsteer keep\n"
                   "flush table inet other\ndelete table ip nfsteer")
    engine.command("drain", "web/web1")  # and so is what we do ourselves
    wait_until(lambda: engine.status()["engine"]["fallback_updates"] == 1)
    engine.command("reload")
    assert engine.status()["engine"]["ruleset_repairs"] == 0


def test_a_fight_is_not_one_for_every_blow(lab, steer):
    engine = steer(rules())
    for _ in range(200):
        lab.router.nft("flush map inet nfsteer server4")
    wait_until(lambda: "web1" in table(lab) and len(udp_flows(lab.client, VIP4, 80, 3)) == 3, 20)
    assert engine.status()["engine"]["ruleset_repairs"] < 100


def test_flush_ruleset_under_load(lab, steer):
    """Steered again within a second; nothing that was established notices."""
    engine = steer(rules())
    flows = SteadyFlows(lab.client, VIP4, 80, flows_per_s=200)
    wait_until(lambda: flows.answered > 100)
    with Connection(lab.client, VIP4, 80) as connection:
        before = connection.ask()
        for repairs in (1, 2, 3):
            lab.router.nft("flush ruleset")
            wait_until(lambda: engine.status()["engine"]["ruleset_repairs"] == repairs, 20)
            answered = flows.answered
            wait_until(lambda: flows.answered > answered + 100, 20)
            assert connection.ask() == before
    _, lost = flows.stop()
    assert lost < 600, f"{lost} of {flows.sent}"  # a second's, each time, at most


def test_an_engine_that_does_not_move_is_replaced(lab, steer):
    engine = steer(rules())
    stopped = engine.pid
    os.kill(stopped, signal.SIGSTOP)
    wait_until(lambda: gone(stopped), 60, "it was killed")
    engine.note_kill()
    answers = udp_flows(lab.client, VIP4, 80, 30)
    assert len(answers) == 30
    assert "has not moved for 5 s: the engine is killed" in engine.log
    assert engine.status()["engine"]["starts"] == 2


def test_stopped_and_continued(lab, steer):
    """New flows wait meanwhile; the account is true."""
    engine = steer(rules())
    flows = SteadyFlows(lab.client, VIP4, 80, flows_per_s=100)
    wait_until(lambda: flows.answered > 50)
    pid = engine.pid
    os.kill(pid, signal.SIGSTOP)
    sent = flows.sent
    wait_until(lambda: flows.sent > sent + 50)
    os.kill(pid, signal.SIGCONT)
    answered = flows.answered
    wait_until(lambda: flows.answered > answered + 300)
    answers, lost = flows.stop()
    assert lost == 0
    status = engine.status()
    assert status["engine"]["starts"] == 1
    received = sum(queue["received"] for queue in status["queues"])
    assert received == sum(queue[outcome] for queue in status["queues"] for outcome in OUTCOMES)
    assert len(answers) == received
    assert len(collections.Counter(each.server for each in answers)) == 3
