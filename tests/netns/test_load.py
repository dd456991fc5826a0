"""Many new flows, and much traffic on few: nothing lost, all counted."""

import pathlib
import subprocess

import pytest
from clients import SteadyFlows
from engine import OUTCOMES, bench, cpu_ticks
from lab import SERVER4, VIP4, PacketCounter, wait_until
from rules import rules

FLOWS = 200_000


def conntrack_max():
    return int(pathlib.Path("/proc/sys/net/netfilter/nf_conntrack_max").read_text())


def test_flood(lab, steer):
    """200,000 new flows as fast as they can be sent: none is lost, each is counted."""
    if conntrack_max() <= FLOWS:
        pytest.skip(f"nf_conntrack_max is {conntrack_max()}; this test leaves the host's alone")
    # Room for all of them in the queues, should the engine get no CPU meanwhile.
    engine = steer(rules(queues=4, engine="queue_length = 65536"))
    arrived = {name: PacketCounter(server, "udp dport 8080", take=True)
               for name, server in lab.servers.items()}
    lab.client.run(bench("udp_flood"), VIP4, 80, FLOWS, "10.1.0.1", 200)

    def seen():
        return {name: counter.packets for name, counter in arrived.items()}
    wait_until(lambda: engine.total("received") + engine.total("waiting") >= FLOWS
               and sum(seen().values()) >= FLOWS, 20, "all have arrived")
    status = engine.status()
    assert sum(queue["received"] for queue in status["queues"]) == FLOWS
    assert sum(queue["accepted"] for queue in status["queues"]) == FLOWS
    assert all(queue["received"] > FLOWS / 8 for queue in status["queues"])
    assert engine.errors() == {}
    selected = {name: count for name, count in engine.selected("web").items() if count}
    assert sum(selected.values()) == FLOWS
    assert max(selected.values()) - min(selected.values()) <= 1
    assert seen() == selected


def test_every_status_adds_up(lab, steer):
    """received is the sum of the outcomes at every moment, not only at rest."""
    engine = steer(rules(more="""
        [[policy]]
        name = "odd"
        match = { saddr = "10.1.0.16/28" }
        action = "reject"
    """))
    flows = SteadyFlows(lab.client, VIP4, 80, flows_per_s=1000)
    received = 0
    while received < 3000:
        for queue in (status := engine.status())["queues"]:
            assert queue["received"] == sum(queue[outcome] for outcome in OUTCOMES), queue
        received = sum(queue["received"] for queue in status["queues"])
    flows.stop(limit_s=0)
    assert engine.total("rejected") > 1000 and engine.total("accepted") > 1000


def test_established_traffic_costs_the_engine_nothing(lab, steer):
    """iperf3 through nfsteer: the engine sees its two connections, and sleeps."""
    engine = steer(rules(servers='{ name = "web1", address = "10.2.0.1" }'))
    server = lab.servers["web1"]
    server.start("iperf3", "-s", "-1", stdout=subprocess.DEVNULL)
    wait_until(lambda: "5201" in server.run("ss", "-Hltn").stdout, what="iperf3 listens")
    before = cpu_ticks(engine.pid)
    lab.client.run("iperf3", "-c", VIP4, "-t", "2")
    assert engine.total("received") == 2
    assert cpu_ticks(engine.pid) - before <= 5
    assert SERVER4["web1"] in "".join(lab.conntrack("-d", VIP4))
